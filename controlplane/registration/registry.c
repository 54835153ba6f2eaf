/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/registry.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(registration_list, registration);

struct registry {
	uint64_t key_timeout_ms, last_number;
	struct registry_hooks hooks;
	struct hashmap by_number, by_session, by_one_time, by_identity, by_ike_sa;
	struct registration_list list; /* oldest first */
	size_t count;
};

struct registry *registry_new(uint32_t key_timeout, const struct registry_hooks *hooks)
{
	struct registry *registry = calloc(1, sizeof(*registry));
	uint64_t seeds[5];

	if (!registry)
		return NULL;
	registry->key_timeout_ms = (uint64_t)key_timeout * 1000;
	registry->hooks = *hooks;
	TAILQ_INIT(&registry->list);
	if (RAND_bytes((unsigned char *)seeds, sizeof(seeds)) == 1 &&
		hashmap_init(&registry->by_number, seeds[0]) == 0 &&
		hashmap_init(&registry->by_session, seeds[1]) == 0 &&
		hashmap_init(&registry->by_one_time, seeds[2]) == 0 &&
		hashmap_init(&registry->by_identity, seeds[3]) == 0 &&
		hashmap_init(&registry->by_ike_sa, seeds[4]) == 0)
		return registry;
	registry_free(registry);
	errno = ENOMEM;
	return NULL;
}

static void registry_drop(struct registry *registry, struct registration *registration)
{
	hashmap_remove(&registry->by_number, &registration->by_number);
	hashmap_remove(&registry->by_session, &registration->by_session);
	hashmap_remove(&registry->by_one_time, &registration->by_one_time);
	hashmap_remove(&registry->by_identity, &registration->by_identity);
	if (registration->ike_sa)
		hashmap_remove(&registry->by_ike_sa, &registration->by_ike_sa);
	TAILQ_REMOVE(&registry->list, registration, in_list);
	registry->count--;
	OPENSSL_cleanse(registration, sizeof(*registration));
	free(registration);
}

void registry_free(struct registry *registry)
{
	if (!registry)
		return;
	while (!TAILQ_EMPTY(&registry->list))
		registry_drop(registry, TAILQ_FIRST(&registry->list));
	hashmap_free(&registry->by_number);
	hashmap_free(&registry->by_session);
	hashmap_free(&registry->by_one_time);
	hashmap_free(&registry->by_identity);
	hashmap_free(&registry->by_ike_sa);
	free(registry);
}

uint64_t registry_number(struct registry *registry)
{
	return ++registry->last_number;
}

static uint64_t text_hash(const struct hashmap *map, const char *text)
{
	return hashmap_hash(map, text, strlen(text));
}

struct registration *registry_find(const struct registry *registry, uint64_t number)
{
	struct hashmap_node *node =
		hashmap_first(&registry->by_number, hashmap_hash(&registry->by_number, &number, sizeof(number)));

	for (; node; node = hashmap_next(node))
		if (hashmap_owner(node, struct registration, by_number)->number == number)
			return hashmap_owner(node, struct registration, by_number);
	return NULL;
}

struct registration *registry_find_session(const struct registry *registry, const uint8_t *session)
{
	struct hashmap_node *node = hashmap_first(
		&registry->by_session, hashmap_hash(&registry->by_session, session, REGISTRATION_SESSION_LEN));

	for (; node; node = hashmap_next(node)) {
		struct registration *registration = hashmap_owner(node, struct registration, by_session);

		if (memcmp(registration->session, session, REGISTRATION_SESSION_LEN) == 0)
			return registration;
	}
	return NULL;
}

static struct registration *registry_find_named(const struct registry *registry, const char *identity)
{
	struct hashmap_node *node = hashmap_first(&registry->by_one_time, text_hash(&registry->by_one_time, identity));

	for (; node; node = hashmap_next(node)) {
		struct registration *registration = hashmap_owner(node, struct registration, by_one_time);

		if (strcmp(registration->keys.identity, identity) == 0)
			return registration;
	}
	return NULL;
}

struct registration *registry_find_one_time(const struct registry *registry, const char *identity)
{
	struct registration *registration = registry_find_named(registry, identity);

	return registration && registration->ike_sa == 0 ? registration : NULL;
}

struct registration *registry_add(struct registry *registry, const struct registration *values, uint64_t now_ms)
{
	struct registration *registration;

	if (registry_find_session(registry, values->session) || registry_find_named(registry, values->keys.identity) ||
		registry_find(registry, values->number)) {
		errno = EEXIST;
		return NULL;
	}
	registration = malloc(sizeof(*registration));
	if (!registration)
		return NULL;
	*registration = *values;
	registration->accepted_ms = now_ms;
	registration->ike_sa = 0;
	registration->notices = (struct notice_session){.state = NOTICE_IDLE};
	hashmap_add(&registry->by_number, &registration->by_number,
		hashmap_hash(&registry->by_number, &registration->number, sizeof(registration->number)));
	hashmap_add(&registry->by_session, &registration->by_session,
		hashmap_hash(&registry->by_session, registration->session, REGISTRATION_SESSION_LEN));
	hashmap_add(&registry->by_one_time, &registration->by_one_time,
		text_hash(&registry->by_one_time, registration->keys.identity));
	hashmap_add(&registry->by_identity, &registration->by_identity,
		text_hash(&registry->by_identity, registration->identity));
	TAILQ_INSERT_TAIL(&registry->list, registration, in_list);
	registry->count++;
	return registration;
}

static uint64_t ike_sa_hash(const struct registry *registry, uint64_t ike_sa)
{
	return hashmap_hash(&registry->by_ike_sa, &ike_sa, sizeof(ike_sa));
}

int registry_take(struct registry *registry, uint64_t number, uint64_t ike_sa)
{
	struct registration *registration = registry_find(registry, number);

	if (!registration)
		return -ENOENT;
	if (registration->ike_sa)
		return -EALREADY;
	registration->ike_sa = ike_sa;
	hashmap_add(&registry->by_ike_sa, &registration->by_ike_sa, ike_sa_hash(registry, ike_sa));
	OPENSSL_cleanse(registration->keys.pre_shared, sizeof(registration->keys.pre_shared));
	return 0;
}

void registry_end(struct registry *registry, struct registration *registration, const char *why)
{
	registry->hooks.ended(registry->hooks.context, registration, why);
	registry_drop(registry, registration);
}

void registry_end_ike(struct registry *registry, uint64_t ike_sa)
{
	struct hashmap_node *node = hashmap_first(&registry->by_ike_sa, ike_sa_hash(registry, ike_sa));

	for (; node; node = hashmap_next(node)) {
		struct registration *registration = hashmap_owner(node, struct registration, by_ike_sa);

		if (registration->ike_sa == ike_sa) {
			registry_end(registry, registration, "");
			return;
		}
	}
}

/* In the order of their acceptance, so the first that has time left ends the search among those unused. */
void registry_expire(struct registry *registry, uint64_t now_ms)
{
	struct registration *registration, *next;

	for (registration = TAILQ_FIRST(&registry->list); registration; registration = next) {
		next = TAILQ_NEXT(registration, in_list);
		if (now_ms - registration->accepted_ms < registry->key_timeout_ms)
			return;
		if (registration->ike_sa == 0)
			registry_end(registry, registration,
				"IKE has not come in time for the key of this registration (registration.key_timeout)");
	}
}

size_t registry_end_unused(
	struct registry *registry, const struct config_peer *peer, const char *identity, const char *why)
{
	struct registration *registration, *next;
	size_t ended = 0;

	for (registration = TAILQ_FIRST(&registry->list); registration; registration = next) {
		next = TAILQ_NEXT(registration, in_list);
		if (registration->ike_sa || (peer && registration->peer != peer) ||
			(identity && strcmp(registration->identity, identity) != 0))
			continue;
		registry_end(registry, registration, why);
		ended++;
	}
	return ended;
}

static struct hashmap_node *registry_first_of(const struct registry *registry, const char *identity)
{
	return hashmap_first(&registry->by_identity, text_hash(&registry->by_identity, identity));
}

bool registry_holds(const struct registry *registry, const char *identity)
{
	struct hashmap_node *node = registry_first_of(registry, identity);

	for (; node; node = hashmap_next(node))
		if (strcmp(hashmap_owner(node, struct registration, by_identity)->identity, identity) == 0)
			return true;
	return false;
}

struct registration *registry_other(const struct registry *registry, const struct registration *registration)
{
	struct hashmap_node *node = registry_first_of(registry, registration->identity);
	struct registration *newest = NULL;

	for (; node; node = hashmap_next(node)) {
		struct registration *other = hashmap_owner(node, struct registration, by_identity);

		if (other != registration && strcmp(other->identity, registration->identity) == 0 &&
			(!newest || other->accepted_ms >= newest->accepted_ms))
			newest = other;
	}
	return newest;
}

size_t registry_count(const struct registry *registry)
{
	return registry->count;
}

void registry_each(const struct registry *registry,
	void (*each)(void *context, const struct registration *registration), void *context)
{
	const struct registration *registration;

	TAILQ_FOREACH(registration, &registry->list, in_list)
		each(context, registration);
}
