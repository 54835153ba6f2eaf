/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match on addresses of both families. A network belongs to the family that its address says: 0.0.0.0/0
 * holds every IPv4 address and no other, ::/0 every IPv6 one. What each costs is in lpm4.h and lpm6.h.
 */
#pragma once

#include "lpm4.h"
#include "lpm6.h"

struct lpm {
	struct lpm4 ipv4;
	struct lpm6 ipv6;
};

/* `name` is unique in the process; `capacity` prefixes of each family. 0 or -ENOMEM. */
int lpm_init(struct lpm *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr);
void lpm_free(struct lpm *lpm);

/* Adds or replaces. 0 or -ENOSPC, nothing having changed then. */
int lpm_set(struct lpm *lpm, const struct ip_network *network, uint32_t value);
void lpm_delete(struct lpm *lpm, const struct ip_network *network);

/* Main thread: the value of exactly that network; of the longest one around it but itself; or LPM_NONE. */
uint32_t lpm_get(const struct lpm *lpm, const struct ip_network *network);
uint32_t lpm_around(const struct lpm *lpm, const struct ip_network *network);

/* Main thread: visits the values of the networks inside of that one which have no other between it and themselves. */
void lpm_inside(const struct lpm *lpm, const struct ip_network *network, void (*visit)(void *context, uint32_t value),
	void *context);

/* Worker: the value of the longest network that holds the address, or LPM_NONE. */
static inline uint32_t lpm_find(const struct lpm *lpm, const union ip_address *address)
{
	return ip_is_ipv4(address) ? lpm4_find(&lpm->ipv4, ip_to_ipv4(address)) : lpm6_find(&lpm->ipv6, address);
}
