/* SPDX-License-Identifier: Apache-2.0 */
/* Messages in pieces: lost, late, doubled, in any order; forged; and how much of a stranger's is kept. */
#include "exchange.h"

#include "ike/builder.h"
#include "ike/engine.h"
#include "ike/fragment.h"
#include "ike/ike_sa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SIZE = 200, NEXT_PAYLOAD_AT = 16, FLAG_LAST = 1 };

static struct exchange x;

static void start(uint16_t branch_size, uint16_t gateway_size)
{
	exchange_prepare(&x);
	x.sides[BRANCH].config.ike.fragment_size = branch_size;
	x.sides[GATEWAY].config.ike.fragment_size = gateway_size;
	exchange_open(&x);
}

static bool is_piece(const struct exchange_message *message)
{
	return message->data[NEXT_PAYLOAD_AT] == ISAKMP_FRAGMENT;
}

static size_t pieces_sent(int side)
{
	size_t count = 0;

	for (size_t i = 0; i < x.logged; i++)
		count += x.log[i].from == side && is_piece(&x.log[i]);
	return count;
}

static const struct fragments *kept(int side)
{
	return &x.sides[side].ike->fragments;
}

static void assert_nothing_kept(void)
{
	for (int side = 0; side < 2; side++)
		for (int share = 0; share < FRAGMENT_SHARES; share++) {
			assert_int_equal(kept(side)->count[share], 0);
			assert_int_equal(kept(side)->bytes[share], 0);
		}
}

/* Message 1 is sent before it is known what the peer can, all later ones that are too long in pieces that are not. */
static void negotiated(void **state)
{
	(void)state;
	start(SIZE, SIZE);
	exchange_connect(&x);
	assert_true(pieces_sent(BRANCH) > 2 && pieces_sent(GATEWAY) > 2);
	assert_false(is_piece(&x.log[0]));
	for (size_t i = 1; i < x.logged; i++)
		assert_true(x.log[i].len + 32 <= SIZE);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_FRAGMENTS), pieces_sent(BRANCH));
	assert_true(exchange_count(&x, GATEWAY, IKE_COUNT_REASSEMBLED) >= 1);
	assert_nothing_kept();
	exchange_stop(&x);
}

/* Nobody gets pieces who has not asked for them; and who wants none takes none. */
static void one_side_alone(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		start(side == BRANCH ? SIZE : 0, side == GATEWAY ? SIZE : 0);
		exchange_connect(&x);
		assert_int_equal(pieces_sent(BRANCH) + pieces_sent(GATEWAY), 0);
		exchange_stop(&x);
	}
}

static void any_order(void **state)
{
	(void)state;
	start(SIZE, SIZE);
	exchange_begin(&x);
	for (int i = 0; x.queued; i++) {
		assert_true(i < 100);
		for (size_t at = x.queued; at-- > 0;) /* the newest first */
			exchange_hand_over(&x, &x.queue[at]);
		for (size_t old = x.queued; old > 0 && x.queued; old--)
			exchange_lose(&x);
		exchange_pass(&x, 0);
	}
	exchange_pass(&x, 20000);
	exchange_check_pair(&x);
	assert_nothing_kept();
	exchange_stop(&x);
}

static void doubled(void **state)
{
	(void)state;
	start(SIZE, SIZE);
	exchange_begin(&x);
	while (x.queued) {
		exchange_hand_over(&x, &x.queue[0]);
		exchange_deliver(&x);
	}
	exchange_check_pair(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	exchange_pass(&x, FRAGMENT_TIMEOUT_MS); /* the second halves of what was whole already */
	assert_nothing_kept();
	exchange_stop(&x);
}

/* Each piece of the negotiation is lost once. What is sent again fills the gap, however many pieces are lost in turn. */
static void each_lost_once(void **state)
{
	size_t pieces;

	(void)state;
	start(SIZE, SIZE);
	exchange_connect(&x);
	pieces = x.logged;
	exchange_stop(&x);
	for (size_t lost = 0; lost < pieces; lost++) {
		start(SIZE, SIZE);
		exchange_begin(&x);
		for (size_t i = 0; x.queued; i++)
			(i == lost ? exchange_lose : exchange_deliver)(&x);
		exchange_pass(&x, 3000);
		exchange_check_pair(&x);
		exchange_pass(&x, FRAGMENT_TIMEOUT_MS);
		assert_nothing_kept();
		exchange_stop(&x);
	}
}

/* A piece that never comes: what waits goes, and the verdict says why. */
static void never_whole(void **state)
{
	(void)state;
	start(SIZE, SIZE);
	exchange_begin(&x);
	exchange_deliver(&x);
	for (int i = 0; i < 60; i++) {
		while (x.queued)
			(x.queue[0].from == GATEWAY && x.queue[0].data[sizeof(struct isakmp_hdr) + 6] == 1
					? exchange_lose
					: exchange_deliver)(&x);
		for (int side = 0; side < 2; side++)
			ike_run_timers(x.sides[side].ike);
		x.now_ms += 1000;
	}
	assert_int_equal(exchange_established(&x, BRANCH), 0);
	assert_true(exchange_count(&x, BRANCH, IKE_COUNT_FRAGMENTS_LOST) > 0);
	assert_non_null(strstr(x.sides[BRANCH].why[IKE_EVENT_EXPIRED], "came in pieces, and not all of them came"));
	assert_nothing_kept();
	exchange_stop(&x);
}

/* --- pieces of our own making ------------------------------------------------------------------------------------ */

struct forged {
	uint64_t cookies[2];
	uint16_t id;
	uint8_t number, flags;
	const void *data;
	size_t data_len;
	struct endpoint from; /* port 0: the branch's */
};

static uint8_t forged_bytes[65536];

/* Hands it to the gateway as it is, after `spoil` has had its way with the bytes; NULL: nobody. */
static void forge(const struct forged *forged, void (*spoil)(uint8_t *datagram, size_t *len))
{
	struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1, .exchange = ISAKMP_AGGRESSIVE};
	struct endpoint *to = &x.sides[GATEWAY].endpoint;
	const struct endpoint *from = forged->from.port ? &forged->from : &x.sides[BRANCH].endpoint;
	struct builder builder;
	size_t len;

	memcpy(&hdr, forged->cookies, sizeof(forged->cookies));
	builder_begin(&builder, forged_bytes, sizeof(forged_bytes), &hdr);
	builder_open(&builder, ISAKMP_FRAGMENT);
	builder_put16(&builder, forged->id);
	builder_put8(&builder, forged->number);
	builder_put8(&builder, forged->flags);
	builder_put(&builder, forged->data, forged->data_len);
	builder_close(&builder);
	assert_int_equal(builder_finish(&builder), 0);
	len = builder.len;
	if (spoil)
		spoil(forged_bytes, &len);
	ike_input(x.sides[GATEWAY].ike, to, from, false, forged_bytes, len);
}

static void spoil_encrypted(uint8_t *datagram, size_t *len)
{
	(void)len;
	datagram[offsetof(struct isakmp_hdr, flags)] |= ISAKMP_FLAG_ENCRYPTED;
}

static void spoil_followed(uint8_t *datagram, size_t *len)
{
	(void)len;
	datagram[sizeof(struct isakmp_hdr)] = ISAKMP_NONCE;
}

static void spoil_longer(uint8_t *datagram, size_t *len)
{
	(void)len;
	datagram[sizeof(struct isakmp_hdr) + 3]++;
}

static void spoil_empty(uint8_t *datagram, size_t *len)
{
	*len = sizeof(struct isakmp_hdr);
	bytes_put32(datagram + offsetof(struct isakmp_hdr, length), (uint32_t)*len);
}

static void refused(void **state)
{
	static const struct {
		struct forged forged;
		void (*spoil)(uint8_t *, size_t *);
	} cases[] = {
		{{{1}, 1, 0, 0, "data", 4, {.port = 0}}, NULL},
		{{{1}, 1, FRAGMENT_NUMBER_MAX + 1, 0, "data", 4, {.port = 0}}, NULL},
		{{{1}, 1, 1, 0, "", 0, {.port = 0}}, NULL},
		{{{1}, 1, 1, 0, "data", 4, {.port = 0}}, spoil_encrypted},
		{{{1}, 1, 1, 0, "data", 4, {.port = 0}}, spoil_followed},
		{{{1}, 1, 1, 0, "data", 4, {.port = 0}}, spoil_longer},
		{{{1}, 1, 1, 0, "data", 4, {.port = 0}}, spoil_empty},
	};

	(void)state;
	start(SIZE, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forge(&cases[i].forged, cases[i].spoil);
		assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_MALFORMED), i + 1);
		assert_nothing_kept();
	}
	/* A responder cookie that nobody has given. */
	forge(&(struct forged){{1, 2}, 1, 1, 0, "data", 4, {.port = 0}}, NULL);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_UNKNOWN_COOKIES), 1);
	assert_nothing_kept();
	exchange_stop(&x);
	start(SIZE, 0);
	forge(&(struct forged){{1}, 1, 1, 0, "data", 4, {.port = 0}}, NULL);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_MALFORMED), 1);
	assert_nothing_kept();
	exchange_stop(&x);
}

/* Pieces that contradict each other, and wholes that are none: all of it goes at once. */
static void contradictions(void **state)
{
	static const struct {
		uint8_t number, flags;
	} cases[][2] = {
		{{2, FLAG_LAST}, {3, 0}},
		{{2, FLAG_LAST}, {1, FLAG_LAST}},
		{{3, 0}, {2, FLAG_LAST}},
	};
	static uint8_t large[FRAGMENT_MESSAGE_MAX / 2 + 1];
	struct isakmp_hdr whole = {.version = ISAKMP_VERSION_1, .next_payload = ISAKMP_FRAGMENT, .initiator_cookie = {1}};

	(void)state;
	start(SIZE, SIZE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int k = 0; k < 2; k++)
			forge(&(struct forged){{1}, 1, cases[i][k].number, cases[i][k].flags, "data", 4, {.port = 0}},
				NULL);
		assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_FRAGMENTS_LOST), i + 1);
		assert_nothing_kept();
	}
	/* Too long together. */
	forge(&(struct forged){{1}, 1, 1, 0, large, sizeof(large), {.port = 0}}, NULL);
	forge(&(struct forged){{1}, 1, 2, 0, large, sizeof(large), {.port = 0}}, NULL);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_FRAGMENTS_LOST), 4);
	assert_nothing_kept();
	/* Too short for a header; a piece again; of other cookies. */
	forge(&(struct forged){{1}, 1, 1, FLAG_LAST, "data", 4, {.port = 0}}, NULL);
	bytes_put32(whole.length, sizeof(whole));
	forge(&(struct forged){{1}, 1, 1, FLAG_LAST, &whole, sizeof(whole), {.port = 0}}, NULL);
	whole.next_payload = ISAKMP_NONE;
	whole.initiator_cookie[0] = 2;
	forge(&(struct forged){{1}, 1, 1, FLAG_LAST, &whole, sizeof(whole), {.port = 0}}, NULL);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_MALFORMED), 3);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_REASSEMBLED), 0);
	assert_nothing_kept();
	exchange_stop(&x);
}

/* Pieces from elsewhere, with the right cookies and ID, are not mixed with the peer's. */
static void from_elsewhere(void **state)
{
	struct exchange_message first;
	struct forged forged = {.data = "not the peer's", .data_len = 14, .number = 1, .flags = 0};

	(void)state;
	start(SIZE, SIZE);
	exchange_begin(&x);
	while (x.queued && !(x.queue[0].from == BRANCH && is_piece(&x.queue[0])))
		exchange_deliver(&x);
	first = x.queue[0];
	memcpy(forged.cookies, first.data, sizeof(forged.cookies));
	forged.id = bytes_get16(first.data + sizeof(struct isakmp_hdr) + 4);
	forged.from = (struct endpoint){.port = 999};
	address_parse("203.0.113.66", &forged.from.address);
	forge(&forged, NULL);
	exchange_run(&x);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* Strangers by the thousand: bounded in number and bytes, and a peer that is established loses nothing by it. */
static void flood(void **state)
{
	static uint8_t large[FRAGMENT_MESSAGE_MAX - 1];
	const struct fragments *fragments;
	struct ike_sa *sa;
	struct forged peers = {.id = 7, .number = 1, .data = "data", .data_len = 4};

	(void)state;
	start(SIZE, SIZE);
	exchange_connect(&x);
	fragments = kept(GATEWAY);
	sa = TAILQ_FIRST(&x.sides[GATEWAY].ike->sas);
	memcpy(peers.cookies, sa->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(peers.cookies + 1, sa->responder_cookie, IKE_COOKIE_LEN);
	forge(&peers, NULL);
	assert_int_equal(fragments->count[FRAGMENT_OF_PEER], 1);
	for (uint64_t i = 1; i <= 2000; i++) {
		forge(&(struct forged){{i}, 1, 1, 0, "data", 4, {.port = 0}}, NULL);
		assert_true(fragments->count[FRAGMENT_OF_STRANGER] <= FRAGMENT_WAITING_MAX);
	}
	assert_int_equal(fragments->count[FRAGMENT_OF_STRANGER], FRAGMENT_WAITING_MAX);
	for (uint64_t i = 1; i <= 2000; i++) {
		forge(&(struct forged){{i}, 2, 1, 0, large, sizeof(large), {.port = 0}}, NULL);
		assert_true(fragments->bytes[FRAGMENT_OF_STRANGER] <= FRAGMENT_BYTES_MAX);
	}
	assert_true(fragments->bytes[FRAGMENT_OF_STRANGER] > FRAGMENT_BYTES_MAX / 2);
	assert_int_equal(fragments->count[FRAGMENT_OF_PEER], 1);
	/* And who dials now is served. */
	exchange_connect(&x);
	/* One pair of cookies has a few at most. */
	for (peers.id = 100; peers.id < 120; peers.id++)
		forge(&peers, NULL);
	assert_int_equal(fragments->count[FRAGMENT_OF_PEER], FRAGMENT_PER_COOKIES);
	exchange_pass(&x, FRAGMENT_TIMEOUT_MS);
	assert_nothing_kept();
	exchange_stop(&x);
}

static void vendor_ids(void **state)
{
	static const struct {
		uint8_t capabilities, len;
		bool offered;
	} cases[] = {{0x80, 20, true}, {0x40, 20, true}, {0xc0, 20, true}, {0, 16, true}, {0, 20, false}, {0x80, 15, false}};
	static const uint8_t hash[16] = {0x40, 0x48, 0xb7, 0xd5, 0x6e, 0xbc, 0xe8, 0x85, 0x25, 0xe7, 0xde, 0x7f, 0x00, 0xd6,
		0xc2, 0xd3};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t body[20] = {0};
		struct payload_list list = {.count = 1};

		memcpy(body, hash, sizeof(hash));
		body[16] = cases[i].capabilities;
		list.items[0] = (struct payload){ISAKMP_VENDOR_ID, bytes_of(body, cases[i].len)};
		assert_int_equal(fragment_offered(&list), cases[i].offered);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(negotiated),
		cmocka_unit_test(one_side_alone),
		cmocka_unit_test(any_order),
		cmocka_unit_test(doubled),
		cmocka_unit_test(each_lost_once),
		cmocka_unit_test(never_whole),
		cmocka_unit_test(refused),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(from_elsewhere),
		cmocka_unit_test(flood),
		cmocka_unit_test(vendor_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
