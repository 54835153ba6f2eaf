/* SPDX-License-Identifier: Apache-2.0 */
#include "lifetime.h"

#include "changes.h"

#include <rte_cycles.h>

#include <time.h>

enum { CHILDREN_A_TURN = 4096 };

static const int64_t seconds_max = 100LL * 365 * 86400; /* what a record says may be anything */

static void first_note(struct lifetime *lifetime, uint64_t expires)
{
	if (lifetime->first == 0 || expires < lifetime->first)
		lifetime->first = expires;
}

void lifetime_begin(struct dataplane *dataplane, uint32_t index, int64_t expires_at, uint64_t now)
{
	struct sa_child *child = &dataplane->sas.children[index];
	int64_t unix_now = time(NULL), left = 0;

	child->expires = UINT64_MAX;
	if (expires_at == 0)
		return;
	if (expires_at > unix_now)
		left = expires_at - unix_now < seconds_max ? expires_at - unix_now : seconds_max;
	child->expires = now + (uint64_t)left * rte_get_tsc_hz();
	first_note(&dataplane->lifetime, child->expires);
}

static void look_begin(struct lifetime *lifetime, uint64_t now)
{
	lifetime->looking = true;
	lifetime->looked_at = now;
	lifetime->next = 0;
	lifetime->found = UINT64_MAX;
	lifetime->first = 0; /* those that are taken up from here on note themselves */
}

void lifetime_apply(struct dataplane *dataplane, uint64_t now)
{
	struct lifetime *lifetime = &dataplane->lifetime;
	struct sa_store *sas = &dataplane->sas;
	uint32_t end;

	if (!lifetime->looking) {
		if (lifetime->first == 0 || now < lifetime->first || now - lifetime->looked_at < rte_get_tsc_hz())
			return;
		look_begin(lifetime, now);
	}
	end = RTE_MIN(lifetime->next + CHILDREN_A_TURN, sas->n_children);
	for (; lifetime->next < end; lifetime->next++) {
		const struct sa_child *child = &sas->children[lifetime->next];

		if (child->id == 0 || child->leaving)
			continue;
		if (now >= child->expires)
			changes_child_leave(dataplane, lifetime->next);
		else
			lifetime->found = RTE_MIN(lifetime->found, child->expires);
	}
	if (lifetime->next < sas->n_children)
		return;
	lifetime->looking = false;
	if (lifetime->found != UINT64_MAX)
		first_note(lifetime, lifetime->found);
}
