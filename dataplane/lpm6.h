/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match on IPv6 for lookups without a lock while the main thread writes: a hash of (address, length),
 * asked for each length that is in use, from the longest. That is a handful in practice: /128 for neighbours and
 * clients, /64 and /48 or /56 for networks, /0. Each costs one hash and two cache lines, where a tree would cost one
 * per byte or bit. DPDK's rte_lpm6 is not for readers beside a writer that deletes. A key's place is used again only
 * after every worker has been quiescent; a value is replaced by one atomic store. Values have 24 bits.
 */
#pragma once

#include "ip.h"
#include "lpm4.h"

#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_rib6.h>

#include <stdatomic.h>
#include <stdint.h>

enum { LPM6_LEN_MAX = 128, LPM6_WORDS = LPM6_LEN_MAX / 64 + 1 };

struct lpm6_key {
	union ip_address address; /* bits behind the length are zero */
	uint64_t len;
};

struct lpm6 {
	struct rte_hash *hash;
	_Atomic uint64_t lens[LPM6_WORDS]; /* one bit for each length in use */
	/* main thread */
	struct rte_rcu_qsbr *qsbr;
	uint32_t counts[LPM6_LEN_MAX + 1];
	struct rte_rib6 *rib; /* the same prefixes, for what is around and inside */
};

/* As lpm4.h has them. */
int lpm6_init(struct lpm6 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void lpm6_free(struct lpm6 *lpm);
int lpm6_set(struct lpm6 *lpm, const union ip_address *address, uint8_t len, uint32_t value);
void lpm6_delete(struct lpm6 *lpm, const union ip_address *address, uint8_t len);
uint32_t lpm6_get(const struct lpm6 *lpm, const union ip_address *address, uint8_t len);
uint32_t lpm6_around(const struct lpm6 *lpm, const union ip_address *address, uint8_t len);
void lpm6_inside(const struct lpm6 *lpm, const union ip_address *address, uint8_t len,
	void (*visit)(void *context, uint32_t value), void *context);

/* Worker: the value of the longest prefix that holds the address, or LPM_NONE. */
uint32_t lpm6_find(const struct lpm6 *lpm, const union ip_address *address);
