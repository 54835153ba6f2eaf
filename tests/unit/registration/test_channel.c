/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: frames, ends, keys, and what strangers send. */
#include "channel_pair.h"

#include "registration/keys.h"
#include "registration/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static bool gateway_has_three(const struct channel_pair *pair)
{
	return pair->sides[GATEWAY].messages == 3;
}

static bool client_has_one(const struct channel_pair *pair)
{
	return pair->sides[CLIENT].messages == 1;
}

static bool gateway_closed(const struct channel_pair *pair)
{
	return pair->sides[GATEWAY].closed;
}

static bool all_closed(const struct channel_pair *pair)
{
	return pair->sides[CLIENT].closed && pair->sides[GATEWAY].closed && pair->sides[CLIENT].sent_all &&
	       pair->sides[GATEWAY].sent_all;
}

static struct channel_pair pair;

static void frames(void **state)
{
	static char longest[REGISTRATION_MESSAGE_MAX];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[0] = '{';
	channel_pair_begin(&pair, NULL, "gateway", "hq.example");
	channel_pair_run_until(&pair, channel_pair_is_open);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, "", 0), -EMSGSIZE);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, longest, sizeof(longest) + 1), -EMSGSIZE);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, "{}", 2), 0);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, "[1]", 3), 0);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, longest, sizeof(longest)), 0);
	channel_pair_run_until(&pair, gateway_has_three);
	assert_int_equal(pair.sides[GATEWAY].text_len, sizeof(longest));
	assert_memory_equal(pair.sides[GATEWAY].text, longest, sizeof(longest));
	assert_int_equal(channel_send(pair.sides[GATEWAY].channel, "{\"a\":1}", 7), 0);
	channel_pair_run_until(&pair, client_has_one);
	assert_memory_equal(pair.sides[CLIENT].text, "{\"a\":1}", 7);
	channel_pair_end(&pair);
}

/* Both ends derive the same, each key is another one, and so is each session's. */
static void keys(void **state)
{
	static const uint8_t session[REGISTRATION_SESSION_LEN] = {1}, other[REGISTRATION_SESSION_LEN] = {2};
	struct registration_keys of[SIDES], others;
	uint8_t binding[SIDES][KEYS_CHANNEL_BINDING_LEN];

	(void)state;
	channel_pair_begin(&pair, NULL, "gateway", "hq.example");
	assert_int_equal(keys_derive(channel_tls(pair.sides[CLIENT].channel), session, &others), -EIO);
	channel_pair_run_until(&pair, channel_pair_is_open);
	for (int side = 0; side < SIDES; side++) {
		assert_int_equal(keys_derive(channel_tls(pair.sides[side].channel), session, &of[side]), 0);
		assert_int_equal(keys_channel_binding(channel_tls(pair.sides[side].channel), binding[side]), 0);
	}
	assert_memory_equal(&of[CLIENT], &of[GATEWAY], sizeof(of[CLIENT]));
	assert_memory_equal(binding[CLIENT], binding[GATEWAY], sizeof(binding[CLIENT]));
	assert_memory_not_equal(of[CLIENT].pre_shared, of[CLIENT].notice, KEYS_NOTICE_LEN);
	assert_memory_not_equal(of[CLIENT].pre_shared, binding[CLIENT], KEYS_CHANNEL_BINDING_LEN);
	assert_int_equal(strlen(of[CLIENT].identity), 32 + strlen("@registered"));
	assert_string_equal(of[CLIENT].identity + 32, "@registered");
	assert_int_equal(keys_derive(channel_tls(pair.sides[CLIENT].channel), other, &others), 0);
	assert_memory_not_equal(of[CLIENT].pre_shared, others.pre_shared, KEYS_PRE_SHARED_LEN);
	assert_string_not_equal(of[CLIENT].identity, others.identity);
	channel_pair_end(&pair);
}

/* After both close_notifies the same connection carries bytes without TLS, of which TLS has swallowed none, although
 * the gateway's follow its close_notify at once. */
static void goes_on_without_tls(void **state)
{
	char bytes[16] = "";
	int fds[SIDES];

	(void)state;
	channel_pair_begin(&pair, NULL, "gateway", "hq.example");
	channel_pair_run_until(&pair, channel_pair_is_open);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, "{}", 2), 0);
	channel_close(pair.sides[CLIENT].channel);
	assert_int_equal(channel_send(pair.sides[CLIENT].channel, "{}", 2), -EPIPE);
	channel_pair_run_until(&pair, gateway_closed);
	assert_int_equal(pair.sides[GATEWAY].messages, 1);
	channel_close(pair.sides[GATEWAY].channel);
	while (!pair.sides[GATEWAY].sent_all)
		event_base_loop(pair.base, EVLOOP_ONCE);
	fds[GATEWAY] = channel_release(pair.sides[GATEWAY].channel);
	pair.sides[GATEWAY].channel = NULL;
	assert_int_equal(write(fds[GATEWAY], "IKETCP", 6), 6);
	channel_pair_run_until(&pair, all_closed);
	fds[CLIENT] = channel_release(pair.sides[CLIENT].channel);
	pair.sides[CLIENT].channel = NULL;
	assert_int_equal(read(fds[CLIENT], bytes, sizeof(bytes)), 6);
	assert_string_equal(bytes, "IKETCP");
	close(fds[CLIENT]);
	close(fds[GATEWAY]);
	channel_pair_end(&pair);
}

static void freed_in_a_callback(void **state)
{
	(void)state;
	channel_pair_begin(&pair, NULL, "gateway", "hq.example");
	channel_pair_run_until(&pair, channel_pair_is_open);
	pair.sides[GATEWAY].free_on_message = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(channel_send(pair.sides[CLIENT].channel, "{}", 2), 0);
	channel_pair_run_until(&pair, channel_pair_client_failed);
	assert_int_equal(pair.sides[GATEWAY].messages, 1);
	channel_pair_end(&pair);
}

static void strangers(void **state)
{
	static const char noise[] = "GET / HTTP/1.1\r\nHost: hq.example\r\n\r\n";

	(void)state;
	for (int side = 0; side < SIDES; side++) {
		channel_pair_begin_with_stranger(&pair, side);
		assert_int_equal(write(pair.stranger, noise, sizeof(noise)), sizeof(noise));
		channel_pair_run_until(
			&pair, side == CLIENT ? channel_pair_client_failed : channel_pair_gateway_failed);
		channel_pair_says(&pair, side, TLS_FAILURE_PROTOCOL, "TLS failed");
		channel_pair_end(&pair);
		channel_pair_begin_with_stranger(&pair, side);
		shutdown(pair.stranger, SHUT_WR);
		channel_pair_run_until(
			&pair, side == CLIENT ? channel_pair_client_failed : channel_pair_gateway_failed);
		channel_pair_says(&pair, side, TLS_FAILURE_ENDED, "ended");
		channel_pair_end(&pair);
	}
}

/* Frames that can't be, from somebody who can TLS. */
static void wrong_lengths(void **state)
{
	static const uint8_t heads[][4] = {{0, 0, 0, 0}, {0, 1, 0, 1}, {0xff, 0xff, 0xff, 0xff}};
	size_t written;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		channel_pair_begin(&pair, NULL, "gateway", "hq.example");
		channel_pair_run_until(&pair, channel_pair_is_open);
		assert_int_equal(
			tls_write((struct tls *)channel_tls(pair.sides[CLIENT].channel), heads[i], 4, &written),
			TLS_DONE);
		channel_pair_run_until(&pair, channel_pair_gateway_failed);
		channel_pair_says(&pair, GATEWAY, TLS_FAILURE_PROTOCOL, "64 KiB");
		channel_pair_end(&pair);
	}
	/* An end in the middle of a frame. */
	channel_pair_begin(&pair, NULL, "gateway", "hq.example");
	channel_pair_run_until(&pair, channel_pair_is_open);
	assert_int_equal(
		tls_write((struct tls *)channel_tls(pair.sides[CLIENT].channel), "\0\0\0\2{", 5, &written), TLS_DONE);
	channel_close(pair.sides[CLIENT].channel);
	channel_pair_run_until(&pair, channel_pair_gateway_failed);
	channel_pair_says(&pair, GATEWAY, TLS_FAILURE_ENDED, "middle");
	channel_pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),
		cmocka_unit_test(keys),
		cmocka_unit_test(goes_on_without_tls),
		cmocka_unit_test(freed_in_a_callback),
		cmocka_unit_test(strangers),
		cmocka_unit_test(wrong_lengths),
	};

	return cmocka_run_group_tests(tests, channel_pair_make_certificates, channel_pair_remove_certificates);
}
