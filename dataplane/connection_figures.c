/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_figures.h"

#include "connection_worker.h"
#include "dataplane.h"

enum { PUBLISH_INTERVAL = 250000 /* microseconds */ };

static void put(struct tables_connection *record, unsigned int figure, uint64_t value)
{
	atomic_store_explicit(&record->figures[figure], value, memory_order_relaxed);
}

static void publish_queue(struct tables_connection *record, const struct connection *connection, uint64_t now)
{
	const struct connection_counters *counters = &connection->counters;

	put(record, CONNECTION_FIGURE_QUEUE_BYTES, connection->backlog.data.bytes);
	put(record, CONNECTION_FIGURE_QUEUE_WAIT, backlog_wait(&connection->backlog, now));
	put(record, CONNECTION_FIGURE_FRAMES_IN, connection->frames_in);
	put(record, CONNECTION_FIGURE_FRAMES_OUT, connection->frames_out);
	put(record, CONNECTION_FIGURE_IKE_IN, counters->ike_in);
	put(record, CONNECTION_FIGURE_IKE_OUT, counters->ike_out);
	put(record, CONNECTION_FIGURE_DROPPED_LATE, counters->dropped_late);
	put(record, CONNECTION_FIGURE_DROPPED_FULL, counters->dropped_full);
	put(record, CONNECTION_FIGURE_MARKED, counters->marked);
}

static void publish_endpoint(struct tables_connection *record, const struct tcp *tcp)
{
	put(record, CONNECTION_FIGURE_STATE, tcp->state);
	put(record, CONNECTION_FIGURE_RATE, tcp_rate(tcp));
	put(record, CONNECTION_FIGURE_SRTT, tcp->rtt.srtt == RTT_NONE ? 0 : tcp->rtt.srtt);
	put(record, CONNECTION_FIGURE_RTO, tcp_rtt_timeout(&tcp->rtt, tcp->settings->rto_min, tcp->settings->rto_max));
	put(record, CONNECTION_FIGURE_CWND, tcp->cubic.cwnd);
	put(record, CONNECTION_FIGURE_PEER_WINDOW, tcp->send.wnd);
	put(record, CONNECTION_FIGURE_FLIGHT, tcp->send.flight);
	put(record, CONNECTION_FIGURE_MSS, tcp->send.mss);
	for (unsigned int i = 0; i < TCP_COUNTER_COUNT; i++)
		put(record, CONNECTION_FIGURE_TCP + i, tcp->counters[i]);
}

void connection_publish(struct worker *worker, struct connection *connection)
{
	uint64_t now = connection_worker_now(worker);
	struct tables_connection *record = &worker->dataplane->tables.connections[connection->index];

	if (!connection->changed || now < connection->publish_at)
		return;
	connection->changed = false;
	connection->publish_at = now + PUBLISH_INTERVAL;
	put(record, CONNECTION_FIGURE_WORKER, worker->number);
	publish_queue(record, connection, now);
	publish_endpoint(record, &connection->tcp);
}
