/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ESP SAs of one tunnel, in pairs. Of the pairs for one pair of networks one is current and carries what is sent;
 * those that it replaced, and one that is negotiated already and not yet current, are taken what comes on, so that a
 * rekey loses nothing. The inbound SPI is ours to choose: it says the slot, and the top bit is set, by which ESP is
 * told from IKE on their common port. One thread; the store owns keys and windows, and wipes them.
 */
#pragma once

#include "esp/esp.h"
#include "esp/replay.h"
#include "ip.h"

#include <stdbool.h>
#include <stdint.h>

enum { TUN_CHILDREN_MAX = 64 };

/* What a pair is made of. */
struct tun_child_terms {
	uint64_t id;	  /* the caller's, by which it is activated and removed */
	uint32_t spi_out; /* host order */
	uint32_t suite;	  /* enum esp_suite_id */
	bool extended;	  /* 64-bit sequence numbers */
	uint32_t window;  /* of replay protection, packets */
	struct prefix local_network, remote_network;
	uint64_t limit_bytes;		       /* of either direction; 0: none */
	const uint8_t *keymat_in, *keymat_out; /* esp_suite_keymat_len bytes each; the caller wipes them */
};

struct tun_child_traffic {
	uint64_t packets_in, bytes_in, packets_out, bytes_out; /* inner ones */
};

struct tun_child {
	uint32_t spi_in; /* 0: the slot is free */
	bool installed;	 /* else only reserved */
	bool current;
	bool ipv6;	      /* inner family */
	bool renewing;	      /* its owner was told that a limit is near */
	uint32_t activations; /* 0: never was current; else the order in which pairs were */
	uint32_t spi_out, suite;
	uint64_t id;
	struct esp_key *in, *out;
	struct replay *replay;
	uint64_t sequence;					     /* the last number given out */
	uint64_t soft_packets, hard_packets, soft_bytes, hard_bytes; /* UINT64_MAX: no limit in bytes */
	struct tun_child_traffic traffic;
	struct prefix local_network, remote_network;
	struct ip_network local, remote; /* the same, as packets are compared with them */
};

struct tun_children {
	struct tun_child slots[TUN_CHILDREN_MAX];
	struct tun_child *current[TUN_CHILDREN_MAX]; /* the narrowest remote network first */
	size_t n_current;
	uint32_t activations, generation;
};

/* `seed`: unpredictable; SPIs begin there. */
void tun_children_init(struct tun_children *children, uint32_t seed);

/* Wipes all. */
void tun_children_clear(struct tun_children *children);

/* Takes a slot. 0, or -ENOSPC where all are in use. An SPI comes again after thousands of others of its slot only. */
int tun_child_reserve(struct tun_children *children, uint32_t *spi_in);

/* Gives a slot that is reserved and not installed back. */
void tun_child_release(struct tun_children *children, uint32_t spi_in);

/* What comes with a reserved SPI is taken from now on. 0; negative errno, and then the slot is free. */
int tun_child_install(
	struct tun_children *children, struct esp_engine *engine, uint32_t spi_in, const struct tun_child_terms *terms);

/* The pair is current from now on, in place of the one for the same networks. False: there is no such pair. */
bool tun_child_activate(struct tun_children *children, uint64_t id, uint32_t spi_in);

/* Wipes it. Where it was current, the one that it had replaced is so again, if it is there. False: no such pair. */
bool tun_child_remove(struct tun_children *children, uint64_t id, uint32_t spi_in);

/* The installed pair with this inbound SPI, or NULL. */
static inline struct tun_child *tun_child_find(struct tun_children *children, uint32_t spi_in)
{
	struct tun_child *child = &children->slots[spi_in % TUN_CHILDREN_MAX];

	return spi_in != 0 && child->spi_in == spi_in && child->installed ? child : NULL;
}

/* The current pair for a packet from `source`, in our networks, to `destination`, or NULL. `ipv6`: the packet's family.
 */
struct tun_child *tun_child_select(
	struct tun_children *children, bool ipv6, const union ip_address *source, const union ip_address *destination);

/*
 * The next number to send with, for a packet of `len` bytes; 0: the pair is used up. *soft is set, once, when its
 * successor should be negotiated.
 */
uint64_t tun_child_take_number(struct tun_child *child, uint32_t len, bool *soft);
