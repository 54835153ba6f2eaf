/* SPDX-License-Identifier: Apache-2.0 */
/* The shared memory made and mapped: what agrees is taken, everything else is refused in a sentence. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	N_SESSIONS = 40,
	N_CHILDREN = 100,
	N_WORKERS = 3,
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
};

static int setup(void **state)
{
	static struct tables tables;

	fixture_tables_make(&tables, N_SESSIONS, N_CHILDREN, N_WORKERS);
	*state = &tables;
	return 0;
}

static int teardown(void **state)
{
	tables_unmap(*state);
	return 0;
}

/* A memory of `len` bytes with this header, sealed or not, as a hostile or broken other side would hand it over. */
static int memory_forge(const struct tables_header *header, size_t len, int seals)
{
	int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t header_len = len < sizeof(*header) ? len : sizeof(*header);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(pwrite(fd, header, header_len, 0), header_len);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void refused(int fd, const char *part_of_sentence)
{
	char error[TABLES_ERROR_LEN] = "";
	struct tables tables;

	assert_int_equal(tables_map(&tables, fd, error), -EPROTO);
	if (!strstr(error, part_of_sentence))
		fail_msg("the sentence is '%s', without '%s'", error, part_of_sentence);
	assert_null(tables.memory);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over, so closed */
	tables_unmap(&tables);
}

static void test_create_and_map(void **state)
{
	struct tables *made = *state, mapped;
	char error[TABLES_ERROR_LEN];
	uint32_t marker = 7;

	assert_int_equal(tables_map(&mapped, dup(made->fd), error), 0);
	assert_ptr_not_equal(mapped.memory, made->memory);
	assert_int_equal(mapped.memory_len, made->memory_len);
	assert_int_equal(mapped.n_sessions, N_SESSIONS);
	assert_int_equal(mapped.n_children, N_CHILDREN);
	assert_int_equal(mapped.n_workers, N_WORKERS);
	assert_int_equal(mapped.n_reasons, 2);
	assert_int_equal(mapped.n_ports, 1);
	assert_int_equal(mapped.replay_window, 1024);
	assert_int_equal(mapped.header->tsc_hz, 1000000000);
	assert_string_equal(mapped.header->reason_names[1], "no-route");
	assert_string_equal(mapped.header->port_names[0], "sluice0");

	/* The last of everything, written through one mapping, is found through the other and ends inside. */
	made->sessions[N_SESSIONS - 1].id = 11;
	made->children[N_CHILDREN - 1].id = 12;
	atomic_store(&tables_counters(made, N_WORKERS)->traffic[N_CHILDREN - 1].bytes_out, 13);
	assert_int_equal(mapped.sessions[N_SESSIONS - 1].id, 11);
	assert_int_equal(mapped.children[N_CHILDREN - 1].id, 12);
	assert_int_equal(tables_counters(&mapped, N_WORKERS)->traffic[N_CHILDREN - 1].bytes_out, 13);
	assert_true((uint8_t *)&tables_counters(&mapped, N_WORKERS)->traffic[N_CHILDREN] <=
		    (uint8_t *)mapped.memory + mapped.memory_len);
	for (uint32_t i = 0; i <= N_WORKERS; i++) {
		struct tables_event event = {.index = 100 + i};

		assert_int_equal(ring_push(&made->events[i], &event), 0);
		assert_int_equal(ring_pop(&mapped.events[i], &event), 1);
		assert_int_equal(event.index, 100 + i);
	}
	struct tables_change change = {.index = marker};

	assert_int_equal(ring_push(&mapped.changes, &change), 0);
	assert_int_equal(ring_pop(&made->changes, &change), 1);
	assert_int_equal(change.index, marker);
	tables_unmap(&mapped);
}

static void test_fresh_records(void **state)
{
	struct tables *tables = *state;
	uint32_t first = tables->children[0].generation;
	bool differ = false;

	for (uint32_t i = 0; i < N_SESSIONS; i++)
		assert_int_equal(tables->sessions[i].phase, TABLES_FREE);
	for (uint32_t i = 0; i < N_CHILDREN; i++) {
		uint32_t spi = tables_spi(i, tables->children[i].generation);

		assert_int_equal(tables->children[i].phase, TABLES_FREE);
		assert_int_equal(spi >> 31, 1);
		assert_int_equal(tables_spi_index(spi), i);
		differ |= tables->children[i].generation != first;
	}
	assert_true(differ);
	assert_int_equal(tables_spi(TABLES_CHILDREN_MAX - 1, 0xffffffff), 0xffffffff);
	assert_int_equal(tables_spi_index(0xffffffff), TABLES_CHILDREN_MAX - 1);
	assert_int_equal(tables_spi(0, 1u << TABLES_SPI_GENERATION_BITS), 0x80000000);
}

/* Each field that the layout follows from, changed alone, in a memory of the right length. */
static void test_header_tampered(void **state)
{
#define FIELD(name)                                                                                                    \
	{                                                                                                              \
#name, offsetof(struct tables_header, name), sizeof(((struct tables_header *)0)->name)                 \
	}
	static const struct {
		const char *name;
		size_t offset, len;
	} fields[] = {FIELD(magic), FIELD(layout_version), FIELD(header_len), FIELD(total_len), FIELD(n_sessions),
		FIELD(n_children), FIELD(n_workers), FIELD(n_reasons), FIELD(n_ports), FIELD(change_slots),
		FIELD(event_slots), FIELD(session_len), FIELD(child_len), FIELD(change_len), FIELD(event_len),
		FIELD(sessions_offset), FIELD(children_offset), FIELD(changes_offset), FIELD(events_offset),
		FIELD(events_stride), FIELD(counters_offset), FIELD(counters_stride)};
#undef FIELD
	struct tables *tables = *state;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct tables_header header = *tables->header;
		uint8_t *field = (uint8_t *)&header + fields[i].offset;

		print_message("%s\n", fields[i].name);
		memset(field, 0, fields[i].len);
		if (strcmp(fields[i].name, "n_reasons") != 0 && strcmp(fields[i].name, "n_ports") != 0)
			refused(memory_forge(&header, tables->memory_len, SEALS), "");
		memset(field, 0xff, fields[i].len);
		refused(memory_forge(&header, tables->memory_len, SEALS), "");
		header = *tables->header;
		field[1]++; /* by 256 */
		refused(memory_forge(&header, tables->memory_len, SEALS), "");
	}
}

static void test_sentences(void **state)
{
	struct tables *tables = *state;
	struct tables_header header = *tables->header;
	char known[64], offered[64];

	snprintf(known, sizeof(known), "this program knows %u:", TABLES_LAYOUT_VERSION);
	snprintf(offered, sizeof(offered), "have layout version %u,", TABLES_LAYOUT_VERSION + 41);
	header.layout_version = TABLES_LAYOUT_VERSION + 41;
	refused(memory_forge(&header, tables->memory_len, SEALS), known);
	refused(memory_forge(&header, tables->memory_len, SEALS), offered);
	header = *tables->header;
	header.magic++;
	refused(memory_forge(&header, tables->memory_len, SEALS), "not a Sluice table");
	header = *tables->header;
	header.n_workers = TABLES_WORKERS_MAX + 1;
	refused(memory_forge(&header, tables->memory_len, SEALS), "out of range");
	header = *tables->header;
	header.child_len += 8;
	refused(memory_forge(&header, tables->memory_len, SEALS), "layout differs");
}

static void test_memory_refused(void **state)
{
	struct tables *tables = *state;
	const struct tables_header *header = tables->header;
	size_t len = tables->memory_len;
	char error[TABLES_ERROR_LEN];
	struct tables mapped;
	int pipe_fds[2];

	/* The forger's own work is taken: what is refused below is refused for what is wrong with it. */
	assert_int_equal(tables_map(&mapped, memory_forge(header, len, SEALS), error), 0);
	tables_unmap(&mapped);
	refused(memory_forge(header, len, 0), "no sealed table memory");
	refused(memory_forge(header, len, F_SEAL_GROW | F_SEAL_SEAL), "no sealed table memory");
	refused(memory_forge(header, len, F_SEAL_SHRINK | F_SEAL_GROW), "no sealed table memory");
	refused(memory_forge(header, 0, SEALS), "no sealed table memory");
	refused(memory_forge(header, sizeof(*header) - 1, SEALS), "no sealed table memory");
	refused(memory_forge(header, sizeof(*header), SEALS), "layout differs");
	refused(memory_forge(header, len - 1, SEALS), "layout differs");
	refused(memory_forge(header, len / 2, SEALS), "layout differs");
	refused(memory_forge(header, len + 4096, SEALS), "layout differs");
	assert_int_equal(pipe(pipe_fds), 0);
	close(pipe_fds[1]);
	refused(pipe_fds[0], "no sealed table memory");
	refused(-1, "no sealed table memory");
}

static void test_shrinking_is_impossible(void **state)
{
	struct tables *tables = *state;

	assert_int_equal(ftruncate(tables->fd, 4096), -1);
	assert_int_equal(errno, EPERM);
}

static void test_dimensions_refused(void **state)
{
	static const char *const reasons[TABLES_REASONS_MAX + 1];
	const struct tables_dimensions good = {
		.n_sessions = 1, .n_children = 1, .n_workers = 1, .reason_names = reasons};
	struct tables_dimensions wrong[9];
	char error[TABLES_ERROR_LEN];
	struct tables tables;

	(void)state;
	for (size_t i = 0; i < 9; i++)
		wrong[i] = good;
	wrong[0].n_sessions = 0;
	wrong[1].n_sessions = TABLES_CHILDREN_MAX + 1;
	wrong[2].n_children = 0;
	wrong[3].n_children = TABLES_CHILDREN_MAX + 1;
	wrong[4].n_workers = 0;
	wrong[5].n_workers = TABLES_WORKERS_MAX + 1;
	wrong[6].n_reasons = TABLES_REASONS_MAX + 1;
	wrong[7].n_ports = TABLES_PORTS_MAX + 1;
	wrong[8].n_children = UINT32_MAX;
	for (size_t i = 0; i < 9; i++) {
		error[0] = '\0';
		memset(&tables, 0xff, sizeof(tables));
		assert_int_equal(tables_create(&tables, &wrong[i], error), -EINVAL);
		assert_non_null(strstr(error, "out of range"));
		tables_unmap(&tables); /* of no effect */
	}
	assert_int_equal(tables_create(&tables, &good, error), 0);
	tables_unmap(&tables);
	tables_unmap(&tables);
}

/* Where no huge page is free the memory comes from ordinary ones; where there are some it comes from them. */
static void test_huge_pages(void **state)
{
	const struct tables_dimensions dimensions = {
		.n_sessions = 1, .n_children = 1, .n_workers = 1, .huge_pages = true};
	char error[TABLES_ERROR_LEN], line[128];
	unsigned int n_free = 0;
	struct tables tables, mapped;
	struct stat stat;
	FILE *meminfo = fopen("/proc/meminfo", "re");

	(void)state;
	assert_non_null(meminfo);
	while (fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "HugePages_Free: %u", &n_free) == 1)
			break;
	fclose(meminfo);
	assert_int_equal(tables_create(&tables, &dimensions, error), 0);
	assert_int_equal(fstat(tables.fd, &stat), 0);
	if (n_free == 0)
		assert_int_equal(stat.st_blksize, sysconf(_SC_PAGESIZE));
	assert_int_equal(tables_map(&mapped, dup(tables.fd), error), 0);
	tables_unmap(&mapped);
	tables_unmap(&tables);
}

static void test_sums(void **state)
{
	struct tables *tables = *state;
	struct tables_traffic sum;

	for (uint32_t thread = 0; thread <= N_WORKERS; thread++) {
		struct tables_counters *counters = tables_counters(tables, thread);
		struct tables_traffic *traffic = &counters->traffic[42];
		uint64_t digit = 1;

		for (uint32_t i = 0; i < thread; i++)
			digit *= 1000;
		tables_count(&counters->reasons[0], digit);
		tables_count(&counters->reasons[TABLES_REASONS_MAX - 1], 2 * digit);
		tables_count(&counters->reasons[0], 2 * digit);
		tables_count(&counters->events_lost, 4 * digit);
		tables_count(&traffic->packets_in, 5 * digit);
		tables_count(&traffic->bytes_in, 6 * digit);
		tables_count(&traffic->packets_out, 7 * digit);
		tables_count(&traffic->bytes_out, 8 * digit);
	}
	assert_int_equal(tables_sum_reason(tables, 0), 3003003003);
	assert_int_equal(tables_sum_reason(tables, 1), 0);
	assert_int_equal(tables_sum_reason(tables, TABLES_REASONS_MAX - 1), 2002002002);
	assert_int_equal(tables_sum_events_lost(tables), 4004004004);
	memset(&sum, 0xff, sizeof(sum));
	tables_sum_traffic(tables, 42, &sum);
	assert_int_equal(sum.packets_in, 5005005005);
	assert_int_equal(sum.bytes_in, 6006006006);
	assert_int_equal(sum.packets_out, 7007007007);
	assert_int_equal(sum.bytes_out, 8008008008);
	tables_sum_traffic(tables, 41, &sum);
	assert_int_equal(sum.packets_in | sum.bytes_in | sum.packets_out | sum.bytes_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_create_and_map, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fresh_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header_tampered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sentences, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shrinking_is_impossible, setup, teardown),
		cmocka_unit_test(test_dimensions_refused),
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test_setup_teardown(test_sums, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
