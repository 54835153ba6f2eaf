/* SPDX-License-Identifier: Apache-2.0 */
#include "solo.h"

#include <string.h>

static void release(void *context, void *owner)
{
	struct solo *solo = context;

	(void)owner;
	solo->released++;
}

void solo_start(struct solo *solo, unsigned int options, uint32_t cwnd)
{
	struct tcp_established established = {
		.local_port = 4500,
		.remote_port = 40000,
		.snd_una = SOLO_US,
		.snd_nxt = SOLO_US,
		.snd_wnd = SOLO_WINDOW,
		.snd_wl1 = SOLO_PEER - 1,
		.rcv_nxt = SOLO_PEER,
		.rcv_wnd = SOLO_WINDOW,
		.snd_scale = 5,
		.rcv_scale = 5,
		.mss = SOLO_MSS + (options & SOLO_TIMESTAMPS ? TCP_TIMESTAMPS_LEN : 0),
		.timestamps = options & SOLO_TIMESTAMPS,
		.sack = options & SOLO_SACK,
		.ecn = options & SOLO_ECN,
		.ts_value = 0xfffffff0,
		.cwnd = cwnd,
		.srtt = SOLO_RTT,
	};

	memset(solo, 0, sizeof(*solo));
	solo->now = 1000 * (uint64_t)SOLO_SECOND;
	solo->peer_ts = 0xffffffe0;
	solo->peer_window = SOLO_WINDOW >> 5;
	for (size_t i = 0; i < sizeof(solo->bytes); i++)
		solo->bytes[i] = (uint8_t)(i * 167 >> 3);
	for (size_t i = 0; i < sizeof(solo->peer_bytes); i++)
		solo->peer_bytes[i] = (uint8_t)(i * 59 >> 2);
	tcp_settings_default(&solo->settings);
	solo->settings.receive_window = SOLO_WINDOW;
	solo->settings.keepalive_idle = 0;
	solo->settings.release = release;
	solo->settings.context = solo;
	tcp_pool_init(&solo->pool, solo->slots, SOLO_SLOTS);
	assert_int_equal(tcp_install(&solo->tcp, &solo->settings, &solo->pool, &established, solo->now), 0);
	solo_wait(solo, solo->settings.ack_delay);
	solo_expect_ack(solo, 0);
}

void solo_stop(struct solo *solo)
{
	tcp_uninstall(&solo->tcp);
	assert_int_equal(solo->pool.n_free, SOLO_SLOTS);
}

void solo_send(struct solo *solo, uint32_t start, uint32_t len)
{
	assert_int_equal(tcp_send(&solo->tcp, solo->bytes + start, len, solo), 0);
}

bool solo_out(struct solo *solo)
{
	struct tcp_departure departure;

	if (!tcp_output(&solo->tcp, &departure, solo->now))
		return false;
	assert_true(departure.header_len + departure.payload_len <= sizeof(solo->wire));
	memcpy(solo->wire, departure.header, departure.header_len);
	if (departure.payload_len)
		memcpy(solo->wire + departure.header_len, departure.payload, departure.payload_len);
	assert_int_equal(tcp_segment_parse(solo->wire, departure.header_len + departure.payload_len, &solo->out), 0);
	solo->out_ecn_capable = departure.ecn_capable;
	return true;
}

unsigned int solo_drain(struct solo *solo)
{
	unsigned int count = 0;

	while (solo_out(solo))
		count++;
	return count;
}

void solo_under_way(struct solo *solo, unsigned int options, uint32_t cwnd, uint32_t count, uint64_t age)
{
	solo_start(solo, options, cwnd);
	for (uint32_t i = 0; i < count; i++)
		solo_send(solo, i * SOLO_MSS, SOLO_MSS);
	assert_int_equal(solo_drain(solo), count);
	solo_wait(solo, age);
}

uint64_t solo_counter(const struct solo *solo, enum tcp_counter which)
{
	return solo->tcp.counters[which];
}

void solo_expect(struct solo *solo, uint32_t start, uint32_t len, uint8_t flags)
{
	assert_true(solo_out(solo));
	assert_int_equal(solo->out.header.seq - SOLO_US, start);
	assert_int_equal(solo->out.payload_len, len);
	assert_int_equal(solo->out.header.flags, flags | TCP_FLAG_ACK);
	assert_memory_equal(solo->out.payload, solo->bytes + start, len);
}

void solo_expect_ack(struct solo *solo, uint32_t ack)
{
	assert_true(solo_out(solo));
	assert_int_equal(solo->out.payload_len, 0);
	assert_int_equal(solo->out.header.flags & ~TCP_FLAG_ECE, TCP_FLAG_ACK);
	assert_int_equal(solo->out.header.ack - SOLO_PEER, ack);
}

void solo_expect_nothing(struct solo *solo)
{
	assert_false(solo_out(solo));
}

/* As a worker does it: an ACK alone is looked at as bytes first. */
bool solo_in_segment(struct solo *solo, struct tcp_segment *segment, bool raw)
{
	uint8_t bytes[TCP_HEADER_MAX];

	if (!raw && solo->tcp.timestamps.enabled) {
		segment->header.has_timestamps = true;
		segment->header.ts_value = solo->peer_ts++;
		segment->header.ts_echo = tcp_timestamp(&solo->tcp, solo->now);
	}
	if (segment->payload_len == 0 && segment->header.n_sack == 0 &&
		tcp_input_ack(&solo->tcp, bytes, tcp_header_write(&segment->header, bytes), solo->now))
		return false;
	return tcp_input(&solo->tcp, segment, solo, solo->now);
}

uint8_t *solo_peer_bytes(struct solo *solo, uint32_t seq)
{
	int32_t at = (int32_t)seq;

	return solo->peer_bytes + SOLO_MARGIN + (at >= -SOLO_MARGIN && at <= 7000 ? at : 0);
}

bool solo_in(struct solo *solo, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
	struct tcp_segment segment = {
		.header = {.seq = SOLO_PEER + seq, .ack = SOLO_US + ack, .flags = flags, .window = solo->peer_window},
		.payload = solo_peer_bytes(solo, seq),
		.payload_len = len,
	};

	return solo_in_segment(solo, &segment, false);
}

void solo_ack(struct solo *solo, uint32_t ack, const struct solo_block *blocks)
{
	struct tcp_segment segment = {
		.header = {.seq = solo->tcp.receive.nxt,
			.ack = SOLO_US + ack,
			.flags = TCP_FLAG_ACK,
			.window = solo->peer_window},
	};

	for (; blocks && blocks->end; blocks++)
		segment.header.sack[segment.header.n_sack++] =
			(struct tcp_range){.start = SOLO_US + blocks->start, .end = SOLO_US + blocks->end};
	solo_in_segment(solo, &segment, false);
}

void solo_wait(struct solo *solo, uint64_t microseconds)
{
	uint64_t until = solo->now + microseconds;

	while (tcp_deadline(&solo->tcp) <= until) {
		if (tcp_deadline(&solo->tcp) > solo->now)
			solo->now = tcp_deadline(&solo->tcp);
		tcp_timeout(&solo->tcp, solo->now);
	}
	solo->now = until;
}

uint64_t solo_wait_deadline(struct solo *solo)
{
	uint64_t before = solo->now;

	assert_true(tcp_deadline(&solo->tcp) != UINT64_MAX);
	solo->now = tcp_deadline(&solo->tcp);
	tcp_timeout(&solo->tcp, solo->now);
	return solo->now - before;
}

uint32_t solo_read(struct solo *solo, uint32_t start)
{
	struct tcp_piece piece;
	uint32_t len = 0;

	while (tcp_read(&solo->tcp, &piece)) {
		assert_ptr_equal(piece.owner, solo);
		assert_memory_equal(piece.data, solo_peer_bytes(solo, start + len), piece.len);
		len += piece.len;
	}
	return len;
}
