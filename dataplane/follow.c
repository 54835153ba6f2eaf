/* SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"

#include "dataplane.h"
#include "mtu.h"

#include <rte_cycles.h>

void follow_notice(struct worker *worker, struct sa_in *in, const struct flow *flow)
{
	const struct sa_outer *outer = atomic_load_explicit(&in->outer, memory_order_acquire);
	struct follow_message *slot = &worker->follow;

	if (likely(ip_equal(&flow->remote, &outer->remote) && flow->remote_port == outer->remote_port &&
		    flow->local_port == outer->local_port && ip_equal(&flow->local, &outer->local)))
		return;
	worker_count(worker, REASON_NOTE_MOVED, 1);
	/* Said a moment ago, and not followed: the limits below, or the control plane, are against it. */
	if (ip_equal(&flow->remote, &in->told_remote) && flow->remote_port == in->told_remote_port &&
		worker->now - in->told_at < rte_get_tsc_hz())
		return;
	if (atomic_load_explicit(&slot->full, memory_order_acquire))
		return;
	in->told_remote = flow->remote;
	in->told_remote_port = flow->remote_port;
	in->told_at = worker->now;
	slot->spi = in->spi;
	slot->flow = *flow;
	atomic_store_explicit(&slot->full, true, memory_order_release);
	worker->wants_main = true;
}

void follow_move(struct dataplane *dataplane, uint32_t index, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation)
{
	struct sa_session *session = &dataplane->sas.sessions[index];

	uint32_t connection = encapsulation == TABLES_ENCAPSULATION_STREAM
				      ? connections_between(dataplane, index, local, remote)
				      : TABLES_NONE;

	sa_session_move(&dataplane->sas, dataplane->qsbr, index, local, remote, encapsulation, connection);
	place_write(&dataplane->tables.sessions[index].place, local, remote, encapsulation);
	session->path_mtu = 0; /* it was another path's */
	mtu_set_session(dataplane, index);
}

static void tell(
	struct dataplane *dataplane, uint32_t index, const struct endpoint *local, const struct endpoint *remote)
{
	struct tables_event event = {
		.kind = TABLES_EVENT_MOVED,
		.index = index,
		.id = dataplane->sas.sessions[index].id,
		.local = *local,
		.source = *remote,
	};

	if (ring_push(&dataplane->tables.events[0], &event) < 0)
		tables_count(&tables_counters(&dataplane->tables, 0)->events_lost, 1);
}

/* May this flow move the session, and does it? */
static bool is_followed(const struct sa_session *session, const struct flow *flow, uint64_t now)
{
	const struct sa_outer *outer = session->outer;

	if (session->leaving || !outer->udp || flow->remote_port == 0)
		return false;
	if (ip_is_ipv4(&flow->remote) != ip_is_ipv4(&outer->remote))
		return false;
	/* Another of its SAs may have said it already. */
	if (ip_equal(&flow->remote, &outer->remote) && flow->remote_port == outer->remote_port &&
		flow->local_port == outer->local_port && ip_equal(&flow->local, &outer->local))
		return false;
	return session->followed_at == 0 || now - session->followed_at >= rte_get_tsc_hz();
}

static void follow(struct dataplane *dataplane, const struct follow_message *message, uint64_t now)
{
	struct sa_in *in = sa_find_in(&dataplane->sas, message->spi);
	struct endpoint local, remote;
	struct sa_session *session;

	if (!in) /* gone meanwhile */
		return;
	session = &dataplane->sas.sessions[in->session];
	if (!is_followed(session, &message->flow, now))
		return;
	remote = (struct endpoint){.address = ip_to_address(&message->flow.remote), .port = message->flow.remote_port};
	/* It may have used another address of ours, or another of our ports for NATs: nothing else comes here in UDP. */
	local = (struct endpoint){.address = ip_to_address(&message->flow.local), .port = message->flow.local_port};
	follow_move(dataplane, in->session, &local, &remote, TABLES_ENCAPSULATION_UDP);
	session->followed_at = now;
	tell(dataplane, in->session, &local, &remote);
}

void follow_apply(struct dataplane *dataplane, uint64_t now)
{
	for (uint16_t i = 0; i < dataplane->n_workers; i++) {
		struct follow_message *slot = &dataplane->workers[i].follow;

		if (!atomic_load_explicit(&slot->full, memory_order_acquire))
			continue;
		follow(dataplane, slot, now);
		atomic_store_explicit(&slot->full, false, memory_order_release);
	}
}
