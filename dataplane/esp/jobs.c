/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All suites but AES-GCM: AES-CBC (RFC 3602), AES-CTR (RFC 3686) and no cipher (RFC 2410) with HMAC, and
 * ChaCha20-Poly1305 (RFC 7634). Neither CBC encryption nor a hash is parallel inside one packet, so whole bursts go to
 * the library, which interleaves the packets in its lanes. It is told not to check the jobs: layout.c has.
 */
#include "esp/engine.h"
#include "esp/layout.h"

#include <endian.h>
#include <string.h>

void jobs_expand(IMB_MGR *manager, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key)
{
	struct job_key *expanded = &key->job;

	if (suite->mode == ESP_MODE_CHACHA20_POLY1305) {
		memcpy(expanded->encrypt, keymat, suite->key_len);
		return;
	}
	switch (suite->key_len) {
	case IMB_KEY_128_BYTES: IMB_AES_KEYEXP_128(manager, keymat, expanded->encrypt, expanded->decrypt); break;
	case IMB_KEY_192_BYTES: IMB_AES_KEYEXP_192(manager, keymat, expanded->encrypt, expanded->decrypt); break;
	case IMB_KEY_256_BYTES: IMB_AES_KEYEXP_256(manager, keymat, expanded->encrypt, expanded->decrypt); break;
	}
	hmac_expand(manager, suite, keymat + suite->key_len + suite->salt_len, expanded);
}

/*
 * RFC 4303 sections 2.8 and 2.2.1: the ICV covers all that stands before it, and the high half of an extended number as
 * if it stood there. It is put where the ICV goes, which the hash needs only once it has read everything.
 */
static void jobs_fill_hmac(IMB_JOB *job, const struct esp_packet *packet, const struct layout *layout)
{
	static const IMB_HASH_ALG hashes[ESP_INTEGRITY_COUNT] = {
		[ESP_INTEGRITY_SHA1_96] = IMB_AUTH_HMAC_SHA_1,
		[ESP_INTEGRITY_SHA256_128] = IMB_AUTH_HMAC_SHA_256,
		[ESP_INTEGRITY_SHA384_192] = IMB_AUTH_HMAC_SHA_384,
		[ESP_INTEGRITY_SHA512_256] = IMB_AUTH_HMAC_SHA_512,
	};
	const struct esp_key *key = packet->key;

	job->hash_alg = hashes[esp_key_suite(key)->integrity];
	job->u.HMAC._hashed_auth_key_xor_ipad = key->job.inner;
	job->u.HMAC._hashed_auth_key_xor_opad = key->job.outer;
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = (uint64_t)(layout->icv - packet->data);
	if (key->extended) {
		uint32_t high = htobe32((uint32_t)(packet->sequence >> 32));

		memcpy(layout->icv, &high, sizeof(high));
		job->msg_len_to_hash_in_bytes += sizeof(high);
	}
}

static void jobs_fill_poly1305(IMB_JOB *job, const struct esp_packet *packet, const struct layout *layout, uint8_t *aad)
{
	job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
	job->u.CHACHA20_POLY1305.aad = aad;
	job->u.CHACHA20_POLY1305.aad_len_in_bytes = engine_make_aad(packet, aad);
	job->u.CHACHA20_POLY1305.ctx = NULL;
	job->hash_start_src_offset_in_bytes = (uint64_t)(layout->ciphertext - packet->data);
	job->msg_len_to_hash_in_bytes = layout->ciphertext_len;
}

/* What both directions share. The library keeps old jobs, so every field that it reads is set. */
static void jobs_fill(struct esp_engine *engine, size_t i, struct esp_packet *packet, const struct layout *layout)
{
	static const IMB_CIPHER_MODE ciphers[ESP_MODE_COUNT] = {
		[ESP_MODE_CBC] = IMB_CIPHER_CBC,
		[ESP_MODE_CTR] = IMB_CIPHER_CNTR,
		[ESP_MODE_CHACHA20_POLY1305] = IMB_CIPHER_CHACHA20_POLY1305,
		[ESP_MODE_NULL] = IMB_CIPHER_NULL,
	};
	const struct esp_key *key = packet->key;
	const struct esp_suite *suite = esp_key_suite(key);
	IMB_JOB *job = engine->jobs[i];

	job->user_data = packet;
	job->user_data2 = &engine->scratch[i];
	job->src = packet->data;
	job->dst = layout->ciphertext;
	job->cipher_start_src_offset_in_bytes = (uint64_t)(layout->ciphertext - packet->data);
	job->msg_len_to_cipher_in_bytes = layout->ciphertext_len;
	job->cipher_mode = ciphers[suite->mode];
	job->enc_keys = key->job.encrypt;
	job->dec_keys = suite->mode == ESP_MODE_CHACHA20_POLY1305 ? key->job.encrypt : key->job.decrypt;
	job->key_len_in_bytes = suite->key_len;
	job->auth_tag_output_len_in_bytes = suite->icv_len;
	job->iv = layout->iv;
	job->iv_len_in_bytes = suite->iv_len;
	if (suite->salt_len) {
		/* The library counts blocks behind it from 1: RFC 3686 section 4, RFC 7634 section 2. */
		engine_make_nonce(key, layout->iv, engine->scratch[i].nonce);
		job->iv = engine->scratch[i].nonce;
		job->iv_len_in_bytes = NONCE_LEN;
	}
	if (esp_suite_is_combined(suite))
		jobs_fill_poly1305(job, packet, layout, engine->scratch[i].aad);
	else
		jobs_fill_hmac(job, packet, layout);
}

/*
 * A CBC IV that somebody can foretell lets him test guesses of the plaintext. The block at the IV field holds a nonce,
 * the sequence number; encryption begins with this block and an IV of zero, which leaves E(key, nonce) in the IV field:
 * the first of the two ways of NIST SP 800-38A appendix C. CBC takes that block as the IV of what follows, so the
 * receiver sees an ordinary packet.
 */
static void jobs_encrypt_iv(IMB_JOB *job, const struct layout *layout, size_t iv_len)
{
	static const uint8_t zero_iv[16] __attribute__((aligned(16)));

	job->iv = zero_iv;
	job->cipher_start_src_offset_in_bytes = ESP_HDR_LEN;
	job->msg_len_to_cipher_in_bytes = iv_len + layout->ciphertext_len;
	job->dst = layout->iv;
}

static void jobs_fill_seal(struct esp_engine *engine, size_t i, struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet);
	IMB_JOB *job = engine->jobs[i];

	jobs_fill(engine, i, packet, &layout);
	job->chain_order = IMB_ORDER_CIPHER_HASH;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->auth_tag_output = layout.icv;
	if (suite->mode == ESP_MODE_CBC)
		jobs_encrypt_iv(job, &layout, suite->iv_len);
}

/* The library decrypts whatever the hash says; jobs_finish then decides whether that is to be used. */
static void jobs_fill_open(struct esp_engine *engine, size_t i, struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet);
	IMB_JOB *job = engine->jobs[i];

	memcpy(engine->scratch[i].received, layout.icv, suite->icv_len);
	jobs_fill(engine, i, packet, &layout);
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->cipher_direction = IMB_DIR_DECRYPT;
	job->auth_tag_output = engine->scratch[i].tag;
}

static void jobs_finish(IMB_JOB *const *jobs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct esp_packet *packet = jobs[i]->user_data;
		const struct engine_scratch *scratch = jobs[i]->user_data2;

		if (jobs[i]->status != IMB_STATUS_COMPLETED)
			continue;
		packet->status = ESP_OK;
		if (jobs[i]->cipher_direction == IMB_DIR_DECRYPT &&
			!engine_icv_equal(scratch->tag, scratch->received, esp_key_suite(packet->key)->icv_len))
			packet->status = ESP_BAD_ICV;
	}
}

/* Runs engine->jobs to their end: nothing stays in the library's lanes. It overwrites the list with finished ones. */
static void jobs_run(struct esp_engine *engine, IMB_MGR *manager, uint32_t count)
{
	uint32_t done = IMB_SUBMIT_BURST_NOCHECK(manager, count, engine->jobs);

	jobs_finish(engine->jobs, done);
	while ((done = IMB_FLUSH_BURST(manager, count, engine->jobs)) > 0)
		jobs_finish(engine->jobs, done);
}

static void jobs_work(struct esp_engine *engine, IMB_MGR *manager, const struct engine_batch *batch,
	void (*fill)(struct esp_engine *engine, size_t i, struct esp_packet *packet))
{
	size_t count = batch->count;
	struct esp_packet *const *packets = batch->packets;
	uint32_t taken;

	/* Fails closed: only a job that comes back completed turns this into ESP_OK. */
	for (size_t i = 0; i < count; i++)
		packets[i]->status = ESP_FAILED;
	for (; count > 0; packets += taken, count -= taken) {
		/* The library may give fewer than asked for. */
		taken = IMB_GET_NEXT_BURST(manager, (uint32_t)count, engine->jobs);
		if (taken == 0)
			return;
		for (uint32_t i = 0; i < taken; i++) {
			engine_batch_fetch(batch, batch->count - count + i);
			fill(engine, i, packets[i]);
		}
		jobs_run(engine, manager, taken);
	}
}

void jobs_seal(struct esp_engine *engine, IMB_MGR *manager, const struct engine_batch *batch)
{
	jobs_work(engine, manager, batch, jobs_fill_seal);
}

void jobs_open(struct esp_engine *engine, IMB_MGR *manager, const struct engine_batch *batch)
{
	jobs_work(engine, manager, batch, jobs_fill_open);
}
