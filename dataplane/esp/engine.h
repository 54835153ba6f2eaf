/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to the crypto library, inside the ESP module: what a thread's engine and an expanded key hold, and the few
 * functions that gcm.c and jobs.c offer to key.c, seal.c and open.c. Another engine replaces these two files, hmac.c
 * and these structs; layout, callers and tests stay. Here it is Intel IPsec-MB, once for each set of processor
 * instructions that is the fastest at something (choice.h).
 */
#pragma once

#include "esp/choice.h"
#include "esp/esp.h"

#include <intel-ipsec-mb.h>

enum { ICV_MAX = 32, NONCE_LEN = 12, AAD_MAX = 12 };

/* What a job points to besides packet and key. */
struct engine_scratch {
	uint8_t tag[ICV_MAX];	   /* open: what the ICV has to be */
	uint8_t received[ICV_MAX]; /* open: what it is, out of the way of the number's high half */
	uint8_t nonce[NONCE_LEN];
	uint8_t aad[AAD_MAX];
};

/* State of one thread. No packet's data stays in it between two bursts, only what a tag or counter block tells. */
struct esp_engine {
	IMB_MGR *managers[ARCH_VAES]; /* NULL where no class of suites needs it */
	struct choice choice;
	IMB_JOB *jobs[ESP_BURST_MAX];
	struct engine_scratch scratch[ESP_BURST_MAX];
	struct gcm_context_data gcm;
};

/*
 * A key's head stands in its midst, at the same place for all: gcm_vaes.c's packets begin and end the nearer to it, the
 * shorter they are and the shorter the key is. What they need is one piece, and the rest is not fetched.
 */
enum { KEY_HEAD_AT = ESP_KEY_HEAD_AT, KEY_HEAD_LEN = 16, GCM_VAES_POWERS = 16 };

struct gcm_vaes_key {
	uint8_t powers[GCM_VAES_POWERS][16]; /* of H, from the highest down to H itself */
	uint8_t head[KEY_HEAD_LEN];
	uint8_t round_keys[15][16];
};
_Static_assert(sizeof(struct gcm_vaes_key) == 512, "compact");

struct job_key {
	/* 16-byte aligned by the library's wish. Both schedules: one key type serves both directions. */
	uint8_t decrypt[KEY_HEAD_AT] __attribute__((aligned(16)));
	uint8_t head[KEY_HEAD_LEN];
	uint8_t encrypt[15 * 16]; /* of ChaCha20: the key itself */
	uint8_t inner[64] __attribute__((aligned(16))); /* the hash's state after key ^ ipad, RFC 2104 section 4 */
	uint8_t outer[64] __attribute__((aligned(16)));
};

struct library_gcm_key {
	uint8_t unused[KEY_HEAD_AT];
	uint8_t head[KEY_HEAD_LEN];
	/* Larger than what most of the library's implementations use: esp_key_size. */
	struct gcm_key_data data __attribute__((aligned(16)));
};

/* The function pairs that work on packets; a key knows its own, so that no packet asks its suite. */
enum way {
	WAY_JOBS, /* and as many more as the library has managers */
	WAY_GCM = WAY_JOBS + ARCH_VAES,
	WAY_GCM_VAES,
	WAY_COUNT,
};

struct esp_key {
	union {
		struct {
			uint8_t before[KEY_HEAD_AT];
			/* The head. */
			uint8_t salt[4]; /* first: gcm_vaes.c loads it as the start of a block */
			uint8_t suite; /* a number, not a pointer: keys may lie where another process maps them elsewhere */
			bool extended; /* 64-bit sequence numbers, RFC 4303 section 2.2.1 */
			uint8_t way;   /* enum way */
			uint8_t rounds; /* of AES */
			/* Of the suite, what every packet's layout asks for. */
			uint8_t front_len;
			uint8_t iv_len;
			uint8_t icv_len;
			uint8_t block_mask; /* block_len - 1 */
			uint8_t unused[4];
		};
		struct gcm_vaes_key gcm_vaes;
		struct job_key job;
		struct library_gcm_key gcm;
	};
} __attribute__((aligned(ESP_KEY_ALIGN)));
_Static_assert(
	offsetof(struct esp_key, front_len) == ESP_KEY_LENS_AT + offsetof(struct esp_key_lens, front_len) &&
		offsetof(struct esp_key, icv_len) == ESP_KEY_LENS_AT + offsetof(struct esp_key_lens, icv_len) &&
		offsetof(struct esp_key, block_mask) == ESP_KEY_LENS_AT + offsetof(struct esp_key_lens, block_mask),
	"they stand where others read them");
_Static_assert(offsetof(struct esp_key, unused) + 4 == KEY_HEAD_AT + KEY_HEAD_LEN, "the head is as long as its places");

/* Packets of a burst that go the same way. */
struct engine_batch {
	size_t count;
	struct esp_packet *packets[ESP_BURST_MAX];
};

/* A burst, sorted: AES-GCM is called packet by packet or is our own, all else is a job for the manager of its class. */
struct engine_batches {
	struct engine_batch ways[WAY_COUNT];
};

/* An engine with the managers that the choice names; NULL with errno as of esp_engine_new. */
struct esp_engine *engine_make(const struct choice *choice);

static inline void engine_batches_clear(struct engine_batches *batches)
{
	for (size_t way = 0; way < WAY_COUNT; way++)
		batches->ways[way].count = 0;
}

/* Fetches all that packets may read of a key that is not gcm_vaes.c's. */
void engine_fetch_whole_key(const struct esp_key *key);

/*
 * Fetches what is read of a packet's key besides its head. Of gcm_vaes.c's it is what lies next to that, five lines in
 * all for a short packet: memory that is fetched for nothing is what many sessions would feel most.
 */
static inline void engine_fetch_key(const struct esp_packet *packet)
{
	enum { FEW_POWERS = 8, FEW_POWERS_LEN = FEW_POWERS * 16 };
	const char *head = (const char *)packet->key + KEY_HEAD_AT;

	if (packet->key->way != WAY_GCM_VAES) {
		engine_fetch_whole_key(packet->key);
		return;
	}
	/* One by one: as a loop it would be a good part of what a short packet costs. */
	__builtin_prefetch(head + ESP_KEY_ALIGN);
	__builtin_prefetch(head + 2 * ESP_KEY_ALIGN);
	__builtin_prefetch(head - ESP_KEY_ALIGN);
	__builtin_prefetch(head - 2 * ESP_KEY_ALIGN);
	/* To open a packet up to this length no more powers are needed, to seal it from 95 bytes on some of them are. */
	if (packet->len > FEW_POWERS_LEN) {
		__builtin_prefetch(head - 3 * ESP_KEY_ALIGN);
		__builtin_prefetch(head - 4 * ESP_KEY_ALIGN);
	}
	if (packet->key->rounds > 10)
		__builtin_prefetch(head + 3 * ESP_KEY_ALIGN);
}

/* Who works on a batch says so at each packet: the key of one further on is fetched. Those of the first few are. */
enum { KEYS_AHEAD = 8 };
static inline void engine_batch_fetch(const struct engine_batch *batch, size_t i)
{
	if (i + KEYS_AHEAD < batch->count)
		engine_fetch_key(batch->packets[i + KEYS_AHEAD]);
}

static inline void engine_batches_add(struct engine_batches *batches, struct esp_packet *packet)
{
	struct engine_batch *batch = &batches->ways[packet->key->way];

	if (batch->count < KEYS_AHEAD)
		engine_fetch_key(packet);
	batch->packets[batch->count++] = packet;
}

/* The manager for a suite, never NULL; of AES-GCM of our own, one that expands AES keys. */
IMB_MGR *engine_manager(const struct esp_engine *engine, const struct esp_suite *suite);

/* The bytes in front of the nonce's or counter's explicit part: RFC 4106 section 4, RFC 7634 section 2, RFC 3686. */
void engine_make_nonce(const struct esp_key *key, const uint8_t *iv, uint8_t *nonce);

/*
 * What combined modes authenticate besides the payload: SPI and sequence number, with an extended one all 64 bits of it
 * (RFC 4106 section 5, RFC 7634 section 2.1). Returns the length, at most AAD_MAX.
 */
size_t engine_make_aad(const struct esp_packet *packet, uint8_t *aad);

/* Compares ICVs in a time that does not depend on where they differ. */
static inline bool engine_icv_equal(const uint8_t *a, const uint8_t *b, size_t icv_len)
{
	uint8_t difference = 0;

	for (size_t i = 0; i < icv_len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

/* Fill the part of `key` that belongs to the mode from key material of the suite's length. */
void gcm_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key);
void jobs_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key);
void hmac_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *auth_key, struct job_key *key);

/*
 * Work in place on packets of the mode whose layout is checked. Each status becomes ESP_OK or ESP_FAILED, and for open
 * ESP_BAD_ICV; what open left in the buffer of a bad packet is garbage.
 */
void gcm_seal(struct esp_engine *engine, const struct engine_batch *batch);
void gcm_open(struct esp_engine *engine, const struct engine_batch *batch);
void jobs_seal(struct esp_engine *engine, IMB_MGR *manager, const struct engine_batch *batch);
void jobs_open(struct esp_engine *engine, IMB_MGR *manager, const struct engine_batch *batch);
