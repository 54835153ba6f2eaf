/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child SAs that were installed, as the engine remembers them: who has them, when they are renewed, when they end.
 * They belong to their party, not to the IKE SA that negotiated them, and outlive it (RFC 2408 section 3.15). Handles
 * across calls are the inbound SPI and the id together: a pointer may have gone.
 */
#pragma once

#include "ike/engine.h"

struct child_sa {
	struct ike *ike;
	TAILQ_ENTRY(child_sa) in_party; /* or in the engine's list of those that ended */
	struct hashmap_node by_spi;
	struct party *party;
	uint64_t id, ike_sa;
	uint32_t spi_in, spi_out;
	uint16_t group; /* of its PFS */
	struct prefix local_network, remote_network;
	uint32_t lifetime;
	uint64_t renews; /* id of the one in whose place we negotiated it; 0: none */
	bool initiator, active;
	bool carries;  /* the host has been told that it may be used outbound */
	bool replaced; /* a newer one has taken its place: it goes soon */
	uint64_t created_ms, expires_ms;
	struct deadline carry, renew, expire;
};

/*
 * Has the host install what `terms` describes (its id is filled in here) and remembers it. Until it is activated it has
 * no deadlines. NULL with errno when the host can't; then nothing of it remains.
 */
struct child_sa *child_sa_install(struct ike *ike, struct party *party, struct ike_child *terms, uint16_t group);

/*
 * Its life begins, and the host may use it outbound: at once, or after `delay_ms` while an older one still carries. Who
 * has just sent quick mode's third message gives the other side the time to take it.
 */
enum { CHILD_SA_CARRY_LATER_MS = 1000, CHILD_SA_COMMIT_MS = 3000 };
void child_sa_activate(struct child_sa *child, uint32_t delay_ms);

/* The peer says that it has taken quick mode's third message (CONNECTED, RFC 2408 section 3.1): no need to wait. */
void child_sa_connected(struct party *party, uint32_t spi);

/* By inbound SPI; by the peer's. NULL when there is none. */
struct child_sa *child_sa_find(const struct ike *ike, uint32_t spi_in);
struct child_sa *child_sa_find_outbound(const struct party *party, uint32_t spi_out);

/* Forgets it; the host is told when `tell_host`. Its party may be gone after this. */
void child_sa_end(struct child_sa *child, bool tell_host);

/* A newer one is in use: this one is deleted in a few seconds, when nothing is on its way in it any more. */
void child_sa_replace(struct child_sa *child);
