/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens while helpers compute (ike/compute.h): the message that waits comes again, others come, its IKE SA ends,
 * there is no room, the engine ends. That all exchanges get through with helpers is what every other test of two engines
 * shows, which runs with them too.
 */
#include "exchange.h"
#include "ike/credentials.h"
#include "ike/isakmp.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static struct exchange_side *gateway(void)
{
	return &x.sides[GATEWAY];
}

/* With PFS, so that quick mode has something to compute. */
static void start(bool aggressive)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		x.sides[side].peers[0].aggressive = aggressive;
		x.sides[side].peers[0].pfs = IKE_GROUP_ECP256;
	}
	exchange_open(&x);
}

static size_t sent_by(int side)
{
	size_t count = 0;

	for (size_t i = 0; i < x.logged; i++)
		count += x.log[i].from == side;
	return count;
}

static void waits_for_its_result(void **state)
{
	(void)state;
	start(true);
	gateway()->jobs_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(gateway()->n_jobs, 1);
	assert_int_equal(gateway()->jobs_begun, 0);
	assert_int_equal(exchange_sas(&x, GATEWAY), 1);
	assert_int_equal(sent_by(GATEWAY), 0);
	exchange_help_one(&x, GATEWAY);
	exchange_run(&x); /* to quick mode, in an exchange that has begun */
	assert_int_equal(gateway()->n_jobs, 1);
	assert_int_equal(gateway()->jobs_begun, 1);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	gateway()->jobs_held = false;
	exchange_help(&x, GATEWAY);
	exchange_run(&x);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* The branch sends again after 1 and 2 seconds, message 1 of aggressive or 3 of main mode; one answer comes of it all. */
static void comes_again(void **state)
{
	(void)state;
	for (int aggressive = 0; aggressive < 2; aggressive++) {
		size_t before = aggressive ? 0 : 1;

		start(aggressive);
		gateway()->jobs_held = true;
		exchange_begin(&x);
		exchange_pass(&x, 3500);
		assert_int_equal(sent_by(BRANCH), before + 3);
		assert_int_equal(gateway()->n_jobs, 1);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		gateway()->jobs_held = false;
		exchange_help(&x, GATEWAY);
		assert_int_equal(sent_by(GATEWAY), before + 1);
		exchange_run(&x);
		exchange_check_pair(&x);
		exchange_stop(&x);
	}
}

static void its_sa_ends(void **state)
{
	(void)state;
	for (int quick = 0; quick < 2; quick++) {
		size_t sent;

		start(true);
		gateway()->jobs_held = true;
		exchange_begin(&x);
		exchange_run(&x);
		if (quick) {
			exchange_help_one(&x, GATEWAY);
			exchange_run(&x);
		}
		assert_int_equal(gateway()->n_jobs, 1);
		assert_int_equal(ike_peer_delete(gateway()->ike, &gateway()->peers[0], NULL), 1);
		sent = sent_by(GATEWAY);
		exchange_help(&x, GATEWAY);
		assert_int_equal(sent_by(GATEWAY), sent);
		assert_int_equal(exchange_sas(&x, GATEWAY), 0);
		assert_int_equal(gateway()->n_children, 0);
		exchange_stop(&x);
	}
}

/* Our key pair to begin with is not there yet, and what it was for is gone: of phase 1, and of quick mode. */
static void what_we_begin_ends(void **state)
{
	struct exchange_side *branch = &x.sides[BRANCH];

	(void)state;
	for (int quick = 0; quick < 2; quick++) {
		size_t sent;

		start(true);
		if (quick)
			exchange_connect(&x);
		branch->jobs_held = true;
		sent = sent_by(BRANCH);
		if (quick) {
			uint32_t spi = exchange_newest(&x, BRANCH)->terms.spi_in;

			assert_int_equal(ike_child_rekey(branch->ike, spi), 0);
			assert_int_equal(ike_child_rekey(branch->ike, spi), 0); /* it is under way */
		} else {
			exchange_begin(&x);
		}
		assert_int_equal(branch->n_jobs, 1);
		assert_int_equal(sent_by(BRANCH), sent);
		if (quick)
			assert_int_equal(ike_peer_delete(branch->ike, &branch->peers[0], NULL), 1);
		else
			assert_int_equal(ike_peer_abandon(branch->ike, &branch->peers[0]), 1);
		sent = sent_by(BRANCH);
		exchange_help(&x, BRANCH);
		assert_int_equal(sent_by(BRANCH), sent);
		assert_int_equal(exchange_sas(&x, BRANCH), 0);
		exchange_stop(&x);
	}
}

/* What can't be kept is dropped without a trace, and gets through when it comes again. */
static void there_is_no_room(void **state)
{
	(void)state;
	start(true);
	gateway()->jobs_max = 0;
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_LIMITED), 1);
	assert_non_null(strstr(gateway()->why[IKE_EVENT_BAD_MESSAGE], "wait to be computed"));
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	gateway()->jobs_max = 1;
	exchange_pass(&x, 1000);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	exchange_check_pair(&x);
	gateway()->jobs_max = 0; /* and for quick mode */
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	exchange_pass(&x, 500);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_LIMITED), 2);
	assert_int_equal(exchange_active(&x, GATEWAY), 1);
	gateway()->jobs_max = 1;
	exchange_pass(&x, 1000);
	assert_int_equal(exchange_active(&x, GATEWAY), 2);
	exchange_check_pair(&x);
	exchange_stop(&x);
}

/* Message 3 with other nonces: nothing proves them, so an exchange must not fill the queue with them. */
static void one_exchange_has_a_share(void **state)
{
	struct exchange_message third;

	(void)state;
	start(false);
	gateway()->jobs_held = true;
	exchange_begin(&x);
	exchange_deliver(&x); /* 1 */
	exchange_deliver(&x); /* 2 */
	third = exchange_take(&x);
	for (int i = 0; i < 30; i++) {
		third.data[sizeof(struct isakmp_hdr) + sizeof(struct payload_hdr) + 64 + sizeof(struct payload_hdr)]++;
		exchange_hand_over(&x, &third);
	}
	exchange_free(&third);
	assert_int_equal(gateway()->n_jobs, 16);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_LIMITED), 14);
	exchange_help(&x, GATEWAY);
	assert_int_equal(sent_by(GATEWAY), 2); /* the first one was taken */
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_UNEXPECTED), 15);
	exchange_stop(&x);
}

/* The engine is gone before its jobs come back: exchange_stop gives them up, the sanitizers watch. */
static void the_engine_ends(void **state)
{
	(void)state;
	start(true);
	gateway()->jobs_held = x.sides[BRANCH].jobs_held = true;
	exchange_begin(&x);
	exchange_help_one(&x, BRANCH);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(x.sides[BRANCH].n_jobs, 1);
	assert_int_equal(gateway()->n_jobs, 1);
	exchange_stop(&x);
}

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void start_with_certificates(bool aggressive)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];

		peer->aggressive = aggressive;
		peer->auth[0] = IKE_AUTH_ECDSA_256;
		peer->secret_len = 0;
		pki_use(&x.sides[side].config.ike, side == BRANCH ? "branch" : "hq", "authority");
		assert_int_equal(credentials_load(&x.sides[side].config, &x.sides[side].credentials, report, NULL), 0);
	}
	exchange_open(&x);
}

static void stop_with_certificates(void)
{
	exchange_stop(&x);
	for (int side = 0; side < 2; side++)
		credentials_free(x.sides[side].credentials);
}

/* Key exchange, the peer's signature and our own, each for itself; nobody computes anything from within. */
static void signatures_are_jobs(void **state)
{
	(void)state;
	for (int aggressive = 0; aggressive < 2; aggressive++) {
		unsigned jobs[2] = {0};

		start_with_certificates(aggressive);
		x.sides[BRANCH].jobs_held = gateway()->jobs_held = true;
		exchange_begin(&x);
		while (x.queued > 0 || x.sides[BRANCH].n_jobs > 0 || gateway()->n_jobs > 0) {
			int side = x.sides[BRANCH].n_jobs > 0 ? BRANCH : GATEWAY;

			if (x.sides[side].n_jobs > 0) {
				exchange_help_one(&x, side);
				jobs[side]++;
			} else {
				exchange_deliver(&x);
			}
		}
		exchange_check_pair(&x);
		assert_int_equal(jobs[BRANCH], 4);  /* pair, secret, signature to check, signature to make */
		assert_int_equal(jobs[GATEWAY], 3); /* the former two in one */
		stop_with_certificates();
	}
}

/* Quick mode overtakes message 3, whose signature is still looked at: it waits for that, however long it takes. */
static void held_as_long_as_it_takes(void **state)
{
	(void)state;
	start_with_certificates(true);
	exchange_begin(&x);
	exchange_deliver(&x); /* 1 */
	gateway()->jobs_held = true;
	exchange_deliver(&x); /* 2 */
	exchange_run(&x);     /* 3, and quick mode behind it */
	assert_int_equal(gateway()->n_jobs, 1);
	exchange_pass_silent(&x, 900);
	assert_int_equal(sent_by(GATEWAY), 1); /* message 2 is not asked for again */
	gateway()->jobs_held = false;
	exchange_help(&x, GATEWAY);
	exchange_run(&x);
	exchange_check_pair(&x);
	assert_int_equal(exchange_count(&x, GATEWAY, IKE_COUNT_UNEXPECTED), 0);
	stop_with_certificates();
}

static int setup(void **state)
{
	(void)state;
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .authority = true});
	pki_make(&(struct pki_certificate){
		.name = "branch", .issuer = "authority", .names = "email:branch@example.org"});
	pki_make(&(struct pki_certificate){.name = "hq", .issuer = "authority", .names = "DNS:hq.example.org"});
	return setenv("SLUICE_TEST_HELPERS", "1", 1);
}

static int teardown(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_for_its_result),
		cmocka_unit_test(comes_again),
		cmocka_unit_test(its_sa_ends),
		cmocka_unit_test(what_we_begin_ends),
		cmocka_unit_test(there_is_no_room),
		cmocka_unit_test(one_exchange_has_a_share),
		cmocka_unit_test(the_engine_ends),
		cmocka_unit_test(signatures_are_jobs),
		cmocka_unit_test(held_as_long_as_it_takes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
