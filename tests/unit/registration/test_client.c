/* SPDX-License-Identifier: Apache-2.0 */
/* The client against a gateway that follows a script, over TCP on the loopback interface. */
#include "registration/client.h"

#include "ike/credentials.h"
#include "pki.h"
#include "registration/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { STEPS_MAX = 6 };

/* What the gateway answers to the next message of the client's. */
enum reply { NOTHING, SEND, SEND_TEXT, CLOSE, DROP, RESET };

struct step {
	enum reply reply;
	struct registration_message message;
	const char *text;
};

struct gateway {
	struct config config;
	struct credentials *credentials;
	struct tls_context *context;
	struct event *listening;
	struct channel *channel;
	int listener, bare;
	struct endpoint endpoint;
	bool mute; /* accepts connections and does nothing with them */
	struct step steps[STEPS_MAX];
	size_t n_steps, at;
	struct registration_message heard[STEPS_MAX];
	size_t n_heard;
	struct registration_keys keys;
	bool closed;
	int fin_from_client; /* 1: its FIN had come when ours was not yet sent */
};

struct gss {
	struct registration_client *client;
	uint8_t binding[KEYS_CHANNEL_BINDING_LEN];
	unsigned rounds, ended, wanted;
	bool fails, refuses_step;
	struct event *answer;
};

static struct gateway gateway;
static struct gss gss;
static struct event_base *base;
static struct config config;
static struct credentials *credentials;
static struct tls_context *context;
static struct registration_client *client;
static struct registration_client_settings settings;
static struct registration_verdict verdict;
static struct registration_accepted accepted;
static struct registration_keys keys;
static enum registration_method method;
static bool is_done, has_failed;
static int bare; /* the client's end of a TCP transport */

static void report(void *unused, const char *sentence)
{
	(void)unused;
	fail_msg("%s", sentence);
}

static const struct registration_accepted *terms(enum registration_transport transport)
{
	static struct registration_accepted made;

	made = (struct registration_accepted){.identity = "anna",
		.gateway_identity = "hq.example",
		.session = {1, 2, 3},
		.transport = transport,
		.ports = {4500},
		.n_ports = 1,
		.n_gateway_networks = 1,
		.n_client_networks = 1,
		.timers = {.udp_wait = 20}};
	assert_int_equal(address_parse("127.0.0.1", &made.seen.address), 0);
	assert_int_equal(prefix_parse("192.168.2.0/24", &made.gateway_networks[0]), 0);
	assert_int_equal(prefix_parse("10.99.0.7/32", &made.client_networks[0]), 0);
	return &made;
}

/* --- the gateway ---------------------------------------------------------------------------------------------------- */

static void gateway_opened(void *unused)
{
	(void)unused;
}

static void gateway_send(const struct step *step)
{
	size_t len = step->text ? strlen(step->text) : 0;
	char *text = step->text ? strdup(step->text) : message_encode(&step->message, &len);

	assert_non_null(text);
	assert_int_equal(channel_send(gateway.channel, text, len), 0);
	if (step->message.type == REGISTRATION_ACCEPTED && !step->text)
		assert_int_equal(
			keys_derive(channel_tls(gateway.channel), step->message.accepted.session, &gateway.keys), 0);
	free(text);
}

static void gateway_drop(bool with_reset)
{
	struct linger linger = {.l_onoff = with_reset};
	int fd = channel_release(gateway.channel);

	gateway.channel = NULL;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

static void gateway_message(void *unused, const char *text, size_t len)
{
	char why[REGISTRATION_WHY_LEN];
	const struct step *step;

	(void)unused;
	assert_true(gateway.n_heard < STEPS_MAX);
	if (message_decode(text, len, &gateway.heard[gateway.n_heard++], why) != 0)
		fail_msg("%.*s %s", (int)len, text, why);
	assert_true(gateway.at < gateway.n_steps);
	step = &gateway.steps[gateway.at++];
	switch (step->reply) {
	case NOTHING: break;
	case SEND:
	case SEND_TEXT: gateway_send(step); break;
	case CLOSE: channel_close(gateway.channel); break;
	case DROP:
	case RESET: gateway_drop(step->reply == RESET); break;
	}
}

/* The client has ended TLS: so do we, and TCP where UDP is the transport. */
static void gateway_closed(void *unused)
{
	(void)unused;
	gateway.closed = true;
	channel_close(gateway.channel);
}

static void gateway_sent_all(void *unused)
{
	int fd;
	char byte;

	(void)unused;
	if (!gateway.closed)
		return;
	fd = channel_release(gateway.channel);
	gateway.channel = NULL;
	gateway.fin_from_client = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
	if (gateway.steps[gateway.n_steps - 2].message.accepted.transport == REGISTRATION_TCP)
		gateway.bare = fd;
	else
		close(fd);
}

static void gateway_failed(void *unused, enum tls_failure failure, const char *why)
{
	(void)unused;
	(void)failure;
	(void)why;
}

static void on_accept(evutil_socket_t listener, short what, void *unused)
{
	const struct channel_handler handler = {.opened = gateway_opened,
		.message = gateway_message,
		.closed = gateway_closed,
		.sent_all = gateway_sent_all,
		.failed = gateway_failed};
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	(void)what;
	(void)unused;
	assert_true(fd >= 0);
	if (gateway.mute) {
		gateway.bare = fd;
		return;
	}
	gateway.channel = channel_new(base, fd, tls_new(gateway.context, fd, NULL), &handler);
	assert_non_null(gateway.channel);
}

static void open_gateway(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(any);
	char why[TLS_WHY_LEN];

	pki_use(&gateway.config.ike, "gateway", "authority");
	assert_int_equal(credentials_load(&gateway.config, &gateway.credentials, report, NULL), 0);
	gateway.context = tls_context_server(gateway.credentials, true, why);
	assert_non_null(gateway.context);
	gateway.bare = -1;
	gateway.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(gateway.listener >= 0);
	assert_int_equal(bind(gateway.listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(gateway.listener, 4), 0);
	assert_int_equal(getsockname(gateway.listener, (struct sockaddr *)&any, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&any, &gateway.endpoint), 0);
	gateway.listening = event_new(base, gateway.listener, EV_READ | EV_PERSIST, on_accept, NULL);
	event_add(gateway.listening, NULL);
}

static void close_gateway(void)
{
	channel_free(gateway.channel);
	event_free(gateway.listening);
	close(gateway.listener);
	if (gateway.bare >= 0)
		close(gateway.bare);
	tls_context_free(gateway.context);
	credentials_free(gateway.credentials);
	for (size_t i = 0; i < gateway.n_heard; i++)
		message_clear(&gateway.heard[i]);
	memset(&gateway, 0, sizeof(gateway));
}

/* --- GSS ------------------------------------------------------------------------------------------------------------ */

static void gss_answer(evutil_socket_t fd, short what, void *unused)
{
	uint8_t token[2] = {'t', (uint8_t)gss.rounds};
	bool is_last = gss.rounds == gss.wanted;

	(void)fd;
	(void)what;
	(void)unused;
	gss.rounds++;
	if (gss.fails)
		registration_client_gss_failed(gss.client, REGISTRATION_NO_CREDENTIAL, "there is no ticket");
	else
		registration_client_token(gss.client, token, is_last ? 0 : 2, is_last, REGISTRATION_IAKERB);
}

static void gss_answers_soon(void)
{
	static const struct timeval soon = {.tv_usec = 1000};

	event_add(gss.answer, &soon);
}

static int gss_begin(void *unused, struct registration_client *begun, const uint8_t *binding)
{
	(void)unused;
	gss.client = begun;
	memcpy(gss.binding, binding, sizeof(gss.binding));
	gss_answers_soon();
	return 0;
}

static int gss_step(void *unused, const uint8_t *token, size_t token_len)
{
	(void)unused;
	if (gss.refuses_step)
		return -EBUSY;
	assert_int_equal(token_len, 1);
	assert_int_equal(token[0], 'g');
	gss_answers_soon();
	return 0;
}

static void gss_end(void *unused)
{
	(void)unused;
	gss.ended++;
	event_del(gss.answer);
}

/* --- the client ----------------------------------------------------------------------------------------------------- */

static void on_done(void *unused, const struct registration_result *result)
{
	(void)unused;
	is_done = true;
	accepted = *result->accepted;
	keys = *result->keys;
	method = result->method;
	bare = result->fd;
	registration_client_free(client);
	client = NULL;
}

static void on_failed(void *unused, const struct registration_verdict *told)
{
	(void)unused;
	has_failed = true;
	verdict = *told;
	registration_client_free(client);
	client = NULL;
}

static int set_up(void **state)
{
	char why[TLS_WHY_LEN];

	(void)state;
	base = event_base_new();
	assert_non_null(base);
	open_gateway();
	pki_path("authority.pem", config.ike.authorities[config.ike.n_authorities++]);
	assert_int_equal(credentials_load(&config, &credentials, report, NULL), 0);
	context = tls_context_client(credentials, why);
	assert_non_null(context);
	gss.answer = evtimer_new(base, gss_answer, NULL);
	settings = (struct registration_client_settings){.base = base,
		.tls = context,
		.name = "hq.example",
		.software = "test",
		.gateway = gateway.endpoint,
		.udp_port = 4009,
		.methods = 1U << REGISTRATION_PASSWORD,
		.transports = 1U << REGISTRATION_UDP | 1U << REGISTRATION_TCP,
		.user = "anna",
		.password = "sesame",
		.gss = {.begin = gss_begin, .step = gss_step, .end = gss_end},
		.patience_ms = 20000};
	settings.local = gateway.endpoint.address;
	bare = -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	registration_client_free(client);
	client = NULL;
	close_gateway();
	event_free(gss.answer);
	memset(&gss, 0, sizeof(gss));
	tls_context_free(context);
	credentials_free(credentials);
	memset(&config, 0, sizeof(config));
	event_base_free(base);
	memset(&verdict, 0, sizeof(verdict));
	is_done = has_failed = false;
	if (bare >= 0)
		close(bare);
	return 0;
}

static void expired(evutil_socket_t fd, short what, void *unused)
{
	(void)fd;
	(void)what;
	(void)unused;
	fail_msg("the client came to no end");
}

static void run(void)
{
	static const struct timeval patience = {.tv_sec = 30};
	const struct registration_handler handler = {.done = on_done, .failed = on_failed};
	struct event *deadline = evtimer_new(base, expired, NULL);

	event_add(deadline, &patience);
	client = registration_client_new(&settings, &handler);
	assert_non_null(client);
	while (!is_done && !has_failed)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(deadline);
}

static void says(enum registration_failure failure, const char *part)
{
	if (!has_failed)
		fail_msg("the client connected");
	if (verdict.failure != failure || !strstr(verdict.detail, part))
		fail_msg("%d, not %d: \"%s\", where \"%s\" should be", verdict.failure, failure, verdict.detail, part);
}

static void script(const struct step *steps, size_t count)
{
	memcpy(gateway.steps, steps, count * sizeof(*steps));
	gateway.n_steps = count;
}

static struct step offer(uint32_t methods)
{
	return (struct step){.reply = SEND,
		.message = {.type = REGISTRATION_OFFER,
			.offer = {.version = REGISTRATION_VERSION, .methods = methods, .transports = 3}}};
}

static struct step accept_over(enum registration_transport transport)
{
	return (struct step){
		.reply = SEND, .message = {.type = REGISTRATION_ACCEPTED, .accepted = *terms(transport)}};
}

static struct step token(void)
{
	static uint8_t bytes[] = {'g'};

	return (struct step){
		.reply = SEND, .message = {.type = REGISTRATION_TOKEN, .token = bytes, .token_len = sizeof(bytes)}};
}

static const uint32_t all_methods = 7;

static void password_then_udp(void **state)
{
	const struct step steps[] = {offer(all_methods), accept_over(REGISTRATION_UDP), {.reply = NOTHING}};

	(void)state;
	script(steps, 3);
	run();
	assert_true(is_done);
	assert_int_equal(gateway.n_heard, 3);
	assert_int_equal(gateway.heard[0].hello.udp_port, 4009);
	assert_true(endpoint_equal(&gateway.heard[0].hello.dialed, &gateway.endpoint));
	assert_int_not_equal(gateway.heard[0].hello.local.port, 0);
	assert_int_equal(gateway.heard[1].authenticate.method, REGISTRATION_PASSWORD);
	assert_string_equal(gateway.heard[1].authenticate.user, "anna");
	assert_string_equal(gateway.heard[1].authenticate.password, "sesame");
	assert_int_equal(gateway.heard[2].type, REGISTRATION_START);
	assert_memory_equal(&accepted, terms(REGISTRATION_UDP), sizeof(accepted));
	assert_memory_equal(&keys, &gateway.keys, sizeof(keys));
	assert_int_equal(method, REGISTRATION_PASSWORD);
	assert_int_equal(bare, -1);
	assert_int_equal(gateway.fin_from_client, 0);
}

static void password_then_tcp(void **state)
{
	const struct step steps[] = {offer(all_methods), accept_over(REGISTRATION_TCP), {.reply = NOTHING}};
	char bytes[8] = "";

	(void)state;
	script(steps, 3);
	run();
	assert_true(is_done);
	assert_true(bare >= 0);
	while (gateway.bare < 0)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(write(bare, "IKETCP", 6), 6);
	assert_int_equal(fcntl(gateway.bare, F_SETFL, 0), 0);
	assert_int_equal(recv(gateway.bare, bytes, 6, MSG_WAITALL), 6);
	assert_string_equal(bytes, "IKETCP");
}

static void kerberos(void **state)
{
	const struct step steps[] = {offer(all_methods), token(), accept_over(REGISTRATION_UDP), {.reply = NOTHING}};

	(void)state;
	settings.methods = all_methods;
	script(steps, 4);
	gateway.steps[2].message.token = token().message.token;
	gateway.steps[2].message.token_len = 1;
	gss.wanted = 2;
	run();
	assert_true(is_done);
	assert_int_equal(method, REGISTRATION_KERBEROS);
	assert_int_equal(gss.rounds, 3);
	assert_int_equal(gss.ended, 1);
	assert_int_equal(gateway.heard[1].type, REGISTRATION_AUTHENTICATE);
	assert_int_equal(gateway.heard[1].authenticate.mechanism, REGISTRATION_IAKERB);
	assert_memory_equal(gateway.heard[1].token, "t\0", 2);
	assert_int_equal(gateway.heard[2].type, REGISTRATION_TOKEN);
	assert_memory_equal(gateway.heard[2].token, "t\1", 2);
}

/* A gateway that hasn't proved itself gets nothing of us, whatever it says. */
static void kerberos_unproven(void **state)
{
	const struct step steps[] = {offer(all_methods), accept_over(REGISTRATION_UDP), {.reply = NOTHING}};

	(void)state;
	settings.methods = all_methods;
	gss.wanted = 2;
	script(steps, 3);
	run();
	says(REGISTRATION_STRANGER, "without having proved itself");
	assert_int_equal(gateway.n_heard, 2);
	assert_int_equal(gss.ended, 1);
}

static void no_ticket(void **state)
{
	const struct step steps[] = {offer(1U << REGISTRATION_KERBEROS)};

	(void)state;
	settings.methods = all_methods;
	gss.fails = true;
	script(steps, 1);
	run();
	says(REGISTRATION_NO_CREDENTIAL, "no ticket");
	assert_int_equal(gss.ended, 1);
}

static void password_for_want_of_a_ticket(void **state)
{
	const struct step steps[] = {
		offer(1U << REGISTRATION_KERBEROS | 1U << REGISTRATION_PASSWORD), accept_over(REGISTRATION_UDP), {.reply = NOTHING}};

	(void)state;
	settings.methods = all_methods;
	gss.fails = true;
	script(steps, 3);
	run();
	assert_true(is_done);
	assert_int_equal(method, REGISTRATION_PASSWORD);
	assert_int_equal(gss.ended, 1);
}

static void gss_is_busy(void **state)
{
	const struct step steps[] = {offer(all_methods), token()};

	(void)state;
	settings.methods = all_methods;
	gss.wanted = 5;
	gss.refuses_step = true;
	script(steps, 2);
	run();
	says(REGISTRATION_LOCAL, "token");
}

/* The password isn't sent where the certificate is wrong. */
static void wrong_certificate(void **state)
{
	(void)state;
	settings.name = "other.example";
	run();
	says(REGISTRATION_BAD_CERTIFICATE, "not that of other.example");
	assert_int_equal(gateway.n_heard, 0);
}

static void turned_down(void **state)
{
	const struct step steps[] = {offer(all_methods),
		{.reply = SEND,
			.message = {.type = REGISTRATION_REFUSED,
				.refused = {.code = REGISTRATION_OVERLAP, .sentence = "That network is branch2's."}}}};

	(void)state;
	script(steps, 2);
	run();
	says(REGISTRATION_TURNED_DOWN, "That network is branch2's.");
	assert_int_equal(verdict.code, REGISTRATION_OVERLAP);
}

static void nothing_in_common(void **state)
{
	struct step steps[] = {offer(1U << REGISTRATION_CERTIFICATE)};

	(void)state;
	script(steps, 1);
	run();
	says(REGISTRATION_UNSUITABLE, "certificate; and there are credentials here for: password");
}

static void another_version(void **state)
{
	struct step steps[] = {offer(all_methods)};

	(void)state;
	steps[0].message.offer.version = 2;
	script(steps, 1);
	run();
	says(REGISTRATION_UNSUITABLE, "version 2");
}

static void transport_not_offered(void **state)
{
	const struct step steps[] = {offer(all_methods), accept_over(REGISTRATION_UDP)};

	(void)state;
	settings.transports = 1U << REGISTRATION_TCP;
	script(steps, 2);
	run();
	says(REGISTRATION_STRANGER, "was not offered");
}

static void out_of_turn(void **state)
{
	const struct step steps[] = {accept_over(REGISTRATION_UDP)};

	(void)state;
	script(steps, 1);
	run();
	says(REGISTRATION_STRANGER, "\"accepted\" came out of turn");
}

static void malformed(void **state)
{
	const struct step steps[] = {{.reply = SEND_TEXT, .text = "{\"type\":\"offer\",\"secret\":1}"}};

	(void)state;
	script(steps, 1);
	run();
	says(REGISTRATION_STRANGER, "fields");
}

static void ends_without_a_word(void **state)
{
	const struct step steps[] = {offer(all_methods), {.reply = CLOSE}};

	(void)state;
	script(steps, 2);
	run();
	says(REGISTRATION_RESET, "without a word");
}

static void dropped(void **state)
{
	const struct step steps[] = {offer(all_methods), {.reply = DROP}};

	(void)state;
	script(steps, 2);
	run();
	says(REGISTRATION_RESET, "ended in the middle");
}

static void reset(void **state)
{
	const struct step steps[] = {offer(all_methods), {.reply = RESET}};

	(void)state;
	script(steps, 2);
	run();
	says(REGISTRATION_RESET, "reset");
}

static void port_closed(void **state)
{
	(void)state;
	event_del(gateway.listening);
	shutdown(gateway.listener, SHUT_RDWR);
	run();
	says(REGISTRATION_PORT_CLOSED, "refused");
	assert_int_equal(verdict.error, ECONNREFUSED);
}

static void no_way(void **state)
{
	(void)state;
	assert_int_equal(address_parse("192.0.2.1", &settings.local), 0); /* not this host's */
	run();
	says(REGISTRATION_UNREACHABLE, "");
	assert_int_equal(verdict.error, EADDRNOTAVAIL);
}

static void mute(void **state)
{
	(void)state;
	gateway.mute = true;
	settings.patience_ms = 50;
	run();
	says(REGISTRATION_STALLED, "TLS's handshake");
}

static void mute_later(void **state)
{
	const struct step steps[] = {{.reply = NOTHING}};

	(void)state;
	script(steps, 1);
	settings.patience_ms = 500;
	run();
	says(REGISTRATION_STALLED, "");
}

static int make_certificates(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .authority = true});
	pki_make(&(struct pki_certificate){.name = "gateway", .issuer = "authority", .names = "DNS:hq.example"});
	return 0;
}

static int remove_certificates(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(password_then_udp),
		CLIENT_TEST(password_then_tcp),
		CLIENT_TEST(kerberos),
		CLIENT_TEST(kerberos_unproven),
		CLIENT_TEST(no_ticket),
		CLIENT_TEST(password_for_want_of_a_ticket),
		CLIENT_TEST(gss_is_busy),
		CLIENT_TEST(wrong_certificate),
		CLIENT_TEST(turned_down),
		CLIENT_TEST(nothing_in_common),
		CLIENT_TEST(another_version),
		CLIENT_TEST(transport_not_offered),
		CLIENT_TEST(out_of_turn),
		CLIENT_TEST(malformed),
		CLIENT_TEST(ends_without_a_word),
		CLIENT_TEST(dropped),
		CLIENT_TEST(reset),
		CLIENT_TEST(port_closed),
		CLIENT_TEST(no_way),
		CLIENT_TEST(mute),
		CLIENT_TEST(mute_later),
	};

	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
