/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames that a source sends, ready but for the sequence number: one for each session and size. Made when the
 * sessions are known.
 */
#pragma once

#include "patch.h"
#include "traffic.h"

#include <rte_ether.h>

#include <stdint.h>

/* What all frames of one inner size have in common. */
struct template_shape {
	uint16_t size; /* inner packet */
	uint16_t frame_len;
	uint16_t esp_at;   /* 0: it is no ESP */
	uint16_t inner_at; /* the inner packet's place; in the clear where it is still to be sealed */
	uint16_t icv_at;
	struct patch *patch; /* NULL: it is to be sealed */
};

struct templates {
	struct template_shape shapes[ARGUMENTS_SIZES_MAX];
	uint32_t n_shapes;
	uint8_t shape_of[ARGUMENTS_SIZES_MAX]; /* by the packet's place in the mixture */
	uint8_t *frames;
	uint32_t stride;
};

/* For frames to `mac` on `port`. 0 or negative errno. */
int templates_make(
	struct templates *templates, const struct traffic *traffic, const struct rte_ether_addr *mac, uint16_t port);
void templates_free(struct templates *templates);

static inline size_t template_offset(const struct templates *templates, uint32_t session, uint8_t shape)
{
	return ((size_t)session * templates->n_shapes + shape) * templates->stride;
}
