/* SPDX-License-Identifier: Apache-2.0 */
#include "clients.h"

#include "auth/login.h"
#include "clock.h"
#include "gateway.h"
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELPERS = 2, LOGINS_WAITING_MAX = 256 };

struct clients {
	struct gateway *gateway;
	struct jobs *jobs;
	struct login *login; /* NULL: no peer has users */
	struct pools *pools; /* NULL: there are none */
};

_Static_assert(sizeof(struct ike_login_key) <= LOGIN_KEY_LEN, "a login remembers whom it is for");

static bool has_users(const struct config *config)
{
	for (size_t i = 0; i < config->n_peers; i++)
		if (config->peers[i].users)
			return true;
	for (size_t i = 0; config->registration.n_ports > 0 && i < config->registration.n_methods; i++)
		if (config->registration.methods[i] == CONFIG_METHOD_PASSWORD)
			return true;
	return false;
}

static bool is_connected(void *context, const char *peer_name, const char *identity)
{
	const struct gateway *gateway = ((struct clients *)context)->gateway;
	const struct config_peer *peer = peers_find(gateway->peers, peer_name);

	if (!peer)
		return false;
	if (peer->registration && registrations_hold(gateway->registrations, identity))
		return true;
	if (gateway->install && sessions_find(gateway->install->sessions, peer, identity) != TABLES_NONE)
		return true;
	return gateway->ike && ike_peer_is_known(gateway->ike, peer, identity);
}

static int open_pools(struct clients *clients, const struct config *config)
{
	struct pools_hooks hooks = {.context = clients, .connected = is_connected};
	char path[CONFIG_PATH_LEN + 16], error[LEASE_STORE_ERROR_LEN];
	struct lease_store *store;

	snprintf(path, sizeof(path), "%s/leases.sqlite", config->state_dir);
	store = lease_store_open(path, error);
	if (!store) {
		log_error("event=start_failed reason=\"leases can't be kept: %s (setting state_dir)\"", error);
		return -EIO;
	}
	clients->pools = pools_new(config, store, &hooks);
	return clients->pools ? 0 : -ENOMEM;
}

static int open_login(struct clients *clients, const struct config *config)
{
	clients->jobs = jobs_new(clients->gateway->base, HELPERS, LOGINS_WAITING_MAX);
	clients->login = clients->jobs ? login_new(&config->users, clients->jobs) : NULL;
	return clients->login ? 0 : -errno;
}

struct clients *clients_new(struct gateway *gateway)
{
	const struct config *config = gateway->config;
	struct clients *clients = calloc(1, sizeof(*clients));
	int rc = clients ? 0 : -ENOMEM;

	if (clients)
		clients->gateway = gateway;
	if (rc == 0 && config->n_pools > 0)
		rc = open_pools(clients, config);
	if (rc == 0 && has_users(config))
		rc = open_login(clients, config);
	if (rc == 0)
		return clients;
	clients_free(clients);
	errno = -rc;
	return NULL;
}

void clients_free(struct clients *clients)
{
	if (!clients)
		return;
	jobs_free(clients->jobs);
	login_free(clients->login);
	pools_free(clients->pools);
	free(clients);
}

static void on_answer(void *context, const void *bytes, const struct login_answer *answer)
{
	struct gateway *gateway = ((struct clients *)context)->gateway;
	struct ike_login_key key;

	if (!gateway->ike)
		return;
	memcpy(&key, bytes, sizeof(key));
	ike_login_done(gateway->ike, &key, answer->user, answer->why);
	gateway_settle(gateway);
}

int clients_login(struct clients *clients, const struct ike_login *login)
{
	char address[ADDRESS_TEXT_LEN];
	uint8_t key[LOGIN_KEY_LEN] = {0};
	struct login_request request = {
		.user = login->user,
		.password = login->password,
		.group = login->peer->user_group,
		.address = address_format(&login->remote.address, address),
	};

	memcpy(key, &login->key, sizeof(login->key));
	return clients->login ? login_begin(clients->login, &request, key, on_answer, clients) : -ENOTSUP;
}

int clients_lease(struct clients *clients, const struct config_peer *peer, const char *identity,
	struct ike_assignment *out, char why[IKE_WHY_LEN])
{
	struct pool_lease lease;
	int rc;

	if (!clients->pools) {
		snprintf(why, IKE_WHY_LEN, "no pool is configured");
		return -ENOENT;
	}
	rc = pools_take(clients->pools, peer->pool, peer->name, identity, clock_unix(), &lease, why);
	if (rc < 0)
		return rc;
	out->address = lease.address;
	out->n_dns = lease.pool->n_dns;
	memcpy(out->dns, lease.pool->dns, sizeof(out->dns));
	return 0;
}

struct login *clients_login_service(const struct clients *clients)
{
	return clients->login;
}

struct pools *clients_pools(const struct clients *clients)
{
	return clients ? clients->pools : NULL;
}
