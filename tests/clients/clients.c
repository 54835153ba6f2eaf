/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include "ike/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/rand.h>

struct client {
	struct clients *all;
	struct ike *ike;
	struct config config;
	struct config_peer gateway;
};

struct clients {
	struct clients_hooks hooks;
	struct endpoint local, remote;
	size_t count;
	uint32_t next_spi;
	struct client clients[];
};

enum { PUBLIC_FIRST = 10 << 24 | 64 << 16 };

struct address clients_address(size_t number)
{
	struct address address = {.family = ADDRESS_IPV4};

	bytes_put32(address.bytes, (uint32_t)(PUBLIC_FIRST + number));
	return address;
}

size_t clients_number(const struct address *address)
{
	return bytes_get32(address->bytes) - PUBLIC_FIRST;
}

static size_t client_number(const struct client *client)
{
	return (size_t)(client - client->all->clients);
}

static uint64_t client_now(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int client_random(void *context, void *out, size_t len)
{
	(void)context;
	return RAND_bytes(out, (int)len) == 1 ? 0 : -EIO;
}

static void client_send(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct client *client = context;

	(void)remote;
	client->all->hooks.send(client->all->hooks.context, client_number(client),
		config_is_nat_port(&client->config.ike, local->port), message, message_len);
}

static void client_keepalive(void *context, const struct endpoint *local, const struct endpoint *remote)
{
	(void)context;
	(void)local;
	(void)remote;
}

static int client_spi_reserve(void *context, uint32_t *spi)
{
	*spi = ((struct client *)context)->all->next_spi++;
	return 0;
}

static void client_spi_release(void *context, uint32_t spi)
{
	(void)context;
	(void)spi;
}

static int client_install(void *context, const struct ike_child *child)
{
	(void)context;
	(void)child;
	return 0;
}

static void client_activate(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct client *client = context;

	(void)child_id;
	(void)spi_in;
	client->all->hooks.connected(client->all->hooks.context, client_number(client));
}

static void client_remove(void *context, uint64_t child_id, uint32_t spi_in)
{
	(void)context;
	(void)child_id;
	(void)spi_in;
}

static void client_moved(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
	const struct endpoint *local, const struct endpoint *remote)
{
	(void)context;
	(void)peer;
	(void)identity;
	(void)ike_sa;
	(void)local;
	(void)remote;
}

static void client_event(void *context, const struct ike_event *event)
{
	struct client *client = context;

	if (event->kind == IKE_EVENT_REFUSED || event->kind == IKE_EVENT_EXPIRED)
		client->all->hooks.failed(client->all->hooks.context, client_number(client), event->why);
}

static void plan_peer(struct config_peer *peer, const char *identity, uint16_t group)
{
	snprintf(peer->name, sizeof(peer->name), "%.*s", (int)sizeof(peer->name) - 1, identity);
	snprintf(peer->identity, sizeof(peer->identity), "%s", identity);
	peer->secret_len = (uint16_t)strlen(CLIENTS_SECRET);
	memcpy(peer->secret, CLIENTS_SECRET, peer->secret_len);
	peer->ikev1 = peer->aggressive = true;
	peer->auth[0] = IKE_AUTH_PSK;
	peer->n_auth = 1;
	peer->ike[0] = (struct ike_proposal){IKE_CIPHER_AES_CBC, 128, IKE_HASH_SHA256, group};
	peer->n_ike = 1;
	peer->esp[0] = ESP_AES128_GCM;
	peer->n_esp = 1;
	peer->n_local = peer->n_remote = 1;
	peer->lifetime = 86400;
}

static void plan_identity(size_t number, char *identity)
{
	snprintf(identity, CONFIG_IDENTITY_LEN, "client%zu.example", number);
}

static void plan_inner_network(size_t number, struct prefix *network)
{
	char text[PREFIX_TEXT_LEN];

	snprintf(text, sizeof(text), "10.%zu.%zu.%zu/32", 128 + (number >> 16), number >> 8 & 255, number & 255);
	prefix_parse(text, network);
}

static void plan_ike(struct config_ike *ike, const char *identity)
{
	*ike = (struct config_ike){
		.port = 500,
		.nat_ports = {4500},
		.n_nat_ports = 1,
		.half_open_max = 100000,
		.half_open_per_source = 100,
		.half_open_timeout = 30,
		.lifetime = 86400,
		.fragment_size = 1280,
	};
	snprintf(ike->identity, sizeof(ike->identity), "%s", identity);
}

static int client_open(struct client *client, size_t number, uint16_t group)
{
	struct ike_host host = {
		.context = client,
		.now_ms = client_now,
		.random = client_random,
		.send = client_send,
		.keepalive = client_keepalive,
		.spi_reserve = client_spi_reserve,
		.spi_release = client_spi_release,
		.child_install = client_install,
		.child_activate = client_activate,
		.child_remove = client_remove,
		.peer_moved = client_moved,
		.event = client_event,
	};
	char identity[CONFIG_IDENTITY_LEN];

	plan_identity(number, identity);
	plan_ike(&client->config.ike, identity);
	plan_peer(&client->gateway, CLIENTS_GATEWAY_IDENTITY, group);
	prefix_parse(CLIENTS_NETWORK, &client->gateway.remote_networks[0]);
	plan_inner_network(number, &client->gateway.local_networks[0]);
	client->config.peers = &client->gateway;
	client->config.n_peers = 1;
	client->ike = ike_new(&client->config, &host);
	return client->ike ? 0 : -errno;
}

struct clients *clients_new(
	size_t count, size_t first, uint16_t group, const struct address *gateway, const struct clients_hooks *hooks)
{
	struct clients *clients = calloc(1, sizeof(*clients) + count * sizeof(clients->clients[0]));
	int rc = 0;

	if (!clients)
		return NULL;
	clients->hooks = *hooks;
	clients->next_spi = 0x80000001;
	clients->local.port = clients->remote.port = 500;
	address_parse("192.168.0.1", &clients->local.address);
	clients->remote.address = *gateway;
	for (size_t i = 0; rc == 0 && i < count; i++, clients->count++) {
		clients->clients[i].all = clients;
		rc = client_open(&clients->clients[i], first + i, group);
	}
	if (rc == 0)
		return clients;
	clients_free(clients);
	errno = -rc;
	return NULL;
}

void clients_free(struct clients *clients)
{
	for (size_t i = 0; clients && i < clients->count; i++)
		ike_free(clients->clients[i].ike);
	free(clients);
}

void clients_begin_floated(struct clients *clients)
{
	clients->local.port = clients->remote.port = 4500;
}

int clients_dial(struct clients *clients, size_t client)
{
	struct client *at = &clients->clients[client];

	return ike_initiate(at->ike, &at->gateway, &clients->local, &clients->remote);
}

void clients_input(struct clients *clients, size_t client, bool floated, const uint8_t *message, size_t message_len)
{
	struct endpoint local = clients->local, remote = clients->remote;

	if (floated)
		local.port = remote.port = clients->clients[client].config.ike.nat_ports[0];
	ike_input(clients->clients[client].ike, &local, &remote, floated, message, message_len);
}

void clients_run_timers(struct clients *clients, size_t client)
{
	ike_run_timers(clients->clients[client].ike);
}

int clients_probe(struct clients *clients, size_t client)
{
	return ike_peer_probe(clients->clients[client].ike, &clients->clients[client].gateway);
}

int clients_gateway_config(struct config *config, size_t count, uint16_t group)
{
	char identity[CONFIG_IDENTITY_LEN];

	*config = (struct config){0};
	plan_ike(&config->ike, CLIENTS_GATEWAY_IDENTITY);
	config->peers = calloc(count, sizeof(*config->peers));
	if (!config->peers)
		return -ENOMEM;
	config->n_peers = count;
	for (size_t i = 0; i < count; i++) {
		plan_identity(i, identity);
		plan_peer(&config->peers[i], identity, group);
		prefix_parse(CLIENTS_NETWORK, &config->peers[i].local_networks[0]);
		plan_inner_network(i, &config->peers[i].remote_networks[0]);
	}
	return 0;
}
