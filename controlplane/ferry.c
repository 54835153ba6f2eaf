/* SPDX-License-Identifier: Apache-2.0 */
#include "ferry.h"

#include "clock.h"
#include "config/log.h"
#include "streams_takeover.h"
#include "tables/bundle.h"

#include <inttypes.h>
#include <stdio.h>

/* One message. */
static void send_message(struct gateway *gateway, struct iovec *parts, size_t n_parts)
{
	if (n_parts > 0 && attachment_send_bundle(gateway->attachment, parts, n_parts) < 0)
		gateway->counters.streams_refused += n_parts / 2;
}

void ferry_to_dataplane(void *context, const struct stream_packet *packets, size_t count)
{
	struct bundle_head heads[STREAM_BURST_MAX];
	struct iovec parts[2 * STREAM_BURST_MAX];
	struct gateway *gateway = context;
	size_t n_parts = 0, len = 0;

	for (size_t i = 0; i < count; i++) {
		if (len + sizeof(heads[i]) + packets[i].len > BUNDLE_LEN_MAX) {
			send_message(gateway, parts, n_parts);
			n_parts = len = 0;
		}
		heads[i] = (struct bundle_head){.index = TABLES_NONE, .packet_len = packets[i].len};
		parts[n_parts++] = (struct iovec){.iov_base = &heads[i], .iov_len = sizeof(heads[i])};
		parts[n_parts++] = (struct iovec){.iov_base = packets[i].data, .iov_len = packets[i].len};
		len += sizeof(heads[i]) + packets[i].len;
	}
	send_message(gateway, parts, n_parts);
}

/* Packets that follow each other are mostly of one session: they go in one write. */
static void send_some(struct gateway *gateway, const struct bundle_head *of, const struct stream_packet *packets,
	size_t *count)
{
	if (*count > 0)
		streams_send_esp(gateway->streams, of->index, of->id, packets, *count);
	*count = 0;
}

void ferry_from_dataplane(void *context, uint8_t *bytes, size_t len)
{
	struct stream_packet packets[STREAM_BURST_MAX];
	struct bundle_head of = {.index = TABLES_NONE};
	struct gateway *gateway = context;
	struct bundle_packet next;
	size_t count = 0, at = 0;
	bool ike = false;

	while (bundle_next(bytes, len, &at, &next)) {
		if (next.head.kind == BUNDLE_IKE) {
			streams_connection_ike(
				gateway->streams, next.head.index, next.head.id, next.data, next.head.packet_len);
			ike = true;
			continue;
		}
		if (next.head.index != of.index || next.head.id != of.id || count == STREAM_BURST_MAX)
			send_some(gateway, &of, packets, &count);
		of = next.head;
		packets[count++] = (struct stream_packet){.data = next.data, .len = next.head.packet_len};
	}
	send_some(gateway, &of, packets, &count);
	if (ike)
		gateway_settle(gateway);
}

void ferry_lost(void *context, uint32_t session, uint64_t id, const struct endpoint *remote, const char *why)
{
	struct gateway *gateway = context;
	struct session *of = gateway->install ? &gateway->install->sessions->sessions[session] : NULL;
	char text[ENDPOINT_TEXT_LEN];

	if (!of || !of->peer || of->id != id)
		return;
	of->pause = (struct session_pause){.since_ms = clock_now_ms(), .remote = *remote};
	snprintf(of->pause.why, sizeof(of->pause.why), "%s", why);
	log_warning("event=session_paused session=%" PRIu64 " peer=%s identity=\"%s\" remote=%s reason=\"its TCP "
		    "connection has ended: %s; its packets are dropped until the peer connects again\"",
		of->id, of->peer->name, of->identity, endpoint_format(remote, text), why);
	timeline_note(gateway->timeline, TIMELINE_STREAM, of->ike_sa, of->peer, of->identity, clock_now_ms(),
		"the TCP connection with %s has ended: %s; packets are dropped until the peer connects again", text,
		why);
}

void ferry_moved(void *context, uint32_t session, uint64_t id, bool taken, const char *sentence)
{
	struct gateway *gateway = context;
	const struct session *of = gateway->install ? &gateway->install->sessions->sessions[session] : NULL;

	if (!of || !of->peer || of->id != id)
		return;
	log_write(taken ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
		"event=%s session=%" PRIu64 " peer=%s identity=\"%s\" reason=\"%s\"",
		taken ? "stream_taken_over" : "stream_stays", of->id, of->peer->name, of->identity, sentence);
	timeline_note(gateway->timeline, TIMELINE_STREAM, of->ike_sa, of->peer, of->identity, clock_now_ms(), "%s",
		sentence);
}

void ferry_take_over(struct gateway *gateway, uint32_t session)
{
	const struct sessions *sessions = gateway->install->sessions;
	uint32_t child = sessions->sessions[session].first_child;

	while (child != TABLES_NONE && !sessions->children[child].active)
		child = sessions->children[child].next;
	if (child != TABLES_NONE && gateway->tables->sessions[session].encapsulation == TABLES_ENCAPSULATION_STREAM)
		streams_take_over(gateway->streams, session, sessions->sessions[session].id);
}

void ferry_adopted(struct gateway *gateway)
{
	const struct sessions *sessions = gateway->install->sessions;

	for (uint32_t i = 0; i < gateway->tables->n_sessions; i++) {
		const struct session *session = &sessions->sessions[i];

		if (session->peer && sessions_where(sessions, i).encapsulation == TABLES_ENCAPSULATION_STREAM &&
			!streams_carry(gateway->streams, i, session->id))
			log_warning("event=session_paused session=%" PRIu64
				    " peer=%s reason=\"its TCP connection ended with the former sluiced; its packets "
				    "are dropped until the peer connects again\"",
				session->id, session->peer->name);
	}
}

void ferry_follow(struct gateway *gateway, const struct config_peer *peer, const char *identity)
{
	uint32_t session = sessions_find(gateway->install->sessions, peer, identity);
	const struct tables_session *record;

	if (session == TABLES_NONE)
		return;
	record = &gateway->tables->sessions[session];
	gateway->install->sessions->sessions[session].pause.since_ms = 0;
	if (record->encapsulation == TABLES_ENCAPSULATION_STREAM)
		streams_bind(gateway->streams, session, record->id, &record->local, &record->remote);
	else
		streams_unbind(gateway->streams, session, record->id, "its session goes on in UDP");
}

void ferry_resume(struct gateway *gateway, uint32_t session, const struct endpoint *before)
{
	const struct session *of = &gateway->install->sessions->sessions[session];
	const struct tables_session *record = &gateway->tables->sessions[session];
	struct session_pause pause = of->pause;
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN], text[ENTRY_TEXT_MAX];

	ferry_follow(gateway, of->peer, of->identity);
	if (before->transport != ENDPOINT_TCP || record->remote.transport != ENDPOINT_TCP)
		return; /* it has come from UDP, or gone there: IKE's own words do */
	endpoint_format(&record->remote, to);
	if (pause.since_ms) {
		uint64_t ms = clock_now_ms() - pause.since_ms;

		snprintf(text, sizeof(text),
			"the TCP connection from %s has ended: %s; resumed from %s after %" PRIu64 ".%" PRIu64
			" s, the SAs were kept",
			endpoint_format(&pause.remote, from), pause.why, to, ms / 1000, ms % 1000 / 100);
	} else {
		snprintf(text, sizeof(text),
			"resumed from %s, the SAs were kept; the TCP connection from %s, which had not ended here, is "
			"given up",
			to, endpoint_format(before, from));
	}
	log_info("event=session_resumed session=%" PRIu64 " peer=%s identity=\"%s\" remote=%s reason=\"%s\"", of->id,
		of->peer->name, of->identity, to, text);
	timeline_note(
		gateway->timeline, TIMELINE_STREAM, of->ike_sa, of->peer, of->identity, clock_now_ms(), "%s", text);
}

static uint64_t id_of(void *context, uint32_t session)
{
	const struct install *install = ((const struct gateway *)context)->install;
	const struct session *of = install ? &install->sessions->sessions[session] : NULL;

	return of && of->peer ? of->id : 0;
}

void ferry_tick(struct gateway *gateway)
{
	streams_tick(gateway->streams, id_of, gateway);
}
