/* SPDX-License-Identifier: Apache-2.0 */
/* Users who log in after phase 1, and virtual addresses: what goes well, what goes wrong, what comes at the wrong time.
 */
#include "exchange.h"

#include "ike/attributes.h"
#include "ike/ike_sa.h"
#include "ike/message.h"
#include "ike/quick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

/* A client of a group that logs in as a user and asks for an address. */
static void start(enum config_assign assign)
{
	exchange_prepare(&x);
	for (int i = 0; i < 2; i++) {
		struct config_peer *peer = &x.sides[i].peers[0];

		peer->auth[0] = IKE_AUTH_XAUTH_INIT_PSK;
		peer->n_auth = 1;
		peer->users = true;
		peer->assign = assign;
	}
	strcpy(x.sides[GATEWAY].peers[0].pool, "clients");
	x.sides[GATEWAY].peers[0].n_remote = 0;
	x.sides[BRANCH].peers[0].virtual_address = true;
	x.sides[BRANCH].peers[0].n_local = x.sides[BRANCH].peers[0].n_remote = 0;
	x.sides[BRANCH].user = EXCHANGE_USER;
	x.sides[BRANCH].password = EXCHANGE_PASSWORD;
	exchange_open(&x);
}

static void assert_connected_as(const char *user)
{
	struct exchange_child *child = exchange_newest(&x, GATEWAY);
	char network[PREFIX_TEXT_LEN];

	exchange_check_pair(&x);
	assert_string_equal(prefix_format(&child->terms.remote_network, network), "10.99.0.7/32");
	assert_string_equal(prefix_format(&child->terms.local_network, network), "10.2.0.0/16");
	assert_true(ike_peer_is_known(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], user));
	assert_false(ike_peer_is_known(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], "branch@example.org"));
}

static struct ike_sa *newest_sa(int side)
{
	return TAILQ_LAST(&x.sides[side].ike->sas, ike_sa_list);
}

static void pull(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	exchange_begin(&x);
	exchange_run(&x);
	assert_connected_as(EXCHANGE_USER);
	assert_int_equal(x.sides[BRANCH].assignment.n_dns, 1);
	assert_int_equal(x.sides[BRANCH].assignment.n_networks, 1);
	assert_int_equal(x.sides[GATEWAY].leases, 1);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_ESTABLISHED], "alice"));
	exchange_stop(&x);
}

static void push(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PUSH);
	exchange_begin(&x);
	exchange_run(&x);
	assert_connected_as(EXCHANGE_USER);
	assert_int_equal(x.sides[GATEWAY].leases, 1);
	exchange_stop(&x);
}

/* A pool without users: the peer's own identity has the address. */
static void pool_alone(void **state)
{
	(void)state;
	for (int assign = CONFIG_ASSIGN_PULL; assign <= CONFIG_ASSIGN_PUSH; assign++) {
		exchange_prepare(&x);
		strcpy(x.sides[GATEWAY].peers[0].pool, "clients");
		x.sides[GATEWAY].peers[0].n_remote = 0;
		x.sides[BRANCH].peers[0].virtual_address = true;
		x.sides[BRANCH].peers[0].assign = x.sides[GATEWAY].peers[0].assign = (uint8_t)assign;
		exchange_open(&x);
		exchange_begin(&x);
		exchange_run(&x);
		exchange_check_pair(&x);
		assert_int_equal(x.sides[GATEWAY].leases, 1);
		assert_true(ike_peer_is_known(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], "branch@example.org"));
		exchange_stop(&x);
	}
}

static void wrong_password(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[BRANCH].password = "open barley";
	exchange_begin(&x);
	exchange_run(&x);
	/* It was asked as often as is allowed, told, and nothing is left of it. */
	assert_int_equal(x.sides[BRANCH].asked, 3);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	assert_int_equal(exchange_sas(&x, BRANCH), 0);
	assert_int_equal(x.sides[GATEWAY].leases, 0);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "user \"alice\" was not let in"));
	assert_non_null(strstr(x.sides[BRANCH].why[IKE_EVENT_REFUSED], "name or password is wrong"));
	exchange_stop(&x);
}

static void right_at_the_second_try(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[BRANCH].password = "open barley";
	x.sides[GATEWAY].login_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	x.sides[BRANCH].password = EXCHANGE_PASSWORD;
	exchange_answer_login(&x);
	x.sides[GATEWAY].login_held = false;
	exchange_run(&x);
	assert_int_equal(x.sides[BRANCH].asked, 2);
	assert_connected_as(EXCHANGE_USER);
	exchange_stop(&x);
}

static void nobody_to_log_in(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[BRANCH].user = NULL;
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	assert_int_equal(exchange_sas(&x, BRANCH), 0);
	exchange_stop(&x);
}

static void pool_exhausted(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[GATEWAY].pool_exhausted = true;
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "one address was asked for"));
	assert_non_null(strstr(x.sides[BRANCH].why[IKE_EVENT_REFUSED], "no virtual address"));
	exchange_stop(&x);
}

/* Whichever message is lost, first or second time: all comes to its end. */
static void each_message_is_lost(void **state)
{
	(void)state;
	for (int lost = 2; lost < 14; lost++) {
		int delivered = 0;

		start(lost & 1 ? CONFIG_ASSIGN_PULL : CONFIG_ASSIGN_PUSH);
		exchange_begin(&x);
		while (x.queued || x.sides[GATEWAY].login_waits) {
			if (!x.queued)
				exchange_answer_login(&x);
			else if (delivered++ == lost)
				exchange_lose(&x);
			else
				exchange_deliver(&x);
		}
		for (int i = 0; i < 20; i++)
			exchange_pass(&x, 1000);
		if (!exchange_installed(&x, GATEWAY))
			fail_msg("nothing came of it without message %d: %s; %s", lost + 1,
				x.sides[GATEWAY].why[IKE_EVENT_BAD_MESSAGE],
				x.sides[BRANCH].why[IKE_EVENT_BAD_MESSAGE]);
		assert_connected_as(EXCHANGE_USER);
		exchange_stop(&x);
	}
}

/* Each twice: whoever has answered answers the same again, and nobody logs in twice. */
static void each_message_is_doubled(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	exchange_begin(&x);
	while (x.queued || x.sides[GATEWAY].login_waits) {
		struct exchange_message message;

		if (!x.queued) {
			exchange_answer_login(&x);
			continue;
		}
		message = exchange_take(&x);
		exchange_hand_over(&x, &message);
		exchange_hand_over(&x, &message);
		exchange_free(&message);
	}
	assert_connected_as(EXCHANGE_USER);
	assert_int_equal(x.sides[BRANCH].asked, 1);
	assert_int_equal(x.sides[GATEWAY].leases, 1);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	exchange_stop(&x);
}

/* A client that is ahead of itself: its quick mode is held while the password is looked at, and done after it. */
static void quick_mode_is_held(void **state)
{
	struct prefix own, other;
	struct ike_sa *sa;

	(void)state;
	start(CONFIG_ASSIGN_PUSH);
	x.sides[GATEWAY].login_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	sa = newest_sa(BRANCH);
	assert_non_null(sa);
	x.sides[GATEWAY].peers[0].pool[0] = '\0'; /* this one knows its address from elsewhere */
	x.sides[GATEWAY].peers[0].n_remote = 1;
	prefix_parse("10.1.0.0/16", &own);
	prefix_parse("10.2.0.0/16", &other);
	assert_int_equal(quick_begin(sa, &own, &other, NULL), 0);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
	exchange_answer_login(&x);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	assert_true(exchange_newest(&x, GATEWAY)->active);
	exchange_stop(&x);
}

static void quick_mode_without_login_is_nothing(void **state)
{
	struct prefix own, other;

	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[BRANCH].password = "open barley";
	x.sides[GATEWAY].login_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	prefix_parse("10.1.0.0/16", &own);
	prefix_parse("10.2.0.0/16", &other);
	assert_int_equal(quick_begin(newest_sa(BRANCH), &own, &other, NULL), 0);
	x.sides[GATEWAY].login_held = false;
	exchange_run(&x);
	assert_int_equal(x.sides[GATEWAY].n_children, 0);
	exchange_stop(&x);
}

static void foreign_selector_is_refused(void **state)
{
	struct prefix own, other;

	(void)state;
	start(CONFIG_ASSIGN_PULL);
	exchange_begin(&x);
	exchange_run(&x);
	prefix_parse("10.99.0.8/32", &own);
	prefix_parse("10.2.0.0/16", &other);
	assert_int_equal(quick_begin(newest_sa(BRANCH), &own, &other, NULL), 0);
	exchange_run(&x);
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	assert_string_equal(x.sides[GATEWAY].why[IKE_EVENT_REFUSED],
		"quick mode: the peer's traffic selector is 10.99.0.8/32; its virtual address is 10.99.0.7");
	exchange_stop(&x);
}

/* The helper takes longer than the peer waits; and the answer to an SA that is gone harms nothing. */
static void answer_comes_too_late(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[GATEWAY].login_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	exchange_pass(&x, 61000);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	assert_non_null(strstr(x.sides[GATEWAY].why[IKE_EVENT_EXPIRED], "did not log in in time"));
	exchange_answer_login(&x);
	exchange_run(&x);
	assert_int_equal(exchange_sas(&x, GATEWAY), 0);
	exchange_stop(&x);
}

/* Half-open until the user is known: the limits hold, and it ends by itself. */
static void silent_user_is_half_open(void **state)
{
	(void)state;
	start(CONFIG_ASSIGN_PULL);
	x.sides[GATEWAY].login_held = true;
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(x.sides[GATEWAY].ike->half_open, 1);
	exchange_answer_login(&x);
	assert_int_equal(x.sides[GATEWAY].ike->half_open, 0);
	exchange_run(&x);
	exchange_stop(&x);
}

/* The same user from another place, who has forgotten what was: the newer one replaces the older one, of no other. */
static void newest_replaces(void **state)
{
	const struct config_peer *peer;

	(void)state;
	start(CONFIG_ASSIGN_PULL);
	exchange_begin(&x);
	exchange_run(&x);
	assert_connected_as(EXCHANGE_USER);
	ike_free(x.sides[BRANCH].ike);
	x.sides[BRANCH].ike = NULL;
	x.sides[BRANCH].n_children = 0;
	x.sides[BRANCH].asked = 0;
	{
		struct ike_host host = exchange_host(&x.sides[BRANCH]);

		x.sides[BRANCH].random_state = 4711;
		x.sides[BRANCH].ike = ike_new(&x.sides[BRANCH].config, &host);
	}
	exchange_begin(&x);
	exchange_run(&x);
	assert_connected_as(EXCHANGE_USER);
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_INITIAL_CONTACT], 2); /* each time when it had logged in */
	assert_int_equal(exchange_installed(&x, GATEWAY), 1);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	peer = &x.sides[GATEWAY].peers[0];
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, peer, "bob"), 0);
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, NULL, EXCHANGE_USER), 1);
	assert_int_equal(exchange_installed(&x, GATEWAY), 0);
	exchange_stop(&x);
}

static void attributes_are_taken_apart(void **state)
{
	static const uint8_t good[] = {1, 0, 0x12, 0x34, 0x80, 0x05, 0, 9, 0, 3, 0, 0, 0, 1, 0, 4, 10, 0, 0, 1};
	static const uint8_t bad[] = {1, 0, 0, 0, 0, 1, 0, 5, 10, 0, 0, 1};
	uint8_t many[4 + 4 * (ATTRIBUTES_MAX + 1)] = {1};
	struct attributes attributes;
	const char *why;

	(void)state;
	assert_int_equal(attributes_parse(bytes_of(good, sizeof(good)), &attributes, &why), 0);
	assert_int_equal(attributes.identifier, 0x1234);
	assert_int_equal(attributes.count, 3);
	assert_int_equal(attribute_number(attributes_find(&attributes, 5, NULL)), 9);
	assert_int_equal(attributes_find(&attributes, 3, NULL)->value.len, 0);
	assert_int_equal(attribute_number(attributes_find(&attributes, 1, NULL)), 0x0a000001);
	assert_null(attributes_find(&attributes, 2, NULL));
	for (size_t len = 0; len < sizeof(good); len++)
		assert_int_equal(attributes_parse(bytes_of(good, len), &attributes, &why) == 0,
			len == 4 || len == 8 || len == 12);
	assert_int_not_equal(attributes_parse(bytes_of(bad, sizeof(bad)), &attributes, &why), 0);
	assert_int_not_equal(attributes_parse(bytes_of(many, sizeof(many)), &attributes, &why), 0);
	assert_int_equal(attributes_parse(bytes_of(many, sizeof(many) - 4), &attributes, &why), 0);
	many[0] = 5;
	assert_int_not_equal(attributes_parse(bytes_of(many, 4), &attributes, &why), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pull),
		cmocka_unit_test(push),
		cmocka_unit_test(pool_alone),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(right_at_the_second_try),
		cmocka_unit_test(nobody_to_log_in),
		cmocka_unit_test(pool_exhausted),
		cmocka_unit_test(each_message_is_lost),
		cmocka_unit_test(each_message_is_doubled),
		cmocka_unit_test(quick_mode_is_held),
		cmocka_unit_test(quick_mode_without_login_is_nothing),
		cmocka_unit_test(foreign_selector_is_refused),
		cmocka_unit_test(answer_comes_too_late),
		cmocka_unit_test(silent_user_is_half_open),
		cmocka_unit_test(newest_replaces),
		cmocka_unit_test(attributes_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
