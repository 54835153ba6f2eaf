/* SPDX-License-Identifier: Apache-2.0 */
/* A peer that is authenticated and yet means no good, or is merely confused: notices, deletes, quick modes without end.
 */
#include "exchange.h"

#include "ike/ike_sa.h"
#include "ike/message.h"
#include "ike/notify.h"
#include "ike/quick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

/* The branch's engine is used to write what it would not say. */
static struct ike_sa *only_sa(int side)
{
	return TAILQ_FIRST(&x.sides[side].ike->sas);
}

static void alive(uint32_t sequence)
{
	struct ike_sa *sa = only_sa(BRANCH);
	uint8_t cookies[16], wire[4];

	memcpy(cookies, sa->initiator_cookie, 8);
	memcpy(cookies + 8, sa->responder_cookie, 8);
	bytes_put32(wire, sequence);
	notify_send(sa, ISAKMP_PROTO_ISAKMP, ISAKMP_R_U_THERE, bytes_of(cookies, 16), bytes_of(wire, 4));
}

static void dead_peer_detection(void **state)
{
	struct exchange_message message;

	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	alive(100);
	exchange_deliver(&x);
	assert_int_equal(x.queued, 1); /* the acknowledgement */
	exchange_run(&x);
	alive(99); /* an old number is not answered */
	exchange_deliver(&x);
	assert_int_equal(x.queued, 0);
	alive(101); /* from a new mapping: authentic and fresh, so the peer has moved */
	message = exchange_take(&x);
	x.nat_generation = 9;
	exchange_hand_over(&x, &message);
	assert_int_equal(x.sides[GATEWAY].moves, 1);
	assert_int_equal(x.queue[0].destination.port, 24509);
	exchange_lose(&x);
	x.nat_generation = 10; /* the same again from elsewhere: answered at the place that is proved, nothing moves */
	exchange_hand_over(&x, &message);
	assert_int_equal(x.sides[GATEWAY].moves, 1);
	assert_int_equal(x.queued, 1);
	assert_int_equal(x.queue[0].destination.port, 24509);
	exchange_free(&message);
	exchange_stop(&x);
}

static void send_raw_informational(uint8_t type, const uint8_t *body, size_t len, int copies)
{
	struct ike_sa *sa = only_sa(BRANCH);
	uint32_t id = ike_sa_new_id(sa);
	uint8_t iv[CIPHER_BLOCK_MAX];
	struct builder builder;

	message_begin_hashed(&builder, sa, ISAKMP_INFORMATIONAL, id);
	for (int i = 0; i < copies; i++)
		builder_add(&builder, type, body, len);
	assert_int_equal(keymat_iv_phase2(&sa->keys, sa->iv, id, iv), 0);
	assert_int_equal(message_seal_hashed(&builder, sa, id, bytes_of(NULL, 0), iv), 0);
	engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
	exchange_run(&x);
}

static void authentic_and_malformed(void **state)
{
	static const uint8_t zero_spi_len[] = {0, 0, 0, 1, 3, 0, 0, 9};
	static const uint8_t many[] = {0, 0, 0, 1, 3, 4, 0xff, 0xff, 1, 2, 3, 4};
	static const uint8_t other_doi[] = {0, 0, 0, 2, 3, 4, 0, 1, 1, 2, 3, 4};
	static const uint8_t long_spi[] = {0, 0, 0, 1, 1, 255, 0x60, 2};
	static const uint8_t ah[] = {0, 0, 0, 1, 2, 4, 0, 1, 1, 2, 3, 4};

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	send_raw_informational(ISAKMP_DELETE, zero_spi_len, sizeof(zero_spi_len), 1);
	send_raw_informational(ISAKMP_DELETE, many, sizeof(many), 1);
	send_raw_informational(ISAKMP_DELETE, other_doi, sizeof(other_doi), 2);
	send_raw_informational(ISAKMP_NOTIFICATION, long_spi, sizeof(long_spi), 3);
	send_raw_informational(ISAKMP_DELETE, ah, sizeof(ah), 1);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_UNEXPECTED), 4);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	exchange_stop(&x);
}

/* Two deletes of the IKE SA and one of a child in one message: the second acts on nothing. */
static void deleted_twice_in_one_message(void **state)
{
	uint8_t body[sizeof(struct delete_hdr) + 16] = {0, 0, 0, 1, 1, 16, 0, 1};
	struct ike_sa *sa;

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	sa = only_sa(BRANCH);
	memcpy(body + 8, sa->initiator_cookie, 8);
	memcpy(body + 16, sa->responder_cookie, 8);
	send_raw_informational(ISAKMP_DELETE, body, sizeof(body), 3);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_DELETED], 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 1); /* child SAs are not the IKE SA's */
	exchange_stop(&x);
}

/* More quick modes at once than an SA may have: the rest is dropped, and the SA is usable afterwards. */
static void too_many_quick_modes(void **state)
{
	struct ike_sa *sa;

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	sa = only_sa(BRANCH);
	for (int i = 0; i < 20; i++)
		(void)quick_begin(sa, &x.sides[BRANCH].peers[0].local_networks[0],
			&x.sides[BRANCH].peers[0].remote_networks[0], NULL);
	exchange_pass_silent(&x, 60000);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	exchange_run(&x);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* A peer that begins one quick mode after another and deletes nothing gets each, and the oldest go. */
static void too_many_children(void **state)
{
	struct ike_sa *sa;

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	sa = only_sa(BRANCH);
	for (int i = 0; i < 50; i++) {
		(void)quick_begin(sa, &x.sides[BRANCH].peers[0].local_networks[0],
			&x.sides[BRANCH].peers[0].remote_networks[0], NULL);
		exchange_run(&x);
	}
	assert_int_equal(exchange_active(&x, GATEWAY), 32);
	assert_int_equal(exchange_active(&x, BRANCH), 32);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_REFUSED], 0);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_DELETED], "the peer has 32 newer ones"));
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* A fresh message that came to the port without encapsulation does not take the SA back from the NAT port. */
static void stays_on_the_nat_port(void **state)
{
	struct ike_sa *sa;

	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	sa = only_sa(BRANCH);
	sa->local.port = sa->remote.port = 500;
	alive(1);
	exchange_deliver(&x);
	assert_int_equal(x.sides[GATEWAY].moves, 0);
	assert_int_equal(x.queue[0].destination.port, 24500);
	exchange_stop(&x);
}

/* It removes what is older than its SA, once: told again, or kept by somebody and sent again, it has no effect. */
static void initial_contact_counts_once(void **state)
{
	struct ike_sa *newer;
	uint8_t cookies[16];

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_active(&x, GATEWAY), 2);
	newer = TAILQ_LAST(&x.sides[BRANCH].ike->sas, ike_sa_list);
	memcpy(cookies, newer->initiator_cookie, 8);
	memcpy(cookies + 8, newer->responder_cookie, 8);
	for (int i = 0; i < 2; i++) {
		notify_send(
			newer, ISAKMP_PROTO_ISAKMP, ISAKMP_INITIAL_CONTACT, bytes_of(cookies, 16), bytes_of(NULL, 0));
		exchange_run(&x);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 2);
		assert_int_equal(exchange_active(&x, GATEWAY), 1);
		assert_int_equal(exchange_established(&x, GATEWAY), 1);
	}
	exchange_stop(&x);
}

/* An answer with selectors that were not asked for is none, though its hash is right. */
static void answer_with_other_selectors(void **state)
{
	struct quick *quick;

	(void)state;
	exchange_start(&x);
	exchange_begin(&x);
	for (int i = 0; i < 4; i++)
		exchange_deliver(&x);
	quick = TAILQ_FIRST(&only_sa(BRANCH)->quicks);
	prefix_parse("10.1.0.0/24", &quick->terms.local_network);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, BRANCH), 0);
	assert_non_null(strstr(x.sides[BRANCH].why[IKE_EVENT_REFUSED], "traffic selectors of the answer"));
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_peer_detection),
		cmocka_unit_test(authentic_and_malformed),
		cmocka_unit_test(deleted_twice_in_one_message),
		cmocka_unit_test(too_many_quick_modes),
		cmocka_unit_test(too_many_children),
		cmocka_unit_test(stays_on_the_nat_port),
		cmocka_unit_test(initial_contact_counts_once),
		cmocka_unit_test(answer_with_other_selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
