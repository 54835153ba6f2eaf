/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/notify.h"

#include "ike/message.h"

#include <string.h>

void notify_write(struct builder *builder, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data)
{
	builder_open(builder, ISAKMP_NOTIFICATION);
	builder_put32(builder, ISAKMP_DOI_IPSEC);
	builder_put8(builder, protocol);
	builder_put8(builder, (uint8_t)spi.len);
	builder_put16(builder, type);
	builder_put(builder, spi.data, spi.len);
	builder_put(builder, data.data, data.len);
	builder_close(builder);
}

/* An informational message under a message ID of its own: its hash and encryption. `base`: the IV of the SA. */
static int notify_seal(struct ike_sa *sa, struct builder *builder, uint32_t message_id, const uint8_t *base)
{
	uint8_t iv[CIPHER_BLOCK_MAX];
	int rc = keymat_iv_phase2(&sa->keys, base, message_id, iv);

	return rc < 0 ? rc : message_seal_hashed(builder, sa, message_id, bytes_of(NULL, 0), iv);
}

void notify_send(struct ike_sa *sa, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data)
{
	notify_send_at(sa, &sa->local, &sa->remote, protocol, type, spi, data);
}

void notify_send_at(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, uint8_t protocol,
	uint16_t type, struct bytes spi, struct bytes data)
{
	uint32_t message_id = ike_sa_new_id(sa);
	struct builder builder;

	if (message_id == 0)
		return;
	message_begin_hashed(&builder, sa, ISAKMP_INFORMATIONAL, message_id);
	notify_write(&builder, protocol, type, spi, data);
	if (notify_seal(sa, &builder, message_id, sa->iv) == 0)
		engine_send_notice(sa->ike, local, remote, builder.data, builder.len, type);
}

static void notify_write_delete(struct builder *builder, uint8_t protocol, struct bytes spi)
{
	builder_open(builder, ISAKMP_DELETE);
	builder_put32(builder, ISAKMP_DOI_IPSEC);
	builder_put8(builder, protocol);
	builder_put8(builder, (uint8_t)spi.len);
	builder_put16(builder, 1);
	builder_put(builder, spi.data, spi.len);
	builder_close(builder);
}

static void notify_delete(struct ike_sa *sa, uint8_t protocol, struct bytes spi)
{
	uint32_t message_id = ike_sa_new_id(sa);
	struct builder builder;

	if (message_id == 0)
		return;
	message_begin_hashed(&builder, sa, ISAKMP_INFORMATIONAL, message_id);
	notify_write_delete(&builder, protocol, spi);
	if (notify_seal(sa, &builder, message_id, sa->iv) == 0)
		engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
}

void notify_delete_child(struct ike_sa *sa, uint32_t spi_in)
{
	uint8_t wire_spi[4];

	bytes_put32(wire_spi, spi_in);
	notify_delete(sa, ISAKMP_PROTO_ESP, bytes_of(wire_spi, sizeof(wire_spi)));
}

void notify_delete_sa(struct ike_sa *sa)
{
	uint8_t cookies[2 * IKE_COOKIE_LEN];

	memcpy(cookies, sa->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(cookies + IKE_COOKIE_LEN, sa->responder_cookie, IKE_COOKIE_LEN);
	notify_delete(sa, ISAKMP_PROTO_ISAKMP, bytes_of(cookies, sizeof(cookies)));
}

void notify_refuse(const struct v1_message *message, uint16_t type)
{
	struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1, .exchange = ISAKMP_INFORMATIONAL};
	struct ike *ike = message->ike;
	struct builder builder;

	memcpy(hdr.initiator_cookie, message->hdr->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(hdr.responder_cookie, message->hdr->responder_cookie, IKE_COOKIE_LEN);
	builder_begin(&builder, ike->out, sizeof(ike->out), &hdr);
	notify_write(&builder, ISAKMP_PROTO_ISAKMP, type, bytes_of(NULL, 0), bytes_of(NULL, 0));
	if (builder_finish(&builder) == 0 && builder.len <= message->datagram.len)
		engine_send_notice(ike, &message->local, &message->remote, builder.data, builder.len, type);
}

/*
 * Who has sent its last message of phase 1 takes the SA for established, and some look at no more than a delete then.
 * The chain of phase 1 has gone on with the message, whether or not it is taken.
 */
static void notify_reject_sealed(const struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	uint32_t message_id = ike_sa_new_id(sa);
	struct bytes cookies = bytes_of(message->hdr, 2 * IKE_COOKIE_LEN);
	struct builder builder;

	if (message_id == 0)
		return;
	message_begin_hashed(&builder, sa, ISAKMP_INFORMATIONAL, message_id);
	notify_write(&builder, ISAKMP_PROTO_ISAKMP, ISAKMP_AUTHENTICATION_FAILED, bytes_of(NULL, 0), bytes_of(NULL, 0));
	notify_write_delete(&builder, ISAKMP_PROTO_ISAKMP, cookies);
	if (notify_seal(sa, &builder, message_id, message->encrypted ? message->iv : sa->iv) == 0 &&
		builder.len <= message->datagram.len)
		engine_send_notice(sa->ike, &message->local, &message->remote, builder.data, builder.len,
			ISAKMP_AUTHENTICATION_FAILED);
}

void notify_reject(const struct v1_message *message, bool sealed)
{
	struct handshake *handshake = message->sa->handshake;

	if (handshake->rejected)
		return;
	handshake->rejected = true;
	if (sealed)
		notify_reject_sealed(message);
	else
		notify_refuse(message, ISAKMP_AUTHENTICATION_FAILED);
}
