/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary segments at an endpoint in the middle of its life: it has sent some and holds some. The bytes are a script
 * of steps: a segment as it is; a segment whose numbers are near those that the endpoint expects, so that what lies
 * behind the checks sees strangers' values too; time; a frame to send; reading; closing. After each step the accounts
 * must hold, and at the end every buffer has come back.
 */
#include "tcp/frames.h"
#include "tcp/sequence.h"
#include "tcp/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 64, PAYLOAD_MAX = 4096 };

static struct tcp tcp;
static struct tcp_pool pool;
static struct tcp_slot slots[SLOTS];
static struct tcp_settings settings;
static struct frame_reader reader;
static size_t buffers;
static uint64_t now;

/* Says which one it was, in builds without assertions too. */
#define require(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static void release(void *context, void *owner)
{
	(void)context;
	free(owner);
	buffers--;
}

/* The ends of each run of SACKed slots know each other. */
static void check_runs(void)
{
	uint32_t first = TCP_NONE;

	for (uint32_t at = tcp.send.head; at != TCP_NONE; at = slots[at].next) {
		if (!(slots[at].flags & TCP_SLOT_SACKED))
			continue;
		if (first == TCP_NONE)
			first = at;
		if (slots[at].next == TCP_NONE || !(slots[slots[at].next].flags & TCP_SLOT_SACKED)) {
			require(slots[first].run == at && slots[at].run == first);
			first = TCP_NONE;
		}
	}
}

/* What the scoreboard says of itself, counted anew. */
static void check_accounts(void)
{
	uint32_t flight = 0, lost = 0, sacked = 0, n_sacked = 0, seq = tcp.send.una, n_sent = 0, n_flight = 0;
	bool unsent = false;

	for (uint32_t at = tcp.send.head; at != TCP_NONE; at = slots[at].next) {
		const struct tcp_slot *slot = &slots[at];

		unsent |= at == tcp.send.unsent;
		require(slot->seq == seq);
		seq = tcp_slot_end(slot);
		n_sent++;
		require(!unsent || !(slot->flags & (TCP_SLOT_FLIGHT | TCP_SLOT_LOST | TCP_SLOT_SACKED)));
		require(unsent || (slot->flags & (TCP_SLOT_FLIGHT | TCP_SLOT_LOST | TCP_SLOT_SACKED)));
		n_flight += (slot->flags & TCP_SLOT_FLIGHT) != 0;
		flight += slot->flags & TCP_SLOT_FLIGHT ? tcp_slot_span(slot) : 0;
		lost += slot->flags & TCP_SLOT_LOST ? tcp_slot_span(slot) : 0;
		sacked += slot->flags & TCP_SLOT_SACKED ? tcp_slot_span(slot) : 0;
		n_sacked += (slot->flags & TCP_SLOT_SACKED) != 0;
	}
	check_runs();
	require(seq == tcp.send.end && flight == tcp.send.flight && lost == tcp.send.lost && sacked == tcp.send.sacked);
	for (uint32_t at = tcp.send.oldest; at != TCP_NONE; at = slots[at].newer) {
		require(slots[at].newer == TCP_NONE || slots[at].time <= slots[slots[at].newer].time);
		n_flight--;
	}
	require(n_flight == 0 && n_sacked == tcp.send.n_sacked);
	seq = tcp.receive.read;
	for (uint32_t at = tcp.receive.head; at != TCP_NONE; at = slots[at].next) {
		require(sequence_at_most(seq, slots[at].seq) && slots[at].len > 0);
		seq = tcp_slot_end(&slots[at]);
		n_sent++;
	}
	require(n_sent + pool.n_free == SLOTS);
	require(sequence_at_most(tcp.receive.read, tcp.receive.nxt));
	require(tcp.cubic.cwnd >= tcp.cubic.mss);
}

static void output(void)
{
	struct tcp_departure departure;
	struct tcp_segment segment;
	uint8_t wire[TCP_HEADER_MAX];

	for (int i = 0; tcp_output(&tcp, &departure, now); i++) {
		require(i < 1000 && departure.header_len <= TCP_HEADER_MAX);
		require(departure.payload_len <= tcp.send.mss);
		memcpy(wire, departure.header, departure.header_len);
		require(tcp_segment_parse(wire, departure.header_len, &segment) == 0);
	}
}

static void read_all(void)
{
	struct tcp_piece piece;
	struct frame frame;
	enum frame_result result;

	while (tcp_read(&tcp, &piece)) {
		while ((result = frame_next(&reader, &piece, &frame)) != FRAME_PIECE_DONE) {
			if (result == FRAME_NEEDS_BUFFER) {
				frame_lend(&reader, malloc(frame.len));
			} else if (result == FRAME_BROKEN) {
				tcp_abort(&tcp);
				break;
			} else if (!frame.in_place) {
				free(frame.kind == FRAME_IKE ? frame.data - FRAME_MARKER_LEN : frame.data);
			}
		}
		free(piece.owner);
		buffers--;
	}
}

static void input(struct tcp_segment *segment, uint8_t *owner)
{
	if (tcp_input(&tcp, segment, owner, now))
		buffers++;
	else
		free(owner);
}

/* A script's numbers; zeros behind its end. */
static const uint8_t *at;
static size_t left;

static uint32_t take(size_t len)
{
	uint32_t value = 0;

	for (; len > 0; len--, value <<= len > 0 ? 8 : 0) {
		value |= left > 0 ? *at : 0;
		at += left > 0;
		left -= left > 0;
	}
	return value;
}

static void raw_segment(void)
{
	size_t len = take(1) % 80;
	uint8_t *owner = malloc(len ? len : 1);
	struct tcp_segment segment;

	require(owner);
	for (size_t i = 0; i < len; i++)
		owner[i] = (uint8_t)take(1);
	if (!tcp_input_ack(&tcp, owner, (uint32_t)len, now) && tcp_segment_parse(owner, len, &segment) == 0)
		input(&segment, owner);
	else
		free(owner);
}

static void near_segment(void)
{
	uint32_t len = take(2) % PAYLOAD_MAX;
	uint8_t *owner = malloc(len ? len : 1);
	struct tcp_segment segment = {.payload = owner, .payload_len = len};
	struct tcp_header *header = &segment.header;
	uint8_t bytes[TCP_HEADER_MAX];

	require(owner);
	memset(owner, (int)take(1), len ? len : 1);
	header->flags = (uint8_t)take(1) | TCP_FLAG_ACK;
	header->seq = tcp.receive.nxt + (uint32_t)(int16_t)take(2);
	header->ack = tcp.send.una + (uint32_t)(int16_t)take(2);
	header->window = (uint16_t)take(2);
	header->has_timestamps = tcp.timestamps.enabled;
	header->ts_value = tcp.timestamps.recent + (uint32_t)(int8_t)take(1);
	header->ts_echo = tcp_timestamp(&tcp, now) - take(1);
	header->n_sack = (uint8_t)(take(1) % (TCP_SACK_MAX + 1));
	for (uint8_t i = 0; i < header->n_sack; i++) {
		header->sack[i].start = tcp.send.una + (uint32_t)(int16_t)take(2);
		header->sack[i].end = header->sack[i].start + take(2);
	}
	segment.congestion_experienced = take(1) & 1;
	if (len == 0 && header->n_sack == 0 && tcp_input_ack(&tcp, bytes, tcp_header_write(header, bytes), now))
		free(owner);
	else
		input(&segment, owner);
}

static void send_frame(void)
{
	uint32_t len = 1 + take(2) % 8000;
	bool at_once = take(1) & 1;
	uint8_t *owner = malloc(TCP_HEADER_MAX + len), *frame;

	require(owner);
	frame = owner + TCP_HEADER_MAX;
	memset(frame, 0x55, len);
	if (at_once && tcp_may_send_at_once(&tcp, len)) {
		require(tcp_send_at_once(&tcp, frame, len, owner, now) > 0);
		tcp_sent_at_once(&tcp, now);
		buffers++;
	} else if (tcp_send(&tcp, frame, len, owner) == 0) {
		buffers++;
	} else {
		free(owner);
	}
}

static void step(void)
{
	switch (take(1) % 8) {
	case 0: raw_segment(); break;
	case 1:
	case 2: near_segment(); break;
	case 3: send_frame(); break;
	case 4:
		now += take(3);
		tcp_timeout(&tcp, now);
		break;
	case 5: read_all(); break;
	case 6:
		if (take(1) % 16 == 0)
			tcp_close(&tcp);
		else
			tcp_set_mss(&tcp, (uint16_t)take(2), now);
		break;
	default: output();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tcp_established established = {
		.snd_una = 0xfffff000,
		.snd_nxt = 0xfffff000,
		.snd_wnd = 65535,
		.rcv_nxt = 0xfffffe00,
		.rcv_wnd = 65535,
		.mss = 1460,
	};

	at = data;
	left = size;
	now = 1000000;
	buffers = 0;
	tcp_pool_init(&pool, slots, SLOTS);
	tcp_settings_default(&settings);
	settings.release = release;
	established.timestamps = take(1) & 1;
	established.sack = take(1) & 1;
	established.ecn = take(1) & 1;
	established.snd_scale = established.rcv_scale = (uint8_t)(take(1) % 15);
	require(tcp_install(&tcp, &settings, &pool, &established, now) == 0);
	frame_reader_init(&reader, take(1) & 1);
	while (left > 0) {
		step();
		check_accounts();
	}
	output();
	tcp_uninstall(&tcp);
	free(frame_reader_end(&reader));
	require(buffers == 0 && pool.n_free == SLOTS);
	return 0;
}
