/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/segment.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

/* Option kinds and lengths (RFC 9293 section 3.2, RFC 7323 section 3.2, RFC 2018 section 3). */
enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_SACK = 5,
	OPTION_TIMESTAMPS = 8,
	OPTION_HEAD_LEN = 2,
	OPTION_TIMESTAMPS_LEN = 10,
	SACK_BLOCK_LEN = 8,
};
_Static_assert((OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_TIMESTAMPS << 8 | OPTION_TIMESTAMPS_LEN) ==
		       TCP_TIMESTAMPS_ALIGNED,
	"two NOPs, kind, length");

static uint16_t read16(const uint8_t *bytes)
{
	uint16_t wire;

	memcpy(&wire, bytes, sizeof(wire));
	return be16toh(wire);
}

static uint32_t read32(const uint8_t *bytes)
{
	uint32_t wire;

	memcpy(&wire, bytes, sizeof(wire));
	return be32toh(wire);
}

static uint8_t *write32(uint8_t *bytes, uint32_t value)
{
	uint32_t wire = htobe32(value);

	memcpy(bytes, &wire, sizeof(wire));
	return bytes + sizeof(wire);
}

/* One option, kind and length byte included. False: its length is none that its kind can have. */
static bool parse_option(const uint8_t *option, size_t len, struct tcp_header *header)
{
	if (option[0] == OPTION_TIMESTAMPS) {
		if (len != OPTION_TIMESTAMPS_LEN)
			return false;
		header->has_timestamps = true;
		header->ts_value = read32(option + 2);
		header->ts_echo = read32(option + 6);
	} else if (option[0] == OPTION_SACK) {
		if ((len - OPTION_HEAD_LEN) % SACK_BLOCK_LEN != 0 || len == OPTION_HEAD_LEN)
			return false;
		header->n_sack = 0;
		for (size_t at = OPTION_HEAD_LEN; at < len; at += SACK_BLOCK_LEN)
			header->sack[header->n_sack++] =
				(struct tcp_range){.start = read32(option + at), .end = read32(option + at + 4)};
	}
	return true;
}

/* The option space is at most 40 bytes, so a SACK option has at most four blocks. */
static bool parse_options(const uint8_t *options, size_t len, struct tcp_header *header)
{
	size_t at = 0;

	/* As RFC 7323 appendix A recommends, and nearly every segment has it. */
	if (len == TCP_TIMESTAMPS_LEN && read32(options) == TCP_TIMESTAMPS_ALIGNED)
		return parse_option(options + 2, OPTION_TIMESTAMPS_LEN, header);
	while (at < len && options[at] != OPTION_END) {
		size_t option_len;

		if (options[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (len - at < OPTION_HEAD_LEN)
			return false;
		option_len = options[at + 1];
		if (option_len < OPTION_HEAD_LEN || option_len > len - at ||
			!parse_option(options + at, option_len, header))
			return false;
		at += option_len;
	}
	return true;
}

int tcp_segment_parse(uint8_t *bytes, size_t len, struct tcp_segment *segment)
{
	struct tcp_header *header = &segment->header;
	size_t header_len;

	if (len < TCP_HEADER_LEN || len > TCP_LEN_MAX)
		return -EBADMSG;
	header_len = (size_t)(bytes[12] >> 4) * 4;
	if (header_len < TCP_HEADER_LEN || header_len > len)
		return -EBADMSG;
	/* One by one: n_sack tells how much of `sack` there is, and to clear the rest costs more than all of this. */
	header->source_port = read16(bytes);
	header->destination_port = read16(bytes + 2);
	header->seq = read32(bytes + 4);
	header->ack = read32(bytes + 8);
	header->window = read16(bytes + 14);
	header->flags = bytes[13];
	header->has_timestamps = false;
	header->ts_value = header->ts_echo = 0;
	header->n_sack = 0;
	segment->congestion_experienced = false;
	segment->payload = bytes + header_len;
	segment->payload_len = (uint32_t)(len - header_len);
	return parse_options(bytes + TCP_HEADER_LEN, header_len - TCP_HEADER_LEN, header) ? 0 : -EBADMSG;
}

uint32_t tcp_header_len(const struct tcp_header *header)
{
	uint32_t len = TCP_HEADER_LEN;

	if (header->has_timestamps)
		len += TCP_TIMESTAMPS_LEN;
	if (header->n_sack > 0)
		len += 2 + OPTION_HEAD_LEN + header->n_sack * (uint32_t)SACK_BLOCK_LEN;
	return len;
}

uint32_t tcp_header_write(const struct tcp_header *header, uint8_t wire[TCP_HEADER_MAX])
{
	uint32_t len = tcp_header_len(header);
	uint8_t *at = tcp_header_write_fixed(header, len, wire);

	if (header->n_sack > 0) {
		at = write32(at, OPTION_NOP << 24 | OPTION_NOP << 16 | OPTION_SACK << 8 |
					 (OPTION_HEAD_LEN + header->n_sack * (uint32_t)SACK_BLOCK_LEN));
		for (size_t i = 0; i < header->n_sack; i++) {
			at = write32(at, header->sack[i].start);
			at = write32(at, header->sack[i].end);
		}
	}
	return len;
}

/* RFC 1071, two 16-bit words at a time; carries gather in the upper half, and 2^32 additions fit there. */
static uint64_t checksum_add(uint64_t sum, const uint8_t *bytes, size_t len)
{
	uint32_t word;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, bytes, len);
		sum += word;
	}
	return sum;
}

#ifdef __x86_64__
enum { VECTOR_LEN = 32, VECTOR_WORDS = VECTOR_LEN / 2, WORD_BIAS = 0x8000 };

/*
 * The same for whole vectors: an instruction adds neighbouring words, but takes them for signed ones; so each loses what
 * makes it that, and gets it back at the end. A sum of 32 bits holds more of them than a segment has.
 */
__attribute__((target("avx2"))) static uint64_t checksum_add_vectors(uint64_t sum, const uint8_t *bytes, size_t count)
{
	const __m256i bias = _mm256_set1_epi16((short)WORD_BIAS), ones = _mm256_set1_epi16(1);
	__m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
	int32_t parts[VECTOR_LEN / sizeof(int32_t)];
	int64_t total = (int64_t)count * VECTOR_WORDS * WORD_BIAS;

	for (size_t i = 0; i < count; i++) {
		__m256i words = _mm256_loadu_si256((const __m256i *)(bytes + i * VECTOR_LEN));

		words = _mm256_madd_epi16(_mm256_xor_si256(words, bias), ones);
		sums[i & 1] = _mm256_add_epi32(sums[i & 1], words);
	}
	_mm256_storeu_si256((__m256i *)parts, _mm256_add_epi32(sums[0], sums[1]));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		total += parts[i];
	return sum + (uint64_t)total;
}

/* On ports that have no checksum offload, each byte of each segment passes here. */
static uint64_t checksum_add_payload(uint64_t sum, const uint8_t *bytes, size_t len)
{
	size_t count = len / VECTOR_LEN;

	if (count > 0 && __builtin_cpu_supports("avx2")) {
		sum = checksum_add_vectors(sum, bytes, count);
		bytes += count * VECTOR_LEN;
		len -= count * VECTOR_LEN;
	}
	return checksum_add(sum, bytes, len);
}
#else
static uint64_t checksum_add_payload(uint64_t sum, const uint8_t *bytes, size_t len)
{
	return checksum_add(sum, bytes, len);
}
#endif

static uint64_t checksum_add_pseudo(
	uint64_t sum, const void *source, const void *destination, size_t address_len, size_t len)
{
	sum += htobe32((uint32_t)len);
	sum += htobe32(IPPROTO_TCP);
	sum = checksum_add(sum, source, address_len);
	return checksum_add(sum, destination, address_len);
}

static uint16_t checksum_end(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t tcp_checksum_pseudo(const void *source, const void *destination, size_t address_len, size_t len)
{
	return checksum_end(checksum_add_pseudo(0, source, destination, address_len, len));
}

uint16_t tcp_checksum(const void *source, const void *destination, size_t address_len, const uint8_t *header,
	size_t header_len, const uint8_t *payload, size_t payload_len)
{
	uint64_t sum = checksum_add_pseudo(0, source, destination, address_len, header_len + payload_len);

	sum = checksum_add_payload(sum, header, header_len);
	return checksum_end(checksum_add_payload(sum, payload, payload_len));
}
