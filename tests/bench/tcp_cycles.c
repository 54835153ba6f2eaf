/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an endpoint of dataplane/tcp costs, nothing around it: cycles of the TSC for one segment of 1,420 bytes, in
 * bulk, without loss. "send": tcp_send_room, tcp_send and tcp_output for each, and tcp_input_ack of an ACK for
 * every second. "receive": tcp_segment_parse, tcp_input and tcp_read for each, and the ACK that goes back
 * for every second. The payload is never touched and no checksum made: cards do that. One connection in bursts of 32 is
 * the hot case; many in bursts of 2, one after the other, have their state out of the near caches each time.
 */
#include "tcp/tcp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

enum {
	FRAME_LEN = 1420,
	MSS = FRAME_LEN + TCP_TIMESTAMPS_LEN,
	ACK_EVERY = 2,
	BURST_MAX = 32,
	ROUND_PACKETS = 1 << 11, /* at least */
	ROUNDS = 400,
	PACKET_TIME = 1000, /* nanoseconds that pass for each packet: 11 Gbit/s */
	WARM_UP = 100,	    /* rounds */
	WINDOW = 1 << 24,
	SCALE = 10,
};

struct wire {
	uint8_t bytes[64];
};

struct load {
	const char *name;
	uint32_t connections, burst;
	uint32_t flight; /* segments in flight for each */
};

static const struct load loads[] = {
	{"1 connection", 1, 32, 256},
	{"1,000 connections", 1000, 2, 32},
};

struct bench {
	const struct load *load;
	struct tcp *ends;
	struct wire *wires; /* what comes in a round: `burst` for each connection */
	struct tcp_pool pool;
	struct tcp_settings settings;
	uint64_t nanoseconds;
	uint8_t payload[FRAME_LEN];
	uint64_t released;
};

static void release(void *context, void *owner)
{
	struct bench *bench = context;

	bench->released += owner != NULL;
}

static void require(bool so, const char *what)
{
	if (so)
		return;
	fprintf(stderr, "tcp-cycles: %s\n", what);
	exit(1);
}

static uint64_t now_of(const struct bench *bench)
{
	return bench->nanoseconds / 1000;
}

static void bench_init(struct bench *bench, const struct load *load)
{
	static const struct tcp_established established = {
		.local_port = 4500,
		.remote_port = 40000,
		.snd_wnd = WINDOW,
		.rcv_wnd = WINDOW,
		.snd_scale = SCALE,
		.rcv_scale = SCALE,
		.mss = MSS,
		.timestamps = true,
		.sack = true,
		.ts_value = 1,
		.srtt = 1000,
	};
	uint32_t n_slots = load->connections * (load->flight + BURST_MAX);
	struct tcp_slot *slots = aligned_alloc(64, n_slots * sizeof(*slots));

	*bench = (struct bench){.load = load, .nanoseconds = 1000000000};
	bench->ends = aligned_alloc(64, load->connections * ((sizeof(struct tcp) + 63) & ~(size_t)63));
	bench->wires = aligned_alloc(64, load->connections * load->burst * sizeof(struct wire));
	require(slots && bench->ends && bench->wires, "no memory");
	tcp_pool_init(&bench->pool, slots, n_slots);
	tcp_settings_default(&bench->settings);
	bench->settings.keepalive_idle = 0;
	bench->settings.release = release;
	bench->settings.context = bench;
	for (uint32_t i = 0; i < load->connections; i++)
		require(tcp_install(&bench->ends[i], &bench->settings, &bench->pool, &established, now_of(bench)) == 0,
			"a connection was refused");
}

static void bench_end(struct bench *bench)
{
	for (uint32_t i = 0; i < bench->load->connections; i++)
		tcp_uninstall(&bench->ends[i]);
	require(bench->pool.n_free == bench->pool.count, "slots did not come back");
	free(bench->pool.slots);
	free(bench->ends);
	free(bench->wires);
}

/* --- what the peers send, made before the clock runs ----------------------------------------------------------------
 */

static void write_segment(
	const struct bench *bench, const struct tcp *tcp, struct wire *wire, uint32_t seq, uint32_t ack)
{
	struct tcp_header header = {
		.source_port = 40000,
		.destination_port = 4500,
		.seq = seq,
		.ack = ack,
		.window = WINDOW >> SCALE,
		.flags = TCP_FLAG_ACK,
		.has_timestamps = true,
		.ts_value = (uint32_t)(now_of(bench) / 1000),
		.ts_echo = tcp_timestamp(tcp, now_of(bench)),
	};

	tcp_header_write(&header, wire->bytes);
}

/* An ACK for every second segment of a burst, as soon as the window is full. */
static uint32_t write_acks(const struct bench *bench, uint32_t connection)
{
	const struct tcp *tcp = &bench->ends[connection];
	struct wire *wires = &bench->wires[connection * bench->load->burst];
	uint32_t n_acks = bench->load->burst / ACK_EVERY;

	if (tcp->send.nxt - tcp->send.una < bench->load->flight * FRAME_LEN)
		return 0;
	for (uint32_t i = 0; i < n_acks; i++)
		write_segment(bench, tcp, &wires[i], tcp->receive.nxt, tcp->send.una + (i + 1) * ACK_EVERY * FRAME_LEN);
	return n_acks;
}

static void write_data(const struct bench *bench, uint32_t connection)
{
	const struct tcp *tcp = &bench->ends[connection];
	struct wire *wires = &bench->wires[connection * bench->load->burst];

	for (uint32_t i = 0; i < bench->load->burst; i++)
		write_segment(bench, tcp, &wires[i], tcp->receive.nxt + i * FRAME_LEN, tcp->send.una);
}

/* --- what is measured -----------------------------------------------------------------------------------------------
 */

static void send_burst(struct bench *bench, uint32_t connection, uint32_t n_acks, uint64_t now)
{
	struct tcp *tcp = &bench->ends[connection];
	struct wire *wires = &bench->wires[connection * bench->load->burst];
	struct tcp_departure departure;
	struct tcp_segment segment;

	for (uint32_t i = 0; i < n_acks; i++) {
		if (!tcp_input_ack(tcp, wires[i].bytes, TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN, now) &&
			tcp_segment_parse(wires[i].bytes, TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN, &segment) == 0)
			tcp_input(tcp, &segment, NULL, now);
	}
	for (uint32_t i = 0; i < bench->load->burst && tcp_send_room(tcp) > 0; i++) {
		if (tcp_send(tcp, bench->payload, FRAME_LEN, bench) != 0)
			break;
	}
	while (tcp_output(tcp, &departure, now))
		;
}

static void receive_burst(struct bench *bench, uint32_t connection, uint64_t now)
{
	struct tcp *tcp = &bench->ends[connection];
	struct wire *wires = &bench->wires[connection * bench->load->burst];
	struct tcp_departure departure;
	struct tcp_segment segment;
	struct tcp_piece piece;

	for (uint32_t i = 0; i < bench->load->burst; i++) {
		if (tcp_segment_parse(wires[i].bytes, TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN + FRAME_LEN, &segment) == 0 &&
			tcp_input(tcp, &segment, bench, now)) {
			while (tcp_read(tcp, &piece))
				;
		}
		/* A worker asks after each burst; the peer gets its ACK for every second segment all the same. */
		if (i % ACK_EVERY == ACK_EVERY - 1) {
			while (tcp_output(tcp, &departure, now))
				;
		}
	}
}

static uint64_t send_round(struct bench *bench)
{
	uint32_t n_acks = 0;
	uint64_t begin, now = now_of(bench);

	for (uint32_t i = 0; i < bench->load->connections; i++) {
		n_acks = write_acks(bench, i);
		/* Nothing is lost, so it would grow for ever: it stays what limits the flight, and the bound of it. */
		bench->ends[i].cubic.cwnd = bench->ends[i].cubic.ssthresh = bench->load->flight * FRAME_LEN;
	}
	begin = __rdtsc();
	for (uint32_t i = 0; i < bench->load->connections; i++)
		send_burst(bench, i, n_acks, now);
	return __rdtsc() - begin;
}

static uint64_t receive_round(struct bench *bench)
{
	uint64_t begin, now = now_of(bench);

	for (uint32_t i = 0; i < bench->load->connections; i++)
		write_data(bench, i);
	begin = __rdtsc();
	for (uint32_t i = 0; i < bench->load->connections; i++)
		receive_burst(bench, i, now);
	return __rdtsc() - begin;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Cycles a packet, of which a tenth of the rounds is better: the rest tells of the machine. */
static double measure(const struct load *load, bool sends)
{
	static double rounds[ROUNDS];
	uint64_t packets = (uint64_t)load->connections * load->burst;
	struct bench bench;
	uint64_t cycles, n;

	bench_init(&bench, load);
	for (int round = -WARM_UP; round < ROUNDS; round++) {
		for (cycles = n = 0; n < ROUND_PACKETS; n += packets) {
			cycles += sends ? send_round(&bench) : receive_round(&bench);
			bench.nanoseconds += packets * PACKET_TIME;
		}
		if (round >= 0)
			rounds[round] = (double)cycles / (double)n;
	}
	for (uint32_t i = 0; i < load->connections; i++) {
		const uint64_t *counters = bench.ends[i].counters;

		require(counters[TCP_COUNT_RETRANSMITTED] == 0 && counters[TCP_COUNT_OUT_OF_ORDER] == 0 &&
				counters[sends ? TCP_COUNT_BYTES_OUT : TCP_COUNT_BYTES_IN] >=
					(uint64_t)ROUNDS * load->burst * FRAME_LEN,
			"a stream did not go as it should");
	}
	bench_end(&bench);
	qsort(rounds, ROUNDS, sizeof(rounds[0]), compare);
	return rounds[ROUNDS / 10];
}

int main(void)
{
	printf("state of a connection: %zu bytes, a slot: %zu\n", sizeof(struct tcp), sizeof(struct tcp_slot));
	printf("%-20s %10s %10s   cycles a segment\n", "", "send", "receive");
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		printf("%-20s %10.1f %10.1f\n", loads[i].name, measure(&loads[i], true), measure(&loads[i], false));
	return 0;
}
