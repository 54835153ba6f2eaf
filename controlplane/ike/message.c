/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/message.h"

#include <errno.h>
#include <string.h>

void message_begin(struct builder *builder, const struct ike_sa *sa, uint8_t exchange, uint32_t message_id)
{
	struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1, .exchange = exchange};

	memcpy(hdr.initiator_cookie, sa->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(hdr.responder_cookie, sa->responder_cookie, IKE_COOKIE_LEN);
	bytes_put32(hdr.message_id, message_id);
	builder_begin(builder, sa->ike->out, sizeof(sa->ike->out), &hdr);
}

void message_begin_hashed(struct builder *builder, const struct ike_sa *sa, uint8_t exchange, uint32_t message_id)
{
	static const uint8_t room[PRF_LEN_MAX];

	message_begin(builder, sa, exchange, message_id);
	builder_add(builder, ISAKMP_HASH, room, sa->keys.prf_len);
}

int message_seal_hashed(
	struct builder *builder, const struct ike_sa *sa, uint32_t message_id, struct bytes nonce_i, uint8_t *iv)
{
	size_t hash_at = sizeof(struct isakmp_hdr) + sizeof(struct payload_hdr);
	size_t rest_at = hash_at + sa->keys.prf_len;
	int rc;

	if (builder->failed)
		return -EMSGSIZE;
	rc = keymat_hash2(&sa->keys, message_id, nonce_i, bytes_of(builder->data + rest_at, builder->len - rest_at),
		builder->data + hash_at);
	return rc < 0 ? rc : message_encrypt(builder, sa, iv);
}

int message_encrypt(struct builder *builder, const struct ike_sa *sa, uint8_t *iv)
{
	static const uint8_t padding[CIPHER_BLOCK_MAX];
	size_t hdr_len = sizeof(struct isakmp_hdr), block = sa->keys.block_len;
	int rc;

	builder_put(builder, padding, (block - (builder->len - hdr_len) % block) % block);
	rc = builder_finish(builder);
	if (rc < 0)
		return rc;
	builder->data[offsetof(struct isakmp_hdr, flags)] |= ISAKMP_FLAG_ENCRYPTED;
	return cipher_run(sa->keys.cipher, bytes_of(sa->keys.key, sa->keys.key_len), true, iv, builder->data + hdr_len,
		builder->len - hdr_len);
}

int message_open(
	struct v1_message *message, const struct keymat *keys, uint8_t *iv, const char **why, bool *undecryptable)
{
	const struct isakmp_hdr *hdr = message->hdr;
	struct bytes body = bytes_of(hdr + 1, message->datagram.len - sizeof(*hdr));
	struct payload_list *list = &message->payloads;
	size_t padding;

	*undecryptable = message->encrypted;
	if (message->encrypted) {
		memcpy(message->ike->plain, body.data, body.len);
		body.data = message->ike->plain;
		if (cipher_run(keys->cipher, bytes_of(keys->key, keys->key_len), false, iv, message->ike->plain,
			    body.len) < 0) {
			*why = "the encrypted part is no multiple of the cipher's block";
			*undecryptable = false;
			return -EBADMSG;
		}
	}
	if (payload_parse(hdr->version, hdr->next_payload, body, list, why) < 0)
		return -EBADMSG;
	/* RFC 2409 appendix B pads to the block; some pad by more, as far as one byte can count. */
	padding = body.len - list->used;
	if (padding > (message->encrypted ? 255u : 0u)) {
		*why = "bytes follow the last payload";
		return -EBADMSG;
	}
	if (hdr->next_payload == ISAKMP_HASH) {
		size_t hash_len = sizeof(struct payload_hdr) + list->items[0].body.len;

		message->rest = bytes_of(body.data + hash_len, list->used - hash_len);
	}
	return 0;
}
