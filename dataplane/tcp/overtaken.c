/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer acknowledges every second segment, so that a burst of what came holds dozens of ACKs of which each says all
 * that those before it do. TCP must do without any of them that gets lost; here the last stands for all while nothing
 * is counted in ACKs: no duplicates, no SACK, no probe that is to be answered. It is the ACKs' bytes that are compared,
 * for to take each apart would cost a good part of what is saved.
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
	WITH_TIMESTAMPS = TCP_HEADER_LEN + TCP_TIMESTAMPS_LEN,
};

static uint32_t word_at(const uint8_t *header, uint32_t at)
{
	uint32_t wire;

	memcpy(&wire, header + at, sizeof(wire));
	return be32toh(wire);
}

/* An ACK, and nothing besides it but timestamps where they were agreed on. */
static bool is_ack_alone(const struct tcp *tcp, const uint8_t *header, uint32_t len)
{
	uint32_t expected = tcp->timestamps.enabled ? (uint32_t)WITH_TIMESTAMPS : (uint32_t)TCP_HEADER_LEN;

	return len == expected && word_at(header, OFFSET_AT) >> 16 == (expected / 4 << 12 | TCP_FLAG_ACK) &&
	       (!tcp->timestamps.enabled || word_at(header, TIMESTAMPS_AT) == TCP_TIMESTAMPS_ALIGNED);
}

bool tcp_is_overtaken(
	struct tcp *tcp, const uint8_t *first, uint32_t first_len, const uint8_t *second, uint32_t second_len)
{
	uint32_t ack = word_at(first, ACK_AT), later = word_at(second, ACK_AT);

	if (!ack_is_calm(tcp) || !is_ack_alone(tcp, first, first_len) || !is_ack_alone(tcp, second, second_len))
		return false;
	if (word_at(first, SEQ_AT) != tcp->receive.nxt || word_at(second, SEQ_AT) != tcp->receive.nxt ||
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
