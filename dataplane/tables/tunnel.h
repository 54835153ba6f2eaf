/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How packets are put into a tunnel: what becomes of those that don't fit, and of the outer header's fields (RFC 4301
 * sections 5.1.2.1 and 8, RFC 2983). The configuration has one for each peer, each child SA's record a copy of it.
 */
#pragma once

#include <stdint.h>

/* Packets that are too long once they are encrypted, and that may be cut. */
enum tunnel_fragment {
	TUNNEL_FRAGMENT_BEFORE, /* inner fragments that fit each: the peer's reassembly stays idle */
	TUNNEL_FRAGMENT_AFTER,	/* outer fragments, where the outer DF bit is clear */
};

/* The outer DF bit. */
enum tunnel_df {
	TUNNEL_DF_CLEAR,
	TUNNEL_DF_SET,
	TUNNEL_DF_COPY,
};

enum { TUNNEL_DSCP_MAX = 63, TUNNEL_DSCP_COPY = 64 };

struct tunnel_settings {
	uint8_t fragment;  /* enum tunnel_fragment */
	uint8_t df;	   /* enum tunnel_df */
	uint8_t dscp;	   /* of the outer header; TUNNEL_DSCP_COPY: the inner one's */
	uint8_t mss_clamp; /* 1: TCP's MSS option is lowered to what fits, both ways */
};
