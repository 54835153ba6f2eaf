/* SPDX-License-Identifier: Apache-2.0 */
/* Who has registered: found, used once, over in time; and members, and whom they become. */
#include "registration/members.h"
#include "registration/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { KEY_TIMEOUT = 120 };

static struct registry *registry;
static unsigned n_ended;
static uint64_t last_ended;
static char last_why[256];

static void on_ended(void *context, const struct registration *registration, const char *why)
{
	(void)context;
	n_ended++;
	last_ended = registration->number;
	strncpy(last_why, why, sizeof(last_why) - 1);
}

static int open_registry(void **state)
{
	const struct registry_hooks hooks = {.ended = on_ended};

	(void)state;
	n_ended = 0;
	last_ended = 0;
	registry = registry_new(KEY_TIMEOUT, &hooks);
	return registry ? 0 : -1;
}

static int close_registry(void **state)
{
	(void)state;
	registry_free(registry);
	return 0;
}

static struct registration values(const char *identity)
{
	struct registration registration = {.number = registry_number(registry)};

	snprintf(registration.identity, sizeof(registration.identity), "%s", identity);
	snprintf(registration.keys.identity, sizeof(registration.keys.identity), "%020u%012u@registered", 0u,
		(unsigned)registration.number);
	registration.session[0] = (uint8_t)registration.number;
	memset(registration.keys.pre_shared, 0xaa, sizeof(registration.keys.pre_shared));
	memset(registration.keys.notice, 0xbb, sizeof(registration.keys.notice));
	return registration;
}

static struct registration *add(const char *identity, uint64_t now_ms)
{
	struct registration registration = values(identity), *added = registry_add(registry, &registration, now_ms);

	assert_non_null(added);
	return added;
}

static void found(void **state)
{
	struct registration *alice = add("alice", 1000), *bob = add("bob", 1000);
	struct registration twice = *alice;

	(void)state;
	assert_ptr_equal(registry_find(registry, alice->number), alice);
	assert_ptr_equal(registry_find_session(registry, bob->session), bob);
	assert_ptr_equal(registry_find_one_time(registry, bob->keys.identity), bob);
	assert_null(registry_find_one_time(registry, "bob"));
	assert_null(registry_find(registry, 99));
	assert_true(registry_holds(registry, "alice"));
	assert_false(registry_holds(registry, "carol"));
	twice.number = registry_number(registry);
	assert_null(registry_add(registry, &twice, 1000));
	assert_int_equal(errno, EEXIST);
	assert_int_equal(registry_count(registry), 2);
	registry_end(registry, alice, "over");
	assert_int_equal(n_ended, 1);
	assert_false(registry_holds(registry, "alice"));
	assert_null(registry_find_session(registry, twice.session));
}

static void used_once(void **state)
{
	static const uint8_t zero[KEYS_PRE_SHARED_LEN];
	struct registration *alice = add("alice", 1000);
	char one_time[KEYS_IDENTITY_LEN];

	(void)state;
	strcpy(one_time, alice->keys.identity);
	assert_int_equal(registry_take(registry, alice->number, 7), 0);
	assert_memory_equal(alice->keys.pre_shared, zero, sizeof(zero));
	assert_int_equal(alice->keys.notice[0], 0xbb); /* notices go on */
	assert_null(registry_find_one_time(registry, one_time));
	assert_int_equal(registry_take(registry, alice->number, 8), -EALREADY);
	assert_int_equal(registry_take(registry, 99, 8), -ENOENT);
	registry_end_ike(registry, 8);
	assert_int_equal(n_ended, 0);
	registry_end_ike(registry, 7);
	assert_int_equal(n_ended, 1);
	assert_string_equal(last_why, "");
	assert_int_equal(registry_count(registry), 0);
}

static void over_in_time(void **state)
{
	struct registration *used = add("alice", 1000), *unused = add("bob", 2000), *late = add("carol", 3000);
	uint64_t number = unused->number;

	(void)state;
	assert_int_equal(registry_take(registry, used->number, 7), 0);
	registry_expire(registry, 2000 + KEY_TIMEOUT * 1000 - 1);
	assert_int_equal(n_ended, 0);
	registry_expire(registry, 2000 + KEY_TIMEOUT * 1000);
	assert_int_equal(n_ended, 1);
	assert_true(last_ended == number);
	assert_non_null(strstr(last_why, "in time"));
	assert_true(registry_holds(registry, "alice") && registry_holds(registry, "carol"));
	(void)late;
}

static void others_of_an_identity(void **state)
{
	struct registration *first = add("alice", 1000), *bob = add("bob", 1500), *second = add("alice", 2000);
	struct registration third = values("alice");

	(void)state;
	assert_null(registry_other(registry, bob));
	assert_ptr_equal(registry_other(registry, first), second);
	assert_ptr_equal(registry_other(registry, second), first);
	/* One that is not in yet sees the newest. */
	assert_ptr_equal(registry_other(registry, &third), second);
}

static void members_and_entries(void **state)
{
	struct config_peer peers[] = {
		{.name = "plain"},
		{.name = "staff",
			.registration = true,
			.user_group = "staff",
			.methods = {CONFIG_METHOD_PASSWORD},
			.n_methods = 1},
		{.name = "branches", .registration = true, .user_group = "branches"},
		{.name = "others", .registration = true, .methods = {CONFIG_METHOD_CERTIFICATE}, .n_methods = 1},
	};
	struct config_member list[] = {
		{.identity = "ulm",
			.subject = "O=Example, CN=ulm",
			.group = "branches",
			.methods = {CONFIG_METHOD_CERTIFICATE},
			.n_methods = 1},
		{.identity = "bob", .group = "staff"},
	};
	struct config config = {.peers = peers, .n_peers = 4, .registration = {.members = list, .n_members = 2}};
	struct members *members = members_new(&config);
	char why[MEMBERS_WHY_LEN];

	(void)state;
	assert_non_null(members);
	assert_ptr_equal(members_find(members, "bob"), &list[1]);
	assert_null(members_find(members, "carol"));
	assert_ptr_equal(members_find_subject(members, "O=Example, CN=ulm"), &list[0]);
	assert_null(members_find_subject(members, ""));
	assert_ptr_equal(members_admit(members, CONFIG_METHOD_PASSWORD, "alice", "staff", why), &peers[1]);
	assert_ptr_equal(members_admit(members, CONFIG_METHOD_CERTIFICATE, "alice", "", why), &peers[3]);
	assert_ptr_equal(members_admit(members, CONFIG_METHOD_CERTIFICATE, "ulm", "", why), &peers[2]);
	/* A member's own group counts before the user's. */
	assert_ptr_equal(members_admit(members, CONFIG_METHOD_PASSWORD, "bob", "branches", why), &peers[1]);
	assert_null(members_admit(members, CONFIG_METHOD_PASSWORD, "ulm", "", why));
	assert_non_null(strstr(why, "\"ulm\" has proved itself by password"));
	assert_null(members_admit(members, CONFIG_METHOD_PASSWORD, "alice", "guests", why));
	assert_non_null(strstr(why, "by password and is of group \"guests\""));
	members_free(members);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found, open_registry, close_registry),
		cmocka_unit_test_setup_teardown(used_once, open_registry, close_registry),
		cmocka_unit_test_setup_teardown(over_in_time, open_registry, close_registry),
		cmocka_unit_test_setup_teardown(others_of_an_identity, open_registry, close_registry),
		cmocka_unit_test(members_and_entries),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
