/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mirror's own state, shared by mirror.c (rounds, interfaces, addresses, routes) and mirror_neighbour.c. No other
 * file includes this.
 */
#pragma once

#include "mirror.h"
#include "netlink.h"

struct mirror_port {
	char name[TABLES_NAME_LEN];
	int ifindex; /* 0: the kernel has no such interface */
	bool up;
};

struct mirror {
	struct netlink *netlink;
	struct event *readable, *retry;
	struct mirror_sink sink;
	struct mirror_port ports[TABLES_PORTS_MAX];
	uint32_t n_ports;
	struct mirror_tables tables;
	struct mirror_status status;
	enum netlink_dump step; /* NETLINK_DUMP_COUNT: no round is under way */
	bool again;		/* another round is needed after this one */
	bool no_managed;	/* this kernel does not know NTF_EXT_MANAGED */
	uint32_t n_pending;	/* neighbours wanted and not usable */
};

/* Tells the data plane, with the present epoch. */
void mirror_emit(struct mirror *mirror, enum tables_change_kind kind, struct writer_net net);

/* The port that an interface stands for; -1 for every other. */
int mirror_port_of(const struct mirror *mirror, int ifindex);

/* What the kernel said of a neighbour; `context` is the mirror. */
void mirror_neighbour_told(void *context, const struct netlink_neighbour *told);

/* Asks the kernel for a neighbour; `managed`: a gateway, to be kept fresh from the start. */
void mirror_neighbour_want(struct mirror *mirror, uint16_t port, const struct address *address, bool managed);

static inline struct prefix mirror_host_prefix(const struct address *address)
{
	return prefix_make(address, address->family == ADDRESS_IPV4 ? 32 : 128);
}
