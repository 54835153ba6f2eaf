/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the network (network.h): what is under way, in the order of its arrival, and what becomes of it there. */
#pragma once

#include "network.h"

enum { CABLE_LEN_MAX = 2048 /* bytes of a segment */ };

struct packet {
	uint64_t time, serial;
	uint32_t to, len;
	bool marked;
	uint8_t bytes[CABLE_LEN_MAX];
};

/* What an end sends: its checksum is made, and it arrives, as it is or not, once or twice, or never. */
void cable_transmit(struct network *network, uint32_t from, const struct tcp_departure *departure);

/* What arrives next, the caller's to free. There is something under way. */
struct packet *cable_pop(struct network *network);

/* It has a header, and its checksum is right. */
bool cable_is_intact(const struct packet *packet);
