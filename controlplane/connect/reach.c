/* SPDX-License-Identifier: Apache-2.0 */
/* How the gateway is reached: its name, the way to it, and sockets at our end of that way. */
#include "config/log.h"
#include "connect/connection.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

/* Looks the name up; one that was found before stands in for a name server that can't be reached now. */
static bool find_address(struct connection *connection)
{
	const struct connect_config *config = connection->config;
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
	struct endpoint endpoint;
	int rc;

	if (noticing_gateway(connection)) {
		connection->gateway.address = noticing_gateway(connection)->address;
		return true;
	}
	if (address_parse(config->gateway, &connection->gateway.address) == 0)
		return true;
	rc = getaddrinfo(config->gateway, NULL, &hints, &found);
	if (rc == 0 && endpoint_from_sockaddr(found->ai_addr, &endpoint) == 0)
		connection->gateway.address = endpoint.address;
	if (rc == 0)
		freeaddrinfo(found);
	if (connection->gateway.address.family != ADDRESS_NONE)
		return true;
	explain_name(config->gateway, rc == 0 ? "it has no address" : gai_strerror(rc), &connection->verdict);
	return false;
}

/* The loop must forget a descriptor before it is closed: its number comes again. */
static void unwatch(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* Reopens a socket at another address of ours, with the port that it had: then what stands goes on from there. */
static int open_at(struct tun_socket *socket, const struct address *local, uint16_t configured)
{
	struct endpoint wanted = {.address = *local, .port = configured ? configured : socket->local.port};
	int rc;

	tun_socket_close(socket);
	rc = tun_socket_open(socket, &wanted);
	if (rc == -EADDRINUSE && !configured && wanted.port != 0) {
		wanted.port = 0;
		rc = tun_socket_open(socket, &wanted);
	}
	return rc;
}

static int open_sockets(struct connection *connection, const struct address *local)
{
	struct connect_config *config = connection->config;
	struct tun_path *path = &connection->path;
	char text[ADDRESS_TEXT_LEN];
	int rc;

	if (path->socket.fd >= 0 && address_equal(&path->socket.local.address, local))
		return 0;
	unwatch(&connection->socket_event);
	unwatch(&connection->plain_event);
	rc = open_at(&path->socket, local, config->local_nat_port);
	if (rc == 0)
		rc = open_at(&path->plain, local, config->local_port);
	if (rc < 0) {
		log_error("event=no_socket local=%s reason=\"%s%s\"", address_format(local, text), strerror(-rc),
			rc == -EADDRINUSE ? "; another program has local_port or local_nat_port" : "");
		tun_socket_close(&path->socket);
		tun_socket_close(&path->plain);
		return rc;
	}
	config->base.ike.port = path->plain.local.port;
	config->base.ike.nat_ports[0] = path->socket.local.port;
	config->base.ike.n_nat_ports = 1;
	log_info("event=local_address local=%s port=%u nat_port=%u", address_format(local, text),
		path->plain.local.port, path->socket.local.port);
	return 0;
}

bool connection_reach(struct connection *connection)
{
	struct explain_try *try;
	struct address local;
	uint32_t mtu;
	int rc;

	if (!find_address(connection))
		return false;
	connection_network_set(connection);
	rc = tun_socket_route(&connection->gateway, &local, &mtu);
	if (rc == 0) {
		connection->path.outer_mtu = noticing_mtu(connection, mtu);
		connection->tcp.address = local;
		/* TCP's socket is made by each dial. */
		rc = over_tcp_is_meant(connection) ? 0 : open_sockets(connection, &local);
		if (rc == 0)
			return true;
	}
	try = explain_note(&connection->round, rc == -EADDRINUSE ? EXPLAIN_LOCAL : EXPLAIN_UNREACHABLE, strerror(-rc));
	if (try)
		try->error = -rc;
	return false;
}

int connection_reach_again(struct connection *connection)
{
	struct address local;
	uint32_t mtu;
	int rc;

	connection_network_set(connection);
	rc = tun_socket_route(&connection->gateway, &local, &mtu);
	if (rc == 0) {
		connection->path.outer_mtu = mtu;
		connection->tcp.address = local;
	}
	return rc;
}

bool connection_is_elsewhere(const struct connection *connection)
{
	struct endpoint gateway = connection->gateway;
	struct address local;
	uint32_t mtu;

	if (gateway.address.family == ADDRESS_NONE)
		return true;
	if (gateway.port == 0)
		gateway.port = connection->config->ports[0];
	if (tun_socket_route(&gateway, &local, &mtu) < 0)
		return false;
	if (connection->path.stream)
		return !address_equal(&connection->tcp.address, &local);
	return connection->path.socket.fd < 0 || !address_equal(&connection->path.socket.local.address, &local);
}
