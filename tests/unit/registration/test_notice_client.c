/* SPDX-License-Identifier: Apache-2.0 */
/* Client and gateway find out together whether and how UDP gets through: with simulated time, over bad networks. */
#include "notice_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct notice_world world;

static void expect_said(const char *said, const char *part)
{
	if (!strstr(said, part))
		fail_msg("\"%s\" does not say \"%s\"", said, part);
}

/* The port that was dialed works: at once, and no other one sees a datagram. */
static void test_first_port_at_once(void **state)
{
	(void)state;
	world_init(&world);
	world_begin(&world);
	world_pass(&world, 5000);
	assert_int_equal(world.steps[NOTICE_STEP_REACHED], 1);
	assert_int_equal(world.step_ms[NOTICE_STEP_REACHED], 1000000 + 2 * WORLD_ONE_WAY_MS);
	assert_int_equal(world.news_ms[NOTICES_REACHED], 1000000 + WORLD_ONE_WAY_MS);
	assert_int_equal(world.client.gateway.port, 88);
	assert_int_equal(world.sent[1] + world.sent[2] + world.sent[3], 0);
	assert_int_equal(world.client.path_mtu, 1500);
	assert_int_equal(world.sent[0], 2); /* a hello, a probe */
	expect_said(world.client_said[NOTICE_STEP_REACHED],
		"UDP gets through to 198.51.100.88:88, which is mapped to the gateway's port 4009; it comes from "
		"203.0.113.10:50000: we are behind a NAT");
	expect_said(world.client_said[NOTICE_STEP_MEASURED], "packets of 1500 bytes get through whole");
	assert_string_equal(world.gateway_said[NOTICES_REACHED],
		"UDP came 20 ms after the registration: from 203.0.113.10:50000 (behind a NAT, where it is 100.64.1.2:50000) to "
		"our port 4009 (which it dials as 88)");
	assert_int_equal(world.news[NOTICES_POOL] + world.news[NOTICES_DIALING] + world.news[NOTICES_UNREACHABLE], 0);
	assert_int_equal(world.client.due_ms, UINT64_MAX);
	world_end(&world);
}

/* Hellos go at 0, 250, 750 and 1750 ms, and 1 s later it is the next port's turn. */
static void test_next_port(void **state)
{
	(void)state;
	world_init(&world);
	world.up_open[0] = false;
	world_begin(&world);
	world_pass(&world, 0);
	assert_int_equal(world.sent[0], 1);
	world_pass(&world, 249);
	assert_int_equal(world.sent[0], 1);
	world_pass(&world, 1);
	assert_int_equal(world.sent[0], 2);
	world_pass(&world, 500);
	assert_int_equal(world.sent[0], 3);
	world_pass(&world, 1000);
	assert_int_equal(world.sent[0], 4);
	world_pass(&world, 999);
	assert_int_equal(world.sent[0] + world.sent[1], 4);
	world_pass(&world, 1 + 2 * WORLD_ONE_WAY_MS);
	assert_int_equal(world.steps[NOTICE_STEP_REACHED], 1);
	assert_int_equal(world.client.gateway.port, 4500);
	assert_int_equal(world.sent[2], 0);
	world_pass(&world, 1000);
	world_end(&world);
}

static void test_lost_hellos(void **state)
{
	(void)state;
	world_init(&world);
	world.lose_next = 2;
	world_begin(&world);
	world_pass(&world, 1000);
	assert_int_equal(world.step_ms[NOTICE_STEP_REACHED], 1000000 + 750 + 2 * WORLD_ONE_WAY_MS);
	assert_int_equal(world.client.gateway.port, 88);
	world_end(&world);
}

/* Ports are tried again as long as UDP is waited for. */
static void test_late_opening(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world_begin(&world);
	world_pass(&world, 15000);
	assert_true(world.sent[0] > 4 && world.sent[1] >= 4 && world.sent[2] >= 4);
	world.up_open[2] = true;
	world_pass(&world, 11000);
	assert_int_equal(world.steps[NOTICE_STEP_REACHED], 1);
	assert_int_equal(world.client.gateway.port, 2012);
	world_end(&world);
}

/* The gateway's dials open the way: the client answers to where they come from. */
static void test_dialed(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world_begin(&world);
	world_pass(&world, 19999);
	assert_int_equal(world.dialed, 0);
	assert_int_equal(world.news[NOTICES_DIALING], 0);
	world_pass(&world, 1);
	assert_int_equal(world.dialed, 1);
	expect_said(world.gateway_said[NOTICES_DIALING],
		"no UDP came within 20 s of the registration: a firewall or port mapping on the way may not pass it; we dial "
		"203.0.113.10:50000 from our port 4009, 6 times");
	world.up_open[0] = true; /* the firewall knows the flow now */
	world_pass(&world, 3 * WORLD_ONE_WAY_MS);
	assert_int_equal(world.steps[NOTICE_STEP_REACHED], 1);
	assert_int_equal(world.client.gateway.port, 88);
	expect_said(world.client_said[NOTICE_STEP_REACHED], "from where the gateway dialed");
	expect_said(world.gateway_said[NOTICES_REACHED], "UDP came 20040 ms after the registration, when we dialed: from");
	world_pass(&world, 20000);
	assert_int_equal(world.dialed, 1);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 0);
	world_end(&world);
}

/* UDP is blocked altogether: six dials on the wire, then both sides say so. */
static void test_blocked(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world.down_open = false;
	world_begin(&world);
	world_pass(&world, 25999);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 0);
	world_pass(&world, 1);
	assert_int_equal(world.dialed, 6);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 1);
	expect_said(world.gateway_said[NOTICES_UNREACHABLE], "none came within 20 s of the registration, and 6 dials were not");
	assert_int_equal(world.steps[NOTICE_STEP_FAILED], 0);
	world_pass(&world, 2000);
	assert_int_equal(world.steps[NOTICE_STEP_FAILED], 1);
	expect_said(world.client_said[NOTICE_STEP_FAILED],
		"198.51.100.88 answers none of our notices to UDP ports 88, 4500 and 2012, and none of its 6 dials came to our port "
		"50000");
	world_pass(&world, 60000);
	assert_int_equal(world.dialed, 6);
	assert_int_equal(world.steps[NOTICE_STEP_FAILED] + world.news[NOTICES_UNREACHABLE], 2);
	world_end(&world);
}

/* The dials come, and what the client says to them does not: that is another sentence. */
static void test_dialed_in_vain(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world_begin(&world);
	world_pass(&world, 29000);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 1);
	assert_int_equal(world.steps[NOTICE_STEP_FAILED], 1);
	expect_said(world.client_said[NOTICE_STEP_FAILED], "its dial came from 198.51.100.88:88, and it did not hear");
	world_end(&world);
}

static void test_no_dials_configured(void **state)
{
	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world.config.registration.dial_tries = 0;
	world.config.registration.udp_wait = 2;
	world_begin(&world);
	world_pass(&world, 2000);
	assert_int_equal(world.dialed, 0);
	assert_int_equal(world.news[NOTICES_UNREACHABLE], 1);
	world_pass(&world, 2000);
	assert_int_equal(world.steps[NOTICE_STEP_FAILED], 1);
	/* Of the ports that were tried, it says. */
	expect_said(world.client_said[NOTICE_STEP_FAILED], "to UDP ports 88 and 4500; a firewall");
	world_end(&world);
}

static void test_nat_pool(void **state)
{
	(void)state;
	world_init(&world);
	world.pool = true;
	world_begin(&world);
	world_pass(&world, 1000);
	assert_int_equal(world.news[NOTICES_POOL], 1);
	assert_string_equal(world.gateway_said[NOTICES_POOL],
		"the peer is behind a NAT pool: it registered from 203.0.113.10, and what it sends to our UDP port 4009 comes "
		"from 203.0.113.11");
	expect_said(world.client_said[NOTICE_STEP_REACHED],
		"it comes from 203.0.113.11:50000, and the registration came from 203.0.113.10: we are behind a NAT pool");
	world_end(&world);
}

/* The path's MTU is found to the byte, whatever it is. */
static void test_path_mtu(void **state)
{
	static const uint16_t mtus[] = {576, 577, 1000, 1280, 1399, 1400, 1492, 1499, 1500, 9000};

	(void)state;
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		world_init(&world);
		world.mtu = mtus[i];
		world_begin(&world);
		world_pass(&world, 20000);
		assert_int_equal(world.steps[NOTICE_STEP_MEASURED], 1);
		/* At 576 no probe passes, which tells nothing. */
		assert_int_equal(world.client.path_mtu, mtus[i] == 576 ? 0 : mtus[i] > 1500 ? 1500 : mtus[i]);
		assert_true(world.step_ms[NOTICE_STEP_MEASURED] - 1000000 < 9000);
		world_end(&world);
	}
	expect_said(world.client_said[NOTICE_STEP_MEASURED], "as long as the interface takes them");
}

/* A probe that is lost once is no packet too long, and one that the kernel refuses is at once. */
static void test_path_mtu_with_loss(void **state)
{
	struct notice_datagram datagram;

	(void)state;
	world_init(&world);
	world_begin(&world);
	world_pass(&world, 2 * WORLD_ONE_WAY_MS - 1);
	world.lose_next = 2;
	world_pass(&world, 1000);
	assert_int_equal(world.client.path_mtu, 1500);
	world_end(&world);

	world_init(&world);
	world_begin(&world);
	world_pass(&world, WORLD_ONE_WAY_MS);
	world.now_ms += WORLD_ONE_WAY_MS;
	notice_client_input(&world.client, world.now_ms, &world.flight[0].remote, world.flight[0].datagram.bytes,
		world.flight[0].datagram.len);
	assert_int_equal(notice_client_run(&world.client, world.now_ms, &datagram), NOTICE_STEP_REACHED);
	assert_int_equal(notice_client_run(&world.client, world.now_ms, &datagram), NOTICE_STEP_SEND);
	assert_int_equal(datagram.len, 1500 - 28);
	assert_true(datagram.whole);
	notice_client_too_long(&world.client, world.now_ms);
	assert_int_equal(notice_client_run(&world.client, world.now_ms, &datagram), NOTICE_STEP_SEND);
	assert_int_equal(datagram.len, (576 + 1500) / 2 - 28);
	world_end(&world);
}

/* What is forged, old, of another session or from nowhere that was asked changes nothing. */
static void test_false_answers(void **state)
{
	struct endpoint gateway = world_endpoint("198.51.100.88", 88), elsewhere = world_endpoint("198.51.100.89", 88);
	struct notice answer = {.type = NOTICE_ANSWER, .sequence = 1};
	uint8_t bytes[NOTICE_LEN], key[NOTICE_KEY_LEN];

	(void)state;
	world_init(&world);
	memset(world.up_open, 0, sizeof(world.up_open));
	world_begin(&world);
	world_pass(&world, 0);
	memcpy(key, world.client.settings.key, sizeof(key));
	memcpy(answer.session, world.client.settings.session, sizeof(answer.session));
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	bytes[40] ^= 1;
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes));
	bytes[40] ^= 1;
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes) - 1);
	answer.sequence = 2; /* not sent yet */
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes));
	answer.sequence = 1;
	answer.session[3] ^= 1;
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes));
	answer.session[3] ^= 1;
	answer.type = NOTICE_HELLO; /* our own, sent back */
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes));
	assert_int_equal(world.client.state, NOTICE_CLIENT_TRYING);
	world_pass(&world, 300);
	answer.type = NOTICE_ANSWER;
	answer.sequence = 2;
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &elsewhere, bytes, sizeof(bytes));
	assert_int_equal(world.client.state, NOTICE_CLIENT_TRYING);
	/* A dial counts once, and its source is then as good as a candidate. */
	answer.type = NOTICE_DIAL;
	answer.sequence = 1;
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &elsewhere, bytes, sizeof(bytes));
	notice_client_input(&world.client, world.now_ms, &gateway, bytes, sizeof(bytes));
	assert_true(endpoint_equal(&world.client.dialed_from, &elsewhere));
	world_pass(&world, 0);
	answer.type = NOTICE_ANSWER;
	answer.sequence = 3;
	assert_int_equal(notice_seal(key, &answer, bytes, sizeof(bytes)), 0);
	notice_client_input(&world.client, world.now_ms, &elsewhere, bytes, sizeof(bytes));
	assert_int_equal(world.client.state, NOTICE_CLIENT_REACHED);
	world_end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_port_at_once),
		cmocka_unit_test(test_next_port),
		cmocka_unit_test(test_lost_hellos),
		cmocka_unit_test(test_late_opening),
		cmocka_unit_test(test_dialed),
		cmocka_unit_test(test_blocked),
		cmocka_unit_test(test_dialed_in_vain),
		cmocka_unit_test(test_no_dials_configured),
		cmocka_unit_test(test_nat_pool),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_path_mtu_with_loss),
		cmocka_unit_test(test_false_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
