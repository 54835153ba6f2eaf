/* SPDX-License-Identifier: Apache-2.0 */
/* A place between two threads: what is read is one write's, whole. */
#include "tables/place.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WRITES = 200000 };

static struct endpoint endpoint_of(uint32_t number)
{
	struct endpoint endpoint = {.address = {.family = ADDRESS_IPV6}, .port = (uint16_t)number};

	for (int i = 0; i < 4; i++)
		memcpy(endpoint.address.bytes + 4 * i, &number, sizeof(number));
	return endpoint;
}

static void *write_many(void *context)
{
	for (uint32_t number = 1; number <= WRITES; number++) {
		struct endpoint local = endpoint_of(number), remote = endpoint_of(~number);

		place_write(context, &local, &remote, number);
	}
	return NULL;
}

static void test_whole(void **state)
{
	static struct tables_place shared;
	struct place place = {.encapsulation = 0};
	pthread_t thread;

	(void)state;
	assert_false(place_read(&shared, &place));
	assert_int_equal(pthread_create(&thread, NULL, write_many, &shared), 0);
	while (place.encapsulation != WRITES) {
		uint32_t before = place.encapsulation;
		struct endpoint local, remote;

		if (!place_read(&shared, &place))
			continue;
		local = endpoint_of(place.encapsulation);
		remote = endpoint_of(~place.encapsulation);
		assert_true(place.encapsulation >= before);
		assert_true(endpoint_equal(&place.local, &local));
		assert_true(endpoint_equal(&place.remote, &remote));
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	place_clear(&shared);
	assert_false(place_read(&shared, &place));
	assert_int_equal(place.encapsulation, WRITES);
}

/* A writer that died in the middle holds no reader up for ever, and its successor writes on. */
static void test_half_written(void **state)
{
	struct tables_place shared = {.version = 7};
	struct endpoint local = endpoint_of(1), remote = endpoint_of(2);
	struct place place;

	(void)state;
	assert_false(place_read(&shared, &place));
	place_write(&shared, &local, &remote, 3);
	assert_true(place_read(&shared, &place));
	assert_int_equal(place.encapsulation, 3);
	shared.version = UINT32_MAX - 1;
	place_write(&shared, &local, &remote, 4);
	assert_true(place_read(&shared, &place)); /* 0 would be "nothing yet" */
	assert_int_equal(place.encapsulation, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
