/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the connection sets in the kernel's routing: the remote networks by its device, with a source address of ours
 * that the tunnel takes, where there is one; the virtual address, where the gateway gave one; and, where the gateway
 * itself lies within a remote network, a route to it alone that stays outside. Planned as a list, and lists are
 * exchanged: what only the old one has is taken away, what only the new one has is added.
 */
#pragma once

#include "tables/address.h"

#include <stddef.h>

enum { ROUTES_MAX = 20 }; /* CONFIG_NETWORKS_MAX, twice those of length 0, the gateway and an address */

enum route_kind { ROUTE_NETWORK, ROUTE_GATEWAY, ROUTE_ADDRESS };

struct route {
	enum route_kind kind;
	struct prefix prefix;  /* of ROUTE_ADDRESS: our address and its length */
	struct address via;    /* none: on link */
	struct address source; /* none: the kernel's choice */
	int ifindex;
};

struct routes {
	struct route items[ROUTES_MAX];
	size_t count;
};

/* What a plan is made from. */
struct routes_basis {
	const struct prefix *remote, *local; /* networks */
	size_t n_remote, n_local;
	const struct address *own; /* addresses of this host */
	size_t n_own;
	struct address virtual_address; /* none: there is none */
	int ifindex;			/* the tunnel's device */
	struct address gateway;
	struct address gateway_via; /* how the gateway is reached now: none: on link */
	int gateway_ifindex;	    /* 0: not known; then no route to the gateway is planned */
};

void routes_plan(const struct routes_basis *basis, struct routes *out);

/* Who does it. Each returns 0 or negative errno. */
struct routes_kernel {
	void *context;
	int (*add)(void *context, const struct route *route);
	int (*remove)(void *context, const struct route *route);
};

/*
 * Makes `now` what `wanted` says. Goes on after a failure, keeps in `now` what is really there, and returns the first
 * error. With an empty `wanted` all is undone, in reverse.
 */
int routes_exchange(struct routes *now, const struct routes *wanted, const struct routes_kernel *kernel);

/* "192.168.2.0/24", of a gateway's "203.0.113.5/32 via 192.0.2.1"; ROUTES_TEXT_LEN bytes. */
enum { ROUTES_TEXT_LEN = PREFIX_TEXT_LEN + 8 + ADDRESS_TEXT_LEN };
char *route_format(const struct route *route, char *text);
