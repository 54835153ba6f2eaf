/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the branches send in their TCP connections: frames of ESP (RFC 9329 section 3), cut into segments. A train of
 * packets for one session is one write of its branch: its frames follow each other and fill segments, as a kernel does
 * it that was given all of them at once; the last segment says PSH.
 */
#pragma once

#include "segment.h"
#include "turn.h"

#include <rte_mbuf.h>

#include <stdint.h>

struct peers;
struct stream;

/* NULL with errno. Turn and peers must stay. */
struct stream *stream_new(struct turn *turn, struct peers *peers, const struct segment_way *way);
void stream_free(struct stream *stream);

/*
 * Writes the next segments into fresh buffers, as a card's DMA would, and returns how many: fewer where the gateway's
 * window has no more room. *ended: frames that end in them.
 */
uint16_t stream_fill(struct stream *stream, struct rte_mbuf **packets, uint16_t count, uint32_t *ended);
