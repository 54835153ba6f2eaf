/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/registrar.h"

#include "config/log.h"
#include "hashmap.h"
#include "registration/dialog.h"
#include "registration/listener.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

enum { OTHER_DESCRIPTORS = 256, IPV6_HOST = 8 /* of 16 bytes: a /64 is one customer's */ };

TAILQ_HEAD(slot_list, slot);

/* An address from which connections come, and these, the oldest first. */
struct source {
	struct hashmap_node by_address;
	TAILQ_ENTRY(source) in_list;
	struct address address;
	struct slot_list slots;
	size_t count;
};

struct slot {
	TAILQ_ENTRY(slot) in_source;
	struct registrar *registrar;
	struct source *source;
	struct dialog *dialog;
};

struct registrar {
	struct registrar_host host;
	struct tls_context *tls;
	struct listeners *listeners;
	struct registrar_counters counters;
	struct hashmap by_address;
	TAILQ_HEAD(, source) sources;
	size_t count;
};

static struct address source_address(const struct address *remote)
{
	struct address address = *remote;

	if (address.family == ADDRESS_IPV6)
		memset(address.bytes + IPV6_HOST, 0, sizeof(address.bytes) - IPV6_HOST);
	return address;
}

static struct source *source_get(struct registrar *registrar, const struct address *remote)
{
	struct address address = source_address(remote);
	uint64_t hash = hashmap_hash(&registrar->by_address, address.bytes, sizeof(address.bytes));
	struct hashmap_node *node = hashmap_first(&registrar->by_address, hash);
	struct source *source;

	for (; node; node = hashmap_next(node))
		if (address_equal(&hashmap_owner(node, struct source, by_address)->address, &address))
			return hashmap_owner(node, struct source, by_address);
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->address = address;
	TAILQ_INIT(&source->slots);
	TAILQ_INSERT_TAIL(&registrar->sources, source, in_list);
	hashmap_add(&registrar->by_address, &source->by_address, hash);
	return source;
}

static void source_put(struct registrar *registrar, struct source *source)
{
	if (source->count > 0)
		return;
	hashmap_remove(&registrar->by_address, &source->by_address);
	TAILQ_REMOVE(&registrar->sources, source, in_list);
	free(source);
}

static void slot_free(struct slot *slot, const char *why)
{
	struct registrar *registrar = slot->registrar;
	struct source *source = slot->source;

	if (slot->dialog)
		dialog_free(slot->dialog, why);
	TAILQ_REMOVE(&source->slots, slot, in_source);
	source->count--;
	registrar->count--;
	free(slot);
	source_put(registrar, source);
}

static void on_over(void *context)
{
	slot_free(context, "the exchange ended");
}

/* The oldest of its connections that keeps us waiting gives way. False when there is none. */
static bool source_make_room(struct registrar *registrar, struct source *source)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &source->slots, in_source)
		if (dialog_waits(slot->dialog)) {
			registrar->counters.crowded_out++;
			slot_free(slot,
				"closed to make room for a newer connection: too many others are not through either "
				"(settings connections and connections_per_address of registration)");
			return true;
		}
	return false;
}

static struct source *registrar_busiest(const struct registrar *registrar)
{
	struct source *source, *busiest = NULL;

	TAILQ_FOREACH(source, &registrar->sources, in_list)
		if (!busiest || source->count > busiest->count)
			busiest = source;
	return busiest;
}

/* Whether there is room for one more from here, made where need be. `source` stays, as it is counted already. */
static bool registrar_admits(struct registrar *registrar, struct source *source)
{
	const struct config_registration *config = &registrar->host.config->registration;

	if (source->count > config->connections_per_address && !source_make_room(registrar, source))
		return false;
	if (registrar->count <= config->connections)
		return true;
	return source_make_room(registrar, registrar_busiest(registrar)) || source_make_room(registrar, source);
}

static void on_accepted(void *context, int fd, const struct endpoint *local, const struct endpoint *remote)
{
	struct registrar *registrar = context;
	struct source *source = source_get(registrar, &remote->address);
	struct slot *slot = source ? calloc(1, sizeof(*slot)) : NULL;
	struct dialog_owner owner = {.context = slot, .over = on_over};

	registrar->counters.connections++;
	if (!slot) {
		if (source)
			source_put(registrar, source);
		close(fd);
		return;
	}
	slot->registrar = registrar;
	slot->source = source;
	source->count++;
	registrar->count++;
	if (registrar_admits(registrar, source)) {
		slot->dialog =
			dialog_new(&owner, &registrar->host, registrar->tls, &registrar->counters, fd, local, remote);
	} else {
		registrar->counters.not_admitted++;
		close(fd);
	}
	TAILQ_INSERT_TAIL(&source->slots, slot, in_source);
	if (!slot->dialog)
		slot_free(slot, "");
}

static void on_settle(void *context)
{
	struct registrar *registrar = context;

	registrar->host.settle(registrar->host.context);
}

/* As many descriptors as there may be connections, where the system allows it. */
static void raise_descriptors(size_t connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= connections + OTHER_DESCRIPTORS)
		return;
	limit.rlim_cur =
		connections + OTHER_DESCRIPTORS < limit.rlim_max ? connections + OTHER_DESCRIPTORS : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool asks_certificate(const struct config_registration *config)
{
	for (size_t i = 0; i < config->n_methods; i++)
		if (config->methods[i] == CONFIG_METHOD_CERTIFICATE)
			return true;
	return false;
}

struct registrar *registrar_new(
	struct event_base *base, const struct registrar_host *host, const struct credentials *credentials)
{
	struct registrar *registrar = calloc(1, sizeof(*registrar));
	struct listeners_handler handler = {.context = registrar, .accepted = on_accepted, .settle = on_settle};
	const struct config_registration *config = &host->config->registration;
	const struct listeners_ports ports = {config->ports, config->n_ports, "registration.ports"};
	char why[TLS_WHY_LEN];
	uint64_t seed;
	int rc = -ENOMEM;

	if (!registrar)
		return NULL;
	registrar->host = *host;
	TAILQ_INIT(&registrar->sources);
	if (RAND_bytes((unsigned char *)&seed, sizeof(seed)) != 1 || hashmap_init(&registrar->by_address, seed) < 0)
		goto fail;
	registrar->tls = tls_context_server(credentials, asks_certificate(config), why);
	if (!registrar->tls) {
		log_error("event=start_failed reason=\"registration is not possible: %s\"", why);
		rc = -EINVAL;
		goto fail;
	}
	raise_descriptors(config->connections);
	registrar->listeners = listeners_open(base, &host->config->ike, &ports, &handler);
	if (registrar->listeners)
		return registrar;
	rc = -errno;
fail:
	registrar_free(registrar);
	errno = -rc;
	return NULL;
}

int registrar_use_credentials(struct registrar *registrar, const struct credentials *credentials, char why[TLS_WHY_LEN])
{
	struct tls_context *tls =
		tls_context_server(credentials, asks_certificate(&registrar->host.config->registration), why);

	if (!tls)
		return -EINVAL;
	tls_context_free(registrar->tls);
	registrar->tls = tls;
	return 0;
}

void registrar_free(struct registrar *registrar)
{
	struct source *source;

	if (!registrar)
		return;
	listeners_close(registrar->listeners);
	while ((source = TAILQ_FIRST(&registrar->sources)))
		slot_free(TAILQ_FIRST(&source->slots), "the gateway is being stopped");
	hashmap_free(&registrar->by_address);
	tls_context_free(registrar->tls);
	free(registrar);
}

const struct registrar_counters *registrar_counters(const struct registrar *registrar)
{
	return &registrar->counters;
}

size_t registrar_count(const struct registrar *registrar)
{
	return registrar->count;
}

uint16_t registrar_port(const struct registrar *registrar)
{
	return listeners_port(registrar->listeners);
}
