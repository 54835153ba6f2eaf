/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "clock.h"
#include "streams_takeover.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	BATCH_MAX = 1024, /* events a ring and wake-up */
};

/* The child SA that an event names, TABLES_NONE when its record is another one's by now. */
static uint32_t event_child(const struct gateway *gateway, const struct tables_event *event)
{
	const struct sessions *sessions = gateway->install->sessions;

	if (event->index >= gateway->tables->n_children || sessions->children[event->index].id != event->id ||
		event->id == 0 || sessions->children[event->index].session == TABLES_NONE)
		return TABLES_NONE;
	return event->index;
}

/* The session of the child SA that an event names; NULL. */
static const struct session *event_session(const struct gateway *gateway, const struct tables_event *event)
{
	uint32_t child = event_child(gateway, event);

	return child == TABLES_NONE
		       ? NULL
		       : &gateway->install->sessions->sessions[gateway->install->sessions->children[child].session];
}

static void take_child_done(struct gateway *gateway, const struct tables_event *event)
{
	const struct session *session = event_session(gateway, event);
	const struct config_peer *peer = session ? session->peer : NULL;
	uint64_t ike_sa = session ? session->ike_sa : 0;
	uint32_t refused = install_done(gateway->install, event);

	if (!refused)
		return;
	timeline_note(gateway->timeline, TIMELINE_DATAPLANE, ike_sa, peer, NULL, clock_now_ms(),
		"the data plane refused child SA %08x: %s", refused, strerror(-event->result));
	ike_child_delete(gateway->ike, refused);
}

static void take_done(struct gateway *gateway, const struct tables_event *event)
{
	if (event->change >= TABLES_CONNECTION_HOLD && event->change <= TABLES_CONNECTION_INSTALL) {
		/* What comes of it may need the record, which may come free. */
		streams_connection_done(gateway->streams, event);
		(void)install_done(gateway->install, event);
	} else {
		take_child_done(gateway, event);
	}
}

/* The last words of IKE in it go another way than the event, and were sent before it. */
static void take_connection_ended(struct gateway *gateway, const struct tables_event *event)
{
	attachment_take_bundles(gateway->attachment);
	streams_connection_ended(gateway->streams, event);
}

/* The data plane followed the peer (dataplane/follow.h): record, IKE and the log follow the data. */
static void take_moved(struct gateway *gateway, const struct tables_event *event)
{
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN];
	struct endpoint old;
	struct session *session;
	struct place place;

	if (event->index >= gateway->tables->n_sessions || event->id == 0)
		return;
	session = &gateway->install->sessions->sessions[event->index];
	if (!session->peer || session->id != event->id)
		return;
	old = gateway->tables->sessions[event->index].remote;
	gateway->counters.sessions_moved++;
	gateway->counters.sessions_followed++;
	log_info("event=session_moved session=%" PRIu64
		 " peer=%s from=%s remote=%s reason=\"the newest authentic ESP packet came from there\"",
		session->id, session->peer->name, endpoint_format(&old, from), endpoint_format(&event->source, to));
	timeline_note(gateway->timeline, TIMELINE_FOLLOWED, session->ike_sa, session->peer,
		session->identity, clock_now_ms(),
		"the newest authentic ESP packet came from %s, those before from %s", to, from);
	install_session_follow(gateway->install, event->index);
	/* What is in force may be newer than the event. */
	place = sessions_where(gateway->install->sessions, event->index);
	if (place.encapsulation == TABLES_ENCAPSULATION_UDP)
		ike_peer_follow(gateway->ike, session->peer, session->identity, &place.local, &place.remote);
}

static void note_lifetime(struct gateway *gateway, uint32_t child, const char *what)
{
	const struct sessions *sessions = gateway->install->sessions;
	uint32_t session = sessions->children[child].session;

	timeline_note(gateway->timeline, TIMELINE_LIFETIME, sessions->sessions[session].ike_sa,
		sessions->sessions[session].peer, sessions->sessions[session].identity, clock_now_ms(),
		"child SA %08x %s", sessions->children[child].spi_in, what);
}

static void take_soft_lifetime(struct gateway *gateway, const struct tables_event *event)
{
	uint32_t child = event_child(gateway, event);
	const struct sessions *sessions = gateway->install->sessions;
	const struct config_peer *peer;
	int rc;

	if (child == TABLES_NONE)
		return;
	gateway->counters.soft_lifetimes++;
	note_lifetime(gateway, child, "is near its limit of bytes or packets: a successor is negotiated");
	peer = sessions->sessions[sessions->children[child].session].peer;
	rc = ike_child_rekey(gateway->ike, sessions->children[child].spi_in);
	if (rc == 0) {
		gateway->counters.rekeys++;
		log_info("event=child_rekeying peer=%s spi_in=%08x", peer->name, sessions->children[child].spi_in);
	} else {
		log_warning("event=child_not_rekeyed peer=%s spi_in=%08x reason=\"%s\"", peer->name,
			sessions->children[child].spi_in,
			rc == -ENOENT ? "no IKE SA with the peer; it has to connect again" : strerror(-rc));
	}
}

static void take_hard_lifetime(struct gateway *gateway, const struct tables_event *event)
{
	uint32_t child = event_child(gateway, event), spi_in;

	if (child == TABLES_NONE)
		return;
	spi_in = gateway->install->sessions->children[child].spi_in;
	note_lifetime(gateway, child, "has come to its end and carries nothing any more");
	if (gateway->tables->children[child].expires_at <= clock_unix()) {
		gateway->counters.expired++;
		log_info("event=child_expired spi_in=%08x reason=\"its lifetime is over\"", spi_in);
	} else {
		gateway->counters.hard_lifetimes++;
		log_warning("event=child_used_up spi_in=%08x reason=\"its bytes or sequence numbers are at their "
			    "limit\"",
			spi_in);
	}
	/* An adopted one is unknown to IKE, so its peer can't be told. */
	ike_child_delete(gateway->ike, spi_in);
	install_child_remove(gateway->install, spi_in);
}

static void take_unknown_spi(struct gateway *gateway, const struct tables_event *event)
{
	char local[ENDPOINT_TEXT_LEN], remote[ENDPOINT_TEXT_LEN];
	struct log_limit *limit = &gateway->limit_unknown_spi;

	gateway->counters.unknown_spi++;
	if (!log_limit_pass(limit, clock_now_ms()))
		return;
	log_warning("event=unknown_spi spi=%08x local=%s remote=%s suppressed=%u", event->spi,
		endpoint_format(&event->local, local), endpoint_format(&event->source, remote), limit->suppressed);
	limit->suppressed = 0;
}

static void take_neighbour_wanted(struct gateway *gateway, const struct tables_event *event)
{
	if (gateway->mirror && event->index < gateway->tables->n_ports)
		mirror_neighbour_wanted(gateway->mirror, (uint16_t)event->index, &event->source.address);
}

static void take(struct gateway *gateway, const struct tables_event *event)
{
	static void (*const takers[TABLES_EVENT_COUNT])(struct gateway * gateway, const struct tables_event *event) = {
		[TABLES_EVENT_DONE] = take_done,
		[TABLES_EVENT_MOVED] = take_moved,
		[TABLES_EVENT_SOFT_LIFETIME] = take_soft_lifetime,
		[TABLES_EVENT_HARD_LIFETIME] = take_hard_lifetime,
		[TABLES_EVENT_UNKNOWN_SPI] = take_unknown_spi,
		[TABLES_EVENT_NEIGHBOUR_WANTED] = take_neighbour_wanted,
		[TABLES_EVENT_CONNECTION_ENDED] = take_connection_ended,
	};

	if (event->kind < TABLES_EVENT_COUNT && takers[event->kind])
		takers[event->kind](gateway, event);
}

bool events_drain(struct gateway *gateway)
{
	struct tables_event event;
	bool more = false;

	for (uint32_t thread = 0; thread <= gateway->tables->n_workers; thread++) {
		int rc = 1;

		for (int i = 0; i < BATCH_MAX && rc == 1; i++) {
			rc = ring_pop(&gateway->tables->events[thread], &event);
			if (rc == 1)
				take(gateway, &event);
		}
		if (rc == 1)
			more = true;
		if (rc < 0 && log_limit_pass(&gateway->limit_corrupt, clock_now_ms()))
			log_error("event=event_ring_corrupt ring=%u reason=\"restart the data plane\"", thread);
	}
	return more;
}
