/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet on its way through a worker: an mbuf of one segment, and what earlier steps found out about it in eight bytes
 * of the mbuf's first cache line, where a receive queue's hash was that nobody here asks for: a line more for each packet
 * would be felt. Steps work on bursts: each takes an array, keeps the good ones at its front and returns how many; the
 * others have left by a named exit (exits.h).
 */
#pragma once

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

enum { BURST = 32 };

/* Where a packet that is to be forwarded came from. */
enum packet_source {
	PACKET_FROM_PORT,   /* in the clear: needs a policy or a rule */
	PACKET_FROM_KERNEL, /* our own host's: goes in the clear where no policy says otherwise */
	PACKET_FROM_PEER,   /* decrypted and admitted by its SA */
};

/* Where its data begins, and what it is to the worker that takes it over. */
enum packet_kind {
	PACKET_IP,      /* at its IP header: to be classified, or to be forwarded */
	PACKET_ESP,     /* at its ESP header, and its outer headers still stand before that */
	PACKET_SEGMENT, /* at its IP header: a TCP segment, whole, of a connection that a worker owns */
	PACKET_SEND,    /* at its inner IP header: to be sent by the child SA with the inbound `spi`, in its session's TCP
	                   connection, which a worker owns */
	PACKET_IKE,     /* at the IKE message's header: to be sent in the TCP connection `index` */
};

struct packet {
	union {
		struct {
			uint16_t port;     /* that it came from */
			uint8_t outer_len; /* ESP: the outer headers' bytes, UDP's included; SEGMENT: the IP header's */
			uint8_t reserved;
		};
		uint32_t index;            /* IKE */
		uint32_t spi;              /* SEND: it tells, later, whether the SA is still that one */
		uint16_t frame_offset;     /* of a frame in a TCP connection's send queue: where it begins in its buffer */
	};
	uint8_t source; /* enum packet_source */
	uint8_t kind;   /* enum packet_kind */
	bool udp;       /* ESP: in UDP */
	bool stream;    /* ESP: in a TCP connection. Those headers are of its segment, or have addresses alone */
};
_Static_assert(sizeof(struct packet) == sizeof(((struct rte_mbuf *)0)->hash), "it lies in the mbuf");

static inline struct packet *packet_of(struct rte_mbuf *mbuf)
{
	return (struct packet *)&mbuf->hash;
}

/* Of a packet that begins at its ESP header: the outer IP header. */
static inline const void *packet_outer(struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const uint8_t *) - packet_of(mbuf)->outer_len;
}

/* Moves the beginning of the data, forwards or backwards, within a buffer that is known to have the room. */
static inline void packet_begin_move(struct rte_mbuf *mbuf, int forwards)
{
	mbuf->data_off = (uint16_t)(mbuf->data_off + forwards);
	mbuf->data_len = (uint16_t)(mbuf->data_len - forwards);
	mbuf->pkt_len = mbuf->data_len;
}

/* Where the data begins, within the buffer, and how long it is. */
static inline void packet_place(struct rte_mbuf *mbuf, const uint8_t *begin, uint32_t len)
{
	mbuf->data_off = (uint16_t)(begin - (const uint8_t *)mbuf->buf_addr);
	mbuf->data_len = (uint16_t)len;
	mbuf->pkt_len = len;
}

static inline void packet_len_set(struct rte_mbuf *mbuf, uint32_t len)
{
	mbuf->data_len = (uint16_t)len;
	mbuf->pkt_len = len;
}
