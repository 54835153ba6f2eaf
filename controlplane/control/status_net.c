/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <linux/neighbour.h>
#include <stdio.h>

struct net_walk {
	const struct mirror *mirror;
	json_t *list;
};

static const char *port_name(const struct net_walk *walk, uint16_t port)
{
	bool present;

	return mirror_port(walk->mirror, port, &present);
}

static void put_address(void *context, const void *entry)
{
	const struct net_walk *walk = context;
	const struct mirror_address *address = entry;

	json_array_append_new(walk->list, json_pack("{s:o, s:s}", "address", status_address(&address->address),
						  "interface", port_name(walk, address->port)));
}

static void put_route(void *context, const void *entry)
{
	const struct net_walk *walk = context;
	const struct mirror_route *route = entry;

	/* The first is the one that the data plane uses. */
	for (size_t i = 0; i < route->n_paths; i++)
		json_array_append_new(
			walk->list, json_pack("{s:o, s:o, s:s, s:I, s:b}", "prefix", status_prefix(&route->prefix),
					    "gateway", status_address(&route->paths[i].gateway), "interface",
					    port_name(walk, route->paths[i].port), "metric",
					    (json_int_t)route->paths[i].metric, "used", i == 0));
}

static const char *neighbour_state(const struct mirror_neighbour *neighbour)
{
	if (!neighbour->usable)
		return "asked for";
	switch (neighbour->state) {
	case NUD_REACHABLE: return "reachable";
	case NUD_STALE: return "stale";
	case NUD_DELAY: return "delay";
	case NUD_PROBE: return "probe";
	case NUD_PERMANENT: return "permanent";
	case NUD_NOARP: return "noarp";
	default: return "unknown";
	}
}

static void put_neighbour(void *context, const void *entry)
{
	const struct net_walk *walk = context;
	const struct mirror_neighbour *neighbour = entry;
	char mac[18] = "";

	if (neighbour->usable)
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", neighbour->mac[0], neighbour->mac[1],
			neighbour->mac[2], neighbour->mac[3], neighbour->mac[4], neighbour->mac[5]);
	json_array_append_new(
		walk->list, json_pack("{s:o, s:s, s:s, s:s, s:b}", "address", status_address(&neighbour->address),
				    "interface", port_name(walk, neighbour->port), "mac", mac, "state",
				    neighbour_state(neighbour), "managed", neighbour->managed));
}

static json_t *list_of(const struct mirror *mirror, const void *tree, void (*put)(void *context, const void *entry))
{
	struct net_walk walk = {.mirror = mirror, .list = json_array()};

	if (walk.list)
		mirror_tables_each(tree, put, &walk);
	return walk.list;
}

static json_t *ports(const struct mirror *mirror, uint32_t n_ports)
{
	json_t *list = json_array();

	for (uint16_t i = 0; i < n_ports; i++) {
		bool present;
		const char *name = mirror_port(mirror, i, &present);

		json_array_append_new(list, json_pack("{s:s, s:b}", "interface", name, "present", present));
	}
	return list;
}

json_t *status_net(const struct gateway *gateway)
{
	const struct mirror_tables *tables;
	struct mirror_status status;

	if (!gateway->mirror)
		return json_pack("{s:o, s:b, s:[], s:[], s:[], s:[]}", "dataplane", status_dataplane(gateway),
			"complete", 0, "ports", "addresses", "routes", "neighbours");
	tables = mirror_tables(gateway->mirror);
	status = mirror_status(gateway->mirror);
	return json_pack("{s:o, s:b, s:I, s:I, s:o, s:o, s:o, s:o}", "dataplane", status_dataplane(gateway), "complete",
		status.complete, "rounds", (json_int_t)status.rounds, "overruns", (json_int_t)status.overruns, "ports",
		ports(gateway->mirror, gateway->tables->n_ports), "addresses",
		list_of(gateway->mirror, tables->addresses, put_address), "routes",
		list_of(gateway->mirror, tables->routes, put_route), "neighbours",
		list_of(gateway->mirror, tables->neighbours, put_neighbour));
}
