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
	BUFFER_LEN_JUMBO = 9216 + 128,
	HEADROOM = 192,
	SIZE_MIN = 64,
	SIZE_MAX_INNER = 1420,
	SIZE_MAX_JUMBO = 8192,
	ROUNDS = 200, /* measured one by one; a tenth of them is better than what is reported */
	ROUND_PACKETS = 1 << 12,
	KEYS = BURST, /* each packet of a burst has another SA */
	ENGINES_MAX = 6,
};

static const char usage[] =
	"usage: crypto [-e ENGINE]... SUITE SIZE|imix...\n"
	"  ENGINE: auto (the default), sse, avx, avx2, avx512 or vaes; several are measured in turns\n"
	"  prints a line of JSON for each size and engine: cycles a packet, sealing and opening, hot and cold\n";

static const uint16_t imix[] = {64, 576, 64, 64, 576, 64, 64, 576, 64, 64, 576, 1420};

struct bench {
	const char *name;
	struct esp_engine *engine;
	struct esp_key *keys[KEYS];
	uint8_t *buffers; /* shared by all engines */
	size_t buffer_len;
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
	return bench->buffers + buffer * bench->buffer_len + HEADROOM;
}

/* Cycles for the burst that begins at `first`. */
static uint64_t seal_burst(struct bench *bench, uint32_t first)
{
	size_t front_len = esp_front_len(esp_key_suite(bench->keys[0]));
	struct esp_packet packets[BURST];
	uint64_t begin;

	for (uint32_t i = 0; i < BURST; i++)
		packets[i] = (struct esp_packet){
			.key = bench->keys[i % KEYS],
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
	size_t front_len = esp_front_len(esp_key_suite(bench->keys[0]));
	struct esp_packet packets[BURST];
	uint64_t begin;

	for (uint32_t i = 0; i < BURST; i++)
		packets[i] = (struct esp_packet){
			.key = bench->keys[i % KEYS],
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

/* The rounds of all engines take turns, so that what disturbs the machine disturbs them alike. */
static void measure(struct bench *benches, size_t count, uint32_t n_buffers, struct cycles *result)
{
	static double seals[ENGINES_MAX][ROUNDS], opens[ENGINES_MAX][ROUNDS];

	for (size_t i = 0; i < count; i++)
		round_run(&benches[i], n_buffers);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			struct cycles cycles = round_run(&benches[i], n_buffers);

			seals[i][round] = cycles.seal;
			opens[i][round] = cycles.open;
		}
	for (size_t i = 0; i < count; i++) {
		qsort(seals[i], ROUNDS, sizeof(seals[i][0]), compare);
		qsort(opens[i], ROUNDS, sizeof(opens[i][0]), compare);
		result[i] = (struct cycles){.seal = seals[i][ROUNDS / 10], .open = opens[i][ROUNDS / 10]};
	}
}

static int bench_open(struct bench *bench, const char *name, uint32_t suite, uint8_t *buffers)
{
	uint8_t keymat[ESP_KEYMAT_MAX];
	size_t keymat_len = esp_suite_keymat_len(esp_suite_get(suite));

	*bench = (struct bench){
		.name = name,
		.engine = strcmp(name, "auto") == 0 ? esp_engine_new() : esp_engine_new_on(name),
		.buffers = buffers,
	};
	if (!bench->engine)
		return -1;
	plan_keymat(keymat, keymat_len);
	for (size_t i = 0; i < KEYS; i++) {
		keymat[0] = (uint8_t)i;
		bench->keys[i] = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
		if (!bench->keys[i] ||
			esp_key_expand(bench->engine, suite, false, keymat, keymat_len, bench->keys[i]) < 0)
			return -1;
	}
	return 0;
}

static void bench_close(struct bench *bench)
{
	esp_engine_free(bench->engine);
	for (size_t i = 0; i < KEYS; i++)
		free(bench->keys[i]);
}

static int size_read(struct bench *bench, const char *text, uint16_t *one)
{
	unsigned long size = strtoul(text, NULL, 10);

	bench->sizes = imix;
	bench->n_sizes = sizeof(imix) / sizeof(imix[0]);
	bench->buffer_len = BUFFER_LEN;
	if (strcmp(text, "imix") == 0)
		return 0;
	*one = (uint16_t)size;
	bench->sizes = one;
	bench->n_sizes = 1;
	if (size > SIZE_MAX_INNER)
		bench->buffer_len = BUFFER_LEN_JUMBO;
	return size >= SIZE_MIN && size <= SIZE_MAX_JUMBO ? 0 : -1;
}

static int size_run(struct bench *benches, size_t count, const char *suite, const char *size)
{
	struct cycles hot[ENGINES_MAX], cold[ENGINES_MAX];
	uint16_t one;

	for (size_t i = 0; i < count; i++)
		if (size_read(&benches[i], size, &one) < 0)
			return -1;
	measure(benches, count, BURST, hot);
	measure(benches, count, COLD_BUFFERS, cold);
	for (size_t i = 0; i < count; i++)
		printf("{\"suite\": \"%s\", \"size\": \"%s\", \"engine\": \"%s\", \"hot\": {\"out\": %.1f, \"in\": "
		       "%.1f}, "
		       "\"cold\": {\"out\": %.1f, \"in\": %.1f}}\n",
			suite, size, benches[i].name, hot[i].seal, hot[i].open, cold[i].seal, cold[i].open);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	static struct bench benches[ENGINES_MAX];
	const char *names[ENGINES_MAX] = {"auto"};
	uint8_t *buffers = aligned_alloc(64, (size_t)COLD_BUFFERS * BUFFER_LEN_JUMBO);
	size_t count = 0, opened = 0;
	enum esp_suite_id suite;
	int status = 2, next = 1;

	for (; next + 1 < argc && strcmp(argv[next], "-e") == 0 && count < ENGINES_MAX; next += 2)
		names[count++] = argv[next + 1];
	if (count == 0)
		count = 1;
	suite = argc - next > 1 ? esp_suite_find(argv[next]) : ESP_SUITE_NONE;
	if (suite == ESP_SUITE_NONE || !buffers)
		goto end;
	memset(buffers, 0x5a, (size_t)COLD_BUFFERS * BUFFER_LEN_JUMBO);
	status = 1;
	for (; opened < count; opened++)
		if (bench_open(&benches[opened], names[opened], suite, buffers) < 0)
			goto end;
	for (int i = next + 1; i < argc; i++) {
		status = size_run(benches, count, argv[next], argv[i]) < 0 ? 2 : 0;
		if (status != 0)
			break;
	}
end:
	if (status == 2)
		fputs(usage, stderr);
	for (size_t i = 0; i < opened; i++)
		bench_close(&benches[i]);
	free(buffers);
	return status;
}
