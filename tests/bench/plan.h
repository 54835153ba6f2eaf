/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which address, SPI and key in a measurement: one plan for the traffic device, the control plane that loads
 * the sessions (load.c) and the peer's configuration (secgw.c). Addresses are those that RFC 2544 appendix C.2.2 keeps
 * for benchmarks, and private ones inside; all of them in host order.
 *
 *   lan host 192.168.0.10 -- port 0 [gateway] port 1 198.18.0.1 -- router 198.18.0.254 -- branch i: 198.18.1.0 + i
 *                                                                                   behind it 10.0.0.0 + 256 i, /24
 *
 * More branches than private networks of this size: those from 65,536 on have 11.0.0.0 and so on inside, which no
 * packet takes out of the measured process.
 *
 * Sessions in TCP (RFC 9329): the branch has connected to the gateway's port, and both ends are where their handshake
 * left them. The sequence numbers are past 2^32 after a few thousand packets.
 *
 * Inbound SPIs are the gateway's to choose. Whoever installed the sessions publishes them in a file; that file's
 * appearing is what starts the traffic.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	PLAN_SESSIONS_MAX = 130816, /* the rest of 198.18.0.0/15 */
	PLAN_NAT_PORT = 4500,
	PLAN_SPI_OUT = 0x1000, /* of session 0; then one after the other */

	PLAN_TCP_PORT = 4009, /* the gateway's */
	PLAN_TCP_BRANCH_PORT = 40000,
	PLAN_TCP_MSS = 1460,	      /* both ways, less what timestamps take */
	PLAN_TCP_SCALE = 7,	      /* both windows' (RFC 7323 section 2.2) */
	PLAN_TCP_WINDOW = 32767 << 7, /* both: the first that is offered, bytes */
	PLAN_TCP_TIMESTAMP = 1000000, /* the gateway's first one */
};

/* The first bytes of both directions. */
static const uint32_t plan_tcp_gateway_first = 0xfff00000, plan_tcp_branch_first = 0xffe00000;

static const uint32_t plan_gateway = 198u << 24 | 18u << 16 | 1;
static const uint32_t plan_router = 198u << 24 | 18u << 16 | 254;
static const uint32_t plan_lan = 192u << 24 | 168u << 16; /* /24 */
static const uint32_t plan_lan_gateway = 192u << 24 | 168u << 16 | 1;
static const uint32_t plan_lan_host = 192u << 24 | 168u << 16 | 10;

static inline uint32_t plan_branch(uint32_t session)
{
	return (198u << 24 | 18u << 16 | 1u << 8) + session;
}

/* The branch's network, /24, and a host in it. */
static inline uint32_t plan_branch_network(uint32_t session)
{
	return (10u << 24) + (session << 8);
}

static inline uint32_t plan_branch_host(uint32_t session)
{
	return plan_branch_network(session) + 20;
}

/* The same key material for every session and direction: nothing here is secret. */
void plan_keymat(uint8_t *keymat, size_t len);

/* The Ethernet address of the only station on a port: the LAN host on port 0, the router on port 1. */
void plan_station(uint16_t port, uint8_t mac[6]);

/* Writes the inbound SPIs of sessions 0 .. count - 1 so that the whole file appears at once. 0 or negative errno. */
int plan_publish(const char *path, const uint32_t *spis, uint32_t count);

/* Reads them; `spis` has room for PLAN_SESSIONS_MAX. Their count; -ENOENT while there is no file, -EINVAL. */
int plan_read(const char *path, uint32_t *spis);
