/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of any connections that a worker encrypts together, when a burst of them is full or the turn ends, and their
 * frames (RFC 9329). Encryption is the last step: how long a sealed packet will be is known before, so that one which
 * is a segment that may leave now gets its place in the stream and all its headers when it comes, while its connection
 * is at hand. The frame of another is given to its endpoint when it is sealed.
 */
#pragma once

#include "connection.h"
#include "connection_segment.h"
#include "dataplane.h"
#include "esp/esp.h"
#include "packet.h"
#include "sa.h"
#include "worker.h"

#include <stdint.h>

/* Position i of each array is one packet. */
struct connection_sealing {
	uint16_t count;
	struct connection *sender; /* whose segment was begun last; NULL: none, or connection_sent has seen it */
	struct esp_packet esp[BURST];
	struct connection *waits[BURST]; /* whose endpoint gets the frame; NULL: it is a segment: */
	struct connection_begun begun[BURST];
};

/* What will become of an inner packet that the child SA `child` carries; its frame has FRAME_LENGTH_LEN bytes more. */
static inline struct esp_extent connection_seal_extent(
	const struct worker *worker, const struct rte_mbuf *packet, uint32_t child)
{
	const struct sa_store *sas = &worker->dataplane->sas;
	uint32_t header_len = sas->out[child].transport ? sizeof(struct rte_ipv4_hdr) : 0;

	return esp_seal_extent(sa_key(sas, child, SA_KEY_OUT), rte_pktmbuf_data_len(packet) - header_len);
}

/* None overtakes those of its connection that wait for being sealed. */
static inline bool connection_may_leave_at_once(const struct connection *connection, const struct esp_extent *extent)
{
	return connection->gathered == 0 && tcp_may_send_at_once(&connection->tcp, extent->len + FRAME_LENGTH_LEN);
}

/*
 * Such a packet. `at_once`: connection_may_leave_at_once. Where it is no segment all the same, its frame's bytes are
 * the connection's `gathered` until it is sealed.
 */
void connection_seal_add(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, uint32_t child,
	const struct esp_extent *extent, bool at_once);

/* All that was gathered. */
void connection_seal(struct worker *worker);

/* An IKE message, in the buffer whose data it is, to the endpoint. */
void connection_frame_ike(struct worker *worker, struct connection *connection, struct rte_mbuf *packet);
