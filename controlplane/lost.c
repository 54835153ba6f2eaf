/* SPDX-License-Identifier: Apache-2.0 */
#include "lost.h"

#include "clock.h"

#include <stdlib.h>

enum { TICKS_REACHABLE = 2 }; /* with an address, so that routes have followed it */

/* What IKE SAs a peer has, by place in the configuration. */
enum { HAS_OLD = 1, HAS_NEW = 2 };

struct lost_walk {
	const struct gateway *gateway;
	uint8_t *has;
};

void lost_begin(struct gateway *gateway)
{
	gateway->lost_ms = clock_now_ms();
	gateway->lost_ticks = 0;
}

static void sort_sa(void *context, const struct ike_sa_status *sa)
{
	const struct lost_walk *walk = context;

	if (sa->peer)
		walk->has[sa->peer - walk->gateway->config->peers] |=
			sa->created_ms < walk->gateway->lost_ms ? HAS_OLD : HAS_NEW;
}

static bool has_session(const struct gateway *gateway, const struct config_peer *peer)
{
	return gateway->install && sessions_of_peer(gateway->install->sessions, peer) != TABLES_NONE;
}

size_t lost_tell(struct gateway *gateway)
{
	struct lost_walk walk = {.gateway = gateway, .has = calloc(gateway->config->n_peers + 1, 1)};
	size_t told = 0;

	if (!walk.has)
		return 0;
	ike_each(gateway->ike, sort_sa, &walk);
	for (size_t i = 0; i < gateway->config->n_peers; i++) {
		const struct config_peer *peer = &gateway->config->peers[i];

		if (walk.has[i] == HAS_OLD && !has_session(gateway, peer) && ike_peer_delete(gateway->ike, peer) > 0)
			told++;
	}
	free(walk.has);
	gateway->lost_ms = 0;
	log_info("event=peers_told peers=%zu reason=\"their SAs went with the data plane; they have to negotiate "
		 "again\"",
		told);
	return told;
}

void lost_tick(struct gateway *gateway)
{
	if (gateway->lost_ms == 0 || !gateway->mirror || !mirror_status(gateway->mirror).complete ||
		mirror_tables(gateway->mirror)->n_addresses == 0)
		return;
	if (++gateway->lost_ticks >= TICKS_REACHABLE)
		lost_tell(gateway);
}
