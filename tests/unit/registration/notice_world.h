/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client and a gateway that exchange notices in one process, with simulated time and a network between them that the
 * test makes good or bad. The client is 100.64.1.2:50000, its NAT gives it 203.0.113.10 and the same port; the firewall
 * before the gateway, 198.51.100.88, maps 88 to 4009 there, the gateway's other ports are 4500 and 2012. It has
 * registered from 203.0.113.10:41000, over TCP to 88.
 */
#pragma once

#include "registration/notice_client.h"
#include "registration/notices.h"

enum { WORLD_ONE_WAY_MS = 20, WORLD_FLIGHT_MAX = 64 };

struct notice_world {
	uint64_t now_ms;
	struct config config;
	struct notices *notices;
	struct notice_session session;
	struct notice_client client;
	/* The network. */
	bool up_open[3], down_open; /* of ports 88, 4500, 2012; towards the client */
	bool no_dial;		    /* the client's NAT lets nothing in that was not asked for */
	bool pool;		    /* the NAT takes another address for UDP, and for each port of the gateway */
	uint16_t mtu;		    /* both ways */
	unsigned lose_next;	    /* that many of the client's datagrams */
	struct {
		uint64_t at_ms;
		bool up;
		struct endpoint local, remote; /* as the receiver sees them */
		struct notice_datagram datagram;
	} flight[WORLD_FLIGHT_MAX];
	unsigned n_flight;
	/* What happened. */
	unsigned sent[4];	       /* by the client, to 88, 4500, 2012 and anywhere else */
	unsigned dialed;	       /* by the gateway, seen on the wire */
	unsigned news[NOTICES_UNREACHABLE + 1], steps[NOTICE_STEP_MEASURED + 1];
	uint64_t news_ms[NOTICES_UNREACHABLE + 1], step_ms[NOTICE_STEP_MEASURED + 1];
	char gateway_said[NOTICES_UNREACHABLE + 1][NOTICES_SENTENCE_LEN];
	char client_said[NOTICE_STEP_MEASURED + 1][NOTICE_CLIENT_TEXT_LEN];
};

/* Everything is open, the MTU is 1500. `world` is then changed, before world_begin. */
void world_init(struct notice_world *world);
void world_begin(struct notice_world *world);
void world_end(struct notice_world *world);

/* Time passes, and what is in flight arrives. */
void world_pass(struct notice_world *world, uint64_t ms);

/* A datagram that comes to the gateway from `remote`, now. */
void world_deliver(struct notice_world *world, uint16_t port, const struct endpoint *remote, const uint8_t *bytes, size_t len);

struct endpoint world_endpoint(const char *address, uint16_t port);
