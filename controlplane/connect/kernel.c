/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/kernel.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	BUFFER_LEN = 32768,
	REQUEST_LEN = 512,
	IPV4_LEN = 4,
	IPV6_LEN = 16,
	PROTOCOL = 83, /* by which `ip route` shows that a route is of this program's making */
};

struct kernel {
	struct mnl_socket *ask, *changes;
	uint32_t sequence;
	_Alignas(8) uint8_t buffer[BUFFER_LEN];
};

struct kernel *kernel_open(void)
{
	static const int groups[] = {
		RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
	struct kernel *kernel = calloc(1, sizeof(*kernel));
	int saved_errno;

	if (!kernel)
		return NULL;
	kernel->sequence = (uint32_t)time(NULL);
	kernel->ask = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	kernel->changes = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!kernel->ask || !kernel->changes || mnl_socket_bind(kernel->ask, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_bind(kernel->changes, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(
			    kernel->changes, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i], sizeof(groups[i])) < 0)
			goto fail;
	return kernel;
fail:
	saved_errno = errno;
	kernel_close(kernel);
	errno = saved_errno;
	return NULL;
}

void kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	if (kernel->ask)
		mnl_socket_close(kernel->ask);
	if (kernel->changes)
		mnl_socket_close(kernel->changes);
	free(kernel);
}

int kernel_changes_fd(const struct kernel *kernel)
{
	return mnl_socket_get_fd(kernel->changes);
}

void kernel_changed(struct kernel *kernel)
{
	/* Whatever it says, the answer is to look. ENOBUFS says that much too. */
	while (mnl_socket_recvfrom(kernel->changes, kernel->buffer, sizeof(kernel->buffer)) > 0 || errno == ENOBUFS)
		;
}

/* Sends, and passes what answers to `each` until it is over. 0 or negative errno. */
static int ask(struct kernel *kernel, struct nlmsghdr *message, mnl_cb_t each, void *context)
{
	unsigned int port = mnl_socket_get_portid(kernel->ask);
	ssize_t received;
	int rc = 1;

	message->nlmsg_seq = ++kernel->sequence;
	if (mnl_socket_sendto(kernel->ask, message, message->nlmsg_len) < 0)
		return -errno;
	while (rc > 0) {
		received = mnl_socket_recvfrom(kernel->ask, kernel->buffer, sizeof(kernel->buffer));
		if (received < 0)
			return -errno;
		rc = mnl_cb_run(kernel->buffer, (size_t)received, kernel->sequence, port, each, context);
	}
	return rc < 0 ? -errno : 0;
}

static size_t len_of(const struct address *address)
{
	return address->family == ADDRESS_IPV6 ? IPV6_LEN : IPV4_LEN;
}

static uint8_t family_of(const struct address *address)
{
	return address->family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
}

static struct nlmsghdr *request(void *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return message;
}

static int ask_address(struct kernel *kernel, const struct route *route, bool add)
{
	_Alignas(8) uint8_t buffer[REQUEST_LEN] = {0};
	struct nlmsghdr *message = request(buffer, add ? RTM_NEWADDR : RTM_DELADDR,
		(uint16_t)(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0)));
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));

	info->ifa_family = family_of(&route->prefix.address);
	info->ifa_prefixlen = route->prefix.len;
	info->ifa_index = (uint32_t)route->ifindex;
	mnl_attr_put(message, IFA_LOCAL, len_of(&route->prefix.address), route->prefix.address.bytes);
	mnl_attr_put(message, IFA_ADDRESS, len_of(&route->prefix.address), route->prefix.address.bytes);
	return ask(kernel, message, NULL, NULL);
}

static int ask_route(struct kernel *kernel, const struct route *route, bool add)
{
	_Alignas(8) uint8_t buffer[REQUEST_LEN] = {0};
	struct nlmsghdr *message = request(buffer, add ? RTM_NEWROUTE : RTM_DELROUTE,
		(uint16_t)(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0)));
	struct rtmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	bool on_link = route->via.family == ADDRESS_NONE;

	*info = (struct rtmsg){
		.rtm_family = family_of(&route->prefix.address),
		.rtm_dst_len = route->prefix.len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = PROTOCOL,
		.rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	mnl_attr_put(message, RTA_DST, len_of(&route->prefix.address), route->prefix.address.bytes);
	mnl_attr_put_u32(message, RTA_OIF, (uint32_t)route->ifindex);
	if (!on_link)
		mnl_attr_put(message, RTA_GATEWAY, len_of(&route->via), route->via.bytes);
	if (route->source.family != ADDRESS_NONE)
		mnl_attr_put(message, RTA_PREFSRC, len_of(&route->source), route->source.bytes);
	return ask(kernel, message, NULL, NULL);
}

int kernel_route_add(void *context, const struct route *route)
{
	int rc = route->kind == ROUTE_ADDRESS ? ask_address(context, route, true) : ask_route(context, route, true);

	return rc == -EEXIST && route->kind == ROUTE_GATEWAY ? 0 : rc;
}

int kernel_route_remove(void *context, const struct route *route)
{
	int rc = route->kind == ROUTE_ADDRESS ? ask_address(context, route, false) : ask_route(context, route, false);

	return rc == -ESRCH || rc == -ENODEV || rc == -EADDRNOTAVAIL ? 0 : rc;
}

struct search {
	const struct address *to;
	int except, len; /* of the longest prefix so far; -1: none */
	uint32_t metric;
	struct address via;
	int ifindex;
};

static void read_address(const struct nlattr *attribute, struct address *out)
{
	uint16_t len = mnl_attr_get_payload_len(attribute);

	if (len != IPV4_LEN && len != IPV6_LEN)
		return;
	*out = (struct address){.family = len == IPV4_LEN ? ADDRESS_IPV4 : ADDRESS_IPV6};
	memcpy(out->bytes, mnl_attr_get_payload(attribute), len);
}

/* One route of the dump: is it a longer match than the best so far? */
static int consider(const struct nlmsghdr *message, void *context)
{
	struct search *search = context;
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	struct address destination = {.family = search->to->family}, via = {.family = ADDRESS_NONE};
	uint32_t metric = 0, table = info->rtm_table;
	const struct nlattr *attribute;
	struct prefix prefix;
	int ifindex = 0;

	mnl_attr_for_each(attribute, message, sizeof(*info))
	{
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST: read_address(attribute, &destination); break;
		case RTA_GATEWAY: read_address(attribute, &via); break;
		case RTA_OIF: ifindex = (int)mnl_attr_get_u32(attribute); break;
		case RTA_PRIORITY: metric = mnl_attr_get_u32(attribute); break;
		case RTA_TABLE: table = mnl_attr_get_u32(attribute); break;
		default: break;
		}
	}
	if (table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST || ifindex == 0 || ifindex == search->except ||
		info->rtm_protocol == PROTOCOL || info->rtm_family != family_of(search->to))
		return MNL_CB_OK;
	prefix = prefix_make(&destination, info->rtm_dst_len);
	if (!prefix_contains_address(&prefix, search->to) || prefix.len < search->len ||
		(prefix.len == search->len && metric >= search->metric))
		return MNL_CB_OK;
	search->len = prefix.len;
	search->metric = metric;
	search->via = via;
	search->ifindex = ifindex;
	return MNL_CB_OK;
}

int kernel_route_find(struct kernel *kernel, const struct address *to, int except, struct address *via, int *ifindex)
{
	_Alignas(8) uint8_t buffer[REQUEST_LEN] = {0};
	struct nlmsghdr *message = request(buffer, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *info = mnl_nlmsg_put_extra_header(message, sizeof(*info));
	struct search search = {.to = to, .except = except, .len = -1, .metric = UINT32_MAX};
	int rc;

	info->rtm_family = family_of(to);
	rc = ask(kernel, message, consider, &search);
	if (rc < 0)
		return rc;
	if (search.len < 0)
		return -ENETUNREACH;
	*via = search.via;
	*ifindex = search.ifindex;
	return 0;
}
