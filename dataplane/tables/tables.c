/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE_LEN = 4096,
	HUGE_PAGE_LEN = 2 << 20,
};
static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* Where everything lies follows from the dimensions alone: both sides compute it and the header must agree. */
static struct tables_header layout_compute(const struct tables_dimensions *d)
{
	struct tables_header h = {
		.magic = TABLES_MAGIC,
		.layout_version = TABLES_LAYOUT_VERSION,
		.header_len = sizeof(struct tables_header),
		.n_sessions = d->n_sessions,
		.n_children = d->n_children,
		.n_connections = d->n_sessions + TABLES_CONNECTIONS_SPARE,
		.n_workers = d->n_workers,
		.n_reasons = d->n_reasons,
		.n_figures = d->n_figures,
		.n_ports = d->n_ports,
		.change_slots = TABLES_CHANGE_SLOTS,
		.event_slots = TABLES_EVENT_SLOTS,
		.session_len = sizeof(struct tables_session),
		.child_len = sizeof(struct tables_child),
		.connection_len = sizeof(struct tables_connection),
		.change_len = sizeof(struct tables_change),
		.event_len = sizeof(struct tables_event),
		.replay_window = d->replay_window,
	};
	uint64_t threads = (uint64_t)d->n_workers + 1;

	h.sessions_offset = round_up(sizeof(h), PAGE_LEN);
	h.children_offset = round_up(h.sessions_offset + (uint64_t)d->n_sessions * h.session_len, PAGE_LEN);
	h.connections_offset = round_up(h.children_offset + (uint64_t)d->n_children * h.child_len, PAGE_LEN);
	h.changes_offset =
		round_up(h.connections_offset + (uint64_t)h.n_connections * h.connection_len, PAGE_LEN);
	h.events_offset = round_up(h.changes_offset + ring_size(h.change_slots, h.change_len), PAGE_LEN);
	h.events_stride = round_up(ring_size(h.event_slots, h.event_len), PAGE_LEN);
	h.counters_offset = h.events_offset + threads * h.events_stride;
	h.counters_stride = round_up(
		sizeof(struct tables_counters) + (uint64_t)d->n_children * sizeof(struct tables_traffic), PAGE_LEN);
	h.total_len = round_up(h.counters_offset + threads * h.counters_stride, HUGE_PAGE_LEN);
	return h;
}

static void tables_locate(struct tables *tables, const struct tables_header *h)
{
	uint8_t *base = tables->memory;

	tables->header = tables->memory;
	tables->n_sessions = h->n_sessions;
	tables->n_children = h->n_children;
	tables->n_connections = h->n_connections;
	tables->n_workers = h->n_workers;
	tables->n_reasons = h->n_reasons;
	tables->n_figures = h->n_figures;
	tables->n_ports = h->n_ports;
	tables->replay_window = h->replay_window;
	tables->sessions = (struct tables_session *)(base + h->sessions_offset);
	tables->children = (struct tables_child *)(base + h->children_offset);
	tables->connections = (struct tables_connection *)(base + h->connections_offset);
	ring_attach(&tables->changes, base + h->changes_offset, h->change_slots, h->change_len);
	for (uint32_t i = 0; i <= h->n_workers; i++)
		ring_attach(&tables->events[i], base + h->events_offset + i * h->events_stride, h->event_slots,
			h->event_len);
	tables->counters = base + h->counters_offset;
	tables->counters_stride = h->counters_stride;
}

static int tables_dimensions_check(const struct tables_dimensions *d)
{
	return d->n_sessions >= 1 && d->n_sessions <= TABLES_CHILDREN_MAX && d->n_children >= 1 &&
			       d->n_children <= TABLES_CHILDREN_MAX && d->n_workers >= 1 &&
			       d->n_workers <= TABLES_WORKERS_MAX && d->n_reasons <= TABLES_REASONS_MAX &&
			       d->n_figures <= TABLES_FIGURES_MAX &&
			       d->n_ports <= TABLES_PORTS_MAX ?
		       0 :
		       -EINVAL;
}

/* A mapping of the right length, of huge pages where they are wanted and to be had. */
static int memory_make(struct tables *tables, uint64_t len, bool huge_pages)
{
	for (int huge = huge_pages ? 1 : 0; huge >= 0; huge--) {
		tables->fd = memfd_create("sluice-tables", MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0));
		if (tables->fd < 0)
			continue;
		tables->memory = MAP_FAILED;
		if (ftruncate(tables->fd, (off_t)len) == 0)
			tables->memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, tables->fd, 0);
		if (tables->memory != MAP_FAILED)
			return 0;
		close(tables->fd);
	}
	tables->memory = NULL;
	tables->fd = -1;
	return -ENOMEM;
}

static void header_fill(struct tables_header *h, const struct tables_dimensions *d)
{
	h->started_at = time(NULL);
	h->tsc_hz = d->tsc_hz;
	for (uint32_t i = 0; i < d->n_reasons; i++) {
		snprintf(h->reason_names[i], sizeof(h->reason_names[i]), "%s", d->reason_names[i]);
		h->reason_kinds[i] = d->reason_kinds ? d->reason_kinds[i] : TABLES_REASON_NOTE;
	}
	for (uint32_t i = 0; i < d->n_figures; i++)
		snprintf(h->figure_names[i], sizeof(h->figure_names[i]), "%s", d->figure_names[i]);
	for (uint32_t i = 0; i < d->n_ports; i++)
		snprintf(h->port_names[i], sizeof(h->port_names[i]), "%s", d->port_names[i]);
	if (d->crypto)
		memcpy(h->crypto, d->crypto, sizeof(h->crypto));
}

int tables_create(struct tables *tables, const struct tables_dimensions *dimensions, char error[TABLES_ERROR_LEN])
{
	struct tables_header header;
	int rc = tables_dimensions_check(dimensions);

	memset(tables, 0, sizeof(*tables));
	tables->fd = -1;
	if (rc < 0) {
		snprintf(error, TABLES_ERROR_LEN, "the shared tables' dimensions are out of range");
		return rc;
	}
	header = layout_compute(dimensions);
	header_fill(&header, dimensions);
	rc = memory_make(tables, header.total_len, dimensions->huge_pages);
	if (rc < 0) {
		snprintf(error, TABLES_ERROR_LEN, "no memory for the shared tables (%llu MiB): lower dataplane.max_children",
			(unsigned long long)(header.total_len >> 20));
		return rc;
	}
	tables->memory_len = header.total_len;
	/* Key material passes through here: never to a swap device, never into a core. */
	(void)mlock(tables->memory, tables->memory_len);
	(void)madvise(tables->memory, tables->memory_len, MADV_DONTDUMP);
	memcpy(tables->memory, &header, sizeof(header));
	tables_locate(tables, &header);
	/* Random first generations: SPIs of the data plane's former life are unknown to this one. */
	for (uint32_t i = 0; i < tables->n_children; i++) {
		rc = getrandom(&tables->children[i].generation, sizeof(uint32_t), 0) == sizeof(uint32_t) ? 0 : -EIO;
		if (rc < 0)
			break;
	}
	if (rc == 0 && fcntl(tables->fd, F_ADD_SEALS, seals) < 0)
		rc = -errno;
	if (rc < 0) {
		snprintf(error, TABLES_ERROR_LEN, "the shared tables can't be sealed: %s", strerror(-rc));
		tables_unmap(tables);
	}
	return rc;
}

/* Refuses a header that is not exactly what this build would have computed from the same dimensions. */
static int header_check(const struct tables_header *h, uint64_t file_len, char error[TABLES_ERROR_LEN])
{
	struct tables_dimensions d = {
		.n_sessions = h->n_sessions,
		.n_children = h->n_children,
		.n_workers = h->n_workers,
		.n_ports = h->n_ports,
		.n_reasons = h->n_reasons,
		.n_figures = h->n_figures,
		.replay_window = h->replay_window,
	};
	struct tables_header expected;

	if (h->magic != TABLES_MAGIC) {
		snprintf(error, TABLES_ERROR_LEN, "the memory handed over is not a Sluice table");
		return -EPROTO;
	}
	if (h->layout_version != TABLES_LAYOUT_VERSION) {
		snprintf(error, TABLES_ERROR_LEN,
			"the data plane's tables have layout version %u, this program knows %u: install both programs from "
			"one release and restart the older one",
			h->layout_version, TABLES_LAYOUT_VERSION);
		return -EPROTO;
	}
	if (tables_dimensions_check(&d) < 0) {
		snprintf(error, TABLES_ERROR_LEN, "the tables' dimensions are out of range");
		return -EPROTO;
	}
	expected = layout_compute(&d);
	/* Up to the first field that is a fact of the other process rather than of the layout. */
	if (memcmp(h, &expected, offsetof(struct tables_header, started_at)) != 0 || expected.total_len != file_len) {
		snprintf(error, TABLES_ERROR_LEN,
			"the tables' layout differs from this program's although its version is the same: rebuild both");
		return -EPROTO;
	}
	return 0;
}

int tables_map(struct tables *tables, int fd, char error[TABLES_ERROR_LEN])
{
	struct tables_header header;
	struct stat stat;
	int rc = -EPROTO;

	memset(tables, 0, sizeof(*tables));
	tables->fd = fd;
	snprintf(error, TABLES_ERROR_LEN, "what the data plane handed over is no sealed table memory");
	/* Sealed against shrinking: otherwise its maker could make our accesses fault. */
	if (fcntl(fd, F_GET_SEALS) != seals || fstat(fd, &stat) < 0 || stat.st_size < (off_t)sizeof(header))
		goto fail;
	tables->memory_len = (size_t)stat.st_size;
	tables->memory = mmap(NULL, tables->memory_len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (tables->memory == MAP_FAILED) {
		rc = -errno;
		snprintf(error, TABLES_ERROR_LEN, "the shared tables can't be mapped: %s", strerror(-rc));
		goto fail;
	}
	memcpy(&header, tables->memory, sizeof(header));
	rc = header_check(&header, tables->memory_len, error);
	if (rc < 0)
		goto unmap;
	(void)madvise(tables->memory, tables->memory_len, MADV_DONTDUMP);
	tables_locate(tables, &header);
	return 0;
unmap:
	munmap(tables->memory, tables->memory_len);
fail:
	close(fd);
	memset(tables, 0, sizeof(*tables));
	tables->fd = -1;
	return rc;
}

void tables_unmap(struct tables *tables)
{
	if (tables->memory)
		munmap(tables->memory, tables->memory_len);
	if (tables->fd >= 0)
		close(tables->fd);
	memset(tables, 0, sizeof(*tables));
	tables->fd = -1;
}

uint64_t tables_sum_reason(const struct tables *tables, uint32_t reason)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i <= tables->n_workers; i++)
		sum += atomic_load_explicit(&tables_counters(tables, i)->reasons[reason], memory_order_relaxed);
	return sum;
}

uint64_t tables_sum_events_lost(const struct tables *tables)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i <= tables->n_workers; i++)
		sum += atomic_load_explicit(&tables_counters(tables, i)->events_lost, memory_order_relaxed);
	return sum;
}

void tables_sum_traffic(const struct tables *tables, uint32_t child, struct tables_traffic *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i <= tables->n_workers; i++) {
		const struct tables_traffic *part = &tables_counters(tables, i)->traffic[child];

		tables_count(&sum->packets_in, atomic_load_explicit(&part->packets_in, memory_order_relaxed));
		tables_count(&sum->bytes_in, atomic_load_explicit(&part->bytes_in, memory_order_relaxed));
		tables_count(&sum->packets_out, atomic_load_explicit(&part->packets_out, memory_order_relaxed));
		tables_count(&sum->bytes_out, atomic_load_explicit(&part->bytes_out, memory_order_relaxed));
	}
}
