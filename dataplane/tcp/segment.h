/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP segment on the wire (RFC 9293 section 3.1) with the options of an established connection: timestamps (RFC 7323)
 * and SACK (RFC 2018). Strangers' bytes are length-checked here, once; what lies behind reads the parsed form. The
 * checksum is the caller's, whose network card may have done it.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum tcp_flag {
	TCP_FLAG_FIN = 0x01,
	TCP_FLAG_SYN = 0x02,
	TCP_FLAG_RST = 0x04,
	TCP_FLAG_PSH = 0x08,
	TCP_FLAG_ACK = 0x10,
	TCP_FLAG_URG = 0x20,
	TCP_FLAG_ECE = 0x40, /* RFC 3168 section 6.1 */
	TCP_FLAG_CWR = 0x80,
};

enum {
	TCP_HEADER_LEN = 20,
	TCP_HEADER_MAX = 60,
	TCP_TIMESTAMPS_LEN = 12, /* with two NOPs before it, as RFC 7323 appendix A has it */
	TCP_TIMESTAMPS_ALIGNED = 0x0101080a, /* these, kind and length */
	TCP_SACK_MAX = 4,	 /* blocks that fit the option space without timestamps */
	TCP_LEN_MAX = 65535,	 /* of a whole segment: IP counts in 16 bits */
};

/* Bytes from `start` up to, not including, `end`. */
struct tcp_range {
	uint32_t start, end;
};

/* Header fields, in host order. */
struct tcp_header {
	uint16_t source_port, destination_port;
	uint32_t seq, ack;
	uint16_t window; /* as on the wire, not scaled */
	uint8_t flags;
	bool has_timestamps;
	uint32_t ts_value, ts_echo;
	uint8_t n_sack;
	struct tcp_range sack[TCP_SACK_MAX]; /* of which n_sack are set */
};

/* A segment that came. The payload stays where it lies. */
struct tcp_segment {
	struct tcp_header header;
	bool congestion_experienced; /* the IP header's ECN field was CE */
	uint8_t *payload;
	uint32_t payload_len;
};

/*
 * 0; -EBADMSG when lengths of header or options contradict each other. `bytes`: TCP header and payload. Options that
 * an established connection has no use for are skipped.
 */
int tcp_segment_parse(uint8_t *bytes, size_t len, struct tcp_segment *segment);

/* Bytes that the header takes. With timestamps, at most three SACK blocks fit. */
uint32_t tcp_header_len(const struct tcp_header *header);

/* Writes the header, checksum zero, and returns its length. */
uint32_t tcp_header_write(const struct tcp_header *header, uint8_t wire[TCP_HEADER_MAX]);

/*
 * All of it but SACK blocks, of a header of `len` bytes, eight at a time, as tcp_departure wants it read. Returns what
 * is behind it.
 */
static inline uint8_t *tcp_header_write_fixed(const struct tcp_header *header, uint32_t len, uint8_t *wire)
{
	uint64_t ports = (uint64_t)header->source_port << 16 | header->destination_port;
	uint64_t first = htobe64(ports << 32 | header->seq);
	uint64_t second =
		htobe64((uint64_t)header->ack << 32 | len / 4 << 28 | (uint32_t)header->flags << 16 | header->window);
	uint64_t third = htobe64(TCP_TIMESTAMPS_ALIGNED); /* behind a checksum and an urgent pointer that are zero */
	uint64_t fourth = htobe64((uint64_t)header->ts_value << 32 | header->ts_echo);

	memcpy(wire, &first, sizeof(first));
	memcpy(wire + sizeof(first), &second, sizeof(second));
	wire += 2 * sizeof(first);
	if (!header->has_timestamps) {
		memset(wire, 0, sizeof(uint32_t));
		return wire + sizeof(uint32_t);
	}
	memcpy(wire, &third, sizeof(third));
	memcpy(wire + sizeof(third), &fourth, sizeof(fourth));
	return wire + 2 * sizeof(third);
}

/*
 * The checksum over pseudo-header, header and payload (RFC 9293 section 3.1; RFC 8200 section 8.1), in network order,
 * to be stored at offset 16. Addresses are 4 or 16 bytes. Over a whole segment that came, header and payload in one or
 * two parts, it is 0 when it holds. header_len is even.
 */
uint16_t tcp_checksum(const void *source, const void *destination, size_t address_len, const uint8_t *header,
	size_t header_len, const uint8_t *payload, size_t payload_len);
enum { TCP_CHECKSUM_OFFSET = 16 };

/* The same over the pseudo-header alone, of a segment of `len` bytes. */
uint16_t tcp_checksum_pseudo(const void *source, const void *destination, size_t address_len, size_t len);
