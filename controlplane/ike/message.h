/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of one IKE SA, from header to datagram and back: begun in the engine's buffer, proved and encrypted for
 * phase 2 (RFC 2409 sections 4.1, 5.5 and appendix B), opened when they arrive.
 */
#pragma once

#include "ike/builder.h"
#include "ike/ike_sa.h"

/* Begins a message of this SA in the engine's buffer; its message ID is `message_id`. */
void message_begin(struct builder *builder, const struct ike_sa *sa, uint8_t exchange, uint32_t message_id);

/* Begins one of phase 2: leaves room for the hash payload, which comes first. */
void message_begin_hashed(struct builder *builder, const struct ike_sa *sa, uint8_t exchange, uint32_t message_id);

/*
 * Fills in HASH(1), or HASH(2) where `nonce_i` is not empty, over what follows the hash payload, then encrypts. `iv`
 * moves on. 0 or negative errno.
 */
int message_seal_hashed(
	struct builder *builder, const struct ike_sa *sa, uint32_t message_id, struct bytes nonce_i, uint8_t *iv);

/* Pads with zeros, encrypts what follows the header, sets flag and length. `iv` moves on. 0 or negative errno. */
int message_encrypt(struct builder *builder, const struct ike_sa *sa, uint8_t *iv);

/*
 * Decrypts with these keys (where it is encrypted; else NULL will do) and parses message->payloads; `iv` moves on. 0;
 * -EBADMSG with a sentence in *why, and *undecryptable when the key, not the sender's hand, is the likelier reason.
 */
int message_open(
	struct v1_message *message, const struct keymat *keys, uint8_t *iv, const char **why, bool *undecryptable);
