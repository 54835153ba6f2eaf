/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet on its way through a worker: an mbuf of one segment, whose private area holds what earlier steps found out.
 * Steps work on bursts: each takes an array, keeps the good ones at its front and returns how many; the others have left
 * by a named exit (exits.h).
 */
#pragma once

#include "ip.h"

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

struct packet {
	uint16_t port;  /* that it came from */
	uint8_t source; /* enum packet_source */
	bool esp;       /* it begins at its ESP header; what follows is set then */
	uint8_t outer_ecn;
	uint8_t reserved[3];
	union ip_address remote, local;   /* outer addresses */
	uint16_t remote_port, local_port; /* 0: bare ESP */
};

enum { PACKET_PRIVATE_LEN = RTE_ALIGN_CEIL(sizeof(struct packet), RTE_MBUF_PRIV_ALIGN) };

static inline struct packet *packet_of(struct rte_mbuf *mbuf)
{
	return rte_mbuf_to_priv(mbuf);
}
