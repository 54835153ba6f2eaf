/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include "cable.h"

#include <stdlib.h>
#include <string.h>

enum {
	N_SLOTS = 1 << 15,
	SECOND = 1000000,
	AT_ONCE_TIME = 4000, /* microseconds */
};

/* --- the frames --------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t number)
{
	number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
	return number ^ number >> 31;
}

/* Mostly one segment or less, sometimes many. */
static uint32_t frame_len(const struct network *network, uint32_t from, uint64_t number)
{
	uint64_t dice = mix(number * 2 + from);

	if (dice % 16 == 0)
		return 8 + (uint32_t)(dice >> 8) % network->frame_len_max;
	return 8 + (uint32_t)(dice >> 8) % 1400;
}

static void frame_fill(uint8_t *bytes, uint32_t len, uint32_t from, uint64_t number)
{
	uint64_t word = mix(number * 2 + from) | 1;

	for (uint32_t at = 0; at < len; at += sizeof(word)) {
		memcpy(bytes + at, &word, len - at < sizeof(word) ? len - at : sizeof(word));
		word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
	}
}

static void frame_check(struct network *network, uint32_t to, const struct frame *frame)
{
	struct network_end *end = &network->ends[to];
	uint64_t number = end->received++;
	uint8_t expected[FRAME_MAX];

	assert_int_equal(frame->len, frame_len(network, !to, number));
	assert_int_equal(frame->kind, number % 64 == 0 ? FRAME_IKE : FRAME_ESP);
	frame_fill(expected, frame->len, !to, number);
	expected[0] |= 1; /* never a non-ESP marker */
	assert_memory_equal(frame->data, expected, frame->len);
	end->bytes_received += frame->len;
}

static void release(void *context, void *owner)
{
	struct network_end *end = context;

	end->buffers--;
	free(owner);
}

/* --- the ends ----------------------------------------------------------------------------------------------------- */

static bool give_frame(struct network *network, uint32_t from, uint8_t *frame, uint32_t len, void *owner, bool at_once)
{
	struct network_end *end = &network->ends[from];
	struct tcp_departure departure = {.payload = frame, .payload_len = len, .ecn_capable = end->tcp.ecn};

	if (!at_once || !tcp_may_send_at_once(&end->tcp, len))
		return tcp_send(&end->tcp, frame, len, owner) == 0;
	departure.header_len = tcp_send_at_once(&end->tcp, frame, len, owner, network->now);
	memcpy(departure.header, frame - departure.header_len, departure.header_len);
	cable_transmit(network, from, &departure);
	tcp_sent_at_once(&end->tcp, network->now);
	network->at_once++;
	return true;
}

/* For some time short ways are gone where they may be, then for some time not: so both meet all that a network does. */
static bool takes_short_ways(const struct network *network)
{
	return mix(network->now / AT_ONCE_TIME) % 2 == 0;
}

/* At once, or when there is room; but those that go at once not before there is. True: some were given. */
static bool give_frames(struct network *network, uint32_t from)
{
	struct network_end *end = &network->ends[from];
	bool at_once = takes_short_ways(network);
	uint64_t before = end->sent;

	while (end->sent < end->frames_to_send && tcp_send_room(&end->tcp) > 0) {
		uint32_t len = frame_len(network, from, end->sent), whole_len = 0;
		enum frame_kind kind = end->sent % 64 == 0 ? FRAME_IKE : FRAME_ESP;
		uint8_t *buffer, *data;

		if (at_once && end->tcp.send.flight > 0 && tcp_send_room(&end->tcp) < frame_head_len(kind) + len)
			break;
		buffer = malloc(TCP_HEADER_MAX + frame_head_len(FRAME_IKE) + len);
		assert_non_null(buffer);
		data = buffer + TCP_HEADER_MAX + frame_head_len(FRAME_IKE);
		frame_fill(data, len, from, end->sent);
		data[0] |= 1;
		data = frame_write_head(kind, data, len, &whole_len);
		assert_non_null(data);
		if (!give_frame(network, from, data, whole_len, buffer, at_once)) {
			free(buffer);
			break;
		}
		end->buffers++;
		end->sent++;
	}
	return end->sent != before;
}

static void act(struct network *network, uint32_t at)
{
	struct network_end *end = &network->ends[at];
	struct tcp_departure departure;
	bool given;

	do {
		given = give_frames(network, at);
		while (tcp_output(&end->tcp, &departure, network->now))
			cable_transmit(network, at, &departure);
	} while (
		given && end->sent < end->frames_to_send && tcp_send_room(&end->tcp) > 0 && end->tcp.pool->n_free > 64);
	end->events |= tcp_take_events(&end->tcp);
}

static void read_frames(struct network *network, uint32_t at)
{
	struct network_end *end = &network->ends[at];
	struct tcp_piece piece;
	struct frame frame;
	enum frame_result result;

	while (tcp_read(&end->tcp, &piece)) {
		end->buffers--;
		while ((result = frame_next(&end->reader, &piece, &frame)) != FRAME_PIECE_DONE) {
			assert_int_not_equal(result, FRAME_BROKEN);
			if (result == FRAME_NEEDS_BUFFER) {
				frame_lend(&end->reader, malloc(frame.len));
				continue;
			}
			frame_check(network, at, &frame);
			if (!frame.in_place)
				free(frame.kind == FRAME_IKE ? frame.data - FRAME_MARKER_LEN : frame.data);
		}
		free(piece.owner);
	}
}

/* The packet's memory becomes the endpoint's when it keeps the payload. */
static void deliver(struct network *network, struct packet *packet)
{
	struct network_end *end = &network->ends[packet->to];
	struct tcp_segment segment;
	uint32_t to = packet->to;

	if (!cable_is_intact(packet)) {
		free(packet);
		return;
	}
	if (takes_short_ways(network) && tcp_input_ack(&end->tcp, packet->bytes, packet->len, network->now)) {
		network->lone_acks++;
		free(packet);
		act(network, to);
		return;
	}
	if (tcp_segment_parse(packet->bytes, packet->len, &segment) != 0) {
		free(packet);
		return;
	}
	segment.congestion_experienced = packet->marked;
	if (tcp_input(&end->tcp, &segment, packet, network->now)) {
		end->buffers++;
		read_frames(network, to);
	} else {
		free(packet);
	}
	act(network, to);
}

void network_established(struct tcp_established *established)
{
	*established = (struct tcp_established){
		.local_port = 4500,
		.remote_port = 40000,
		.snd_una = 0xfffff000,
		.snd_nxt = 0xfffff000,
		.snd_wnd = 65535,
		.rcv_nxt = 0xffff0000,
		.rcv_wnd = 65535,
		.snd_scale = 7,
		.rcv_scale = 7,
		.mss = 1460,
		.timestamps = true,
		.sack = true,
		.ecn = true,
		.ts_value = 0xffffff00,
	};
}

static void end_start(struct network *network, uint32_t at, const struct tcp_established *established)
{
	struct network_end *end = &network->ends[at];
	struct tcp_slot *slots = malloc(N_SLOTS * sizeof(*slots));

	assert_non_null(slots);
	tcp_pool_init(&end->pool, slots, N_SLOTS);
	tcp_settings_default(&end->settings);
	end->settings.user_timeout = 3600 * (uint64_t)SECOND; /* however terrible the network */
	end->settings.release = release;
	end->settings.context = end;
	frame_reader_init(&end->reader, false);
	assert_int_equal(tcp_install(&end->tcp, &end->settings, &end->pool, established, network->now), 0);
}

void network_start_as(
	struct network *network, const struct network_quality *quality, const struct tcp_established *established)
{
	struct tcp_established mirrored = *established;

	*network = (struct network){
		.quality = *quality, .now = SECOND, .random = 88172645463325252, .frame_len_max = 9000};
	mirrored.local_port = established->remote_port;
	mirrored.remote_port = established->local_port;
	mirrored.snd_una = mirrored.snd_nxt = established->rcv_nxt;
	mirrored.rcv_nxt = established->snd_nxt;
	mirrored.snd_wl1 = established->snd_nxt - 1;
	end_start(network, 0, established);
	end_start(network, 1, &mirrored);
}

void network_start(struct network *network, const struct network_quality *quality)
{
	struct tcp_established established;

	network_established(&established);
	established.snd_wl1 = established.rcv_nxt - 1;
	network_start_as(network, quality, &established);
}

static bool is_done(const struct network *network)
{
	return network->ends[0].received == network->ends[1].frames_to_send &&
	       network->ends[1].received == network->ends[0].frames_to_send;
}

/* One event: a packet that arrives, or a deadline. False: there is none before `until`. */
static bool step(struct network *network, uint64_t until)
{
	uint64_t next = network->n_heap ? network->heap[0]->time : UINT64_MAX;
	uint32_t deadline_of = 2;

	for (uint32_t i = 0; i < 2; i++) {
		uint64_t deadline = tcp_deadline(&network->ends[i].tcp);

		if (deadline < next) {
			next = deadline;
			deadline_of = i;
		}
	}
	if (next > until || next == UINT64_MAX)
		return false;
	if (next > network->now)
		network->now = next;
	if (deadline_of < 2) {
		tcp_timeout(&network->ends[deadline_of].tcp, network->now);
		act(network, deadline_of);
	} else {
		deliver(network, cable_pop(network));
	}
	return true;
}

void network_run(struct network *network, uint64_t until)
{
	act(network, 0);
	act(network, 1);
	while (!is_done(network)) {
		if (!step(network, until))
			fail_msg("at %.3f s, states %s and %s: %lu and %lu frames came, of %lu and %lu",
				(double)network->now / SECOND, tcp_state_name(network->ends[0].tcp.state),
				tcp_state_name(network->ends[1].tcp.state), network->ends[0].received,
				network->ends[1].received, network->ends[1].frames_to_send,
				network->ends[0].frames_to_send);
	}
}

void network_settle(struct network *network, uint64_t until)
{
	act(network, 0);
	act(network, 1);
	while (step(network, until))
		;
}

void network_stop(struct network *network)
{
	while (network->n_heap > 0)
		free(cable_pop(network));
	free(network->heap);
	for (uint32_t i = 0; i < 2; i++) {
		struct network_end *end = &network->ends[i];

		tcp_uninstall(&end->tcp);
		assert_int_equal(end->buffers, 0);
		assert_int_equal(end->pool.n_free, N_SLOTS);
		free(frame_reader_end(&end->reader));
		free(end->pool.slots);
	}
}
