/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-CBC with HMAC in ESP (RFC 3602 with RFC 2404 or RFC 4868): encrypt, then authenticate. Neither CBC encryption nor
 * a hash is parallel inside one packet, so whole bursts go to the library, which interleaves the packets in its lanes.
 */
#include "esp/engine.h"
#include "esp/layout.h"

#include <string.h>

enum { CBC_KEY_256 = 32, SHA1_KEY_LEN = 20, HMAC_BLOCK_LEN = 64 };

/* RFC 2104 section 4: the hash's state after the first block depends on the key alone. */
static void cbc_hmac_expand_pad(struct esp_engine *engine, const struct esp_suite *suite, const uint8_t *auth_key,
	uint8_t filler, uint8_t *state)
{
	uint8_t block[HMAC_BLOCK_LEN];

	memset(block, filler, sizeof(block));
	for (size_t i = 0; i < suite->auth_key_len; i++)
		block[i] ^= auth_key[i];
	if (suite->auth_key_len == SHA1_KEY_LEN)
		IMB_SHA1_ONE_BLOCK(engine->manager, block, state);
	else
		IMB_SHA256_ONE_BLOCK(engine->manager, block, state);
	explicit_bzero(block, sizeof(block));
}

void cbc_hmac_expand(
	struct esp_engine *engine, const struct esp_suite *suite, const uint8_t *keymat, struct esp_key *key)
{
	const uint8_t *auth_key = keymat + suite->key_len;
	struct cbc_hmac_key *expanded = &key->cbc_hmac;

	if (suite->key_len == CBC_KEY_256)
		IMB_AES_KEYEXP_256(engine->manager, keymat, expanded->encrypt, expanded->decrypt);
	else
		IMB_AES_KEYEXP_128(engine->manager, keymat, expanded->encrypt, expanded->decrypt);
	cbc_hmac_expand_pad(engine, suite, auth_key, 0x36, expanded->inner);
	cbc_hmac_expand_pad(engine, suite, auth_key, 0x5c, expanded->outer);
}

/* What both directions share. The library keeps old jobs, so every field that it reads is set. */
static void cbc_hmac_fill(IMB_JOB *job, struct esp_packet *packet, const struct esp_suite *suite)
{
	const struct cbc_hmac_key *key = &packet->key->cbc_hmac;

	job->user_data = packet;
	job->src = packet->data;
	job->enc_keys = key->encrypt;
	job->dec_keys = key->decrypt;
	job->key_len_in_bytes = suite->key_len;
	job->cipher_mode = IMB_CIPHER_CBC;
	job->iv_len_in_bytes = suite->iv_len;
	job->hash_alg = suite->auth_key_len == SHA1_KEY_LEN ? IMB_AUTH_HMAC_SHA_1 : IMB_AUTH_HMAC_SHA_256;
	job->u.HMAC._hashed_auth_key_xor_ipad = key->inner;
	job->u.HMAC._hashed_auth_key_xor_opad = key->outer;
	/* RFC 4303 section 2.8: the ICV covers all that stands before it. */
	job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_hash_in_bytes = packet->len - suite->icv_len;
	job->auth_tag_output_len_in_bytes = suite->icv_len;
}

/*
 * A CBC IV that somebody can foretell lets him test guesses of the plaintext. The block at the IV field holds a nonce,
 * the sequence number; encryption begins with this block and an IV of zero, which leaves E(key, nonce) in the IV field:
 * the first of the two ways of NIST SP 800-38A appendix C. CBC takes that block as the IV of what follows, so the
 * receiver sees an ordinary packet.
 */
static void cbc_hmac_fill_seal(IMB_JOB *job, struct esp_packet *packet)
{
	static const uint8_t zero_iv[16] __attribute__((aligned(16)));
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet, suite);

	cbc_hmac_fill(job, packet, suite);
	job->chain_order = IMB_ORDER_CIPHER_HASH;
	job->cipher_direction = IMB_DIR_ENCRYPT;
	job->iv = zero_iv;
	job->cipher_start_src_offset_in_bytes = ESP_HDR_LEN;
	job->msg_len_to_cipher_in_bytes = suite->iv_len + layout.ciphertext_len;
	job->dst = layout.iv;
	job->auth_tag_output = layout.icv;
}

/* The library decrypts whatever the hash says; cbc_hmac_verify then decides whether that is to be used. */
static void cbc_hmac_fill_open(IMB_JOB *job, struct esp_packet *packet, uint8_t *tag)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet, suite);

	cbc_hmac_fill(job, packet, suite);
	job->chain_order = IMB_ORDER_HASH_CIPHER;
	job->cipher_direction = IMB_DIR_DECRYPT;
	job->iv = layout.iv;
	job->cipher_start_src_offset_in_bytes = esp_front_len(suite);
	job->msg_len_to_cipher_in_bytes = layout.ciphertext_len;
	job->dst = layout.ciphertext;
	job->auth_tag_output = tag;
}

static enum esp_status cbc_hmac_verify(const IMB_JOB *job, const struct esp_packet *packet)
{
	const struct esp_suite *suite = esp_key_suite(packet->key);
	struct layout layout = layout_of(packet, suite);

	return engine_icv_equal(job->auth_tag_output, layout.icv, suite->icv_len) ? ESP_OK : ESP_BAD_ICV;
}

static void cbc_hmac_finish(IMB_JOB *const *jobs, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct esp_packet *packet = jobs[i]->user_data;

		if (jobs[i]->status != IMB_STATUS_COMPLETED)
			continue;
		packet->status =
			jobs[i]->cipher_direction == IMB_DIR_DECRYPT ? cbc_hmac_verify(jobs[i], packet) : ESP_OK;
	}
}

/* Runs engine->jobs to their end: nothing stays in the library's lanes. It overwrites the list with finished ones. */
static void cbc_hmac_run(struct esp_engine *engine, uint32_t count)
{
	uint32_t done = IMB_SUBMIT_BURST(engine->manager, count, engine->jobs);

	cbc_hmac_finish(engine->jobs, done);
	while ((done = IMB_FLUSH_BURST(engine->manager, count, engine->jobs)) > 0)
		cbc_hmac_finish(engine->jobs, done);
}

static void cbc_hmac_work(struct esp_engine *engine, const struct engine_batch *batch, IMB_CIPHER_DIRECTION direction)
{
	size_t count = batch->count;
	struct esp_packet *const *packets = batch->packets;
	uint32_t taken;

	/* Fails closed: only a job that comes back completed turns this into ESP_OK. */
	for (size_t i = 0; i < count; i++)
		packets[i]->status = ESP_FAILED;
	for (; count > 0; packets += taken, count -= taken) {
		/* The library may give fewer than asked for. */
		taken = IMB_GET_NEXT_BURST(engine->manager, (uint32_t)count, engine->jobs);
		if (taken == 0)
			return;
		for (uint32_t i = 0; i < taken; i++) {
			if (direction == IMB_DIR_ENCRYPT)
				cbc_hmac_fill_seal(engine->jobs[i], packets[i]);
			else
				cbc_hmac_fill_open(engine->jobs[i], packets[i], engine->tags[i]);
		}
		cbc_hmac_run(engine, taken);
	}
}

void cbc_hmac_seal(struct esp_engine *engine, const struct engine_batch *batch)
{
	cbc_hmac_work(engine, batch, IMB_DIR_ENCRYPT);
}

void cbc_hmac_open(struct esp_engine *engine, const struct engine_batch *batch)
{
	cbc_hmac_work(engine, batch, IMB_DIR_DECRYPT);
}
