/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct meter meter = {.running = true, .n_queues = 1};

/* What had been counted when a window began. */
struct mark {
	uint64_t time;
	struct {
		uint64_t sent, received, device_cycles;
	} queues[METER_QUEUES_MAX];
};

static const struct arguments *arguments;
static struct mark marks[METER_WINDOWS_MAX + 1];
static uint32_t n_marks;

static uint64_t milliseconds(uint64_t count)
{
	return count * rte_get_tsc_hz() / 1000;
}

void meter_begin(const struct arguments *for_arguments, uint64_t now)
{
	arguments = for_arguments;
	n_marks = 0;
	meter.due = now + milliseconds(arguments->warm_ms);
}

/* Of one window: cycles for one packet, of all workers together; 0 when none came through. */
static double window_cycles(const struct mark *from, const struct mark *to)
{
	double packets_a_cycle = 0;

	for (uint16_t i = 0; i < meter.n_queues; i++) {
		uint64_t received = to->queues[i].received - from->queues[i].received;
		uint64_t device = to->queues[i].device_cycles - from->queues[i].device_cycles;

		packets_a_cycle += (double)received / (double)(to->time - from->time - device);
	}
	return packets_a_cycle > 0 ? 1 / packets_a_cycle : 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A tenth of the windows needs fewer cycles a packet than this: the 90th percentile of their rates. 0: nothing came. */
static double best_tenth(double *cycles, uint32_t count)
{
	uint32_t first = 0;

	qsort(cycles, count, sizeof(*cycles), compare);
	while (first < count && cycles[first] == 0)
		first++;
	return first < count ? cycles[first + (count - first) / 10] : 0;
}

/* Over all windows and workers. */
struct total {
	uint64_t sent, received, device_cycles, checked, bad, segments, again, starved;
};

static struct total total_make(void)
{
	const struct mark *first = &marks[0], *last = &marks[n_marks - 1];
	struct total total = {0};

	for (uint16_t i = 0; i < meter.n_queues; i++) {
		const struct meter_counts *counts = &meter.counts[i];

		total.sent += last->queues[i].sent - first->queues[i].sent;
		total.received += last->queues[i].received - first->queues[i].received;
		total.device_cycles += last->queues[i].device_cycles - first->queues[i].device_cycles;
		total.checked += counts->checked;
		total.bad += counts->bad;
		total.segments += counts->segments;
		total.again += counts->again;
		total.starved += counts->starved;
	}
	return total;
}

static void result_print(FILE *file)
{
	double hz = (double)rte_get_tsc_hz(), inner = 0, best;
	double elapsed = (double)(marks[n_marks - 1].time - marks[0].time);
	struct total total = total_make();
	static double cycles[METER_WINDOWS_MAX];

	for (uint32_t i = 0; i + 1 < n_marks; i++)
		cycles[i] = window_cycles(&marks[i], &marks[i + 1]);
	best = best_tenth(cycles, n_marks - 1);
	for (uint32_t i = 0; i < arguments->n_sizes; i++)
		inner += (double)arguments->sizes[i] / arguments->n_sizes;
	fprintf(file,
		"{\"windows\": %" PRIu32 ", \"window_ms\": %d, \"queues\": %u, \"tsc_hz\": %.0f, \"sent\": %" PRIu64
		", \"received\": %" PRIu64 ", \"starved\": %" PRIu64 ", \"checked\": %" PRIu64 ", \"bad\": %" PRIu64
		", \"segments\": %" PRIu64 ", \"again\": %" PRIu64 ", \"inner_bytes\": %.2f",
		n_marks - 1, METER_WINDOW_MS, meter.n_queues, hz, total.sent, total.received, total.starved,
		total.checked, total.bad, total.segments, total.again, inner);
	if (total.received > 0)
		fprintf(file,
			", \"cycles\": %.1f, \"mpps\": %.4f, \"inner_gbps\": %.4f, \"device_cycles\": %.1f, "
			"\"with_device_mpps\": %.4f",
			best * meter.n_queues, hz / best / 1e6, hz / best * inner * 8 / 1e9,
			(double)total.device_cycles / (double)total.received,
			(double)total.received / (elapsed / hz) / 1e6);
	fprintf(file, "}\n");
}

/* The whole file appears at once: it is the sign that the measurement has ended. */
static void result_write(void)
{
	char unfinished[PATH_MAX + 8];
	FILE *file;

	snprintf(unfinished, sizeof(unfinished), "%s.new", arguments->result);
	file = fopen(unfinished, "we");
	if (file) {
		result_print(file);
		if (fclose(file) == 0 && rename(unfinished, arguments->result) == 0)
			return;
	}
	fprintf(stderr, "net_bench: %s cannot be written: %s\n", arguments->result, strerror(errno));
}

void meter_turn(uint64_t now)
{
	struct mark *mark = &marks[n_marks++];

	mark->time = now;
	for (uint16_t i = 0; i < meter.n_queues; i++) {
		mark->queues[i].sent = meter.counts[i].sent;
		mark->queues[i].received = meter.counts[i].received;
		mark->queues[i].device_cycles = meter.counts[i].device_cycles;
	}
	meter.due = now + milliseconds(METER_WINDOW_MS);
	if (n_marks <= arguments->windows)
		return;
	meter.running = false;
	result_write();
}
