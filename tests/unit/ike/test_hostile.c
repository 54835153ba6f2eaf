/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers and forgers: truncated, altered and replayed messages; what is not authentic must change nothing. */
#include "exchange.h"

#include "ike/builder.h"
#include "ike/payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MESSAGES = 6, COMMIT_BIT = 1, FLAGS_AT = 19 };

static struct exchange x;

static void run_to(int delivered)
{
	exchange_start(&x);
	exchange_begin(&x);
	for (int i = 0; i < delivered; i++)
		exchange_deliver(&x);
}

/* Each message cut at every length, with the header's length as it was and as it would fit: then the true one is taken.
 */
static void truncated(void **state)
{
	(void)state;
	for (int which = 0; which < MESSAGES; which++) {
		run_to(which);
		for (size_t len = 0; len < x.queue[0].len; len++)
			for (int fitted = 0; fitted < 2; fitted++) {
				uint8_t *copy = malloc(len ? len : 1);
				struct exchange_message cut = x.queue[0];
				size_t before = x.logged;

				memcpy(copy, cut.data, len);
				if (fitted && len >= sizeof(struct isakmp_hdr))
					bytes_put32(copy + offsetof(struct isakmp_hdr, length), (uint32_t)len);
				cut.data = copy;
				cut.len = len;
				exchange_hand_over(&x, &cut);
				assert_int_equal(x.logged, before);
				free(copy);
			}
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		exchange_stop(&x);
	}
}

/* Every bit of the messages of quick mode, and of message 3 as far as HASH_I: nothing happens, the true one is taken.
 */
static void every_bit_flipped(void **state)
{
	(void)state;
	for (int which = 2; which < MESSAGES; which++) {
		size_t end;

		run_to(which);
		end = which == 2 ? sizeof(struct isakmp_hdr) + 32 : x.queue[0].len;
		for (size_t bit = 0; bit < end * 8; bit++) {
			struct exchange_message *message = &x.queue[0];
			size_t before = x.logged;

			if (bit / 8 == FLAGS_AT && bit % 8 == COMMIT_BIT)
				continue; /* it asks for something that is not done here */
			message->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			exchange_hand_over(&x, message);
			message->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (x.logged != before)
				fail_msg("message %d, bit %zu was answered", which, bit);
		}
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(exchange_installed(&x, GATEWAY), 1);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		assert_int_equal(x.sides[GATEWAY].moves + x.sides[BRANCH].moves, 0);
		exchange_stop(&x);
	}
}

/* What the proofs cover of message 1: the bodies of SA, KE, nonce and ID. */
static bool is_covered(const struct exchange_message *message, size_t at)
{
	struct payload_list list;
	const char *why;

	assert_int_equal(
		payload_parse(ISAKMP_VERSION_1, message->data[16],
			bytes_of(message->data + sizeof(struct isakmp_hdr), message->len - sizeof(struct isakmp_hdr)),
			&list, &why),
		0);
	for (size_t i = 0; i < list.count; i++) {
		size_t from = (size_t)(list.items[i].body.data - message->data);

		if (at >= from && at < from + list.items[i].body.len)
			return list.items[i].type != ISAKMP_VENDOR_ID;
	}
	return false;
}

/*
 * A changed message 1 may begin another exchange, but never one that the gateway takes. (The branch may: HASH_R does
 * not cover its identity, so it learns only by the silence that follows.)
 */
static void first_message_altered(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[GATEWAY].config.ike.half_open_max = x.sides[GATEWAY].config.ike.half_open_per_source = 100000;
	exchange_open(&x);
	exchange_begin(&x);
	for (size_t bit = 0; bit < x.queue[0].len * 8; bit++) {
		struct exchange_message message = exchange_take(&x);

		if (!is_covered(&message, bit / 8)) {
			x.queue[x.queued++] = message;
			continue;
		}
		message.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		exchange_hand_over(&x, &message);
		message.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		while (x.queued)
			exchange_deliver(&x);
		for (size_t i = 0; i < x.logged; i++)
			free(x.log[i].data);
		x.logged = 0;
		x.queue[x.queued++] = message;
	}
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_ESTABLISHED], 0);
	while (x.queued)
		exchange_lose(&x);
	exchange_connect(&x);
	exchange_stop(&x);
}

/* Whatever was sent comes again from another place: answers may go there, the SA does not. */
static void replayed_from_elsewhere(void **state)
{
	size_t total;

	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	exchange_run(&x);
	total = x.logged;
	x.nat_generation = 5;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < total; i++)
			if (x.log[i].from == BRANCH)
				exchange_hand_over(&x, &x.log[i]);
		while (x.queued)
			exchange_lose(&x);
		exchange_pass_silent(&x, 200000); /* the exchanges are forgotten, the message IDs are not */
	}
	assert_int_equal(x.sides[GATEWAY].moves, 0);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_MOVED], 0);
	assert_int_equal(x.sides[GATEWAY].n_children, 2);
	exchange_stop(&x);
}

/* Third message from elsewhere by somebody who has seen it: the SA is the peer's, at the place of the first to come. */
static void third_message_replayed(void **state)
{
	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	exchange_deliver(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	x.nat_generation = 3;
	exchange_hand_over(&x, &x.log[2]);
	x.nat_generation = 0;
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 24500);
	assert_int_equal(x.sides[GATEWAY].moves, 0);
	exchange_stop(&x);
}

/* Deletes and notifications without encryption, before and after there are keys. */
static void unprotected_informational(void **state)
{
	(void)state;
	for (int delivered = 0; delivered <= MESSAGES; delivered++) {
		uint8_t out[256];
		struct builder builder;
		struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1, .exchange = ISAKMP_INFORMATIONAL};
		struct exchange_message forged;
		size_t before;

		run_to(delivered);
		before = x.logged;
		memcpy(&hdr, x.log[x.logged - 1].data, 16);
		for (int id = 0; id < 2; id++)
			for (int side = 0; side < 2; side++) {
				bytes_put32(hdr.message_id, (uint32_t)id * 77);
				builder_begin(&builder, out, sizeof(out), &hdr);
				builder_open(&builder, ISAKMP_DELETE);
				builder_put32(&builder, ISAKMP_DOI_IPSEC);
				builder_put32(&builder, 0x01100001);
				builder_put(&builder, out, 16);
				builder_close(&builder);
				assert_int_equal(builder_finish(&builder), 0);
				forged = (struct exchange_message){
					side, x.sides[side].endpoint, x.sides[!side].endpoint, out, builder.len};
				exchange_hand_over(&x, &forged);
			}
		assert_int_equal(x.logged, before);
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_DELETED], 0);
		exchange_stop(&x);
	}
}

static void garbage(void **state)
{
	static const uint8_t keepalive = 0xff;
	struct exchange_message message = {.from = BRANCH};
	uint8_t data[600];

	(void)state;
	exchange_start(&x);
	message.source = x.sides[BRANCH].endpoint;
	message.destination = x.sides[GATEWAY].endpoint;
	message.data = (uint8_t *)&keepalive;
	message.len = 1;
	exchange_hand_over(&x, &message);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_DATAGRAMS), 0);
	message.data = data;
	for (unsigned i = 0; i < 20000; i++) {
		message.len = i % sizeof(data);
		for (size_t k = 0; k < message.len; k++)
			data[k] = (uint8_t)(i * 31 + k * (i % 251) + (k >> 3));
		if (message.len >= sizeof(struct isakmp_hdr)) {
			data[17] = ISAKMP_VERSION_1;
			bytes_put32(data + 24, (uint32_t)message.len);
		}
		exchange_hand_over(&x, &message);
	}
	assert_int_equal(x.logged, 0);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	exchange_connect(&x);
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated),
		cmocka_unit_test(every_bit_flipped),
		cmocka_unit_test(first_message_altered),
		cmocka_unit_test(replayed_from_elsewhere),
		cmocka_unit_test(third_message_replayed),
		cmocka_unit_test(unprotected_informational),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
