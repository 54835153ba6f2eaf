/* SPDX-License-Identifier: Apache-2.0 */
#include "channel_pair.h"

#include "ike/credentials.h"
#include "pki.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static void on_opened(void *context)
{
	((struct channel_side *)context)->opened = true;
}

static void on_message(void *context, const char *text, size_t len)
{
	struct channel_side *side = context;

	side->messages++;
	free(side->text);
	side->text = malloc(len);
	assert_non_null(side->text);
	memcpy(side->text, text, len);
	side->text_len = len;
	if (side->free_on_message) {
		channel_free(side->channel);
		side->channel = NULL;
	}
}

static void on_closed(void *context)
{
	((struct channel_side *)context)->closed = true;
}

static void on_sent_all(void *context)
{
	((struct channel_side *)context)->sent_all = true;
}

static void on_failed(void *context, enum tls_failure failure, const char *why)
{
	struct channel_side *side = context;

	assert_int_equal(side->failure, TLS_FAILURE_NONE);
	side->failure = failure;
	strcpy(side->why, why);
}

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void use(struct channel_pair *pair, int side, const char *name)
{
	char why[TLS_WHY_LEN];

	if (name)
		pki_use(&pair->sides[side].config.ike, name, "authority");
	else
		pki_path("authority.pem",
			pair->sides[side].config.ike.authorities[pair->sides[side].config.ike.n_authorities++]);
	assert_int_equal(credentials_load(&pair->sides[side].config, &pair->sides[side].credentials, report, NULL), 0);
	pair->sides[side].context = side == CLIENT ? tls_context_client(pair->sides[side].credentials, why)
						   : tls_context_server(pair->sides[side].credentials, true, why);
	if (!pair->sides[side].context)
		fail_msg("%s", why);
}

static void attach(struct channel_pair *pair, int side, int fd, const char *name)
{
	const struct channel_handler handler = {.context = &pair->sides[side],
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.sent_all = on_sent_all,
		.failed = on_failed};
	struct tls *tls = tls_new(pair->sides[side].context, fd, name);

	assert_non_null(tls);
	pair->sides[side].channel = channel_new(pair->base, fd, tls, &handler);
	assert_non_null(pair->sides[side].channel);
}

static void sockets(int fds[SIDES])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

void channel_pair_begin(struct channel_pair *pair, const char *client, const char *gateway, const char *name)
{
	int fds[SIDES];

	pair->base = event_base_new();
	assert_non_null(pair->base);
	use(pair, CLIENT, client);
	use(pair, GATEWAY, gateway);
	sockets(fds);
	attach(pair, CLIENT, fds[CLIENT], name);
	attach(pair, GATEWAY, fds[GATEWAY], NULL);
}

void channel_pair_begin_with_stranger(struct channel_pair *pair, int side)
{
	int fds[SIDES];

	pair->base = event_base_new();
	assert_non_null(pair->base);
	use(pair, side, side == GATEWAY ? "gateway" : NULL);
	sockets(fds);
	attach(pair, side, fds[side], "hq.example");
	pair->stranger = fds[!side];
}

void channel_pair_end(struct channel_pair *pair)
{
	for (int side = 0; side < SIDES; side++) {
		channel_free(pair->sides[side].channel);
		tls_context_free(pair->sides[side].context);
		credentials_free(pair->sides[side].credentials);
		free(pair->sides[side].text);
	}
	memset(pair->sides, 0, sizeof(pair->sides));
	event_base_free(pair->base);
	if (pair->stranger > 0)
		close(pair->stranger);
	pair->stranger = 0;
}

static void expired(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	*(bool *)context = true;
}

void channel_pair_run_until(struct channel_pair *pair, bool (*holds)(const struct channel_pair *pair))
{
	static const struct timeval patience = {.tv_sec = 20};
	bool late = false;
	struct event *deadline = evtimer_new(pair->base, expired, &late);

	event_add(deadline, &patience);
	while (!late && !holds(pair))
		event_base_loop(pair->base, EVLOOP_ONCE);
	event_free(deadline);
	if (late)
		fail_msg("it didn't come: client %d \"%s\", gateway %d \"%s\"", pair->sides[CLIENT].failure,
			pair->sides[CLIENT].why, pair->sides[GATEWAY].failure, pair->sides[GATEWAY].why);
}

bool channel_pair_is_open(const struct channel_pair *pair)
{
	return pair->sides[CLIENT].opened && pair->sides[GATEWAY].opened;
}

bool channel_pair_client_failed(const struct channel_pair *pair)
{
	return pair->sides[CLIENT].failure != TLS_FAILURE_NONE;
}

bool channel_pair_gateway_failed(const struct channel_pair *pair)
{
	return pair->sides[GATEWAY].failure != TLS_FAILURE_NONE;
}

void channel_pair_says(const struct channel_pair *pair, int side, enum tls_failure failure, const char *part)
{
	assert_int_equal(pair->sides[side].failure, failure);
	if (!strstr(pair->sides[side].why, part))
		fail_msg("\"%s\" is not in \"%s\"", part, pair->sides[side].why);
}

static void make_certificates(void)
{
	static const char names[] = "DNS:hq.example,IP:203.0.113.1";
	const struct pki_certificate wanted[] = {
		{.name = "authority", .authority = true},
		{.name = "stranger", .authority = true},
		{.name = "gateway", .issuer = "authority", .names = names},
		{.name = "future", .issuer = "authority", .names = names, .from = 1, .to = 9},
		{.name = "past", .issuer = "authority", .names = names, .from = -9, .to = -1},
		{.name = "foreign", .issuer = "stranger", .names = names},
		{.name = "nameless", .issuer = "authority"},
		{.name = "branch", .issuer = "authority", .names = "DNS:branch.example"},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		pki_make(&wanted[i]);
}

int channel_pair_make_certificates(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_begin();
	make_certificates();
	return 0;
}

int channel_pair_remove_certificates(void **state)
{
	(void)state;
	pki_end();
	return 0;
}
