/* SPDX-License-Identifier: Apache-2.0 */
/* What this host's network is told: routes into the tunnel from the first try to the end, the device's MTU, and name
 * servers while the tunnel stands. */
#include "config/log.h"
#include "connect/connection.h"
#include "connect/dns.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

static struct routes_kernel kernel_of(struct connection *connection)
{
	return (struct routes_kernel){
		.context = connection->kernel, .add = kernel_route_add, .remove = kernel_route_remove};
}

/* Addresses of this host that may be a packet's source. */
static size_t own_addresses(struct address *out, size_t max)
{
	struct ifaddrs *list, *at;
	struct endpoint endpoint;
	size_t count = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (at = list; at && count < max; at = at->ifa_next)
		if (at->ifa_addr && !(at->ifa_flags & IFF_LOOPBACK) &&
			endpoint_from_sockaddr(at->ifa_addr, &endpoint) == 0)
			out[count++] = endpoint.address;
	freeifaddrs(list);
	return count;
}

/* What would outlive this process is noted before it is done. */
static void note_gateway(struct connection *connection, const struct routes *wanted)
{
	int rc;

	connection->undo.gateway = (struct route){.kind = ROUTE_GATEWAY};
	for (size_t i = 0; i < wanted->count; i++)
		if (wanted->items[i].kind == ROUTE_GATEWAY)
			connection->undo.gateway = wanted->items[i];
	rc = undo_write(&connection->undo);
	if (rc < 0)
		log_warning("event=note_not_written path=%s reason=\"%s; should this process be killed, its route to "
			    "the gateway stays\"",
			connection->undo.path, strerror(-rc));
}

static void exchange(struct connection *connection, const struct routes *wanted)
{
	struct routes_kernel kernel = kernel_of(connection);
	char text[ROUTES_TEXT_LEN];
	struct routes before = connection->routes;
	int rc;

	note_gateway(connection, wanted);
	rc = routes_exchange(&connection->routes, wanted, &kernel);
	if (rc < 0)
		log_error("event=route_failed interface=%s reason=\"%s%s\"", connection->path.device.name,
			strerror(-rc),
			rc == -EEXIST ? "; another route to that network is there already: remove it" : "");
	if (before.count == 0 && connection->routes.count > 0)
		for (size_t i = 0; i < connection->routes.count; i++)
			log_info("event=route_set interface=%s route=\"%s\"", connection->path.device.name,
				route_format(&connection->routes.items[i], text));
}

/* Where the configuration leaves it to the gateway what is reached: what that said, or everything (quick_initiator.c). */
static const struct prefix *remote_networks(const struct connection *connection, size_t *count)
{
	static const struct prefix everything = {.address.family = ADDRESS_IPV4};
	const struct config_peer *peer = &connection->config->peer;
	const struct ike_assignment *assignment = &connection->assignment;

	*count = peer->n_remote;
	if (peer->n_remote > 0)
		return peer->remote_networks;
	*count = assignment->n_networks;
	if (assignment->address.family == ADDRESS_NONE || assignment->n_networks > 0)
		return assignment->networks;
	*count = 1;
	return &everything;
}

const struct address *connection_dns(const struct connection *connection, size_t *count)
{
	bool own = connection->config->n_dns > 0;

	*count = own ? connection->config->n_dns : connection->assignment.n_dns;
	return own ? connection->config->dns : connection->assignment.dns;
}

void connection_network_set(struct connection *connection)
{
	const struct config_peer *peer = &connection->config->peer;
	struct address own[CONNECTION_OWN_MAX];
	size_t n_remote;
	struct routes_basis basis = {
		.remote = remote_networks(connection, &n_remote),
		.local = peer->local_networks,
		.n_remote = n_remote,
		.n_local = peer->n_local,
		.virtual_address = connection->assignment.address,
		.own = own,
		.n_own = own_addresses(own, CONNECTION_OWN_MAX),
		.ifindex = connection->path.device.ifindex,
		.gateway = connection->gateway.address,
	};
	struct routes wanted;

	(void)kernel_route_find(
		connection->kernel, &basis.gateway, basis.ifindex, &basis.gateway_via, &basis.gateway_ifindex);
	routes_plan(&basis, &wanted);
	exchange(connection, &wanted);
}

void connection_network_fit(struct connection *connection)
{
	int mtu = tun_path_fit(&connection->path, connection->config->mtu);

	if (mtu == 0 || mtu == connection->mtu)
		return;
	if (mtu < 0)
		log_error("event=mtu_failed interface=%s reason=\"%s\"", connection->path.device.name, strerror(-mtu));
	else
		log_info("event=mtu interface=%s mtu=%d uncut=%u path_mtu=%u", connection->path.device.name, mtu,
			connection->path.inner_mtu, connection->path.outer_mtu);
	connection->mtu = mtu;
}

void connection_network_up(struct connection *connection)
{
	const struct connect_config *config = connection->config;
	const struct address *servers;
	size_t count;
	int rc;

	servers = connection_dns(connection, &count);
	if (!config->dns_file[0] || connection->dns_set || count == 0)
		return;
	snprintf(connection->undo.dns_file, sizeof(connection->undo.dns_file), "%s", config->dns_file);
	(void)undo_write(&connection->undo);
	rc = dns_replace(config->dns_file, config->interface, servers, count);
	connection->dns_set = rc == 0;
	if (rc == 0)
		log_info("event=dns_set file=%s servers=%zu", config->dns_file, count);
	else
		log_error("event=dns_failed file=%s reason=\"%s; the tunnel stands without its name servers\"",
			config->dns_file, strerror(-rc));
}

/* Without the tunnel its name servers can't be reached: the former ones may find the gateway again. */
void connection_network_down(struct connection *connection)
{
	int rc;

	if (!connection->dns_set)
		return;
	rc = dns_restore(connection->config->dns_file, connection->config->interface);
	if (rc < 0)
		log_error("event=dns_not_restored file=%s reason=\"%s\"", connection->config->dns_file, strerror(-rc));
	connection->dns_set = false;
	connection->undo.dns_file[0] = '\0';
	(void)undo_write(&connection->undo);
}

void connection_network_undo(struct connection *connection)
{
	const struct routes none = {.count = 0};

	connection_network_down(connection);
	if (!connection->kernel || !connection->undo.path[0])
		return;
	if (connection->routes.count > 0)
		log_info("event=routes_removed interface=%s routes=%zu", connection->path.device.name,
			connection->routes.count);
	exchange(connection, &none);
}
