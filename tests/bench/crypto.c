/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ESP alone costs: dataplane/esp over flat buffers, nothing around it, in cycles of the TSC for one packet. "hot":
 * always the same burst of buffers. "cold": one burst after the other out of as many buffers as two descriptor rings of
 * 1,024 hold, which is where a worker finds its packets. The share of these in a worker's cycles is its crypto.
 */
#include "esp/esp.h"
#include "plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum {
	BURST = 32,
	COLD_BUFFERS = 2048,
	BUFFER_LEN = 2048 + 128, /* as a packet buffer's data room */
	HEADROOM = 192,
	SIZE_MIN = 64,
	SIZE_MAX_INNER = 1420,
	ROUNDS = 40, /* measured one by one; a tenth of them is better than what is reported */
	ROUND_PACKETS = 1 << 15,
};

static const char usage[] =
	"usage: crypto SUITE SIZE|imix...\n"
	"  prints a line of JSON for each size: cycles a packet, sealing and opening, hot and cold\n";

static const uint16_t imix[] = {64, 576, 64, 64, 576, 64, 64, 576, 64, 64, 576, 1420};

struct bench {
	struct esp_engine *engine;
	struct esp_key *key;
	uint8_t *buffers;
	uint32_t lengths[COLD_BUFFERS]; /* of each ESP packet */
	const uint16_t *sizes;
	uint32_t n_sizes;
	uint64_t sequence;
};

struct cycles {
	double seal, open;
};

static uint8_t *payload_of(const struct bench *bench, uint32_t buffer)
{
	return bench->buffers + (size_t)buffer * BUFFER_LEN + HEADROOM;
}

/* Cycles for the burst that begins at `first`. */
static uint64_t seal_burst(struct bench *bench, uint32_t first)
{
	size_t front_len = esp_front_len(esp_key_suite(bench->key));
	struct esp_packet packets[BURST];
	uint64_t begin;

	for (uint32_t i = 0; i < BURST; i++)
		packets[i] = (struct esp_packet){
			.key = bench->key,
			.data = payload_of(bench, first + i),
			.len = bench->sizes[(first + i) % bench->n_sizes],
			.headroom = HEADROOM,
			.tailroom = 128,
			.spi = PLAN_SPI_OUT,
			.sequence = ++bench->sequence,
			.next_header = 4,
		};
	begin = __rdtsc();
	if (esp_seal(bench->engine, packets, BURST) != BURST)
		exit(1);
	begin = __rdtsc() - begin;
	for (uint32_t i = 0; i < BURST; i++) {
		bench->lengths[first + i] = packets[i].len;
		if (packets[i].data + front_len != payload_of(bench, first + i))
			exit(1);
	}
	return begin;
}

static uint64_t open_burst(struct bench *bench, uint32_t first)
{
	size_t front_len = esp_front_len(esp_key_suite(bench->key));
	struct esp_packet packets[BURST];
	uint64_t begin;

	for (uint32_t i = 0; i < BURST; i++)
		packets[i] = (struct esp_packet){
			.key = bench->key,
			.data = payload_of(bench, first + i) - front_len,
			.len = bench->lengths[first + i],
		};
	begin = __rdtsc();
	if (esp_open(bench->engine, packets, BURST) != BURST)
		exit(1);
	return __rdtsc() - begin;
}

static struct cycles round_run(struct bench *bench, uint32_t n_buffers)
{
	struct cycles sum = {0, 0};

	for (uint32_t done = 0; done < ROUND_PACKETS; done += n_buffers) {
		for (uint32_t first = 0; first < n_buffers; first += BURST)
			sum.seal += (double)seal_burst(bench, first);
		for (uint32_t first = 0; first < n_buffers; first += BURST)
			sum.open += (double)open_burst(bench, first);
	}
	sum.seal /= ROUND_PACKETS;
	sum.open /= ROUND_PACKETS;
	return sum;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct cycles measure(struct bench *bench, uint32_t n_buffers)
{
	double seals[ROUNDS], opens[ROUNDS];

	round_run(bench, n_buffers);
	for (int i = 0; i < ROUNDS; i++) {
		struct cycles cycles = round_run(bench, n_buffers);

		seals[i] = cycles.seal;
		opens[i] = cycles.open;
	}
	qsort(seals, ROUNDS, sizeof(seals[0]), compare);
	qsort(opens, ROUNDS, sizeof(opens[0]), compare);
	return (struct cycles){.seal = seals[ROUNDS / 10], .open = opens[ROUNDS / 10]};
}

static int bench_open(struct bench *bench, uint32_t suite)
{
	uint8_t keymat[ESP_KEYMAT_MAX];
	size_t keymat_len = esp_suite_keymat_len(esp_suite_get(suite));

	*bench = (struct bench){
		.engine = esp_engine_new(),
		.key = aligned_alloc(
			ESP_KEY_ALIGN, (esp_key_size() + ESP_KEY_ALIGN - 1) / ESP_KEY_ALIGN * ESP_KEY_ALIGN),
		.buffers = aligned_alloc(64, (size_t)COLD_BUFFERS * BUFFER_LEN),
	};
	if (!bench->engine || !bench->key || !bench->buffers)
		return -1;
	memset(bench->buffers, 0x5a, (size_t)COLD_BUFFERS * BUFFER_LEN);
	plan_keymat(keymat, keymat_len);
	return esp_key_expand(bench->engine, suite, false, keymat, keymat_len, bench->key);
}

static void bench_close(struct bench *bench)
{
	esp_engine_free(bench->engine);
	free(bench->key);
	free(bench->buffers);
}

static int size_read(struct bench *bench, const char *text, uint16_t *one)
{
	unsigned long size = strtoul(text, NULL, 10);

	bench->sizes = imix;
	bench->n_sizes = sizeof(imix) / sizeof(imix[0]);
	if (strcmp(text, "imix") == 0)
		return 0;
	*one = (uint16_t)size;
	bench->sizes = one;
	bench->n_sizes = 1;
	return size >= SIZE_MIN && size <= SIZE_MAX_INNER ? 0 : -1;
}

int main(int argc, char **argv)
{
	enum esp_suite_id suite = argc > 2 ? esp_suite_find(argv[1]) : ESP_SUITE_NONE;
	struct bench bench;

	if (suite == ESP_SUITE_NONE) {
		fputs(usage, stderr);
		return 2;
	}
	if (bench_open(&bench, suite) < 0)
		return 1;
	for (int i = 2; i < argc; i++) {
		struct cycles hot, cold;
		uint16_t one;

		if (size_read(&bench, argv[i], &one) < 0) {
			fputs(usage, stderr);
			bench_close(&bench);
			return 2;
		}
		hot = measure(&bench, BURST);
		cold = measure(&bench, COLD_BUFFERS);
		printf("{\"suite\": \"%s\", \"size\": \"%s\", \"hot\": {\"out\": %.1f, \"in\": %.1f}, \"cold\": "
		       "{\"out\": %.1f, \"in\": "
		       "%.1f}}\n",
			argv[1], argv[i], hot.seal, hot.open, cold.seal, cold.open);
		fflush(stdout);
	}
	bench_close(&bench);
	return 0;
}
