/* SPDX-License-Identifier: Apache-2.0 */
#include "dpd.h"

#include <inttypes.h>

/* Notes what has come since the last look; returns for how long nothing has, milliseconds. */
static uint64_t dpd_silence(struct gateway *gateway, struct session *session, uint32_t index, uint64_t now_ms)
{
	uint64_t packets = sessions_traffic(gateway->install->sessions, index).packets_in;
	uint64_t heard_ms = ike_identity_heard(gateway->ike, session->peer, session->identity);

	if (packets != session->heard_packets || session->heard_ms == 0) {
		session->heard_packets = packets;
		session->heard_ms = now_ms;
	}
	if (heard_ms > session->heard_ms)
		session->heard_ms = heard_ms;
	return now_ms > session->heard_ms ? now_ms - session->heard_ms : 0;
}

static void dpd_bury(struct gateway *gateway, const struct session *session, uint64_t silence_ms, uint64_t now_ms)
{
	const struct config_peer *peer = session->peer;

	log_warning("event=peer_dead session=%" PRIu64 " peer=%s identity=\"%s\" seconds=%" PRIu64
		    " probes=%u reason=\"nothing came from it, and no probe was answered\"",
		session->id, peer->name, session->identity, silence_ms / 1000, session->probes);
	timeline_note(gateway->timeline, TIMELINE_SILENT, session->ike_sa, peer, session->identity, now_ms,
		"nothing came from the peer for %" PRIu64
		" s, and %u probes were not answered: its session is taken down",
		silence_ms / 1000, session->probes);
	gateway_delete_peer(gateway, peer, session->identity, "the peer is dead");
}

static void dpd_look(struct gateway *gateway, uint32_t index, uint64_t now_ms)
{
	const struct config_ike *config = &gateway->config->ike;
	struct session *session = &gateway->install->sessions->sessions[index];
	uint64_t silence_ms;

	/* Of an adopted one IKE knows nothing, so it can't be asked. */
	if (!session->peer || session->ike_sa == 0)
		return;
	silence_ms = dpd_silence(gateway, session, index, now_ms);
	if (silence_ms < (uint64_t)config->dpd_delay * 1000)
		session->probes = 0;
	else if (silence_ms >= (uint64_t)config->dpd_timeout * 1000 && session->probes >= DPD_PROBES_MIN)
		dpd_bury(gateway, session, silence_ms, now_ms);
	else if (ike_identity_probe(gateway->ike, session->peer, session->identity) == 0)
		session->probes++;
}

void dpd_tick(struct gateway *gateway, uint64_t now_ms)
{
	uint32_t slots = gateway->tables->n_sessions, slice = (slots + DPD_LOOK_SECONDS - 1) / DPD_LOOK_SECONDS;

	if (gateway->config->ike.dpd_delay == 0)
		return;
	for (uint32_t i = 0; i < slice; i++) {
		gateway->dpd_next = gateway->dpd_next + 1 < slots ? gateway->dpd_next + 1 : 0;
		dpd_look(gateway, gateway->dpd_next, now_ms);
	}
}
