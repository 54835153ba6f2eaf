/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACKs alone, looked at as bytes: they come one for every second segment, nearly all of them say nothing but how far
 * the peer has got, and to take each apart would cost a good part of what it takes to obey it.
 *
 * A burst of what came holds dozens of which each says all that those before it do. TCP must do without any of them
 * that gets lost; here the last stands for all while nothing is counted in ACKs: no duplicates, no SACK, no probe that
 * is to be answered.
 */
#include "tcp/ack.h"
#include "tcp/sequence.h"

#include <endian.h>
#include <string.h>

enum {
	SEQ_AT = 4, /* in the header */
	ACK_AT = 8,
	OFFSET_AT = 12, /* with flags and window */
	TIMESTAMPS_AT = TCP_HEADER_LEN,
	TS_VALUE_AT = TIMESTAMPS_AT + 4,
	TS_ECHO_AT = TS_VALUE_AT + 4,
};

static inline uint32_t word_at(const uint8_t *header, uint32_t at)
{
	uint32_t wire;

	memcpy(&wire, header + at, sizeof(wire));
	return be32toh(wire);
}

/* An ACK at RCV.NXT, and nothing besides it but timestamps where they were agreed on. */
static inline bool is_ack_alone(const struct tcp *tcp, const uint8_t *header, uint32_t len)
{
	uint32_t expected = tcp_header_len_plain(tcp);

	return len == expected && word_at(header, OFFSET_AT) >> 16 == (expected / 4 << 12 | TCP_FLAG_ACK) &&
	       word_at(header, SEQ_AT) == tcp->receive.nxt &&
	       (!tcp->timestamps.enabled || word_at(header, TIMESTAMPS_AT) == TCP_TIMESTAMPS_ALIGNED);
}

bool tcp_is_overtaken(
	struct tcp *tcp, const uint8_t *first, uint32_t first_len, const uint8_t *second, uint32_t second_len)
{
	uint32_t ack = word_at(first, ACK_AT), later = word_at(second, ACK_AT);

	if (!ack_is_calm(tcp) || !is_ack_alone(tcp, first, first_len) || !is_ack_alone(tcp, second, second_len) ||
		word_at(first, OFFSET_AT) != word_at(second, OFFSET_AT))
		return false;
	if (!sequence_before(tcp->send.una, ack) || !sequence_before(ack, later) ||
		sequence_before(tcp->send.nxt, later))
		return false;
	if (tcp->timestamps.enabled && sequence_before(word_at(second, TS_VALUE_AT), word_at(first, TS_VALUE_AT)))
		return false;
	tcp_count(tcp, TCP_COUNT_SEGMENTS_IN);
	return true;
}

/* What it says is in order, window and timestamps are none that anything follows from, and nothing else goes on. */
static inline bool is_expected(const struct tcp *tcp, const uint8_t *header)
{
	const struct tcp_send *send = &tcp->send;
	const struct tcp_timestamps *timestamps = &tcp->timestamps;
	uint32_t ack = word_at(header, ACK_AT), window = (word_at(header, OFFSET_AT) & UINT16_MAX) << send->scale;

	return tcp->state == TCP_STATE_ESTABLISHED && ack_is_calm(tcp) && !tcp->receive.fin_known &&
	       sequence_before(send->una, ack) && sequence_at_most(ack, send->nxt) && window == send->wnd &&
	       window > 0 &&
	       (!timestamps->enabled || (timestamps->recent_known &&
						sequence_at_most(timestamps->recent, word_at(header, TS_VALUE_AT))));
}

bool tcp_input_ack(struct tcp *tcp, const uint8_t *bytes, uint32_t len, uint64_t now)
{
	uint32_t echo = 0;

	if (len < TCP_HEADER_LEN || !is_ack_alone(tcp, bytes, len) || !is_expected(tcp, bytes))
		return false;
	tcp_count(tcp, TCP_COUNT_SEGMENTS_IN);
	tcp->heard = now;
	tcp->n_keepalives = 0;
	if (tcp->timestamps.enabled) {
		echo = word_at(bytes, TS_ECHO_AT);
		/* RFC 7323 section 4.3; see note_timestamp in input.c. */
		if (sequence_at_most(tcp->receive.nxt, tcp->ack.last)) {
			tcp->timestamps.recent = word_at(bytes, TS_VALUE_AT);
			tcp->timestamps.recent_time = now;
		}
	}
	ack_process_plain(tcp, word_at(bytes, ACK_AT), echo, now);
	return true;
}
