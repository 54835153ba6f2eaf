/* SPDX-License-Identifier: Apache-2.0 */
#include "client_world.h"

#include "ike/credentials.h"
#include "pki.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void report(void *unused, const char *sentence)
{
	(void)unused;
	fail_msg("%s", sentence);
}

static void gss_answer(evutil_socket_t fd, short what, void *context)
{
	struct client_world *world = context;
	uint8_t token[2] = {'t', (uint8_t)world->gss.rounds};
	bool is_last = world->gss.rounds == world->gss.wanted;

	(void)fd;
	(void)what;
	world->gss.rounds++;
	if (world->gss.fails)
		registration_client_gss_failed(world->gss.client, REGISTRATION_NO_CREDENTIAL, "there is no ticket");
	else
		registration_client_token(world->gss.client, token, is_last ? 0 : 2, is_last, REGISTRATION_IAKERB);
}

static void gss_answers_soon(struct client_world *world)
{
	static const struct timeval soon = {.tv_usec = 1000};

	event_add(world->gss.answer, &soon);
}

static int gss_begin(void *context, struct registration_client *begun, const uint8_t *binding)
{
	struct client_world *world = context;

	world->gss.client = begun;
	memcpy(world->gss.binding, binding, sizeof(world->gss.binding));
	gss_answers_soon(world);
	return 0;
}

static int gss_step(void *context, const uint8_t *token, size_t token_len)
{
	struct client_world *world = context;

	if (world->gss.refuses_step)
		return -EBUSY;
	assert_int_equal(token_len, 1);
	assert_int_equal(token[0], 'g');
	gss_answers_soon(world);
	return 0;
}

static void gss_end(void *context)
{
	struct client_world *world = context;

	world->gss.ended++;
	event_del(world->gss.answer);
}

static void on_done(void *context, const struct registration_result *result)
{
	struct client_world *world = context;

	world->is_done = true;
	world->accepted = *result->accepted;
	world->keys = *result->keys;
	world->method = result->method;
	world->bare = result->fd;
	registration_client_free(world->client);
	world->client = NULL;
}

static void on_failed(void *context, const struct registration_verdict *told)
{
	struct client_world *world = context;

	world->has_failed = true;
	world->verdict = *told;
	registration_client_free(world->client);
	world->client = NULL;
}

int client_world_set_up(void **state)
{
	static struct client_world the_world;
	struct client_world *world = *state = &the_world;
	char why[TLS_WHY_LEN];

	memset(world, 0, sizeof(*world));
	world->base = event_base_new();
	assert_non_null(world->base);
	scripted_gateway_open(&world->gateway, world->base);
	pki_path("authority.pem", world->config.ike.authorities[world->config.ike.n_authorities++]);
	assert_int_equal(credentials_load(&world->config, &world->credentials, report, NULL), 0);
	world->tls = tls_context_client(world->credentials, why);
	assert_non_null(world->tls);
	world->gss.answer = evtimer_new(world->base, gss_answer, world);
	world->settings = (struct registration_client_settings){.base = world->base,
		.tls = world->tls,
		.name = "hq.example",
		.software = "test",
		.gateway = world->gateway.endpoint,
		.udp_port = 4009,
		.methods = 1U << REGISTRATION_PASSWORD,
		.transports = 1U << REGISTRATION_UDP | 1U << REGISTRATION_TCP,
		.user = "anna",
		.password = "sesame",
		.gss = {.context = world, .begin = gss_begin, .step = gss_step, .end = gss_end},
		.patience_ms = 20000};
	world->settings.local = world->gateway.endpoint.address;
	world->bare = -1;
	return 0;
}

int client_world_tear_down(void **state)
{
	struct client_world *world = *state;

	registration_client_free(world->client);
	scripted_gateway_close(&world->gateway);
	event_free(world->gss.answer);
	tls_context_free(world->tls);
	credentials_free(world->credentials);
	event_base_free(world->base);
	if (world->bare >= 0)
		close(world->bare);
	return 0;
}

static void expired(evutil_socket_t fd, short what, void *unused)
{
	(void)fd;
	(void)what;
	(void)unused;
	fail_msg("the client came to no end");
}

void client_world_run(struct client_world *world)
{
	static const struct timeval patience = {.tv_sec = 30};
	const struct registration_handler handler = {.context = world, .done = on_done, .failed = on_failed};
	struct event *deadline = evtimer_new(world->base, expired, NULL);

	event_add(deadline, &patience);
	world->client = registration_client_new(&world->settings, &handler);
	assert_non_null(world->client);
	while (!world->is_done && !world->has_failed)
		event_base_loop(world->base, EVLOOP_ONCE);
	event_free(deadline);
}

void client_world_says(const struct client_world *world, enum registration_failure failure, const char *part)
{
	if (!world->has_failed)
		fail_msg("the client connected");
	if (world->verdict.failure != failure || !strstr(world->verdict.detail, part))
		fail_msg("%d, not %d: \"%s\", where \"%s\" should be", world->verdict.failure, failure,
			world->verdict.detail, part);
}

int client_world_make_certificates(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .authority = true});
	pki_make(&(struct pki_certificate){.name = "gateway", .issuer = "authority", .names = "DNS:hq.example"});
	return 0;
}

int client_world_remove_certificates(void **state)
{
	(void)state;
	pki_end();
	return 0;
}
