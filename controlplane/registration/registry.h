/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has registered and what that gave them: from the gateway's `accepted` until the IKE SA that used its key is gone,
 * or until the key's time is over without one. IKE finds a registration by the identity of its keys, for one use (the
 * key is wiped then); notices find it by its session. All memory is the registry's; a registration stays where it is
 * until `ended` was called for it. One thread.
 */
#pragma once

#include "config/config.h"
#include "hashmap.h"
#include "registration/keys.h"
#include "registration/notices.h"

#include <stdbool.h>
#include <sys/queue.h>

struct registry;

struct registration {
	uint64_t number; /* by registry_number, never used again */
	uint8_t session[REGISTRATION_SESSION_LEN];
	struct registration_keys keys;	/* the pre-shared one is all zero when it has been used */
	const struct config_peer *peer; /* the entry that its session is of */
	char identity[CONFIG_IDENTITY_LEN];
	enum registration_method method;
	enum registration_transport transport;
	bool fallback;		     /* the client may come again for TCP where UDP doesn't get through */
	struct endpoint local, seen; /* our end of the TCP connection, and the client's as we see it */
	struct endpoint own;	     /* the client's end of it as it says itself */
	uint16_t udp_port;	     /* of the client, at the address of `own`; 0: none */
	struct address address;	     /* virtual; of no family: none */
	struct prefix networks[CONFIG_NETWORKS_MAX]; /* behind the client, its virtual address among them */
	size_t n_networks;
	uint64_t accepted_ms;	       /* monotonic */
	uint64_t ike_sa;	       /* that has used the key; 0: none yet */
	struct notice_session notices; /* of UDP, theirs whose header it is; idle at first */

	/* The registry's. */
	struct hashmap_node by_number, by_session, by_one_time, by_identity, by_ike_sa;
	TAILQ_ENTRY(registration) in_list;
};

struct registry_hooks {
	void *context;
	/* It is over: the last that is heard of it. `why` is one sentence, "" when its session simply ended. */
	void (*ended)(void *context, const struct registration *registration, const char *why);
};

/* `key_timeout` in seconds. NULL with errno. */
struct registry *registry_new(uint32_t key_timeout, const struct registry_hooks *hooks);

/* Wipes and frees all; calls no hook. NULL is allowed. */
void registry_free(struct registry *registry);

/* A number for the next one. */
uint64_t registry_number(struct registry *registry);

/*
 * Takes a copy of what is filled in, number included. NULL with ENOMEM, or EEXIST where session or identity of the keys
 * are known already, which only a defect can bring about.
 */
struct registration *registry_add(struct registry *registry, const struct registration *values, uint64_t now_ms);

/* Each NULL when there is none. By the identity that the client shows IKE only as long as its key was not used. */
struct registration *registry_find(const struct registry *registry, uint64_t number);
struct registration *registry_find_session(const struct registry *registry, const uint8_t *session);
struct registration *registry_find_one_time(const struct registry *registry, const char *identity);

/* This IKE SA has proved that it has the key, which is wiped. 0; -ENOENT; -EALREADY: it was used. */
int registry_take(struct registry *registry, uint64_t number, uint64_t ike_sa);

void registry_end(struct registry *registry, struct registration *registration, const char *why);

/* The IKE SA is gone, and what was registered for it with it. */
void registry_end_ike(struct registry *registry, uint64_t ike_sa);

/* Ends those whose key IKE has not used in time. */
void registry_expire(struct registry *registry, uint64_t now_ms);

/* Ends those of a peer's entry and an identity (NULL: of any) that IKE has not used. Returns how many there were. */
size_t registry_end_unused(
	struct registry *registry, const struct config_peer *peer, const char *identity, const char *why);

/* Whether anybody is registered with this identity, under whatever entry. */
bool registry_holds(const struct registry *registry, const char *identity);

/* The newest other one with the same identity; NULL. */
struct registration *registry_other(const struct registry *registry, const struct registration *registration);

size_t registry_count(const struct registry *registry);

/* Newest last; `each` must not change the registry. */
void registry_each(const struct registry *registry,
	void (*each)(void *context, const struct registration *registration), void *context);
