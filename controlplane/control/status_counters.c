/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "clock.h"

#include <stdatomic.h>

static json_int_t load(const _Atomic uint64_t *counter)
{
	return (json_int_t)atomic_load_explicit(counter, memory_order_relaxed);
}

/* The exits of the packet path by their kinds, so that a reader can see whether they balance. */
static json_t *reasons(const struct tables *tables)
{
	static const char *const names[] = {[TABLES_REASON_IN] = "in",
		[TABLES_REASON_OUT] = "out",
		[TABLES_REASON_DROP] = "drop",
		[TABLES_REASON_NOTE] = "note"};
	json_t *object = json_object();

	for (int kind = 0; kind <= TABLES_REASON_NOTE; kind++) {
		json_t *part = json_object();

		for (uint32_t i = 0; i < tables->n_reasons; i++) {
			char name[TABLES_REASON_NAME_LEN + 1];

			if (tables->header->reason_kinds[i] != kind)
				continue;
			snprintf(name, sizeof(name), "%.*s", TABLES_REASON_NAME_LEN, tables->header->reason_names[i]);
			json_object_set_new(part, name, json_integer((json_int_t)tables_sum_reason(tables, i)));
		}
		json_object_set_new(object, names[kind], part);
	}
	return object;
}

/* Sums over the threads: each gauge is written by one of them, the others have none. */
static json_t *gauges(const struct tables *tables)
{
	static const char *const names[TABLES_GAUGE_COUNT] = {
		[TABLES_GAUGE_PACKET_BUFFERS] = "packet_buffers",
		[TABLES_GAUGE_PACKET_BUFFERS_FREE] = "packet_buffers_free",
		[TABLES_GAUGE_FRAGMENTS_HELD] = "fragments_held",
		[TABLES_GAUGE_CHILDREN] = "children",
		[TABLES_GAUGE_SESSIONS] = "sessions",
		[TABLES_GAUGE_CONNECTIONS] = "tcp_connections",
		[TABLES_GAUGE_ROUTES] = "routes",
		[TABLES_GAUGE_NEIGHBOURS] = "neighbours",
		[TABLES_GAUGE_DEVICE_MISSED] = "device_missed",
	};
	json_t *object = json_object();

	for (int g = 0; g < TABLES_GAUGE_COUNT; g++)
		json_object_set_new(object, names[g], json_integer(load(&tables_counters(tables, 0)->gauges[g])));
	return object;
}

static json_t *ike_counters(const struct ike *ike)
{
	json_t *object = json_object();

	for (int c = 0; c < IKE_COUNTER_COUNT; c++)
		json_object_set_new(object, ike_counter_name((enum ike_counter)c),
			json_integer((json_int_t)ike_counter(ike, (enum ike_counter)c)));
	return object;
}

static json_t *socket_counters(const struct sockets *sockets)
{
	const struct sockets_counters none = {0}, *c = sockets ? sockets_counters(sockets) : &none;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "datagrams_received", (json_int_t)c->received,
		"datagrams_sent", (json_int_t)c->sent, "keepalives_received", (json_int_t)c->keepalives,
		"nat_port_not_ike", (json_int_t)c->not_ike, "datagrams_malformed", (json_int_t)c->malformed,
		"send_failed", (json_int_t)c->send_failed);
}

static json_t *stream_counters_of(const struct gateway *gateway)
{
	const struct streams_counters none = {0};
	const struct streams_counters c = gateway->streams ? streams_counters(gateway->streams) : none;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "opened",
		(json_int_t)c.opened, "ended", (json_int_t)c.ended, "pushed_out", (json_int_t)c.pushed_out, "ike_in",
		(json_int_t)c.ike_in, "ike_out", (json_int_t)c.ike_out, "ike_refused", (json_int_t)c.ike_refused, "esp_in",
		(json_int_t)c.esp_in, "esp_out", (json_int_t)c.esp_out, "esp_unproved", (json_int_t)c.esp_unproved,
		"esp_no_stream", (json_int_t)c.esp_no_stream, "esp_dropped_full", (json_int_t)c.dropped_full,
		"esp_dropped_late", (json_int_t)c.dropped_late, "esp_refused_by_dataplane",
		(json_int_t)gateway->counters.streams_refused, "taken_over", (json_int_t)c.taken, "not_taken_over",
		(json_int_t)c.not_taken, "esp_late_for_takeover", (json_int_t)c.esp_moving);
}

static json_t *gateway_counters(const struct gateway *gateway)
{
	const struct gateway_counters *c = &gateway->counters;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "unknown_spi_events", (json_int_t)c->unknown_spi,
		"sessions_moved", (json_int_t)c->sessions_moved, "sessions_followed", (json_int_t)c->sessions_followed,
		"soft_lifetimes", (json_int_t)c->soft_lifetimes, "rekeys", (json_int_t)c->rekeys, "hard_lifetimes",
		(json_int_t)c->hard_lifetimes, "expired", (json_int_t)c->expired);
}

json_t *status_counters(const struct gateway *gateway)
{
	json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dataplane", status_dataplane(gateway), "ike",
		ike_counters(gateway->ike), "registration", status_registration_counters(gateway), "sockets",
		socket_counters(gateway->sockets), "streams", stream_counters_of(gateway), "control",
		gateway_counters(gateway));

	if (!object || !gateway->install)
		return object;
	json_object_set_new(object, "reasons", reasons(gateway->tables));
	json_object_set_new(object, "gauges", gauges(gateway->tables));
	json_object_set_new(object, "events_lost", json_integer((json_int_t)tables_sum_events_lost(gateway->tables)));
	json_object_set_new(object, "changes_refused", json_integer((json_int_t)gateway->install->refused));
	return object;
}

json_t *status_workers(const struct gateway *gateway)
{
	json_t *list = json_array();

	for (uint32_t t = 1; gateway->install && t <= gateway->tables->n_workers; t++) {
		const struct tables_counters *c = tables_counters(gateway->tables, t);

		json_array_append_new(list, json_pack("{s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "worker", (int)t - 1,
						    "core", (int)c->core, "loops", load(&c->loops), "busy_loops",
						    load(&c->busy_loops), "cycles", load(&c->cycles), "busy_cycles",
						    load(&c->busy_cycles), "events_lost", load(&c->events_lost)));
	}
	return json_pack("{s:o, s:I, s:o}", "dataplane", status_dataplane(gateway), "tsc_hz",
		gateway->install ? (json_int_t)gateway->tables->header->tsc_hz : (json_int_t)0, "workers", list);
}
