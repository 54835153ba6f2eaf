/* SPDX-License-Identifier: Apache-2.0 */
/* What happens after the negotiation: deletes, renewal, expiry, INITIAL-CONTACT, several IKE SAs of one peer. */
#include "exchange.h"

#include "ike/ike_sa.h"
#include "ike/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static void child_deleted(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	assert_int_equal(ike_child_delete(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	assert_int_equal(exchange_installed(&x, BRANCH), 1); /* the caller of the verb does that itself */
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(ike_child_delete(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), -ENOENT);
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), -ENOENT);
	exchange_stop(&x);
}

static void peer_deleted(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		exchange_start(&x);
		exchange_connect(&x);
		assert_int_equal(ike_peer_delete(x.sides[side].ike, &x.sides[side].peers[0], NULL), 1);
		assert_int_equal(ike_peer_delete(x.sides[side].ike, &x.sides[side].peers[0], NULL), 0);
		exchange_run(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY) + exchange_sas(&x, BRANCH), 0);
		assert_int_equal(exchange_installed(&x, GATEWAY) + exchange_installed(&x, BRANCH), 0);
		assert_int_equal(x.sides[!side].events[IKE_EVENT_DELETED], 2);
		exchange_stop(&x);
	}
}

/* At any moment. A gateway that forgets a half-open exchange is asked again: the branch knows nothing of it. */
static void peer_deleted_while_negotiating(void **state)
{
	(void)state;
	for (int delivered = 0; delivered < 6; delivered++)
		for (int side = 0; side < 2; side++) {
			exchange_start(&x);
			exchange_begin(&x);
			for (int i = 0; i < delivered; i++)
				exchange_deliver(&x);
			(void)ike_peer_delete(x.sides[side].ike, &x.sides[side].peers[0], NULL);
			exchange_pass(&x, 90000);
			assert_int_equal(exchange_installed(&x, side), exchange_active(&x, side));
			if (side == BRANCH)
				assert_int_equal(exchange_sas(&x, side) + exchange_installed(&x, side), 0);
			exchange_stop(&x);
		}
}

/* Soft lifetime: the side that began it renews; the old one goes some seconds later. Traffic always has a pair. */
static void renewed_in_time(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	for (int i = 0; i < 4; i++) {
		uint32_t old = exchange_newest(&x, BRANCH)->terms.spi_in;

		for (int k = 0; k < 36; k++) {
			exchange_pass(&x, 100000);
			assert_true(exchange_active(&x, BRANCH) > 0);
			assert_true(exchange_active(&x, GATEWAY) > 0);
		}
		assert_true(exchange_newest(&x, BRANCH)->terms.spi_in != old);
		exchange_check_pair(&x);
		assert_int_equal(exchange_active(&x, GATEWAY), 1);
	}
	assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_EXPIRED], 0);
	exchange_stop(&x);
}

/* One that was given a successor by the other side is not renewed once more, even if it was not deleted. */
static void not_renewed_twice(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_pass(&x, 2000000);
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
	exchange_run(&x);
	exchange_pass_silent(&x, 6000); /* the delete is lost */
	assert_int_equal(exchange_active(&x, BRANCH), 2);
	exchange_pass(&x, 1700000); /* past the end of the first */
	assert_int_equal(exchange_active(&x, BRANCH), 1);
	assert_int_equal(x.sides[BRANCH].n_children, 2);
	exchange_stop(&x);
}

static void renewed_with_its_group(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].peers[0].pfs = IKE_GROUP_ECP256;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
	exchange_pass(&x, 10000); /* asked for twice, done once */
	exchange_check_pair(&x);
	assert_int_equal(exchange_active(&x, BRANCH), 1);
	assert_int_equal(x.sides[BRANCH].n_children, 2);
	exchange_stop(&x);
}

static void hard_expiry(void **state)
{
	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_pass_silent(&x, 3601000);
	assert_int_equal(exchange_installed(&x, BRANCH) + exchange_installed(&x, GATEWAY), 0);
	assert_true(x.sides[GATEWAY].events[IKE_EVENT_EXPIRED] > 0);
	exchange_stop(&x);
}

/* Child SAs outlive their IKE SA; a new one of the same peer takes care of them. */
static void child_outlives_ike_sa(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].config.ike.lifetime = 600;
	exchange_open(&x);
	exchange_connect(&x);
	exchange_pass(&x, 500000);
	exchange_pass_silent(&x, 200000); /* so that it can't be renewed */
	assert_int_equal(exchange_sas(&x, BRANCH) + exchange_sas(&x, GATEWAY), 0);
	assert_int_equal(exchange_active(&x, BRANCH), 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), -ENOENT);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_active(&x, GATEWAY), 2); /* the branch has not forgotten: no INITIAL-CONTACT */
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], NULL), 1);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, BRANCH) + exchange_installed(&x, GATEWAY), 0);
	exchange_stop(&x);
}

/* The side that began an IKE SA renews it in time, with the same children, and the old one goes. */
static void ike_sa_renewed(void **state)
{
	(void)state;
	for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
		exchange_prepare(&x);
		x.sides[BRANCH].config.ike.lifetime = 600;
		exchange_open(&x);
		x.nat = (enum exchange_nat)nat;
		exchange_connect(&x);
		for (int i = 0; i < 100; i++) {
			exchange_pass(&x, 30000);
			assert_true(exchange_established(&x, BRANCH) >= 1);
			assert_true(exchange_established(&x, GATEWAY) >= 1);
		}
		assert_int_equal(exchange_sas(&x, BRANCH), 1);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_ESTABLISHED), 6);
		assert_int_equal(x.sides[GATEWAY].n_children, 1);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_EXPIRED], 0);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 1);
		exchange_stop(&x);
	}
}

/* The gateway is away when it is time: the branch tries again, and has it in the end. */
static void ike_sa_renewed_late(void **state)
{
	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].config.ike.lifetime = 3600;
	exchange_open(&x);
	exchange_connect(&x);
	exchange_pass(&x, 3050000);
	exchange_pass_silent(&x, 400000);
	exchange_pass(&x, 100000);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_ESTABLISHED), 2);
	exchange_stop(&x);
}

/* With a key for one use nothing is begun that the gateway would have to refuse: its host gets another key. */
static void ike_sa_of_one_key(void **state)
{
	size_t sent;

	(void)state;
	exchange_prepare(&x);
	x.sides[BRANCH].config.ike.lifetime = 600;
	x.sides[BRANCH].peers[0].secret_once = true;
	exchange_open(&x);
	exchange_connect(&x);
	sent = x.logged;
	exchange_pass(&x, 595000);
	assert_int_equal(x.logged, sent);
	assert_int_equal(exchange_established(&x, BRANCH), 1);
	exchange_stop(&x);
}

/* A peer that sets the commit bit is waited for, until it says CONNECTED or a moment has passed. */
static void commit_bit(void **state)
{
	(void)state;
	for (int says = 0; says < 2; says++) {
		struct ike_sa *sa;
		uint8_t spi[4];

		exchange_start(&x);
		exchange_begin(&x);
		for (int i = 0; i < 4; i++)
			exchange_deliver(&x);
		x.queue[0].data[offsetof(struct isakmp_hdr, flags)] |= ISAKMP_FLAG_COMMIT;
		exchange_run(&x);
		assert_int_equal(exchange_active(&x, GATEWAY), 1);
		assert_int_equal(exchange_active(&x, BRANCH), 0);
		sa = TAILQ_FIRST(&x.sides[GATEWAY].ike->sas);
		bytes_put32(spi, exchange_newest(&x, GATEWAY)->terms.spi_in);
		if (says) {
			notify_send(sa, ISAKMP_PROTO_ESP, ISAKMP_CONNECTED, bytes_of(spi, 4), bytes_of(NULL, 0));
			exchange_run(&x);
		} else {
			exchange_pass(&x, CHILD_SA_COMMIT_MS);
		}
		assert_int_equal(exchange_active(&x, BRANCH), 1);
		exchange_pass(&x, 10000);
		exchange_check_pair(&x);
		exchange_stop(&x);
	}
}

/* The branch starts anew: the gateway forgets what is older, and only that. */
static void initial_contact(void **state)
{
	struct exchange_side *branch = &x.sides[BRANCH];

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 1);
	ike_free(branch->ike);
	ike_free(x.sides[GATEWAY].ike); /* what the gateway has installed is known to its engine alone: make it anew */
	branch->random_state += 99;
	exchange_open(&x);
	branch->n_children = x.sides[GATEWAY].n_children = 0;
	exchange_connect(&x);
	exchange_begin(&x);
	exchange_run(&x); /* a second SA beside the first is no initial contact */
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 2);
	assert_int_equal(exchange_established(&x, GATEWAY), 2);
	assert_int_equal(exchange_active(&x, GATEWAY), 2);
	exchange_stop(&x);
}

static void branch_restarts(void **state)
{
	struct exchange_side *branch = &x.sides[BRANCH];
	struct exchange other;

	(void)state;
	exchange_start(&x);
	exchange_connect(&x);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_active(&x, GATEWAY), 2);
	ike_free(branch->ike);
	exchange_prepare(&other);
	other.sides[BRANCH].random_state = 4711;
	exchange_open(&other);
	branch->ike = NULL;
	exchange_begin(&other);
	while (other.queued || x.queued) { /* the new branch talks to the old gateway */
		struct exchange *from = other.queued ? &other : &x, *to = other.queued ? &x : &other;
		struct exchange_message message = exchange_take(from);

		exchange_hand_over(to, &message);
		exchange_free(&message);
	}
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 2);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.spi_out, exchange_newest(&other, BRANCH)->terms.spi_in);
	exchange_stop(&other);
	exchange_stop(&x);
}

static void sas_per_peer_are_capped(void **state)
{
	(void)state;
	exchange_start(&x);
	for (int i = 0; i < 12; i++) {
		exchange_begin(&x);
		exchange_run(&x);
	}
	assert_int_equal(exchange_established(&x, GATEWAY), 8);
	assert_int_equal(exchange_established(&x, BRANCH), 8);
	exchange_stop(&x);
}

/* The NAT forgets its mapping: the next fresh message moves the peer and its children. */
static void peer_moves(void **state)
{
	(void)state;
	for (int begins = 0; begins < 2; begins++) {
		exchange_start(&x);
		x.nat = EXCHANGE_NAT;
		exchange_connect(&x);
		x.nat_generation = 7;
		/* Begun by the gateway the messages go to a mapping that is gone, so only the branch can heal it. */
		if (begins == GATEWAY)
			assert_int_equal(
				ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
		assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
		exchange_run(&x);
		assert_int_equal(x.sides[GATEWAY].moves, 1);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_MOVED], 1);
		assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 24507);
		assert_int_equal(x.sides[BRANCH].moves, 0);
		exchange_check_pair(&x);
		exchange_stop(&x);
	}
}

/* Or its data does, which the host sees: what we say next goes where the data goes, and the host is not told of it. */
static void data_moves(void **state)
{
	const struct config_peer *peer = &x.sides[GATEWAY].peers[0];
	struct endpoint remote, other = {.port = 9};

	(void)state;
	exchange_start(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	remote = exchange_newest(&x, GATEWAY)->terms.remote;
	x.nat_generation = 7;
	remote.port = 24507;
	ike_peer_follow(
		x.sides[GATEWAY].ike, peer, peer->identity, &exchange_newest(&x, GATEWAY)->terms.local, &remote);
	ike_peer_follow(x.sides[GATEWAY].ike, peer, "stranger", &remote, &other); /* who has no SA */
	assert_int_equal(ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
	assert_int_equal(x.queue[0].destination.port, 24507);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.remote.port, 24507);
	assert_int_equal(x.sides[GATEWAY].moves, 0);
	exchange_stop(&x);
	/* Without a NAT the data has no ports to share. */
	exchange_start(&x);
	exchange_connect(&x);
	ike_peer_follow(x.sides[GATEWAY].ike, peer, peer->identity, &remote, &remote);
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], NULL), 1);
	assert_int_equal(x.queue[0].destination.port, 500);
	exchange_stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_deleted),
		cmocka_unit_test(peer_deleted),
		cmocka_unit_test(peer_deleted_while_negotiating),
		cmocka_unit_test(renewed_in_time),
		cmocka_unit_test(not_renewed_twice),
		cmocka_unit_test(renewed_with_its_group),
		cmocka_unit_test(hard_expiry),
		cmocka_unit_test(child_outlives_ike_sa),
		cmocka_unit_test(ike_sa_renewed),
		cmocka_unit_test(ike_sa_renewed_late),
		cmocka_unit_test(ike_sa_of_one_key),
		cmocka_unit_test(commit_bit),
		cmocka_unit_test(initial_contact),
		cmocka_unit_test(branch_restarts),
		cmocka_unit_test(sas_per_peer_are_capped),
		cmocka_unit_test(peer_moves),
		cmocka_unit_test(data_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
