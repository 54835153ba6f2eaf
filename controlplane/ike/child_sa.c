/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/child_sa.h"

#include "ike/ike_sa.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>

enum { CHILD_REPLACED_MS = 5000, CHILD_RETRY_MS = 40000, CHILD_DEADLINES = 3, CHILD_CROSSED_MS = 10000 };

static uint64_t child_sa_hash(const struct ike *ike, uint32_t spi_in)
{
	return hashmap_hash(&ike->by_spi, &spi_in, sizeof(spi_in));
}

struct child_sa *child_sa_find(const struct ike *ike, uint32_t spi_in)
{
	struct hashmap_node *node = hashmap_first(&ike->by_spi, child_sa_hash(ike, spi_in));

	for (; node; node = hashmap_next(node)) {
		struct child_sa *child = hashmap_owner(node, struct child_sa, by_spi);

		if (child->spi_in == spi_in)
			return child;
	}
	return NULL;
}

struct child_sa *child_sa_find_outbound(const struct party *party, uint32_t spi_out)
{
	struct child_sa *child;

	TAILQ_FOREACH(child, &party->children, in_party)
		if (child->spi_out == spi_out)
			return child;
	return NULL;
}

static bool child_sa_same_networks(const struct child_sa *a, const struct child_sa *b)
{
	return prefix_equal(&a->local_network, &b->local_network) &&
	       prefix_equal(&a->remote_network, &b->remote_network);
}

/* Another one that carries what this one does, and stays; NULL. */
static struct child_sa *child_sa_sibling(const struct child_sa *child)
{
	struct child_sa *other;

	TAILQ_FOREACH(other, &child->party->children, in_party)
		if (other != child && other->active && !other->replaced && child_sa_same_networks(child, other))
			return other;
	return NULL;
}

/* Whether one of much later end serves the same networks: then this one need not be renewed. */
static bool child_sa_has_successor(const struct child_sa *child)
{
	const struct child_sa *other;

	TAILQ_FOREACH(other, &child->party->children, in_party)
		if (other != child && other->active && child_sa_same_networks(other, child) &&
			other->expires_ms > child->expires_ms + (uint64_t)child->lifetime * 200)
			return true;
	return false;
}

/* By which two pairs are told apart: the same for both sides. */
static uint32_t child_sa_first_spi(const struct child_sa *child)
{
	return child->spi_in < child->spi_out ? child->spi_in : child->spi_out;
}

static void child_sa_carry(void *engine, struct deadline *deadline)
{
	struct child_sa *child = hashmap_owner(deadline, struct child_sa, carry);
	struct ike *ike = engine;

	child->carries = true;
	ike->host.child_activate(ike->host.context, child->id, child->spi_in);
}

/* Both renew an older one: the peer's is no successor of ours, which came later, nor is ours one of the peer's. */
static bool child_sa_crossed(const struct child_sa *a, const struct child_sa *b)
{
	const struct child_sa *ours = a->initiator ? a : b, *theirs = a->initiator ? b : a;

	return ours->initiator && !theirs->initiator && ours->renews != 0 && ours->renews < theirs->id &&
	       theirs->id < ours->id && ours->created_ms - theirs->created_ms < CHILD_CROSSED_MS;
}

/*
 * Both sides have renewed the same child SA at the same time, and there are two where one is wanted. Both sides see the
 * same two pairs of SPIs, so both choose the same one to go: first it is not used outbound any more, then, when nothing
 * is on its way in it, it is deleted.
 */
static void child_sa_settle_crossed(struct child_sa *child)
{
	struct child_sa *other, *loser, *winner;
	struct ike *ike = child->ike;
	uint64_t now = engine_now(ike);

	TAILQ_FOREACH(other, &child->party->children, in_party)
		if (other != child && other->active && !other->replaced && child_sa_same_networks(child, other) &&
			child_sa_crossed(child, other))
			break;
	if (!other)
		return;
	loser = child_sa_first_spi(child) < child_sa_first_spi(other) ? child : other;
	winner = loser == child ? other : child;
	deadline_cancel(&ike->deadlines, &loser->carry);
	if (loser->carries)
		deadline_set(&ike->deadlines, &winner->carry, now + CHILD_SA_CARRY_LATER_MS);
	child_sa_replace(loser);
}

/* Its life nears the end, and it was we who began it. */
static void child_sa_renew(void *engine, struct deadline *deadline)
{
	struct child_sa *child = hashmap_owner(deadline, struct child_sa, renew);
	struct ike_sa *sa = ike_sa_newest(child->party);
	struct ike *ike = engine;

	if (child->replaced || child_sa_has_successor(child))
		return;
	if (sa)
		quick_begin(sa, &child->local_network, &child->remote_network, child);
	/* An attempt may fail: there is time for another. A success marks this one as replaced. */
	if (engine_now(ike) + CHILD_RETRY_MS < child->expires_ms)
		deadline_set(&ike->deadlines, &child->renew, engine_now(ike) + CHILD_RETRY_MS);
}

static void child_sa_expire(void *engine, struct deadline *deadline)
{
	struct child_sa *child = hashmap_owner(deadline, struct child_sa, expire);
	struct ike_sa *sa = ike_sa_newest(child->party);
	struct ike *ike = engine;

	/* What had taken its place is gone already, so it is needed again. */
	if (child->replaced && engine_now(ike) < child->expires_ms && !child_sa_sibling(child)) {
		child->replaced = false;
		deadline_set(&ike->deadlines, &child->expire, child->expires_ms);
		deadline_set(&ike->deadlines, &child->renew, engine_now(ike) + CHILD_RETRY_MS);
		child_sa_carry(engine, &child->carry);
		return;
	}
	if (sa)
		notify_delete_child(sa, child->spi_in);
	report_party(engine, child->replaced ? IKE_EVENT_DELETED : IKE_EVENT_EXPIRED, child->party, child->ike_sa,
		child->replaced ? "child SA 0x%08x has been replaced by a newer one"
				: "the lifetime of child SA 0x%08x is over",
		child->spi_in);
	child_sa_end(child, true);
}

struct child_sa *child_sa_install(struct ike *ike, struct party *party, struct ike_child *terms, uint16_t group)
{
	struct child_sa *child = calloc(1, sizeof(*child));
	int rc;

	if (!child || deadline_enroll(&ike->deadlines, CHILD_DEADLINES) < 0) {
		free(child);
		ike->host.spi_release(ike->host.context, terms->spi_in);
		errno = ENOMEM;
		return NULL;
	}
	terms->id = ++ike->next_id;
	rc = ike->host.child_install(ike->host.context, terms);
	if (rc < 0) {
		deadline_retire(&ike->deadlines, CHILD_DEADLINES);
		free(child);
		errno = -rc;
		return NULL;
	}
	*child = (struct child_sa){
		.ike = ike,
		.party = party,
		.id = terms->id,
		.ike_sa = terms->ike_sa,
		.spi_in = terms->spi_in,
		.spi_out = terms->spi_out,
		.group = group,
		.local_network = terms->local_network,
		.remote_network = terms->remote_network,
		.lifetime = terms->lifetime,
		.initiator = terms->initiator,
		.created_ms = engine_now(ike),
		.carry.fire = child_sa_carry,
		.renew.fire = child_sa_renew,
		.expire.fire = child_sa_expire,
	};
	hashmap_add(&ike->by_spi, &child->by_spi, child_sa_hash(ike, child->spi_in));
	TAILQ_INSERT_TAIL(&party->children, child, in_party);
	party->n_children++;
	return child;
}

void child_sa_activate(struct child_sa *child, uint32_t delay_ms)
{
	struct ike *ike = child->ike;
	uint64_t now = engine_now(ike), life_ms = (uint64_t)child->lifetime * 1000;
	uint8_t jitter = 128;

	child->active = true;
	child->expires_ms = now + life_ms;
	deadline_set(&ike->deadlines, &child->expire, child->expires_ms);
	if (child->initiator) {
		/* At 85 to 95 percent, so that many tunnels made at once are not renewed at once. */
		(void)engine_random(ike, &jitter, sizeof(jitter));
		deadline_set(&ike->deadlines, &child->renew, now + life_ms * (850 + jitter * 100u / 255) / 1000);
	}
	engine_count(ike, IKE_COUNT_CHILDREN);
	if (delay_ms > 0)
		deadline_set(&ike->deadlines, &child->carry, now + delay_ms);
	else
		child_sa_carry(ike, &child->carry);
	child_sa_settle_crossed(child);
}

void child_sa_connected(struct party *party, uint32_t spi)
{
	struct child_sa *child;

	TAILQ_FOREACH(child, &party->children, in_party) {
		if (!child->active || child->carries || (spi != child->spi_in && spi != child->spi_out))
			continue;
		deadline_cancel(&child->ike->deadlines, &child->carry);
		child_sa_carry(child->ike, &child->carry);
	}
}

void child_sa_end(struct child_sa *child, bool tell_host)
{
	struct ike *ike = child->ike;

	deadline_cancel(&ike->deadlines, &child->carry);
	deadline_cancel(&ike->deadlines, &child->renew);
	deadline_cancel(&ike->deadlines, &child->expire);
	deadline_retire(&ike->deadlines, CHILD_DEADLINES);
	hashmap_remove(&ike->by_spi, &child->by_spi);
	TAILQ_REMOVE(&child->party->children, child, in_party);
	child->party->n_children--;
	if (tell_host)
		ike->host.child_remove(ike->host.context, child->id, child->spi_in);
	engine_put_party(ike, child->party);
	child->party = NULL;
	TAILQ_INSERT_TAIL(&ike->ended_children, child, in_party);
}

void child_sa_replace(struct child_sa *child)
{
	struct ike *ike = child->ike;

	child->replaced = true;
	deadline_cancel(&ike->deadlines, &child->renew);
	deadline_set(&ike->deadlines, &child->expire, engine_now(ike) + CHILD_REPLACED_MS);
}
