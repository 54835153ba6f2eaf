/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP over flat buffers (RFC 4303): header, IV, padding, trailer and ICV around a payload, and off again, a burst at a
 * time. Knows no packet memory, no lookup, no sequence counter and no replay window: the caller has taken the numbers
 * and checks the window (esp/replay.h). The same code serves workers, kernel-socket clients, tests and fuzzers.
 * Suites: those of tables/suite.h, each with 32-bit or extended sequence numbers.
 */
#pragma once

#include "tables/crypto.h"
#include "tables/suite.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
	ESP_BURST_MAX = 64,
	ESP_LEN_MAX = 65534, /* the longest ESP packet, SPI to ICV: the crypto library counts in 16 bits */
};

/* What became of one packet of a burst. */
enum esp_status {
	ESP_OK = 0,
	ESP_TOO_SHORT,	/* open: no room for header, IV, one block and ICV */
	ESP_BAD_LENGTH, /* open: the ciphertext is no multiple of the block */
	ESP_BAD_ICV,	/* open: not authentic */
	ESP_BAD_PAD, /* open: authentic, but the pad length exceeds the payload or the pad bytes are not 1, 2, 3 ... */
	ESP_NO_ROOM, /* seal: too little room before or behind the payload */
	ESP_FAILED,  /* the crypto library refused the job, or would: longer than ESP_LEN_MAX */
};

/* The crypto library's state of one thread (an IPsec-MB manager). Never shared. */
struct esp_engine;

/*
 * NULL with errno (ENOMEM, ENOTSUP without AES-NI). The first call of a process takes some 20 ms more to find out which
 * instructions are the fastest here; all engines of the process then use the same.
 */
struct esp_engine *esp_engine_new(void);

/*
 * The same, but with instructions that the caller names for AES-GCM and for all other suites instead of the fastest;
 * NULL: these. Names are "sse", "avx", "avx2" and "avx512", which are the library's, and for AES-GCM alone "vaes", our
 * own. ENOTSUP too where the processor lacks one.
 */
struct esp_engine *esp_engine_new_configured(const char *gcm, const char *others);

/* Without a measurement, on one of these; with "vaes", the rest on the widest of the library's. */
struct esp_engine *esp_engine_new_on(const char *instructions);
void esp_engine_free(struct esp_engine *engine);

/* Is that one of these names, and does this processor have what it needs? */
bool esp_engine_can(const char *instructions);

/* What serves a suite, and what was measured of each implementation. */
void esp_engine_describe(const struct esp_engine *engine, uint32_t suite, struct crypto_choice *description);

/*
 * The expanded key of one direction of one SA: round keys, GHASH tables, HMAC inner and outer state. Read-only once
 * made, shared by all threads whose engines were made the same way.
 */
struct esp_key;

/* sizeof and alignment for those who place keys themselves (arrays in huge pages). */
size_t esp_key_size(void);
enum { ESP_KEY_ALIGN = 64 };

/*
 * Fetches what esp_seal and esp_open read first of a packet's key; for a burst, a step ahead. The rest they fetch a few
 * packets ahead of their work: a processor has some twenty fetches under way, and five or more a packet for a whole
 * burst at once would be waited for.
 */
enum { ESP_KEY_HEAD_AT = 256, ESP_KEY_LENS_AT = ESP_KEY_HEAD_AT + 8 };
static inline void esp_key_prefetch(const struct esp_key *key)
{
	__builtin_prefetch((const char *)key + ESP_KEY_HEAD_AT);
}

/*
 * Expands `keymat` (esp_suite_keymat_len bytes in the order of tables/suite.h) into `key`, esp_key_size bytes aligned
 * to ESP_KEY_ALIGN. `extended`: the SA has 64-bit sequence numbers (RFC 4303 section 2.2.1), whose high half is part of
 * every ICV. 0; -EINVAL for an unknown suite or another length. The caller wipes keymat.
 */
int esp_key_expand(struct esp_engine *engine, uint32_t suite, bool extended, const uint8_t *keymat, size_t keymat_len,
	struct esp_key *key);
void esp_key_wipe(struct esp_key *key);
bool esp_key_extended(const struct esp_key *key);
/* NULL once wiped; such a key must not come with a packet any more. */
const struct esp_suite *esp_key_suite(const struct esp_key *key);

/*
 * One packet of a burst, for both directions. `data` moves: seal turns payload into ESP packet, open the reverse.
 *   seal  in: data, len = the payload; headroom before it, tailroom behind it; spi, sequence, next_header
 *         out: data, len = the ESP packet, SPI first
 *   open  in: data, len = the ESP packet, SPI first
 *             with an extended key: sequence = the 64-bit number that replay_infer (esp/replay.h) makes of the packet's
 *             32 bits. A wrong high half is a bad ICV. With any other key, it is not looked at.
 *         out: data, len = the payload; next_header. Nothing of the payload is to be used unless status is ESP_OK.
 * The explicit IV is the 64-bit sequence number (all counter modes) or its encryption (CBC, NIST SP 800-38A appendix
 * C): an SA's numbers must never repeat under one key.
 */
struct esp_packet {
	const struct esp_key *key;
	uint8_t *data;
	uint32_t len;
	uint16_t headroom, tailroom;
	uint32_t spi;	   /* host order */
	uint64_t sequence; /* in; the low 32 bits go on the wire */
	uint8_t next_header;
	uint8_t status; /* enum esp_status; out */
	void *owner;	/* the caller's; not touched */
};

/*
 * Work on a whole burst (count at most ESP_BURST_MAX) and set each packet's status. Return how many are ESP_OK; their
 * order does not change. One bad packet never touches the others.
 */
size_t esp_seal(struct esp_engine *engine, struct esp_packet *packets, size_t count);
size_t esp_open(struct esp_engine *engine, struct esp_packet *packets, size_t count);

/* Of the suite, what every packet's layout asks for; at ESP_KEY_LENS_AT of a key. */
struct esp_key_lens {
	uint8_t front_len, iv_len, icv_len, block_mask; /* block_len - 1 */
};

/* What seal makes of a payload of so many bytes: a packet of `len`, of which `front_len` lie before the payload. */
struct esp_extent {
	uint32_t front_len, len;
};
static inline struct esp_extent esp_seal_extent(const struct esp_key *key, uint32_t payload_len)
{
	const struct esp_key_lens *lens = (const struct esp_key_lens *)((const uint8_t *)key + ESP_KEY_LENS_AT);
	uint32_t pad_len = -(payload_len + ESP_TRAILER_LEN) & lens->block_mask;

	return (struct esp_extent){.front_len = lens->front_len,
		.len = lens->front_len + payload_len + pad_len + ESP_TRAILER_LEN + lens->icv_len};
}

/* Bytes that seal adds to a payload of payload_len bytes, and how many of them lie before it. */
size_t esp_overhead(const struct esp_suite *suite, size_t payload_len);

/* The longest payload, in bytes, whose sealed packet is no longer than `esp_len`; 0: none. */
uint32_t esp_payload_max(const struct esp_suite *suite, uint32_t esp_len);
static inline size_t esp_front_len(const struct esp_suite *suite)
{
	return ESP_HDR_LEN + (size_t)suite->iv_len;
}

/* The two fields of an ESP packet's header, host order; the packet has at least ESP_HDR_LEN bytes. */
static inline uint32_t esp_read_spi(const uint8_t *esp)
{
	uint32_t wire;

	memcpy(&wire, esp, sizeof(wire));
	return be32toh(wire);
}

static inline uint32_t esp_read_sequence(const uint8_t *esp)
{
	return esp_read_spi(esp + sizeof(uint32_t));
}

const char *esp_status_name(enum esp_status status);
