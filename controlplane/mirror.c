/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror_state.h"

#include "config/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void mirror_emit(struct mirror *mirror, enum tables_change_kind kind, struct writer_net net)
{
	net.epoch = mirror->status.epoch;
	mirror->sink.change(mirror->sink.context, kind, &net);
}

int mirror_port_of(const struct mirror *mirror, int ifindex)
{
	for (uint32_t i = 0; i < mirror->n_ports; i++)
		if (ifindex > 0 && mirror->ports[i].ifindex == ifindex)
			return (int)i;
	return -1;
}

static bool in_round(const struct mirror *mirror)
{
	return mirror->step != NETLINK_DUMP_COUNT;
}

/* --- rounds ----------------------------------------------------------------------------------------------------- */

static void round_step(struct mirror *mirror, enum netlink_dump step)
{
	static const struct timeval second = {.tv_sec = 1};

	mirror->step = step;
	if (netlink_dump(mirror->netlink, step) < 0)
		event_add(mirror->retry, &second);
}

static void round_begin(struct mirror *mirror)
{
	mirror->status.epoch++;
	mirror->status.complete = false;
	mirror->again = false;
	mirror->n_pending = 0;
	mirror_tables_clear(&mirror->tables);
	for (uint32_t i = 0; i < mirror->n_ports; i++)
		mirror->ports[i].ifindex = 0;
	round_step(mirror, NETLINK_LINKS);
}

/* Now, or after the round that is under way. */
static void round_want(struct mirror *mirror)
{
	if (in_round(mirror))
		mirror->again = true;
	else
		round_begin(mirror);
}

static void round_end(struct mirror *mirror)
{
	mirror_emit(mirror, TABLES_NET_SWEEP, (struct writer_net){0});
	mirror->step = NETLINK_DUMP_COUNT;
	mirror->status.complete = true;
	mirror->status.rounds++;
	log_debug("event=kernel_mirrored addresses=%zu routes=%zu neighbours=%zu", mirror->tables.n_addresses,
		mirror->tables.n_routes, mirror->tables.n_neighbours);
}

static void on_dumped(void *context, bool whole)
{
	struct mirror *mirror = context;

	if (!in_round(mirror))
		return;
	if (!whole || mirror->again)
		round_begin(mirror);
	else if (mirror->step + 1 < NETLINK_DUMP_COUNT)
		round_step(mirror, mirror->step + 1);
	else
		round_end(mirror);
}

static void on_overrun(void *context)
{
	struct mirror *mirror = context;

	mirror->status.overruns++;
	log_warning("event=kernel_notifications_lost reason=\"addresses, routes and neighbours are read again\"");
	round_begin(mirror);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	round_begin(context);
}

/* --- interfaces and addresses ---------------------------------------------------------------------------------------
 */

static void on_link(void *context, const struct netlink_link *link)
{
	struct mirror *mirror = context;
	bool changed = false;

	for (uint32_t i = 0; i < mirror->n_ports; i++) {
		struct mirror_port *port = &mirror->ports[i];
		bool named = strcmp(port->name, link->name) == 0;

		if (port->ifindex == link->ifindex && (link->gone || !named)) {
			log_warning("event=interface_gone interface=%s", port->name);
			port->ifindex = 0;
			changed = true;
		} else if (named && !link->gone && (port->ifindex != link->ifindex || port->up != link->up)) {
			port->ifindex = link->ifindex;
			port->up = link->up;
			changed = true;
		}
	}
	/* An interface that goes down takes routes with it of which the kernel does not tell one by one. */
	if (changed && mirror->step != NETLINK_LINKS)
		round_want(mirror);
}

static void on_address(void *context, const struct netlink_address *address)
{
	struct mirror *mirror = context;
	int port = mirror_port_of(mirror, address->ifindex);
	struct writer_net net = {.prefix = mirror_host_prefix(&address->address), .port = (uint16_t)port};

	/* One that turns out to be another's never comes; one that stays is told again. */
	if (port < 0 || (address->tentative && !address->gone))
		return;
	if (!address->gone) {
		if (mirror_address_add(&mirror->tables, net.port, &address->address))
			mirror_emit(mirror, TABLES_ADDRESS_ADD, net);
		return;
	}
	if (mirror_address_remove(&mirror->tables, net.port, &address->address))
		mirror_emit(mirror, TABLES_ADDRESS_REMOVE, net);
	/* Routes that had it as their source went silently; the same address may stand there with another length. */
	round_want(mirror);
}

static void on_refused(void *context, int error)
{
	struct mirror *mirror = context;

	/* Kernels before 5.16 know no managed neighbours: they do without, and so do we. */
	if ((error == -EINVAL || error == -EOPNOTSUPP) && !mirror->no_managed) {
		mirror->no_managed = true;
		log_info("event=no_managed_neighbours reason=\"this kernel does not keep neighbours fresh by itself\"");
		round_want(mirror);
		return;
	}
	log_debug("event=neighbour_request_refused reason=\"%s\"", strerror(-error));
}

/* --- routes ----------------------------------------------------------------------------------------------------- */

static struct mirror_path best_path(const struct mirror_route *route)
{
	return route->n_paths ? route->paths[0] : (struct mirror_path){.port = UINT16_MAX};
}

/* Tells what became of a prefix. */
static void route_publish(struct mirror *mirror, struct mirror_route *route, const struct mirror_path *before)
{
	struct mirror_path now = best_path(route);
	struct writer_net net = {.prefix = route->prefix, .gateway = now.gateway, .port = now.port};

	if (now.port == UINT16_MAX) {
		if (before->port != UINT16_MAX) {
			net.port = before->port;
			net.gateway = before->gateway;
			mirror_emit(mirror, TABLES_ROUTE_REMOVE, net);
		}
		mirror_route_remove(&mirror->tables, route);
		return;
	}
	if (now.port != before->port || !address_equal(&now.gateway, &before->gateway))
		mirror_emit(mirror, TABLES_ROUTE_ADD, net);
	if (now.gateway.family != ADDRESS_NONE)
		mirror_neighbour_want(mirror, now.port, &now.gateway, true);
}

/* Every interface has a route to its own link-local network (fe80::/10): the data plane routes nothing there. */
static bool is_link_local(const struct prefix *prefix)
{
	const struct address *address = &prefix->address;

	return address->family == ADDRESS_IPV6 && prefix->len >= 10 && address->bytes[0] == 0xfe &&
	       (address->bytes[1] & 0xc0) == 0x80;
}

static void on_route(void *context, const struct netlink_route *told)
{
	struct mirror *mirror = context;
	struct mirror_route *route;
	struct mirror_path before;

	if (is_link_local(&told->prefix))
		return;
	route = mirror_route_get(&mirror->tables, &told->prefix, !told->gone);
	if (!route)
		return;
	before = best_path(route);
	if (told->replace || (told->gone && told->n_hops == 0))
		mirror_route_remove_path(route, told->metric, NULL);
	for (unsigned i = 0; i < told->n_hops && told->unicast; i++) {
		int port = mirror_port_of(mirror, told->hops[i].ifindex);
		struct mirror_path path = {
			.metric = told->metric, .gateway = told->hops[i].gateway, .port = (uint16_t)port};

		if (port < 0)
			continue;
		if (told->gone)
			mirror_route_remove_path(route, told->metric, &path);
		else
			mirror_route_add_path(route, &path);
	}
	route_publish(mirror, route, &before);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct mirror *mirror = context;

	(void)fd;
	(void)what;
	netlink_read(mirror->netlink);
	mirror->sink.settle(mirror->sink.context);
}

struct mirror *mirror_new(
	struct event_base *base, const char (*ports)[TABLES_NAME_LEN], uint32_t n_ports, const struct mirror_sink *sink)
{
	struct mirror *mirror = calloc(1, sizeof(*mirror));
	struct netlink_handler handler = {
		.context = mirror,
		.link = on_link,
		.address = on_address,
		.route = on_route,
		.neighbour = mirror_neighbour_told,
		.dumped = on_dumped,
		.overrun = on_overrun,
		.refused = on_refused,
	};
	int saved_errno;

	if (!mirror)
		return NULL;
	mirror->sink = *sink;
	mirror->n_ports = n_ports;
	for (uint32_t i = 0; i < n_ports; i++)
		snprintf(mirror->ports[i].name, sizeof(mirror->ports[i].name), "%.*s", TABLES_NAME_LEN - 1, ports[i]);
	mirror->netlink = netlink_open(&handler);
	if (!mirror->netlink)
		goto fail;
	errno = ENOMEM;
	mirror->retry = evtimer_new(base, on_retry, mirror);
	mirror->readable = event_new(base, netlink_fd(mirror->netlink), EV_READ | EV_PERSIST, on_readable, mirror);
	if (!mirror->retry || !mirror->readable || event_add(mirror->readable, NULL) < 0)
		goto fail;
	/* Not an epoch of a process before this one, whose entries the data plane may still have. */
	if (getrandom(&mirror->status.epoch, sizeof(mirror->status.epoch), 0) != sizeof(mirror->status.epoch))
		goto fail;
	round_begin(mirror);
	return mirror;
fail:
	saved_errno = errno;
	mirror_free(mirror);
	errno = saved_errno;
	return NULL;
}

void mirror_free(struct mirror *mirror)
{
	if (!mirror)
		return;
	if (mirror->readable)
		event_free(mirror->readable);
	if (mirror->retry)
		event_free(mirror->retry);
	netlink_close(mirror->netlink);
	mirror_tables_clear(&mirror->tables);
	free(mirror);
}

struct mirror_status mirror_status(const struct mirror *mirror)
{
	return mirror->status;
}

const struct mirror_tables *mirror_tables(const struct mirror *mirror)
{
	return &mirror->tables;
}

const char *mirror_port(const struct mirror *mirror, uint16_t port, bool *present)
{
	*present = port < mirror->n_ports && mirror->ports[port].ifindex != 0;
	return port < mirror->n_ports ? mirror->ports[port].name : "none";
}
