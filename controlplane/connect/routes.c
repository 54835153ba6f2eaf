/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/routes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool gateway_is_within(const struct routes_basis *basis)
{
	for (size_t i = 0; i < basis->n_remote; i++)
		if (prefix_contains_address(&basis->remote[i], &basis->gateway))
			return true;
	return false;
}

/* An address of ours that the tunnel takes as a source. */
static struct address source_for(const struct routes_basis *basis, uint8_t family)
{
	if (basis->virtual_address.family == family)
		return basis->virtual_address;
	for (size_t i = 0; i < basis->n_own; i++)
		for (size_t k = 0; basis->own[i].family == family && k < basis->n_local; k++)
			if (prefix_contains_address(&basis->local[k], &basis->own[i]))
				return basis->own[i];
	return (struct address){.family = ADDRESS_NONE};
}

static uint8_t host_len(const struct address *address)
{
	return address->family == ADDRESS_IPV6 ? 128 : 32;
}

static void add_prefix(const struct routes_basis *basis, struct prefix prefix, struct routes *out)
{
	if (out->count < ROUTES_MAX)
		out->items[out->count++] = (struct route){
			.kind = ROUTE_NETWORK,
			.prefix = prefix,
			.source = source_for(basis, prefix.address.family),
			.ifindex = basis->ifindex,
		};
}

/* All of a family is its two halves, which win over the default route and leave it alone. */
static void add_network(const struct routes_basis *basis, const struct prefix *network, struct routes *out)
{
	struct address upper = network->address;

	if (network->len > 0) {
		add_prefix(basis, *network, out);
		return;
	}
	upper.bytes[0] = 0x80;
	add_prefix(basis, prefix_make(&network->address, 1), out);
	add_prefix(basis, prefix_make(&upper, 1), out);
}

/* In the order in which they may be added: the way to the gateway has to be there before all else goes elsewhere. */
void routes_plan(const struct routes_basis *basis, struct routes *out)
{
	*out = (struct routes){.count = 0};
	if (basis->gateway_ifindex && gateway_is_within(basis))
		out->items[out->count++] = (struct route){
			.kind = ROUTE_GATEWAY,
			.prefix = prefix_make(&basis->gateway, host_len(&basis->gateway)),
			.via = basis->gateway_via,
			.ifindex = basis->gateway_ifindex,
		};
	if (basis->virtual_address.family != ADDRESS_NONE)
		out->items[out->count++] = (struct route){
			.kind = ROUTE_ADDRESS,
			.prefix = prefix_make(&basis->virtual_address, host_len(&basis->virtual_address)),
			.ifindex = basis->ifindex,
		};
	for (size_t i = 0; i < basis->n_remote; i++)
		add_network(basis, &basis->remote[i], out);
}

static bool route_equal(const struct route *a, const struct route *b)
{
	return a->kind == b->kind && a->ifindex == b->ifindex && prefix_equal(&a->prefix, &b->prefix) &&
	       address_equal(&a->via, &b->via) && address_equal(&a->source, &b->source);
}

static bool routes_have(const struct routes *routes, const struct route *route)
{
	for (size_t i = 0; i < routes->count; i++)
		if (route_equal(&routes->items[i], route))
			return true;
	return false;
}

int routes_exchange(struct routes *now, const struct routes *wanted, const struct routes_kernel *kernel)
{
	struct routes before = *now;
	int first = 0, rc;

	now->count = 0;
	for (size_t i = before.count; i-- > 0;) {
		if (routes_have(wanted, &before.items[i]))
			continue;
		rc = kernel->remove(kernel->context, &before.items[i]);
		first = first ? first : rc;
	}
	for (size_t i = 0; i < wanted->count; i++) {
		rc = routes_have(&before, &wanted->items[i]) ? 0 : kernel->add(kernel->context, &wanted->items[i]);
		first = first ? first : rc;
		if (rc == 0)
			now->items[now->count++] = wanted->items[i];
	}
	return first;
}

char *route_format(const struct route *route, char *text)
{
	char prefix[PREFIX_TEXT_LEN], via[ADDRESS_TEXT_LEN];

	prefix_format(&route->prefix, prefix);
	if (route->via.family == ADDRESS_NONE)
		snprintf(text, ROUTES_TEXT_LEN, "%s", prefix);
	else
		snprintf(text, ROUTES_TEXT_LEN, "%s via %s", prefix, address_format(&route->via, via));
	return text;
}
