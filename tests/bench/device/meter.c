/* SPDX-License-Identifier: Apache-2.0 */
#include "meter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct meter meter = {.running = true};

/* What had been counted when a window began. */
struct mark {
	uint64_t time, sent, received, device_cycles;
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

/* Of one window: cycles of the gateway for one packet; 0 when none came through. */
static double window_cycles(const struct mark *from, const struct mark *to)
{
	uint64_t received = to->received - from->received;
	uint64_t cycles = to->time - from->time - (to->device_cycles - from->device_cycles);

	return received ? (double)cycles / (double)received : 0;
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

static void result_print(FILE *file)
{
	const struct mark *first = &marks[0], *last = &marks[n_marks - 1];
	uint64_t received = last->received - first->received, sent = last->sent - first->sent;
	uint64_t device = last->device_cycles - first->device_cycles;
	double hz = (double)rte_get_tsc_hz(), elapsed = (double)(last->time - first->time), inner = 0, best;
	static double cycles[METER_WINDOWS_MAX];

	for (uint32_t i = 0; i + 1 < n_marks; i++)
		cycles[i] = window_cycles(&marks[i], &marks[i + 1]);
	best = best_tenth(cycles, n_marks - 1);
	for (uint32_t i = 0; i < arguments->n_sizes; i++)
		inner += (double)arguments->sizes[i] / arguments->n_sizes;
	fprintf(file,
		"{\"windows\": %" PRIu32 ", \"window_ms\": %d, \"tsc_hz\": %.0f, \"sent\": %" PRIu64
		", \"received\": %" PRIu64 ", \"starved\": %" PRIu64 ", \"checked\": %" PRIu64 ", \"bad\": %" PRIu64
		", \"inner_bytes\": %.2f",
		n_marks - 1, METER_WINDOW_MS, hz, sent, received, meter.starved, meter.checked, meter.bad, inner);
	if (received > 0)
		fprintf(file,
			", \"cycles\": %.1f, \"mpps\": %.4f, \"inner_gbps\": %.4f, \"device_cycles\": %.1f, "
			"\"with_device_mpps\": %.4f",
			best, hz / best / 1e6, hz / best * inner * 8 / 1e9, (double)device / (double)received,
			(double)received / (elapsed / hz) / 1e6);
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
	marks[n_marks++] = (struct mark){
		.time = now, .sent = meter.sent, .received = meter.received, .device_cycles = meter.device_cycles};
	meter.due = now + milliseconds(METER_WINDOW_MS);
	if (n_marks <= arguments->windows)
		return;
	meter.running = false;
	result_write();
}
