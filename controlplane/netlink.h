/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of routing, as messages: opens one rtnetlink socket that gets both dumps and notifications, so that
 * what is said of one object comes in order, and turns each message into a plain struct. Decides nothing; mirror.c
 * does. Both families, routes of the main table only.
 */
#pragma once

#include "tables/address.h"

#include <stdbool.h>
#include <stdint.h>

enum { NETLINK_HOPS_MAX = 16, NETLINK_NAME_LEN = 64 };

struct netlink_link {
	int ifindex;
	char name[NETLINK_NAME_LEN];
	bool up; /* administratively, and with carrier */
	bool gone;
};

struct netlink_address {
	int ifindex;
	struct address address;
	bool tentative; /* IPv6: it is not certain that nobody else has it, or somebody has (RFC 4862 section 5.4) */
	bool gone;
};

struct netlink_hop {
	int ifindex;
	struct address gateway; /* none: on link */
};

struct netlink_route {
	struct prefix prefix;
	uint32_t metric;
	struct netlink_hop hops[NETLINK_HOPS_MAX];
	unsigned n_hops;
	bool unicast; /* false: unreachable, blackhole and the like: it has no hops */
	bool replace; /* stands for what was there with the same metric */
	bool gone;
};

struct netlink_neighbour {
	int ifindex;
	struct address address;
	uint8_t mac[6];
	bool has_mac;
	uint16_t state; /* NUD_... */
	bool managed;
	bool gone;
};

struct netlink_handler {
	void *context;
	void (*link)(void *context, const struct netlink_link *link);
	void (*address)(void *context, const struct netlink_address *address);
	void (*route)(void *context, const struct netlink_route *route);
	void (*neighbour)(void *context, const struct netlink_neighbour *neighbour);
	/* The dump that was asked for is over. `whole`: false when it must be asked for again. */
	void (*dumped)(void *context, bool whole);
	/* Notifications were lost. */
	void (*overrun)(void *context);
	/* A request of netlink_neighbour_ask was refused; negative errno. */
	void (*refused)(void *context, int error);
};

enum netlink_dump { NETLINK_LINKS, NETLINK_ADDRESSES, NETLINK_NEIGHBOURS, NETLINK_ROUTES, NETLINK_DUMP_COUNT };

struct netlink;

/* Opens, and joins the groups of all four kinds. NULL with errno. */
struct netlink *netlink_open(const struct netlink_handler *handler);
void netlink_close(struct netlink *netlink);
int netlink_fd(const struct netlink *netlink);

/* To be called when the descriptor is readable. */
void netlink_read(struct netlink *netlink);

/* Asks for all objects of a kind; one dump at a time. 0 or negative errno. */
int netlink_dump(struct netlink *netlink, enum netlink_dump kind);

enum netlink_ask {
	NETLINK_RESOLVE,       /* ask for it, by ARP or neighbour discovery, where it is needed */
	NETLINK_KEEP_RESOLVED, /* and again before the answer is old, for good */
	NETLINK_FORGET,
};
/* 0 or negative errno; what the kernel says to it comes by `refused`. */
int netlink_neighbour_ask(struct netlink *netlink, int ifindex, const struct address *address, enum netlink_ask ask);
