/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BUFFER_LEN = 65536,
	RECEIVE_BUFFER = 4 << 20, /* a route table that changes at once */
	READS_MAX = 256,	  /* a wake-up; the descriptor stays readable for the rest */
	REQUEST_LEN = 256,
};

struct netlink {
	struct netlink_handler handler;
	struct mnl_socket *socket;
	uint32_t sequence, dump_sequence; /* 0: no dump is under way */
	bool dump_interrupted;
	_Alignas(8) uint8_t buffer[BUFFER_LEN];
};

enum { IPV4_LEN = 4, IPV6_LEN = 16 };

static bool is_ip(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

/* Its length says which family it is. */
static bool address_read(const void *bytes, size_t len, struct address *out)
{
	if (len != IPV4_LEN && len != IPV6_LEN)
		return false;
	*out = (struct address){.family = len == IPV4_LEN ? ADDRESS_IPV4 : ADDRESS_IPV6};
	memcpy(out->bytes, bytes, len);
	return true;
}

static bool attribute_address(const struct nlattr *attribute, struct address *out)
{
	return address_read(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute), out);
}

/* A gateway of another family than the route's: struct rtvia. */
static bool attribute_via(const struct nlattr *attribute, struct address *out)
{
	size_t len = mnl_attr_get_payload_len(attribute);
	const struct rtvia *via = mnl_attr_get_payload(attribute);

	return len > sizeof(*via) && address_read(via->rtvia_addr, len - sizeof(*via), out);
}

static uint32_t attribute_u32(const struct nlattr *attribute)
{
	uint32_t value = 0;

	if (mnl_attr_get_payload_len(attribute) == sizeof(value))
		memcpy(&value, mnl_attr_get_payload(attribute), sizeof(value));
	return value;
}

static void take_link(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct netlink_link link = {
		.ifindex = info->ifi_index,
		.up = (info->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
		.gone = message->nlmsg_type == RTM_DELLINK,
	};
	const struct nlattr *attribute;

	/* A bridge tells of its ports with a family of its own; such a message is none about the link. */
	if (info->ifi_family != AF_UNSPEC)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attribute) == IFLA_IFNAME &&
			mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(link.name, sizeof(link.name), "%s", mnl_attr_get_str(attribute));
	}
	netlink->handler.link(netlink->handler.context, &link);
}

static void take_address(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	struct netlink_address address = {.ifindex = (int)info->ifa_index, .gone = message->nlmsg_type == RTM_DELADDR};
	struct address far_end = {.family = ADDRESS_NONE};
	uint32_t flags = info->ifa_flags;
	const struct nlattr *attribute;

	if (!is_ip(info->ifa_family))
		return;
	/* IFA_LOCAL is ours, IFA_ADDRESS the far end where the two differ. IPv6 leaves IFA_LOCAL out if they don't. */
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case IFA_LOCAL: attribute_address(attribute, &address.address); break;
		case IFA_ADDRESS: attribute_address(attribute, &far_end); break;
		case IFA_FLAGS: flags = attribute_u32(attribute); break;
		default: break;
		}
	}
	if (address.address.family == ADDRESS_NONE && info->ifa_family == AF_INET6)
		address.address = far_end;
	address.tentative = flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) && !(flags & IFA_F_OPTIMISTIC);
	if (address.address.family != ADDRESS_NONE)
		netlink->handler.address(netlink->handler.context, &address);
}

static void take_hops(const struct nlattr *multipath, struct netlink_route *route)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int remaining = mnl_attr_get_payload_len(multipath);

	for (; remaining >= (int)sizeof(*hop) && RTNH_OK(hop, remaining) && route->n_hops < NETLINK_HOPS_MAX;
		remaining -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct netlink_hop *out = &route->hops[route->n_hops];
		const struct nlattr *attr; /* the macro's name for it */

		if (!route->gone && hop->rtnh_flags & RTNH_F_DEAD)
			continue;
		*out = (struct netlink_hop){.ifindex = hop->rtnh_ifindex};
		mnl_attr_for_each_payload((const void *)RTNH_DATA(hop), (size_t)hop->rtnh_len - sizeof(*hop))
		{
			if (mnl_attr_get_type(attr) == RTA_GATEWAY)
				attribute_address(attr, &out->gateway);
			else if (mnl_attr_get_type(attr) == RTA_VIA)
				attribute_via(attr, &out->gateway);
		}
		route->n_hops++;
	}
}

static void take_route(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct netlink_route route = {
		.unicast = info->rtm_type == RTN_UNICAST,
		.replace = message->nlmsg_flags & NLM_F_REPLACE,
		.gone = message->nlmsg_type == RTM_DELROUTE,
	};
	struct address destination = {.family = info->rtm_family == AF_INET ? ADDRESS_IPV4 : ADDRESS_IPV6};
	struct netlink_hop single = {0};
	uint32_t table = info->rtm_table;
	const struct nlattr *attribute;

	if (!is_ip(info->rtm_family))
		return;
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST: attribute_address(attribute, &destination); break;
		case RTA_GATEWAY: attribute_address(attribute, &single.gateway); break;
		case RTA_VIA: attribute_via(attribute, &single.gateway); break;
		case RTA_OIF: single.ifindex = (int)attribute_u32(attribute); break;
		case RTA_PRIORITY: route.metric = attribute_u32(attribute); break;
		case RTA_TABLE: table = attribute_u32(attribute); break;
		case RTA_MULTIPATH: take_hops(attribute, &route); break;
		default: break;
		}
	}
	if (table != RT_TABLE_MAIN || info->rtm_tos != 0 || info->rtm_src_len != 0 || info->rtm_flags & RTM_F_CLONED ||
		info->rtm_dst_len > (destination.family == ADDRESS_IPV4 ? 32 : 128))
		return;
	route.prefix = prefix_make(&destination, info->rtm_dst_len);
	/* A route that is told as gone may carry the very flags for which it goes. */
	if (single.ifindex && (route.gone || !(info->rtm_flags & RTNH_F_DEAD)))
		route.hops[route.n_hops++] = single;
	netlink->handler.route(netlink->handler.context, &route);
}

static void take_neighbour(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	struct netlink_neighbour neighbour = {
		.ifindex = info->ndm_ifindex,
		.state = info->ndm_state,
		.gone = message->nlmsg_type == RTM_DELNEIGH,
	};
	const struct nlattr *attribute;

	if (!is_ip(info->ndm_family) || info->ndm_flags & NTF_PROXY)
		return;
	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case NDA_DST: attribute_address(attribute, &neighbour.address); break;
		case NDA_LLADDR:
			neighbour.has_mac = mnl_attr_get_payload_len(attribute) == sizeof(neighbour.mac);
			if (neighbour.has_mac)
				memcpy(neighbour.mac, mnl_attr_get_payload(attribute), sizeof(neighbour.mac));
			break;
		case NDA_FLAGS_EXT: neighbour.managed = attribute_u32(attribute) & NTF_EXT_MANAGED; break;
		default: break;
		}
	}
	if (neighbour.address.family != ADDRESS_NONE)
		netlink->handler.neighbour(netlink->handler.context, &neighbour);
}

static void end_dump(struct netlink *netlink, bool whole)
{
	whole = whole && !netlink->dump_interrupted;
	netlink->dump_sequence = 0;
	netlink->handler.dumped(netlink->handler.context, whole);
}

static void take_error(struct netlink *netlink, const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(error->error)) || error->error == 0)
		return;
	if (message->nlmsg_seq == netlink->dump_sequence)
		end_dump(netlink, false);
	else
		netlink->handler.refused(netlink->handler.context, error->error);
}

static void take_message(struct netlink *netlink, const struct nlmsghdr *message)
{
	static const struct {
		uint16_t type;
		size_t len;
		void (*take)(struct netlink *netlink, const struct nlmsghdr *message);
	} kinds[] = {
		{RTM_NEWLINK, sizeof(struct ifinfomsg), take_link},
		{RTM_DELLINK, sizeof(struct ifinfomsg), take_link},
		{RTM_NEWADDR, sizeof(struct ifaddrmsg), take_address},
		{RTM_DELADDR, sizeof(struct ifaddrmsg), take_address},
		{RTM_NEWROUTE, sizeof(struct rtmsg), take_route},
		{RTM_DELROUTE, sizeof(struct rtmsg), take_route},
		{RTM_NEWNEIGH, sizeof(struct ndmsg), take_neighbour},
		{RTM_DELNEIGH, sizeof(struct ndmsg), take_neighbour},
	};

	if (message->nlmsg_flags & NLM_F_DUMP_INTR && message->nlmsg_seq == netlink->dump_sequence)
		netlink->dump_interrupted = true;
	if (message->nlmsg_type == NLMSG_ERROR) {
		take_error(netlink, message);
		return;
	}
	if (message->nlmsg_type == NLMSG_DONE) {
		if (message->nlmsg_seq == netlink->dump_sequence)
			end_dump(netlink, true);
		return;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].type == message->nlmsg_type && mnl_nlmsg_get_payload_len(message) >= kinds[i].len)
			kinds[i].take(netlink, message);
}

struct netlink *netlink_open(const struct netlink_handler *handler)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH};
	struct netlink *netlink = calloc(1, sizeof(*netlink));
	int size = RECEIVE_BUFFER, saved_errno;

	if (!netlink)
		return NULL;
	netlink->handler = *handler;
	netlink->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!netlink->socket || mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	(void)setsockopt(netlink_fd(netlink), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(
			    netlink->socket, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i], sizeof(groups[i])) < 0)
			goto fail;
	return netlink;
fail:
	saved_errno = errno;
	netlink_close(netlink);
	errno = saved_errno;
	return NULL;
}

void netlink_close(struct netlink *netlink)
{
	if (!netlink)
		return;
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
	return mnl_socket_get_fd(netlink->socket);
}

void netlink_read(struct netlink *netlink)
{
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t received = mnl_socket_recvfrom(netlink->socket, netlink->buffer, sizeof(netlink->buffer));
		const struct nlmsghdr *message = (const struct nlmsghdr *)netlink->buffer;
		int remaining = (int)received;

		if (received < 0 && errno == ENOBUFS) {
			netlink->dump_sequence = 0;
			netlink->handler.overrun(netlink->handler.context);
			continue;
		}
		if (received < 0)
			return;
		for (; mnl_nlmsg_ok(message, remaining); message = mnl_nlmsg_next(message, &remaining))
			take_message(netlink, message);
	}
}

static int request_send(struct netlink *netlink, struct nlmsghdr *message)
{
	/* Zero is what notifications carry. */
	if (++netlink->sequence == 0)
		netlink->sequence = 1;
	message->nlmsg_seq = netlink->sequence;
	return mnl_socket_sendto(netlink->socket, message, message->nlmsg_len) < 0 ? -errno : 0;
}

int netlink_dump(struct netlink *netlink, enum netlink_dump kind)
{
	static const uint16_t types[NETLINK_DUMP_COUNT] = {
		[NETLINK_LINKS] = RTM_GETLINK,
		[NETLINK_ADDRESSES] = RTM_GETADDR,
		[NETLINK_NEIGHBOURS] = RTM_GETNEIGH,
		[NETLINK_ROUTES] = RTM_GETROUTE,
	};
	_Alignas(8) uint8_t buffer[REQUEST_LEN] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int rc;

	message->nlmsg_type = types[kind];
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	/* Each kind's header begins with the family, and is no longer than this. */
	*(uint8_t *)mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg)) = AF_UNSPEC;
	rc = request_send(netlink, message);
	netlink->dump_sequence = rc < 0 ? 0 : netlink->sequence;
	netlink->dump_interrupted = false;
	return rc;
}

int netlink_neighbour_ask(struct netlink *netlink, int ifindex, const struct address *address, enum netlink_ask ask)
{
	_Alignas(8) uint8_t buffer[REQUEST_LEN] = {0};
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	bool is_ipv6 = address->family == ADDRESS_IPV6;
	struct ndmsg *info;

	message->nlmsg_type = ask == NETLINK_FORGET ? RTM_DELNEIGH : RTM_NEWNEIGH;
	message->nlmsg_flags = NLM_F_REQUEST | (ask == NETLINK_FORGET ? 0 : NLM_F_CREATE | NLM_F_REPLACE);
	info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	info->ndm_family = is_ipv6 ? AF_INET6 : AF_INET;
	info->ndm_ifindex = ifindex;
	info->ndm_state = NUD_NONE;
	info->ndm_flags = ask == NETLINK_FORGET ? 0 : NTF_USE;
	mnl_attr_put(message, NDA_DST, is_ipv6 ? IPV6_LEN : IPV4_LEN, address->bytes);
	if (ask == NETLINK_KEEP_RESOLVED)
		mnl_attr_put_u32(message, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return request_send(netlink, message);
}
