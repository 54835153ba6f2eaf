/* SPDX-License-Identifier: Apache-2.0 */
#include "registrar_world.h"

#include "auth/kerberos.h"
#include "auth/login.h"
#include "auth/users_edit.h"
#include "ike/credentials.h"
#include "pki.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void on_tell(void *context, const struct timeline_registration *about, enum timeline_what what, const char *text)
{
	struct world *world = context;
	size_t i = world->n_told % WORLD_TOLD_MAX;

	world->told[i].what = what;
	snprintf(world->told[i].identity, CONFIG_IDENTITY_LEN, "%s", about->identity ? about->identity : "");
	snprintf(world->told[i].text, sizeof(world->told[i].text), "%s", text);
	world->n_told++;
}

static void on_over(void *context, const struct timeline_registration *about)
{
	(void)about;
	((struct world *)context)->n_over++;
}

static void on_ended(void *context, const struct registration *registration, const char *why)
{
	struct world *world = context;
	struct timeline_registration about = {.identity = registration->identity};

	world->n_ended++;
	on_tell(world, &about, TIMELINE_UNREGISTERED, why);
}

static int on_lease(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
	char why[IKE_WHY_LEN])
{
	struct world *world = context;

	assert_true(peer->pool[0] && identity[0]);
	if (world->pool_exhausted) {
		snprintf(why, IKE_WHY_LEN, "one address was asked for, pool \"clients\" has none");
		return -ENOSPC;
	}
	world->n_leases++;
	out->address = address_ipv4(0x0a630007);
	return 0;
}

static bool on_overlaps(
	void *context, const char *identity, const struct prefix *networks, size_t count, char why[GRANT_WHY_LEN])
{
	const struct world *world = context;

	assert_true(identity[0] && count > 0 && networks[0].len > 0);
	if (world->overlap)
		snprintf(why, GRANT_WHY_LEN, "%s", world->overlap);
	return world->overlap;
}

static void on_is_stream(void *context, int fd)
{
	struct world *world = context;

	world->n_streams++;
	world->stream = fd;
}

static void on_started(void *context, struct registration *registration, int fd)
{
	struct world *world = context;

	assert_non_null(registration);
	world->n_started++;
	world->stream = fd;
}

static void on_settle(void *context)
{
	(void)context;
}

static void add_user(const char *file, const char *name, const char *group)
{
	struct user user = {.name = ""};
	char error[USERS_ERROR_LEN];

	snprintf(user.name, sizeof(user.name), "%s", name);
	snprintf(user.group, sizeof(user.group), "%s", group);
	assert_int_equal(password_hash(WORLD_PASSWORD, user.hash), 0);
	assert_int_equal(users_edit(file, USERS_ADD, &user, error), 0);
}

void world_prepare(struct world *world)
{
	struct config_registration *registration = &world->config.registration;
	struct config_peer *peer = &world->peers[0];
	char users[CONFIG_FILE_LEN];

	*world = (struct world){.stream = -1};
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .authority = true});
	pki_make(&(struct pki_certificate){.name = "gateway", .issuer = "authority", .names = "DNS:hq.example"});
	pki_use(&world->config.ike, "gateway", "authority");
	strcpy(world->config.ike.identity, "hq.example");
	world->config.ike.nat_ports[0] = 4500;
	world->config.ike.n_nat_ports = 1;
	world->config.ike.listen[0] = address_ipv4(INADDR_LOOPBACK);
	world->config.ike.n_listen = 1;
	*registration = (struct config_registration){
		.n_ports = 1, /* port 0: whichever is free */
		.methods = {CONFIG_METHOD_PASSWORD, CONFIG_METHOD_CERTIFICATE},
		.n_methods = 2,
		.n_transports = 1,
		.timeout = 30,
		.key_timeout = 120,
		.connections = 64,
		.connections_per_address = 64,
		.members = world->members,
	};
	world->config.users =
		(struct config_users){.guesses_per_user = 5, .guesses_per_address = 50, .guess_window = 60};
	snprintf(world->config.users.file, sizeof(world->config.users.file), "%s", pki_path("users", users));
	add_user(users, "alice", "staff");
	add_user(users, "bob", "");
	strcpy(peer->name, "members");
	strcpy(peer->pool, "clients");
	peer->registration = true;
	peer->local_networks[0] = (struct prefix){.address = address_ipv4(0xc0a80200), .len = 24};
	peer->n_local = 1;
	world->config.peers = world->peers;
	world->config.n_peers = 1;
	strcpy(world->config.pools[0].name, "clients");
	world->config.pools[0].dns[0] = address_ipv4(0xc0a80235);
	world->config.pools[0].n_dns = 1;
	world->config.n_pools = 1;
}

void world_open(struct world *world)
{
	struct registry_hooks hooks = {.context = world, .ended = on_ended};
	struct registrar_host host = {
		.context = world,
		.config = &world->config,
		.grant = {.config = &world->config, .context = world, .lease = on_lease, .overlaps = on_overlaps},
		.tell = on_tell,
		.over = on_over,
		.started = on_started,
		.is_stream = on_is_stream,
		.settle = on_settle,
	};

	if (!world->base)
		world->base = event_base_new();
	assert_int_equal(credentials_load(&world->config, &world->credentials, report, NULL), 0);
	world->known = members_new(&world->config);
	world->registry = registry_new(world->config.registration.key_timeout, &hooks);
	world->jobs = jobs_new(world->base, 2, 64);
	world->login = login_new(&world->config.users, world->jobs);
	assert_non_null(world->login);
	host.registry = world->registry;
	host.grant.members = world->known;
	host.proof = (struct proof_means){
		.base = world->base, .members = world->known, .login = world->login, .kerberos = world->kerberos};
	world->registrar = registrar_new(world->base, &host, world->credentials);
	assert_non_null(world->registrar);
}

void world_close(struct world *world)
{
	registrar_free(world->registrar);
	kerberos_free(world->kerberos);
	jobs_free(world->jobs);
	login_free(world->login);
	registry_free(world->registry);
	members_free(world->known);
	credentials_free(world->credentials);
	event_base_free(world->base);
	pki_end();
}

static void world_print(const struct world *world)
{
	for (size_t i = 0; i < world->n_told && i < WORLD_TOLD_MAX; i++)
		print_message("told: %s: %s\n", timeline_what_name(world->told[i].what), world->told[i].text);
}

static void on_late(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	((struct world *)context)->late = true;
}

void world_until(struct world *world, bool (*holds)(void *context), void *context)
{
	static const struct timeval patience = {.tv_sec = 20};
	struct event *deadline = evtimer_new(world->base, on_late, world);

	world->late = false;
	event_add(deadline, &patience);
	while (!holds(context) && !world->late)
		event_base_loop(world->base, EVLOOP_ONCE);
	event_free(deadline);
	if (!world->late)
		return;
	world_print(world);
	fail_msg("what was waited for did not come");
}

bool world_was_told(const struct world *world, enum timeline_what what, const char *part)
{
	for (size_t i = 0; i < world->n_told && i < WORLD_TOLD_MAX; i++)
		if (world->told[i].what == what && strstr(world->told[i].text, part))
			return true;
	return false;
}

int world_connect(struct world *world)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(registrar_port(world->registrar))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void on_opened(void *context)
{
	((struct client *)context)->opened = true;
}

static void on_message(void *context, const char *text, size_t len)
{
	struct client *client = context;
	char why[REGISTRATION_WHY_LEN];

	if (client->n_got > 0)
		message_clear(&client->got);
	if (message_decode(text, len, &client->got, why) < 0)
		fail_msg("the gateway's message %s", why);
	client->n_got++;
}

static void on_closed(void *context)
{
	((struct client *)context)->closed = true;
}

static void on_sent_all(void *context)
{
	((struct client *)context)->sent_all = true;
}

static void on_failed(void *context, enum tls_failure failure, const char *why)
{
	struct client *client = context;

	(void)why;
	client->failed = true;
	client->failure = failure;
}

static bool is_open(void *context)
{
	return ((struct client *)context)->opened;
}

static bool has_got(void *context)
{
	return ((struct client *)context)->n_got > 0;
}

static bool is_through(void *context)
{
	const struct client *client = context;

	return client->closed && client->sent_all;
}

void client_open(struct world *world, struct client *client, const char *name)
{
	struct channel_handler handler = {.context = client,
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.sent_all = on_sent_all,
		.failed = on_failed};
	char why[TLS_WHY_LEN];
	struct tls *tls;

	*client = (struct client){.world = world};
	if (name)
		pki_use(&client->config.ike, name, "authority");
	else
		pki_path("authority.pem", client->config.ike.authorities[client->config.ike.n_authorities++]);
	assert_int_equal(credentials_load(&client->config, &client->credentials, report, NULL), 0);
	client->tls = tls_context_client(client->credentials, why);
	assert_non_null(client->tls);
	client->fd = world_connect(world);
	tls = tls_new(client->tls, client->fd, "hq.example");
	assert_non_null(tls);
	client->channel = channel_new(world->base, client->fd, tls, &handler);
	assert_non_null(client->channel);
	world_until(world, is_open, client);
}

void client_close(struct client *client)
{
	if (client->n_got > 0)
		message_clear(&client->got);
	channel_free(client->channel);
	tls_context_free(client->tls);
	credentials_free(client->credentials);
}

void client_send_text(struct client *client, const char *text)
{
	assert_int_equal(channel_send(client->channel, text, strlen(text)), 0);
}

void client_send(struct client *client, const struct registration_message *message)
{
	size_t len;
	char *text = message_encode(message, &len);

	assert_non_null(text);
	assert_int_equal(channel_send(client->channel, text, len), 0);
	free(text);
}

void client_say_hello(struct client *client)
{
	struct registration_message hello = {.type = REGISTRATION_HELLO};

	hello.hello = (struct registration_hello){
		.version = REGISTRATION_VERSION,
		.software = "test 1",
		.methods = 1u << REGISTRATION_PASSWORD | 1u << REGISTRATION_CERTIFICATE,
		.transports = 1u << REGISTRATION_UDP | 1u << REGISTRATION_TCP,
		.dialed = {.address = address_ipv4(0xc6336458), .port = 4009},
		.local = {.address = address_ipv4(0xc0a80102), .port = 40000},
		.udp_port = 4500,
	};
	client_send(client, &hello);
}

void client_give_password(struct client *client, const char *user, const char *password)
{
	struct registration_message authenticate = {.type = REGISTRATION_AUTHENTICATE};

	authenticate.authenticate.method = REGISTRATION_PASSWORD;
	strcpy(authenticate.authenticate.user, user);
	strcpy(authenticate.authenticate.password, password);
	client_send(client, &authenticate);
}

void client_expect(struct client *client, enum registration_type type)
{
	if (client->n_got > 0)
		message_clear(&client->got);
	client->n_got = 0;
	world_until(client->world, has_got, client);
	if (client->got.type == type)
		return;
	world_print(client->world);
	fail_msg("\"%s\" came, not \"%s\"", registration_type_names[client->got.type], registration_type_names[type]);
}

void client_expect_refusal(struct client *client, enum registration_code code)
{
	client_expect(client, REGISTRATION_REFUSED);
	if (client->got.refused.code != code)
		fail_msg("%s: %s", registration_code_names[client->got.refused.code], client->got.refused.sentence);
}

void client_register(struct client *client, const char *user)
{
	client_say_hello(client);
	client_expect(client, REGISTRATION_OFFER);
	client_give_password(client, user, WORLD_PASSWORD);
	client_expect(client, REGISTRATION_ACCEPTED);
}

void client_start(struct client *client)
{
	const struct registration_message start = {.type = REGISTRATION_START};

	client_send(client, &start);
	channel_close(client->channel);
	world_until(client->world, is_through, client);
}
