/* SPDX-License-Identifier: Apache-2.0 */
/* Of two sessions of one identity the newest stays: the older one goes once the newer one carries traffic. */
#include "gateway.h"
#include "registrations_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void successor_free(struct registrations *registrations, struct successor *successor)
{
	TAILQ_REMOVE(&registrations->successors, successor, in_list);
	free(successor);
}

void registrations_free_successors(struct registrations *registrations)
{
	while (!TAILQ_EMPTY(&registrations->successors))
		successor_free(registrations, TAILQ_FIRST(&registrations->successors));
}

/* One client that comes back, or a second one? From the same place it is the same, as far as can be told. */
static void explain_successor(
	const struct registration *older, const struct registration *newer, char text[ENTRY_TEXT_MAX])
{
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN];

	endpoint_format(&older->seen, from);
	endpoint_format(&newer->seen, to);
	if (address_equal(&older->seen.address, &newer->seen.address) &&
		address_equal(&older->own.address, &newer->own.address))
		snprintf(text, ENTRY_TEXT_MAX, "\"%s\" has registered anew, from %s", newer->identity, to);
	else
		snprintf(text, ENTRY_TEXT_MAX,
			"\"%s\" has registered from %s, and before from %s: it has moved, or two use one identity; the "
			"newest wins",
			newer->identity, to, from);
}

/* Both timelines are told; the older session goes when the newer one carries traffic. */
static void replace(struct registrations *registrations, struct registration *older, const struct registration *newer)
{
	struct successor *successor = calloc(1, sizeof(*successor));
	struct timeline_registration about = registrations_about(newer);
	char text[ENTRY_TEXT_MAX];

	explain_successor(older, newer, text);
	registrations_tell(registrations, &about, TIMELINE_REGISTRATION, text);
	if (successor) {
		successor->ike_sa = newer->ike_sa;
		successor->peer = newer->peer;
		successor->before = older->peer;
		snprintf(successor->identity, sizeof(successor->identity), "%s", newer->identity);
		snprintf(successor->why, sizeof(successor->why), "%s", text);
		TAILQ_INSERT_TAIL(&registrations->successors, successor, in_list);
	}
	registry_end(registrations->registry, older, text);
}

int registrations_take(struct registrations *registrations, uint64_t number, uint64_t ike_sa)
{
	int rc = registrations ? registry_take(registrations->registry, number, ike_sa) : -ENOENT;
	const struct registration *newer;
	struct timeline_registration about;
	struct registration *older;

	if (rc < 0)
		return rc;
	newer = registry_find(registrations->registry, number);
	notices_reached(registrations->notices, &registry_find(registrations->registry, number)->notices);
	about = registrations_about(newer);
	registrations_tell(registrations, &about, TIMELINE_REGISTRATION, "IKE has used the key, which is wiped");
	while ((older = registry_other(registrations->registry, newer)) && older->ike_sa)
		replace(registrations, older, newer);
	return 0;
}

void registrations_ike_ended(struct registrations *registrations, uint64_t ike_sa)
{
	struct successor *successor, *next;

	if (!registrations)
		return;
	registry_end_ike(registrations->registry, ike_sa);
	for (successor = TAILQ_FIRST(&registrations->successors); successor; successor = next) {
		next = TAILQ_NEXT(successor, in_list);
		if (successor->ike_sa == ike_sa)
			successor_free(registrations, successor);
	}
}

void registrations_activated(struct registrations *registrations, uint64_t ike_sa)
{
	struct successor *successor;

	if (!registrations)
		return;
	TAILQ_FOREACH(successor, &registrations->successors, in_list)
		successor->due = successor->due || successor->ike_sa == ike_sa;
}

static struct successor *next_due(const struct registrations *registrations)
{
	struct successor *successor;

	TAILQ_FOREACH(successor, &registrations->successors, in_list)
		if (successor->due)
			return successor;
	return NULL;
}

void registrations_settle(struct registrations *registrations)
{
	struct successor *due, now;

	while (registrations && (due = next_due(registrations))) {
		/* The engine's events may come back here. */
		now = *due;
		successor_free(registrations, due);
		if (now.before != now.peer)
			gateway_delete_peer(registrations->gateway, now.before, now.identity, now.why);
		ike_identity_keep_newest(registrations->gateway->ike, now.peer, now.identity, now.why);
	}
}
