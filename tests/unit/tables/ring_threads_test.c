/* SPDX-License-Identifier: Apache-2.0 */
/* A ring and counters between two threads. What breaks the order of memory shows under the thread sanitizer. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	SLOTS = 256,
	PASSED = 2000000,
	COUNTED = 300000,
	N_WORKERS = 2,
	BURST = 32,
	BURST_BYTES = 100,
};

struct numbered {
	uint64_t number;
	uint64_t content[5];
};

static uint64_t content_of(uint64_t number, uint64_t word)
{
	return (number + 1) * 0x9e3779b97f4a7c15 ^ word;
}

static void *produce(void *context)
{
	struct ring *ring = context;

	for (uint64_t number = 0; number < PASSED; number++) {
		struct numbered slot = {.number = number};

		for (uint64_t i = 0; i < 5; i++)
			slot.content[i] = content_of(number, i);
		while (ring_push(ring, &slot) < 0)
			sched_yield();
	}
	return NULL;
}

static void test_two_million_slots(void **state)
{
	size_t len = ring_size(SLOTS, sizeof(struct numbered));
	struct ring producer, consumer;
	struct numbered slot;
	pthread_t thread;
	uint8_t *memory = aligned_alloc(64, (len + 63) / 64 * 64);

	(void)state;
	assert_non_null(memory);
	for (size_t i = 0; i < len; i++)
		memory[i] = 0;
	ring_attach(&producer, memory, SLOTS, sizeof(struct numbered));
	ring_attach(&consumer, memory, SLOTS, sizeof(struct numbered));
	assert_int_equal(pthread_create(&thread, NULL, produce, &producer), 0);
	for (uint64_t number = 0; number < PASSED; number++) {
		int rc;

		while ((rc = ring_pop(&consumer, &slot)) == 0)
			sched_yield();
		if (rc != 1 || slot.number != number)
			fail_msg("slot %zu is number %zu", (size_t)number, (size_t)slot.number);
		for (uint64_t i = 0; i < 5; i++)
			if (slot.content[i] != content_of(number, i))
				fail_msg("slot %zu has another's content", (size_t)number);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(ring_pop(&consumer, &slot), 0);
	for (size_t i = 0; i < (size_t)SLOTS * sizeof(struct numbered); i++)
		assert_int_equal(consumer.shared->slots[i], 0);
	free(memory);
}

struct worker {
	const struct tables *tables;
	uint32_t thread;
	_Atomic bool ended;
};

static void *count(void *context)
{
	struct worker *worker = context;
	struct tables_counters *counters = tables_counters(worker->tables, worker->thread);

	for (uint64_t i = 0; i < COUNTED; i++) {
		tables_count(&counters->reasons[1], 1);
		tables_count(&counters->events_lost, 2);
		tables_count(&counters->traffic[3].packets_out, BURST);
		tables_count(&counters->traffic[3].bytes_out, BURST * BURST_BYTES);
	}
	atomic_store(&worker->ended, true);
	return NULL;
}

/* While the workers count, a reader's sums only rise; afterwards nothing is missing. */
static void test_counters(void **state)
{
	struct worker workers[N_WORKERS] = {0};
	struct tables_traffic sum, before = {0};
	uint64_t reason = 0, n_ended;
	pthread_t threads[N_WORKERS];
	struct tables tables;

	(void)state;
	fixture_tables_make(&tables, 1, 8, N_WORKERS);
	for (uint32_t i = 0; i < N_WORKERS; i++) {
		workers[i].tables = &tables;
		workers[i].thread = i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, count, &workers[i]), 0);
	}
	do {
		uint64_t now = tables_sum_reason(&tables, 1);

		tables_sum_traffic(&tables, 3, &sum);
		assert_true(now >= reason && now <= N_WORKERS * COUNTED);
		assert_true(sum.packets_out >= before.packets_out && sum.packets_out % BURST == 0);
		assert_true(sum.bytes_out >= before.bytes_out && sum.bytes_out % (BURST * BURST_BYTES) == 0);
		reason = now;
		before.packets_out = sum.packets_out;
		before.bytes_out = sum.bytes_out;
		n_ended = 0;
		for (uint32_t i = 0; i < N_WORKERS; i++)
			n_ended += atomic_load(&workers[i].ended);
	} while (n_ended < N_WORKERS);
	for (uint32_t i = 0; i < N_WORKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	tables_sum_traffic(&tables, 3, &sum);
	assert_int_equal(tables_sum_reason(&tables, 1), N_WORKERS * COUNTED);
	assert_int_equal(tables_sum_events_lost(&tables), 2 * N_WORKERS * COUNTED);
	assert_int_equal(sum.packets_out, (uint64_t)N_WORKERS * COUNTED * BURST);
	assert_int_equal(sum.bytes_out, (uint64_t)N_WORKERS * COUNTED * BURST * BURST_BYTES);
	assert_int_equal(sum.packets_in | sum.bytes_in, 0);
	tables_unmap(&tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_million_slots),
		cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
