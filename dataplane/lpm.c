/* SPDX-License-Identifier: Apache-2.0 */
#include "lpm.h"

#include <errno.h>

int lpm_init(struct lpm *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	int rc = lpm4_init(&lpm->ipv4, name, capacity, qsbr);

	if (rc < 0)
		return rc;
	rc = lpm6_init(&lpm->ipv6, name, capacity, qsbr);
	if (rc < 0)
		lpm4_free(&lpm->ipv4);
	return rc;
}

void lpm_free(struct lpm *lpm)
{
	lpm4_free(&lpm->ipv4);
	lpm6_free(&lpm->ipv6);
}

static bool is_ipv4(const struct ip_network *network)
{
	return ip_is_ipv4(&network->address);
}

static uint8_t len4(const struct ip_network *network)
{
	return (uint8_t)(ip_network_bits(network) - IP_PREFIX_IPV4);
}

int lpm_set(struct lpm *lpm, const struct ip_network *network, uint32_t value)
{
	if (is_ipv4(network))
		return lpm4_set(&lpm->ipv4, ip_to_ipv4(&network->address), len4(network), value);
	return lpm6_set(&lpm->ipv6, &network->address, ip_network_bits(network), value);
}

void lpm_delete(struct lpm *lpm, const struct ip_network *network)
{
	if (is_ipv4(network))
		lpm4_delete(&lpm->ipv4, ip_to_ipv4(&network->address), len4(network));
	else
		lpm6_delete(&lpm->ipv6, &network->address, ip_network_bits(network));
}

uint32_t lpm_get(const struct lpm *lpm, const struct ip_network *network)
{
	if (is_ipv4(network))
		return lpm4_get(&lpm->ipv4, ip_to_ipv4(&network->address), len4(network));
	return lpm6_get(&lpm->ipv6, &network->address, ip_network_bits(network));
}

uint32_t lpm_around(const struct lpm *lpm, const struct ip_network *network)
{
	if (is_ipv4(network))
		return lpm4_around(&lpm->ipv4, ip_to_ipv4(&network->address), len4(network));
	return lpm6_around(&lpm->ipv6, &network->address, ip_network_bits(network));
}

void lpm_inside(const struct lpm *lpm, const struct ip_network *network, void (*visit)(void *context, uint32_t value),
	void *context)
{
	if (is_ipv4(network))
		lpm4_inside(&lpm->ipv4, ip_to_ipv4(&network->address), len4(network), visit, context);
	else
		lpm6_inside(&lpm->ipv6, &network->address, ip_network_bits(network), visit, context);
}
