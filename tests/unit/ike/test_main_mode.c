/* SPDX-License-Identifier: Apache-2.0 */
/* Main mode between two engines: keys by address, NATs, groups; messages lost, doubled, late, altered and overtaken. */
#include "exchange.h"

#include "ike/isakmp.h"
#include "ike/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
	MESSAGES = 9, /* six of main mode, three of quick mode */
	COVERED = 64, /* bytes of the blocks with ID and HASH payload in messages 5 and 6 */
};

static struct exchange x;

/* Neither side may use aggressive mode; the gateway knows the branch's address. */
static void prepare(void)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++)
		x.sides[side].peers[0].aggressive = false;
	x.sides[GATEWAY].peers[0].address = x.sides[BRANCH].endpoint.address;
}

static void start(void)
{
	prepare();
	exchange_open(&x);
}

static void says(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("\"%s\" does not say \"%s\"", x.sides[side].why[kind], part);
}

static void run_to(int delivered)
{
	exchange_begin(&x);
	for (int i = 0; i < delivered; i++)
		exchange_deliver(&x);
}

static void connects(void **state)
{
	(void)state;
	start();
	exchange_connect(&x);
	assert_int_equal(x.logged, MESSAGES);
	assert_int_equal(x.log[0].data[offsetof(struct isakmp_hdr, exchange)], ISAKMP_MAIN);
	/* No identity before it is encrypted. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(x.log[i].data[offsetof(struct isakmp_hdr, flags)], i < 4 ? 0 : ISAKMP_FLAG_ENCRYPTED);
	assert_string_equal(exchange_newest(&x, GATEWAY)->terms.identity, "branch@example.org");
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 1);
	exchange_stop(&x);
}

/* A peer that may use both is asked by aggressive mode and may ask by either. */
static void both_modes(void **state)
{
	(void)state;
	prepare();
	x.sides[GATEWAY].peers[0].aggressive = true;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(x.logged, MESSAGES);
	exchange_stop(&x);
}

/* From message 5 on the exchange is on the NAT port, through a pool from another address: the proof decides. */
static void through_nats(void **state)
{
	(void)state;
	for (int nat = EXCHANGE_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
		prepare();
		/* What the gateway sees is the NAT's address. */
		address_parse("203.0.113.4", &x.sides[GATEWAY].peers[0].address);
		exchange_open(&x);
		x.nat = (enum exchange_nat)nat;
		exchange_connect(&x);
		assert_int_equal(x.logged, MESSAGES);
		assert_int_equal(x.log[3].source.port, 500);
		assert_int_equal(x.log[4].source.port, 4500);
		assert_int_equal(x.log[5].source.port, 4500);
		assert_true(exchange_newest(&x, GATEWAY)->terms.peer_behind_nat);
		assert_true(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
		assert_true(exchange_newest(&x, BRANCH)->terms.we_behind_nat);
		if (nat == EXCHANGE_NAT_POOL)
			says(GATEWAY, IKE_EVENT_ESTABLISHED, "message 5 came from 203.0.113.9");
		exchange_stop(&x);
	}
}

/* Peers without an address: each one's key is tried, and of several behind one address the right one is found. */
static void keys_without_address(void **state)
{
	(void)state;
	for (int with_address = 0; with_address < 2; with_address++) {
		struct config_peer *other;

		prepare();
		other = &x.sides[GATEWAY].peers[1];
		x.sides[GATEWAY].peers[0].address.family = ADDRESS_NONE;
		*other = x.sides[GATEWAY].peers[0];
		strcpy(other->identity, "other@example.org");
		memcpy(other->secret, "another key of another peer here", 32);
		if (with_address)
			x.sides[GATEWAY].peers[0].address = other->address = x.sides[BRANCH].endpoint.address;
		/* The branch is the second of the two. */
		strcpy(x.sides[BRANCH].config.ike.identity, other->identity);
		memcpy(x.sides[BRANCH].peers[0].secret, other->secret, 32);
		exchange_open(&x);
		exchange_connect(&x);
		assert_ptr_equal(exchange_newest(&x, GATEWAY)->terms.peer, other);
		exchange_stop(&x);
	}
}

static void each_group(void **state)
{
	static const uint16_t groups[] = {IKE_GROUP_MODP1536, IKE_GROUP_MODP2048, IKE_GROUP_MODP3072,
		IKE_GROUP_MODP4096, IKE_GROUP_ECP256, IKE_GROUP_ECP384, IKE_GROUP_ECP521, IKE_GROUP_CURVE25519};

	(void)state;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		prepare();
		for (int side = 0; side < 2; side++) {
			x.sides[side].config.ike.legacy = true;
			x.sides[side].peers[0].ike[0].group = groups[i];
			x.sides[side].peers[0].pfs = groups[i];
		}
		exchange_open(&x);
		exchange_connect(&x);
		exchange_stop(&x);
	}
}

static void each_message_lost(void **state)
{
	(void)state;
	for (int nat = 0; nat < 2; nat++)
		for (int lost = 0; lost < MESSAGES; lost++) {
			prepare();
			x.sides[GATEWAY].peers[0].address.family = ADDRESS_NONE;
			exchange_open(&x);
			x.nat = nat ? EXCHANGE_NAT_POOL : EXCHANGE_NO_NAT;
			run_to(lost);
			exchange_lose(&x);
			exchange_pass(&x, 5000);
			exchange_check_pair(&x);
			assert_int_equal(exchange_active(&x, GATEWAY), 1);
			assert_int_equal(exchange_active(&x, BRANCH), 1);
			assert_int_equal(exchange_sas(&x, GATEWAY), 1);
			exchange_stop(&x);
		}
}

static void each_message_doubled(void **state)
{
	(void)state;
	for (int doubled = 0; doubled < MESSAGES; doubled++) {
		struct exchange_message message;

		start();
		run_to(doubled);
		message = exchange_take(&x);
		exchange_hand_over(&x, &message);
		exchange_hand_over(&x, &message);
		exchange_free(&message);
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_active(&x, GATEWAY), 1);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		exchange_stop(&x);
	}
}

static void each_message_late(void **state)
{
	(void)state;
	start();
	exchange_connect(&x);
	exchange_pass(&x, 120000);
	for (size_t i = 0; i < MESSAGES; i++) {
		exchange_hand_over(&x, &x.log[i]);
		assert_int_equal(x.queued, 0);
	}
	assert_int_equal(exchange_sas(&x, GATEWAY), 1);
	assert_int_equal(exchange_sas(&x, BRANCH), 1);
	assert_int_equal(x.sides[GATEWAY].n_children, 1);
	exchange_stop(&x);
}

/* What the gateway sends once it is established overtakes message 6: it is held. */
static void last_message_overtaken(void **state)
{
	struct exchange_message sixth;

	(void)state;
	start();
	run_to(5);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(ike_peer_probe(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0]), 0);
	sixth = exchange_take(&x);
	exchange_deliver(&x); /* R-U-THERE */
	assert_int_equal(x.queued, 0);
	assert_int_equal(exchange_established(&x, BRANCH), 0);
	exchange_hand_over(&x, &sixth);
	exchange_free(&sixth);
	assert_int_equal(x.queued, 2); /* the answer to it, and message 1 of quick mode */
	exchange_run(&x);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* The responder answers each request once, whatever time passes, and again only when it comes again. */
static void answers_only_when_asked(void **state)
{
	(void)state;
	for (int delivered = 1; delivered <= 3; delivered += 2) {
		start();
		run_to(delivered);
		exchange_lose(&x);
		for (int i = 0; i < 29; i++) {
			x.now_ms += 1000;
			ike_run_timers(x.sides[GATEWAY].ike);
			assert_int_equal(x.queued, 0);
		}
		for (int i = 0; i < 20; i++)
			exchange_hand_over(&x, &x.log[delivered - 1]);
		assert_int_equal(x.queued, 8);
		exchange_stop(&x);
	}
}

static void each_message_truncated(void **state)
{
	(void)state;
	for (int which = 0; which < MESSAGES; which++) {
		start();
		run_to(which);
		for (size_t len = 0; len < x.queue[0].len; len++) {
			uint8_t *copy = malloc(len ? len : 1);
			struct exchange_message cut = x.queue[0];
			size_t before = x.logged;

			memcpy(copy, cut.data, len);
			if (len >= sizeof(struct isakmp_hdr))
				bytes_put32(copy + offsetof(struct isakmp_hdr, length), (uint32_t)len);
			cut.data = copy;
			cut.len = len;
			exchange_hand_over(&x, &cut);
			free(copy);
			/* A chain may end early where its last payload does; anything else is not answered. */
			if (x.logged != before)
				fail_msg("message %d of %zu bytes was answered", which, len);
		}
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		exchange_stop(&x);
	}
}

/*
 * Every bit of identity and hash in the encrypted messages: nothing happens but one refusal in the clear, which nobody
 * has to believe, and the true one is taken. (What follows them no hash covers: RFC 2409 section 5.)
 */
static void every_bit_flipped(void **state)
{
	(void)state;
	for (int which = 4; which < 6; which++) {
		start();
		run_to(which);
		for (size_t bit = 0; bit < (sizeof(struct isakmp_hdr) + COVERED) * 8; bit++) {
			struct exchange_message *message = &x.queue[0];
			size_t before = x.logged, refusals = 0;

			if (bit / 8 == offsetof(struct isakmp_hdr, flags) && bit % 8 == 1)
				continue; /* the commit bit means nothing in phase 1 */
			message->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			exchange_hand_over(&x, message);
			message->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			for (size_t i = 0; i < x.logged; i++)
				refusals += x.log[i].data[18] == ISAKMP_INFORMATIONAL;
			if (x.logged != before && (refusals != 1 || x.log[before].len != 40))
				fail_msg("message %d, bit %zu was answered", which + 1, bit);
		}
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		exchange_stop(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(both_modes),
		cmocka_unit_test(through_nats),
		cmocka_unit_test(keys_without_address),
		cmocka_unit_test(each_group),
		cmocka_unit_test(each_message_lost),
		cmocka_unit_test(each_message_doubled),
		cmocka_unit_test(each_message_late),
		cmocka_unit_test(last_message_overtaken),
		cmocka_unit_test(answers_only_when_asked),
		cmocka_unit_test(each_message_truncated),
		cmocka_unit_test(every_bit_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
