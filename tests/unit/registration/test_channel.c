/* SPDX-License-Identifier: Apache-2.0 */
/* Two channels on a pair of sockets in one loop: frames, ends, keys, certificates, and what strangers send. */
#include "registration/channel.h"

#include "ike/credentials.h"
#include "pki.h"
#include "registration/keys.h"
#include "registration/message.h"

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

enum { CLIENT, GATEWAY, SIDES };

struct side {
	struct config config;
	struct credentials *credentials;
	struct tls_context *context;
	struct channel *channel;
	bool opened, closed, sent_all, free_on_message;
	unsigned messages;
	char *text; /* the last message */
	size_t text_len;
	enum tls_failure failure;
	char why[TLS_WHY_LEN];
};

static struct side sides[SIDES];
static struct event_base *base;
static int stranger; /* our end, where nothing of ours speaks at the other */

static void on_opened(void *context)
{
	((struct side *)context)->opened = true;
}

static void on_message(void *context, const char *text, size_t len)
{
	struct side *side = context;

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
	((struct side *)context)->closed = true;
}

static void on_sent_all(void *context)
{
	((struct side *)context)->sent_all = true;
}

static void on_failed(void *context, enum tls_failure failure, const char *why)
{
	struct side *side = context;

	assert_int_equal(side->failure, TLS_FAILURE_NONE);
	side->failure = failure;
	strcpy(side->why, why);
}

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void use(int side, const char *name)
{
	char why[TLS_WHY_LEN];

	if (name)
		pki_use(&sides[side].config.ike, name, "authority");
	else
		pki_path("authority.pem", sides[side].config.ike.authorities[sides[side].config.ike.n_authorities++]);
	assert_int_equal(credentials_load(&sides[side].config, &sides[side].credentials, report, NULL), 0);
	sides[side].context = side == CLIENT ? tls_context_client(sides[side].credentials, why)
					     : tls_context_server(sides[side].credentials, true, why);
	if (!sides[side].context)
		fail_msg("%s", why);
}

static void attach(int side, int fd, const char *name)
{
	const struct channel_handler handler = {.context = &sides[side],
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.sent_all = on_sent_all,
		.failed = on_failed};
	struct tls *tls = tls_new(sides[side].context, fd, name);

	assert_non_null(tls);
	sides[side].channel = channel_new(base, fd, tls, &handler);
	assert_non_null(sides[side].channel);
}

static void sockets(int fds[SIDES])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void begin(const char *client, const char *gateway, const char *name)
{
	int fds[SIDES];

	base = event_base_new();
	assert_non_null(base);
	use(CLIENT, client);
	use(GATEWAY, gateway);
	sockets(fds);
	attach(CLIENT, fds[CLIENT], name);
	attach(GATEWAY, fds[GATEWAY], NULL);
}

static void begin_with_stranger(int side)
{
	int fds[SIDES];

	base = event_base_new();
	assert_non_null(base);
	use(side, side == GATEWAY ? "gateway" : NULL);
	sockets(fds);
	attach(side, fds[side], "hq.example");
	stranger = fds[!side];
}

static void end(void)
{
	for (int side = 0; side < SIDES; side++) {
		channel_free(sides[side].channel);
		tls_context_free(sides[side].context);
		credentials_free(sides[side].credentials);
		free(sides[side].text);
	}
	memset(sides, 0, sizeof(sides));
	event_base_free(base);
	if (stranger > 0)
		close(stranger);
	stranger = 0;
}

static void expired(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	*(bool *)context = true;
}

/* Runs the loop until the condition holds, which it must within a deadline that is long for a busy machine. */
static void run_until(bool (*holds)(void))
{
	static const struct timeval patience = {.tv_sec = 20};
	bool late = false;
	struct event *deadline = evtimer_new(base, expired, &late);

	event_add(deadline, &patience);
	while (!late && !holds())
		event_base_loop(base, EVLOOP_ONCE);
	event_free(deadline);
	if (late)
		fail_msg("it didn't come: client %d \"%s\", gateway %d \"%s\"", sides[CLIENT].failure, sides[CLIENT].why,
			sides[GATEWAY].failure, sides[GATEWAY].why);
}

static bool both_open(void)
{
	return sides[CLIENT].opened && sides[GATEWAY].opened;
}

static bool client_failed(void)
{
	return sides[CLIENT].failure != TLS_FAILURE_NONE;
}

static bool gateway_failed(void)
{
	return sides[GATEWAY].failure != TLS_FAILURE_NONE;
}

static bool gateway_has_three(void)
{
	return sides[GATEWAY].messages == 3;
}

static bool client_has_one(void)
{
	return sides[CLIENT].messages == 1;
}

static bool gateway_closed(void)
{
	return sides[GATEWAY].closed;
}

static bool all_closed(void)
{
	return sides[CLIENT].closed && sides[GATEWAY].closed && sides[CLIENT].sent_all && sides[GATEWAY].sent_all;
}

static void says(int side, enum tls_failure failure, const char *part)
{
	assert_int_equal(sides[side].failure, failure);
	if (!strstr(sides[side].why, part))
		fail_msg("\"%s\" is not in \"%s\"", part, sides[side].why);
}

static void frames(void **state)
{
	static char longest[REGISTRATION_MESSAGE_MAX];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '{';
	begin(NULL, "gateway", "hq.example");
	run_until(both_open);
	assert_int_equal(channel_send(sides[CLIENT].channel, "", 0), -EMSGSIZE);
	assert_int_equal(channel_send(sides[CLIENT].channel, longest, sizeof(longest) + 1), -EMSGSIZE);
	assert_int_equal(channel_send(sides[CLIENT].channel, "{}", 2), 0);
	assert_int_equal(channel_send(sides[CLIENT].channel, "[1]", 3), 0);
	assert_int_equal(channel_send(sides[CLIENT].channel, longest, sizeof(longest)), 0);
	run_until(gateway_has_three);
	assert_int_equal(sides[GATEWAY].text_len, sizeof(longest));
	assert_memory_equal(sides[GATEWAY].text, longest, sizeof(longest));
	assert_int_equal(channel_send(sides[GATEWAY].channel, "{\"a\":1}", 7), 0);
	run_until(client_has_one);
	assert_memory_equal(sides[CLIENT].text, "{\"a\":1}", 7);
	end();
}

/* Both ends derive the same, each key is another one, and so is each session's. */
static void keys(void **state)
{
	static const uint8_t session[REGISTRATION_SESSION_LEN] = {1}, other[REGISTRATION_SESSION_LEN] = {2};
	struct registration_keys of[SIDES], others;
	uint8_t binding[SIDES][KEYS_CHANNEL_BINDING_LEN];

	(void)state;
	begin(NULL, "gateway", "hq.example");
	assert_int_equal(keys_derive(channel_tls(sides[CLIENT].channel), session, &others), -EIO);
	run_until(both_open);
	for (int side = 0; side < SIDES; side++) {
		assert_int_equal(keys_derive(channel_tls(sides[side].channel), session, &of[side]), 0);
		assert_int_equal(keys_channel_binding(channel_tls(sides[side].channel), binding[side]), 0);
	}
	assert_memory_equal(&of[CLIENT], &of[GATEWAY], sizeof(of[CLIENT]));
	assert_memory_equal(binding[CLIENT], binding[GATEWAY], sizeof(binding[CLIENT]));
	assert_memory_not_equal(of[CLIENT].pre_shared, of[CLIENT].notice, KEYS_NOTICE_LEN);
	assert_memory_not_equal(of[CLIENT].pre_shared, binding[CLIENT], KEYS_CHANNEL_BINDING_LEN);
	assert_int_equal(strlen(of[CLIENT].identity), 32 + strlen("@registered"));
	assert_string_equal(of[CLIENT].identity + 32, "@registered");
	assert_int_equal(keys_derive(channel_tls(sides[CLIENT].channel), other, &others), 0);
	assert_memory_not_equal(of[CLIENT].pre_shared, others.pre_shared, KEYS_PRE_SHARED_LEN);
	assert_string_not_equal(of[CLIENT].identity, others.identity);
	end();
}

/* After both close_notifies the same connection carries bytes without TLS, of which TLS has swallowed none, although
 * the gateway's follow its close_notify at once. */
static void goes_on_without_tls(void **state)
{
	char bytes[16] = "";
	int fds[SIDES];

	(void)state;
	begin(NULL, "gateway", "hq.example");
	run_until(both_open);
	assert_int_equal(channel_send(sides[CLIENT].channel, "{}", 2), 0);
	channel_close(sides[CLIENT].channel);
	assert_int_equal(channel_send(sides[CLIENT].channel, "{}", 2), -EPIPE);
	run_until(gateway_closed);
	assert_int_equal(sides[GATEWAY].messages, 1);
	channel_close(sides[GATEWAY].channel);
	while (!sides[GATEWAY].sent_all)
		event_base_loop(base, EVLOOP_ONCE);
	fds[GATEWAY] = channel_release(sides[GATEWAY].channel);
	sides[GATEWAY].channel = NULL;
	assert_int_equal(write(fds[GATEWAY], "IKETCP", 6), 6);
	run_until(all_closed);
	fds[CLIENT] = channel_release(sides[CLIENT].channel);
	sides[CLIENT].channel = NULL;
	assert_int_equal(read(fds[CLIENT], bytes, sizeof(bytes)), 6);
	assert_string_equal(bytes, "IKETCP");
	close(fds[CLIENT]);
	close(fds[GATEWAY]);
	end();
}

static void freed_in_a_callback(void **state)
{
	(void)state;
	begin(NULL, "gateway", "hq.example");
	run_until(both_open);
	sides[GATEWAY].free_on_message = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(channel_send(sides[CLIENT].channel, "{}", 2), 0);
	run_until(client_failed);
	assert_int_equal(sides[GATEWAY].messages, 1);
	end();
}

static void refuses(const char *gateway, const char *name, enum tls_failure failure, const char *part)
{
	begin(NULL, gateway, name);
	run_until(client_failed);
	says(CLIENT, failure, part);
	assert_false(sides[CLIENT].opened);
	end();
}

static void gateways_certificate(void **state)
{
	(void)state;
	refuses("gateway", "other.example", TLS_FAILURE_CERTIFICATE, "not that of other.example");
	refuses("gateway", "192.0.2.1", TLS_FAILURE_CERTIFICATE, "not that of 192.0.2.1");
	refuses("gateway", "hq@example", TLS_FAILURE_CERTIFICATE, "not that of hq@example");
	refuses("future", "hq.example", TLS_FAILURE_CLOCK, "is valid only from");
	refuses("past", "hq.example", TLS_FAILURE_CLOCK, "expired on");
	refuses("foreign", "hq.example", TLS_FAILURE_CERTIFICATE, "refused");
	/* The common name alone is none. */
	refuses("nameless", "nameless", TLS_FAILURE_CERTIFICATE, "not that of nameless");
	begin(NULL, "gateway", "203.0.113.1");
	run_until(both_open);
	end();
}

static void clients_certificate(void **state)
{
	static const struct {
		const char *name, *part;
		bool good;
	} cases[] = {{"branch", "", true}, {NULL, "no certificate", false}, {"foreign", "refused", false},
		{"past", "expired on", false}};
	char why[TLS_WHY_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(cases[i].name, "gateway", "hq.example");
		run_until(both_open);
		assert_int_equal(tls_peer_verified(channel_tls(sides[GATEWAY].channel), why), cases[i].good);
		assert_non_null(strstr(why, cases[i].part));
		assert_int_equal(
			tls_peer_certificate(channel_tls(sides[GATEWAY].channel)) != NULL, cases[i].name != NULL);
		end();
	}
}

static void strangers(void **state)
{
	static const char noise[] = "GET / HTTP/1.1\r\nHost: hq.example\r\n\r\n";

	(void)state;
	for (int side = 0; side < SIDES; side++) {
		begin_with_stranger(side);
		assert_int_equal(write(stranger, noise, sizeof(noise)), sizeof(noise));
		run_until(side == CLIENT ? client_failed : gateway_failed);
		says(side, TLS_FAILURE_PROTOCOL, "TLS failed");
		end();
		begin_with_stranger(side);
		shutdown(stranger, SHUT_WR);
		run_until(side == CLIENT ? client_failed : gateway_failed);
		says(side, TLS_FAILURE_ENDED, "ended");
		end();
	}
}

/* Frames that can't be, from somebody who can TLS. */
static void wrong_lengths(void **state)
{
	static const uint8_t heads[][4] = {{0, 0, 0, 0}, {0, 1, 0, 1}, {0xff, 0xff, 0xff, 0xff}};
	size_t written;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(NULL, "gateway", "hq.example");
		run_until(both_open);
		assert_int_equal(tls_write((struct tls *)channel_tls(sides[CLIENT].channel), heads[i], 4, &written),
			TLS_DONE);
		run_until(gateway_failed);
		says(GATEWAY, TLS_FAILURE_PROTOCOL, "64 KiB");
		end();
	}
	/* An end in the middle of a frame. */
	begin(NULL, "gateway", "hq.example");
	run_until(both_open);
	assert_int_equal(
		tls_write((struct tls *)channel_tls(sides[CLIENT].channel), "\0\0\0\2{", 5, &written), TLS_DONE);
	channel_close(sides[CLIENT].channel);
	run_until(gateway_failed);
	says(GATEWAY, TLS_FAILURE_ENDED, "middle");
	end();
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

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_begin();
	make_certificates();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),
		cmocka_unit_test(keys),
		cmocka_unit_test(goes_on_without_tls),
		cmocka_unit_test(freed_in_a_callback),
		cmocka_unit_test(gateways_certificate),
		cmocka_unit_test(clients_certificate),
		cmocka_unit_test(strangers),
		cmocka_unit_test(wrong_lengths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
