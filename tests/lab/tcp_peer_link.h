/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint of dataplane/tcp with IPv4 packets on both sides of it: from a TUN device, or from a cable. */
#pragma once

#include "tcp_peer.h"

#include <netinet/in.h>

enum { PEER_MTU = 1500 };

struct peer_link {
	int in, out; /* descriptors; each read and write is a packet */
	struct in_addr own, remote;
	struct tcp tcp;
	struct tcp_pool pool;
	struct tcp_settings settings;
};

/* 0, or negative errno. */
int peer_link_install(struct peer_link *link, const struct tcp_established *established);

/* Runs the stream to its end and prints the endpoint's counters. 0, or -1 when it did not end in order. */
int peer_link_run(struct peer *peer, struct peer_link *link);

void peer_link_transmit(const struct peer_link *link, const struct tcp_departure *departure);

/*
 * A packet from `remote`, in memory of its own, *memory; *bytes: where the TCP header begins. False: none there, or
 * none any more.
 */
bool peer_link_receive(const struct peer_link *link, struct tcp_segment *segment, uint8_t **memory, uint8_t **bytes);
