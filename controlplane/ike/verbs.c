/* SPDX-License-Identifier: Apache-2.0 */
/* What the host asks for: begin, renew, end. */
#include "ike/aggressive.h"
#include "ike/child_sa.h"
#include "ike/ike_sa.h"
#include "ike/main_mode.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ike_initiate(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote)
{
	int rc = peer->aggressive ? aggressive_begin(ike, peer, local, remote)
				  : main_mode_begin(ike, peer, local, remote);

	engine_sweep(ike);
	return rc;
}

int ike_child_rekey(struct ike *ike, uint32_t spi_in)
{
	struct child_sa *child = child_sa_find(ike, spi_in);
	struct ike_sa *sa = child ? ike_sa_newest(child->party) : NULL;
	int rc;

	if (!sa || !child->active || child->replaced)
		return -ENOENT;
	rc = quick_begin(sa, &child->local_network, &child->remote_network, child);
	engine_sweep(ike);
	return rc == -EALREADY ? 0 : rc;
}

int ike_child_delete(struct ike *ike, uint32_t spi_in)
{
	struct child_sa *child = child_sa_find(ike, spi_in);
	struct ike_sa *sa = child ? ike_sa_newest(child->party) : NULL;

	if (!child)
		return -ENOENT;
	if (sa)
		notify_delete_child(sa, spi_in);
	report_party(ike, IKE_EVENT_DELETED, child->party, child->ike_sa, "child SA 0x%08x was deleted by us", spi_in);
	child_sa_end(child, false);
	engine_sweep(ike);
	return 0;
}

void ike_peer_follow(struct ike *ike, const struct config_peer *peer, const char *identity,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct party *party = engine_party(ike, peer, identity, false);
	struct ike_sa *sa;

	if (!party)
		return;
	TAILQ_FOREACH(sa, &party->sas, in_party) {
		if (sa->state != V1_ESTABLISHED || !sa->floated)
			continue;
		sa->local = *local;
		sa->remote = *remote;
	}
}

/* RFC 3706 section 5.2: the first number is drawn, and small enough never to wrap. 0 or negative errno. */
static int verbs_number_probe(struct ike_sa *sa)
{
	int rc = 0;

	while (rc == 0 && sa->probe_sequence == 0) {
		rc = engine_random(sa->ike, &sa->probe_sequence, sizeof(sa->probe_sequence));
		sa->probe_sequence &= INT32_MAX;
	}
	if (rc == 0)
		sa->probe_sequence++;
	return rc;
}

/* `local` NULL: from where it talks to the peer. */
static int verbs_probe(struct ike *ike, const struct config_peer *peer, const char *identity,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct party *party = engine_party(ike, peer, identity, false);
	struct ike_sa *sa = party ? ike_sa_newest(party) : NULL;
	uint8_t cookies[2 * IKE_COOKIE_LEN], sequence[4];
	int rc;

	if (!sa)
		return -ENOENT;
	if (!sa->answers_probes)
		return -EOPNOTSUPP;
	rc = verbs_number_probe(sa);
	if (rc < 0)
		return rc;
	memcpy(cookies, sa->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(cookies + IKE_COOKIE_LEN, sa->responder_cookie, IKE_COOKIE_LEN);
	bytes_put32(sequence, sa->probe_sequence);
	sa->probe_waits = true;
	notify_send_at(sa, local ? local : &sa->local, local ? remote : &sa->remote, ISAKMP_PROTO_ISAKMP,
		ISAKMP_R_U_THERE, bytes_of(cookies, sizeof(cookies)), bytes_of(sequence, sizeof(sequence)));
	return 0;
}

int ike_peer_probe(struct ike *ike, const struct config_peer *peer)
{
	return verbs_probe(ike, peer, peer->identity, NULL, NULL);
}

int ike_identity_probe(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	return verbs_probe(ike, peer, identity, NULL, NULL);
}

int ike_peer_probe_at(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote)
{
	return verbs_probe(ike, peer, peer->identity, local, remote);
}

uint64_t ike_peer_heard(struct ike *ike, const struct config_peer *peer)
{
	return ike_identity_heard(ike, peer, peer->identity);
}

uint64_t ike_identity_heard(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	const struct party *party = engine_party(ike, peer, identity, false);
	const struct ike_sa *sa;
	uint64_t heard_ms = 0;

	if (!party)
		return 0;
	TAILQ_FOREACH(sa, &party->sas, in_party)
		if (sa->state == V1_ESTABLISHED && sa->heard_ms > heard_ms)
			heard_ms = sa->heard_ms;
	return heard_ms;
}

size_t ike_peer_abandon(struct ike *ike, const struct config_peer *peer)
{
	struct party *party = engine_party(ike, peer, peer->identity, false);
	struct ike_sa *sa, *next;
	size_t count = 0;

	for (sa = party ? TAILQ_FIRST(&party->sas) : NULL; sa; sa = next) {
		next = TAILQ_NEXT(sa, in_party); /* the last one may take the party with it */
		if (!sa->initiator || sa->state == V1_ESTABLISHED)
			continue;
		ike_sa_end(sa);
		count++;
	}
	engine_sweep(ike);
	return count;
}

/* Whether that IKE SA has a pair in use for the same networks. */
static bool verbs_has_successor(const struct child_sa *child, const struct ike_sa *sa)
{
	const struct child_sa *other;

	TAILQ_FOREACH(other, &child->party->children, in_party)
		if (other->ike_sa == sa->id && other->active &&
			prefix_equal(&other->local_network, &child->local_network) &&
			prefix_equal(&other->remote_network, &child->remote_network))
			return true;
	return false;
}

void ike_identity_keep_newest(struct ike *ike, const struct config_peer *peer, const char *identity, const char *why)
{
	struct party *party = engine_party_find(ike, peer, identity);
	struct ike_sa *newest = party ? ike_sa_newest(party) : NULL, *sa, *next;
	struct child_sa *child;

	if (!newest)
		return;
	TAILQ_FOREACH(child, &party->children, in_party)
		if (child->ike_sa != newest->id && !child->replaced && verbs_has_successor(child, newest))
			child_sa_replace(child);
	for (sa = TAILQ_FIRST(&party->sas); sa; sa = next) {
		next = TAILQ_NEXT(sa, in_party);
		if (sa == newest || sa->state != V1_ESTABLISHED)
			continue;
		notify_delete_sa(sa);
		report_sa(sa, IKE_EVENT_DELETED, "%s", why);
		ike_sa_end(sa);
	}
	engine_sweep(ike);
}

void ike_peer_keep_newest(struct ike *ike, const struct config_peer *peer)
{
	ike_identity_keep_newest(ike, peer, peer->identity, "replaced by a newer one");
}

bool ike_peer_is_known(const struct ike *ike, const struct config_peer *peer, const char *identity)
{
	return engine_party_find(ike, peer, identity);
}

/* The party may be gone after this. */
static void verbs_delete_children(struct party *party, struct ike_sa *over)
{
	struct child_sa *child, *next;

	for (child = TAILQ_FIRST(&party->children); child; child = next) {
		next = TAILQ_NEXT(child, in_party);
		if (over)
			notify_delete_child(over, child->spi_in);
		child_sa_end(child, true);
	}
}

/* The party is gone after this. */
static size_t verbs_delete_party(struct party *party)
{
	struct ike_sa *sa, *next;
	size_t count = 0;

	TAILQ_FOREACH(sa, &party->sas, in_party)
		while (!TAILQ_EMPTY(&sa->quicks))
			quick_end(TAILQ_FIRST(&sa->quicks));
	sa = TAILQ_FIRST(&party->sas); /* as long as there is one, the party stays */
	verbs_delete_children(party, ike_sa_newest(party));
	for (; sa; sa = next) {
		next = TAILQ_NEXT(sa, in_party);
		if (sa->state == V1_ESTABLISHED)
			notify_delete_sa(sa);
		report_sa(sa, IKE_EVENT_DELETED, "deleted by us");
		ike_sa_end(sa);
		count++;
	}
	return count;
}

size_t ike_peer_delete(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	size_t count = 0, n = 0;
	struct party **found;

	if (peer && identity) {
		struct party *party = engine_party(ike, peer, identity, false);

		count = party ? verbs_delete_party(party) : 0;
		engine_sweep(ike);
		return count;
	}
	/* None of them ends another: what was found stays until its turn. */
	found = calloc(ike->parties.count + 1, sizeof(*found));
	for (size_t i = 0; found && i <= ike->parties.mask; i++)
		for (struct hashmap_node *node = ike->parties.buckets[i]; node; node = node->next) {
			struct party *party = hashmap_owner(node, struct party, by_key);

			if ((!peer || party->peer == peer) && (!identity || strcmp(party->identity, identity) == 0))
				found[n++] = party;
		}
	for (size_t i = 0; i < n; i++)
		count += verbs_delete_party(found[i]);
	free(found);
	engine_sweep(ike);
	return count;
}
