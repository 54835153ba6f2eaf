/* SPDX-License-Identifier: Apache-2.0 */
#include "lost.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICKS_REACHABLE = 2 }; /* with an address, so that routes have followed it */

/* One IKE SA: whose, and whether it was made after the data plane went. */
struct lost_sa {
	const struct config_peer *peer;
	char identity[CONFIG_IDENTITY_LEN];
	bool young;
};

struct lost_walk {
	const struct gateway *gateway;
	struct lost_sa *sas;
	size_t n, capacity;
};

void lost_begin(struct gateway *gateway)
{
	gateway->lost_ms = clock_now_ms();
	gateway->lost_ticks = 0;
}

static void note_sa(void *context, const struct ike_sa_status *sa)
{
	struct lost_walk *walk = context;
	struct lost_sa *grown;

	if (!sa->peer || !sa->identity)
		return;
	if (walk->n == walk->capacity) {
		grown = reallocarray(walk->sas, 2 * walk->n + 64, sizeof(*walk->sas));
		if (!grown)
			return; /* its peer finds out by itself */
		walk->sas = grown;
		walk->capacity = 2 * walk->n + 64;
	}
	walk->sas[walk->n] = (struct lost_sa){.peer = sa->peer, .young = sa->created_ms >= walk->gateway->lost_ms};
	snprintf(walk->sas[walk->n++].identity, CONFIG_IDENTITY_LEN, "%s", sa->identity);
}

/* Those of one peer and identity stand together, a young one first. */
static int compare_sas(const void *left, const void *right)
{
	const struct lost_sa *a = left, *b = right;

	if (a->peer != b->peer)
		return a->peer < b->peer ? -1 : 1;
	return strcmp(a->identity, b->identity) ? strcmp(a->identity, b->identity) : (int)b->young - (int)a->young;
}

static bool has_session(const struct gateway *gateway, const struct lost_sa *sa)
{
	return gateway->install && sessions_find(gateway->install->sessions, sa->peer, sa->identity) != TABLES_NONE;
}

size_t lost_tell(struct gateway *gateway)
{
	struct lost_walk walk = {.gateway = gateway};
	const struct lost_sa *before = NULL;
	size_t told = 0;

	ike_each(gateway->ike, note_sa, &walk);
	if (walk.n > 0)
		qsort(walk.sas, walk.n, sizeof(*walk.sas), compare_sas);
	for (size_t i = 0; i < walk.n; i++) {
		const struct lost_sa *sa = &walk.sas[i];
		bool first = !before || before->peer != sa->peer || strcmp(before->identity, sa->identity) != 0;

		before = sa;
		/* Who has come back meanwhile needs no telling. */
		if (first && !sa->young && !has_session(gateway, sa) &&
			ike_peer_delete(gateway->ike, sa->peer, sa->identity) > 0)
			told++;
	}
	free(walk.sas);
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
