/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway answers, and what it does not: strangers, replays, floods; and what it tells of where they come from. */
#include "notice_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct notice_world world;
static struct endpoint peer, other;
static uint64_t sequence;

static int setup(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open)); /* the client's own notices stay away */
	world_begin(&world);
	peer = world_endpoint("203.0.113.10", 50000);
	other = world_endpoint("203.0.113.99", 50000);
	sequence = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_end(&world);
	return 0;
}

static struct notice next(enum notice_type type)
{
	struct notice notice = {.type = type, .sequence = ++sequence, .endpoint = peer, .port = 88};

	memcpy(notice.session, world.session.session, sizeof(notice.session));
	return notice;
}

static void bring_from(const struct endpoint *from, uint16_t port, const struct notice *notice, size_t len)
{
	uint8_t bytes[NOTICE_LEN_MAX];

	assert_int_equal(notice_seal(world.session.key, notice, bytes, len), 0);
	world_deliver(&world, port, from, bytes, len);
}

static void bring(const struct notice *notice, size_t len)
{
	bring_from(&peer, 4009, notice, len);
}

static uint64_t answered(void)
{
	return notices_counters(world.notices)->answered;
}

static void test_answer(void **state)
{
	struct notice hello = next(NOTICE_HELLO), answer;

	(void)state;
	bring(&hello, NOTICE_LEN);
	assert_int_equal(world.n_flight, 1);
	assert_int_equal(world.flight[0].datagram.len, NOTICE_LEN);
	assert_false(world.flight[0].datagram.whole);
	assert_int_equal(notice_open(world.session.key, world.flight[0].datagram.bytes, NOTICE_LEN, &answer), 0);
	assert_int_equal(answer.type, NOTICE_ANSWER);
	assert_int_equal(answer.sequence, hello.sequence);
	assert_true(endpoint_equal(&answer.endpoint, &peer));
	assert_int_equal(answer.port, 4009);
}

/* The answer to a probe is as long, and may not be cut either. */
static void test_probe(void **state)
{
	struct notice probe = next(NOTICE_PROBE), answer;

	(void)state;
	bring(&probe, 1400);
	assert_int_equal(world.n_flight, 1);
	assert_int_equal(world.flight[0].datagram.len, 1400);
	assert_true(world.flight[0].datagram.whole);
	assert_int_equal(notice_open(world.session.key, world.flight[0].datagram.bytes, 1400, &answer), 0);
	assert_int_equal(answer.type, NOTICE_PROBE_ANSWER);
	assert_int_equal(answer.sequence, probe.sequence);
	/* It says nothing of reachability: a hello does. */
	assert_int_equal(world.news[NOTICES_REACHED], 0);
}

/* Nobody gets an answer who has not proven that he knows the key, just now. */
static void test_unverified(void **state)
{
	const struct notices_counters *counters = notices_counters(world.notices);
	struct notice hello = next(NOTICE_HELLO), dial;
	uint8_t bytes[NOTICE_LEN];

	(void)state;
	assert_int_equal(notice_seal(world.session.key, &hello, bytes, sizeof(bytes)), 0);
	world_deliver(&world, 4009, &peer, bytes, 10);
	assert_int_equal(counters->malformed, 1);
	bytes[NOTICE_LEN - 1] ^= 1;
	world_deliver(&world, 4009, &peer, bytes, sizeof(bytes));
	assert_int_equal(counters->forged, 1);
	bytes[8] ^= 1;
	world_deliver(&world, 4009, &peer, bytes, sizeof(bytes));
	assert_int_equal(counters->unknown, 1);
	/* What only the gateway says. */
	dial = next(NOTICE_DIAL);
	bring(&dial, NOTICE_LEN);
	dial.type = NOTICE_ANSWER;
	bring(&dial, NOTICE_LEN);
	assert_int_equal(counters->malformed, 3);
	assert_int_equal(world.n_flight, 0);
	assert_int_equal(world.news[NOTICES_REACHED], 0);
	/* Replayed, from elsewhere at that; and one that was overtaken. */
	sequence = 4;
	hello = next(NOTICE_HELLO);
	bring(&hello, NOTICE_LEN);
	assert_int_equal(answered(), 1);
	bring_from(&other, 4009, &hello, NOTICE_LEN);
	hello.sequence--;
	bring(&hello, NOTICE_LEN);
	assert_int_equal(counters->replayed, 2);
	assert_int_equal(answered(), 1);
	assert_int_equal(world.news[NOTICES_POOL], 0);
}

/* A session asks a few times at once and ten times a second for long. */
static void test_limit(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct notice hello = next(NOTICE_HELLO);

		bring(&hello, NOTICE_LEN);
		world.n_flight = 0;
	}
	assert_int_equal(answered(), 32);
	for (int i = 0; i < 1000; i++) {
		struct notice hello = next(NOTICE_HELLO);

		world.now_ms += 10;
		bring(&hello, NOTICE_LEN);
		world.n_flight = 0;
	}
	assert_int_equal(answered(), 32 + 100);
	assert_int_equal(notices_counters(world.notices)->limited, 2000 - 132);
}

static void test_pool_by_ports(void **state)
{
	struct notice hello = next(NOTICE_HELLO);

	(void)state;
	bring_from(&peer, 2012, &hello, NOTICE_LEN);
	assert_int_equal(world.news[NOTICES_POOL], 0);
	hello = next(NOTICE_HELLO);
	bring_from(&other, 4500, &hello, NOTICE_LEN);
	assert_int_equal(world.news[NOTICES_POOL], 1);
	assert_string_equal(world.gateway_said[NOTICES_POOL],
		"the peer is behind a NAT pool: what it sends to our UDP port 2012 comes from 203.0.113.10, and to 4500 from "
		"203.0.113.99");
	/* Once is enough. */
	hello = next(NOTICE_HELLO);
	bring_from(&other, 2012, &hello, NOTICE_LEN);
	assert_int_equal(world.news[NOTICES_POOL], 1);
	assert_int_equal(world.news[NOTICES_REACHED], 1);
}

/* Over IPv4 and IPv6 the addresses differ, of course. */
static void test_other_family_is_no_pool(void **state)
{
	struct endpoint ipv6 = world_endpoint("2001:db8::7", 50000);
	struct notice hello = next(NOTICE_HELLO);

	(void)state;
	bring_from(&ipv6, 4009, &hello, NOTICE_LEN);
	assert_int_equal(world.news[NOTICES_REACHED], 1);
	assert_int_equal(world.news[NOTICES_POOL], 0);
}

static void test_no_nat(void **state)
{
	struct notice hello = next(NOTICE_HELLO);

	(void)state;
	hello.port = 4009;
	bring(&hello, NOTICE_LEN);
	assert_string_equal(world.gateway_said[NOTICES_REACHED],
		"UDP came 0 ms after the registration: from 203.0.113.10:50000 to our port 4009");
}

/* IKE has come by UDP though no notice has: nobody is dialed, and a late notice is answered all the same. */
static void test_reached_by_ike(void **state)
{
	struct notice hello = next(NOTICE_HELLO);

	(void)state;
	world_pass(&world, 19000);
	notices_reached(world.notices, &world.session);
	world_pass(&world, 20000);
	assert_int_equal(world.dialed, 0);
	assert_int_equal(world.news[NOTICES_UNREACHABLE] + world.news[NOTICES_DIALING], 0);
	assert_true(notices_run_timers(world.notices) == UINT64_MAX);
	bring(&hello, NOTICE_LEN);
	assert_int_equal(answered(), 1);
}

/* Where the client has no UDP port to be dialed at, and where it registered by a port that is none for data. */
static void test_dial_from_where(void **state)
{
	(void)state;
	notices_end(world.notices, &world.session);
	world.session.udp_port = 0;
	notices_begin(world.notices, &world.session);
	world_pass(&world, 20000);
	assert_int_equal(world.dialed, 0);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 1);
	world.session = (struct notice_session){.local = world_endpoint("192.168.2.200", 443), .remote = peer, .udp_port = 77};
	notices_begin(world.notices, &world.session);
	world_pass(&world, 20000);
	assert_int_equal(world.dialed, 1);
	assert_non_null(strstr(world.gateway_said[NOTICES_DIALING], "we dial 203.0.113.10:77 from our port 4500"));
}

/* Many that begin one after the other are due one after the other. */
static void test_order_of_timers(void **state)
{
	static struct notice_session many[100];

	(void)state;
	notices_end(world.notices, &world.session);
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < 100; i++) {
		many[i].session[0] = (uint8_t)i;
		notices_begin(world.notices, &many[i]);
		world.now_ms += 10;
	}
	assert_int_equal(notices_run_timers(world.notices), 19000);
	for (unsigned i = 0; i < 100; i += 2)
		notices_end(world.notices, &many[i]);
	assert_int_equal(notices_run_timers(world.notices), 19010);
	notices_reached(world.notices, &many[1]);
	assert_int_equal(notices_run_timers(world.notices), 19030);
	for (unsigned i = 0; i < 100; i++)
		notices_end(world.notices, &many[i]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_answer),
		TEST(test_probe),
		TEST(test_unverified),
		TEST(test_limit),
		TEST(test_pool_by_ports),
		TEST(test_other_family_is_no_pool),
		TEST(test_no_nat),
		TEST(test_reached_by_ike),
		TEST(test_dial_from_where),
		TEST(test_order_of_timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
