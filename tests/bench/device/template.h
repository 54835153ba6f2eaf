/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames that a source sends, ready but for the sequence number. Made when the sessions are known. What all
 * sessions have in common is stored once a size; of each session there is only what differs, half a cache line that is
 * read one after the other: with 100,000 sessions whole frames would take the gateway's caches away, which no network
 * card does.
 */
#pragma once

#include "frame.h"
#include "patch.h"
#include "traffic.h"

#include <rte_ether.h>
#include <rte_memcpy.h>

#include <stdint.h>

/* What all frames of one inner size have in common. */
struct template_shape {
	uint16_t size; /* inner packet */
	uint16_t frame_len;
	uint16_t esp_at;   /* 0: it is no ESP */
	uint16_t inner_at; /* the inner packet's place; in the clear where it is still to be sealed */
	uint16_t icv_at;
	struct patch *patch; /* NULL: it is to be sealed */
	uint8_t *frame;	     /* of the first session */
};

/* Of an IPv4 header: the checksum and an address, which may be apart. */
enum { TEMPLATE_CHECKSUM_AT = 10, TEMPLATE_SOURCE_AT = 12, TEMPLATE_DESTINATION_AT = 16 };
struct template_header {
	uint8_t checksum[2], address[4];
};

/* What a session has for itself in a frame of one size. In GCM's frames `inner` is ciphertext. */
struct template_session {
	uint8_t icv[16]; /* GCM, of the sequence number 0 */
	uint8_t spi[4];
	struct template_header outer, inner;
};
_Static_assert(sizeof(struct template_session) == 32, "two in a cache line");

struct templates {
	struct template_shape shapes[ARGUMENTS_SIZES_MAX];
	uint32_t n_shapes;
	uint8_t shape_of[ARGUMENTS_SIZES_MAX]; /* by the packet's place in the mixture */
	struct template_session *sessions;     /* n_shapes for each */
};

/* For frames to `mac` on `port`. 0 or negative errno. */
int templates_make(
	struct templates *templates, const struct traffic *traffic, const struct rte_ether_addr *mac, uint16_t port);
void templates_free(struct templates *templates);

static inline const struct template_session *template_session(
	const struct templates *templates, uint32_t session, uint8_t shape)
{
	return &templates->sessions[(size_t)session * templates->n_shapes + shape];
}

static inline void template_header_write(uint8_t *ip, const struct template_header *header, uint32_t address_at)
{
	__builtin_memcpy(ip + TEMPLATE_CHECKSUM_AT, header->checksum, sizeof(header->checksum));
	__builtin_memcpy(ip + address_at, header->address, sizeof(header->address));
}

/* The whole frame into `frame`. */
static inline void template_write(
	const struct template_shape *shape, const struct template_session *session, uint8_t *frame)
{
	rte_memcpy(frame, shape->frame, shape->frame_len);
	if (!shape->esp_at) {
		template_header_write(frame + FRAME_IP_AT, &session->inner, TEMPLATE_DESTINATION_AT);
		return;
	}
	template_header_write(frame + FRAME_IP_AT, &session->outer, TEMPLATE_SOURCE_AT);
	__builtin_memcpy(frame + shape->esp_at, session->spi, sizeof(session->spi));
	template_header_write(frame + shape->inner_at, &session->inner, TEMPLATE_SOURCE_AT);
	if (shape->patch)
		__builtin_memcpy(frame + shape->icv_at, session->icv, sizeof(session->icv));
}
