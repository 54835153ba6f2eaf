/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections, whoever has them: a worker, with all its figures, or the kernel, with those that it tells. */
#include "status.h"

#include "clock.h"
#include "tcp/tcp.h"

#include <stdio.h>
#include <string.h>

struct tcp_walk {
	const struct gateway *gateway;
	const char *name; /* that is asked for; NULL: all */
	json_t *list;
};

static const struct session *session_of(const struct gateway *gateway, const struct streams_status *status)
{
	const struct session *session = gateway->install && status->session != TABLES_NONE
						? &gateway->install->sessions->sessions[status->session]
						: NULL;

	return session && session->peer && session->id == status->id ? session : NULL;
}

/* Peer, identity, or the address that it comes from. */
static bool is_asked_for(const struct tcp_walk *walk, const struct streams_status *status, const struct session *session)
{
	char address[ADDRESS_TEXT_LEN];

	return !walk->name || strcmp(address_format(&status->remote->address, address), walk->name) == 0 ||
	       (session && (strcmp(session->peer->name, walk->name) == 0 || strcmp(session->identity, walk->name) == 0));
}

static json_t *worker_figures(const struct tables *tables, uint32_t connection)
{
	json_t *object = json_object();

	for (uint32_t i = 0; i < tables->n_figures; i++) {
		char name[TABLES_REASON_NAME_LEN + 1];

		snprintf(name, sizeof(name), "%.*s", TABLES_REASON_NAME_LEN, tables->header->figure_names[i]);
		json_object_set_new(object, name,
			json_integer((json_int_t)atomic_load_explicit(
				&tables->connections[connection].figures[i], memory_order_relaxed)));
	}
	return object;
}

/* By the same names as a worker's. */
static json_t *kernel_figures(const struct stream *stream)
{
	const struct stream_counters *counters = stream_counters(stream);
	const struct send_queue *queue = stream_queue(stream);
	struct stream_path path;

	if (stream_path(stream, &path) < 0)
		return json_object();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
		(json_int_t)(path.established ? TCP_STATE_ESTABLISHED : TCP_STATE_CLOSING), "rate",
		(json_int_t)(path.srtt ? (uint64_t)path.cwnd * 1000000 / path.srtt : 0), "srtt", (json_int_t)path.srtt,
		"rto", (json_int_t)path.rto, "cwnd", (json_int_t)path.cwnd, "flight", (json_int_t)path.flight, "mss",
		(json_int_t)path.mss, "retransmitted", (json_int_t)path.retransmitted, "queue_bytes",
		(json_int_t)(queue->esp_bytes + queue->ike_bytes), "frames_in", (json_int_t)counters->esp_in,
		"frames_out", (json_int_t)counters->esp_out, "ike_in", (json_int_t)counters->ike_in, "ike_out",
		(json_int_t)counters->ike_out, "dropped_late", (json_int_t)queue->dropped_late);
}

/* Why it is where it is. */
static json_t *takeover_of(const struct tcp_walk *walk, const struct streams_status *status)
{
	char why[STREAMS_STAYS_LEN];

	if (!status->stream)
		return json_string("done");
	if (status->moving)
		return json_string("under way");
	if (status->stays == STREAMS_STEP_NONE)
		return json_string(walk->gateway->config->ike.tcp_takeover ? "waits for a session" : "not wanted");
	streams_stays_format(status->stays, status->stays_error, why);
	return json_string(why);
}

static void put_connection(void *context, const struct streams_status *status)
{
	struct tcp_walk *walk = context;
	const struct session *session = session_of(walk->gateway, status);
	const struct tables *tables = walk->gateway->tables;
	json_t *figures, *object;

	if (!is_asked_for(walk, status, session))
		return;
	figures = status->stream ? kernel_figures(status->stream) : worker_figures(tables, status->connection);
	object = json_pack("{s:o, s:o, s:I, s:o, s:o, s:b, s:s, s:s, s:o, s:o}", "peer",
		status_text(session ? session->peer->name : "", CONFIG_NAME_LEN), "identity",
		status_text(session ? session->identity : "", CONFIG_IDENTITY_LEN), "session",
		(json_int_t)(session ? session->id : 0), "local", status_endpoint(status->local), "remote",
		status_endpoint(status->remote), "proved", status->proved, "where", status->stream ? "kernel" : "worker",
		"state", tcp_state_name((enum tcp_state)json_integer_value(json_object_get(figures, "state"))), "takeover",
		takeover_of(walk, status), "figures", figures);
	if (object && !status->stream)
		json_object_set_new(object, "taken_at",
			json_integer((json_int_t)tables->connections[status->connection].taken_at));
	json_array_append_new(walk->list, object);
}

json_t *status_tcp(const struct gateway *gateway, const char *name)
{
	struct tcp_walk walk = {.gateway = gateway, .name = name, .list = json_array()};

	if (walk.list && gateway->streams)
		streams_each(gateway->streams, put_connection, &walk);
	return json_pack("{s:o, s:I, s:o}", "dataplane", status_dataplane(gateway), "now", (json_int_t)clock_unix(),
		"connections", walk.list);
}
