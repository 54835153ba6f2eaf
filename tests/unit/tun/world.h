/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's data path and, at the other end of the loopback interface, a gateway that is another one. What stands for
 * each TUN device is a pair of sockets: what the test writes is read from the device, and the other way.
 */
#pragma once

#include "tun/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { WORLD_PACKET_MAX = 2048, WORLD_IPV4_LEN = 20 };

struct world_end {
	struct tun_path path;
	int device; /* the test's end of it */
	uint32_t spi_in;
	unsigned messages, notices, soft_limits; /* told to the handler */
	uint8_t message[64];
	size_t message_len;
};

struct world {
	struct world_end client, gateway;
};

/* Both ends, with one pair of SAs of that suite between 10.1.0.0/16 (client) and 10.2.0.0/16, active. */
void world_start(struct world *world, uint32_t suite, bool extended);
void world_stop(struct world *world);

/* An IPv4 packet of `len` bytes from `source` to `destination`, the type of service as given. Returns `packet`. */
uint8_t *world_packet(uint8_t *packet, uint16_t len, const char *source, const char *destination, uint8_t tos);

/* The test puts a packet into an end's device; then the end's path takes it. */
void world_send(struct world_end *end, const uint8_t *packet, size_t len);

/* Waits until a datagram is there, and the end's path takes it. */
void world_receive(struct world_end *end);

/* What came out of an end's device; 0: nothing. */
size_t world_delivered(struct world_end *end, uint8_t packet[WORLD_PACKET_MAX]);

uint64_t world_count(const struct world_end *end, enum tun_counter counter);
