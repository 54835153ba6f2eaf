/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	BATCH_MAX = 1024,	 /* events a ring and wake-up */
	MOVE_INTERVAL_MS = 1000, /* a session follows ESP to another address at most so often */
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

static void take_done(struct gateway *gateway, const struct tables_event *event)
{
	uint32_t refused = install_done(gateway->install, event);

	if (refused)
		ike_child_delete(gateway->ike, refused);
}

/*
 * RFC 7296 section 2.23 in spirit: only an authentic packet that is the newest of its SA moves a peer (the data plane
 * saw to that), only where there is UDP encapsulation, and not more often than a NAT would have reason to.
 */
static void take_address_seen(struct gateway *gateway, const struct tables_event *event)
{
	uint32_t child = event_child(gateway, event), index;
	char from[ENDPOINT_TEXT_LEN], to[ENDPOINT_TEXT_LEN];
	const struct tables_session *record;
	struct endpoint local, old;
	struct session *session;
	uint64_t now = clock_now_ms();

	gateway->counters.addresses_seen++;
	if (child == TABLES_NONE)
		return;
	index = gateway->install->sessions->children[child].session;
	session = &gateway->install->sessions->sessions[index];
	record = &gateway->tables->sessions[index];
	if (record->encapsulation != TABLES_ENCAPSULATION_UDP || event->source.port == 0 ||
		event->source.address.family != record->remote.address.family ||
		endpoint_equal(&event->source, &record->remote))
		return;
	if (session->moved_ms && now - session->moved_ms < MOVE_INTERVAL_MS)
		return;
	local = record->local;
	old = record->remote;
	if (event->local.address.family == local.address.family && event->local.port == local.port)
		local.address = event->local.address;
	if (!install_session_move(gateway->install, index, &local, &event->source, TABLES_ENCAPSULATION_UDP))
		return;
	session->moved_ms = now;
	gateway->counters.sessions_moved++;
	log_info("event=session_moved session=%" PRIu64
		 " peer=%s from=%s remote=%s reason=\"the newest authentic ESP packet came from there\"",
		session->id, session->peer->name, endpoint_format(&old, from), endpoint_format(&event->source, to));
}

static void take_soft_lifetime(struct gateway *gateway, const struct tables_event *event)
{
	uint32_t child = event_child(gateway, event);
	const struct sessions *sessions = gateway->install->sessions;
	const struct config_peer *peer;
	int rc;

	if (child == TABLES_NONE)
		return;
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
	gateway->counters.hard_lifetimes++;
	log_warning(
		"event=child_used_up spi_in=%08x reason=\"its bytes or sequence numbers are at their limit\"", spi_in);
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
		[TABLES_EVENT_ADDRESS_SEEN] = take_address_seen,
		[TABLES_EVENT_SOFT_LIFETIME] = take_soft_lifetime,
		[TABLES_EVENT_HARD_LIFETIME] = take_hard_lifetime,
		[TABLES_EVENT_UNKNOWN_SPI] = take_unknown_spi,
		[TABLES_EVENT_NEIGHBOUR_WANTED] = take_neighbour_wanted,
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
