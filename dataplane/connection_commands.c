/* SPDX-License-Identifier: Apache-2.0 */
/* What the main thread asks of a connection's owner: struct connection_command. */
#include "connection_input.h"
#include "connection_segment.h"
#include "connection_worker.h"
#include "connections.h"
#include "dataplane.h"
#include "exits.h"

#include <errno.h>
#include <string.h>

/* --- install ------------------------------------------------------------------------------------------------------ */

/* Bytes of the stream, to the endpoint in buffers of a segment each. `sent`: the kernel has sent them. 0 or -ENOBUFS.
 */
static int give(struct worker *worker, struct connection *connection, const uint8_t *bytes, uint32_t len, bool sent)
{
	uint64_t now = connection_worker_now(worker);
	struct tcp *tcp = &connection->tcp;

	while (len > 0) {
		struct rte_mbuf *buffer = rte_pktmbuf_alloc(worker->dataplane->packets);
		uint8_t *data;
		uint32_t part;
		int error;

		if (!buffer)
			return -ENOBUFS;
		part = RTE_MIN(len, (uint32_t)rte_pktmbuf_tailroom(buffer));
		part = RTE_MIN(part, tcp->send.mss);
		data = (uint8_t *)rte_pktmbuf_append(buffer, (uint16_t)part);
		memcpy(data, bytes, part);
		packet_of(buffer)->frame_offset = buffer->data_off;
		error = sent ? tcp_send_before(tcp, data, part, buffer, now) : tcp_send(tcp, data, part, buffer);
		if (error < 0) {
			rte_pktmbuf_free(buffer);
			return error;
		}
		bytes += part;
		len -= part;
	}
	return 0;
}

static void install_held(struct worker *worker, struct connection *connection)
{
	worker->connections->n_aside -= connection->n_held;
	connection->n_held = 0;
	while (connection->held_first) {
		struct rte_mbuf *segment = connection->held_first;

		connection->held_first = segment->next;
		segment->next = NULL;
		connection_input(worker, &connection, &segment, 1);
	}
}

/* What the kernel had sent, and what not yet. 0 or negative errno, and then nothing of it is there. */
static int install_endpoint(struct worker *worker, struct connection *connection, const struct transfer *transfer)
{
	struct connection_worker *own = worker->connections;
	uint32_t sent_len = transfer_unacknowledged_len(&transfer->state);
	struct tcp_established established;
	int error;

	transfer_to_established(&transfer->state, &established);
	established.local_port = rte_be_to_cpu_16(connection->ends.local_port);
	established.remote_port = rte_be_to_cpu_16(connection->ends.remote_port);
	established.snd_nxt = established.snd_una; /* the bytes follow in buffers */
	error = tcp_install(&connection->tcp, &own->tcp, &own->pool, &established, connection_worker_now(worker));
	if (error < 0)
		return error;
	error = give(worker, connection, transfer->unacknowledged, sent_len, true);
	if (error == 0)
		error = give(worker, connection, transfer->unsent, transfer->state.unsent_len, false);
	if (error < 0)
		tcp_uninstall(&connection->tcp);
	return error;
}

/* All or nothing: up to where the connection is live nothing is told to anybody. */
static int install(struct worker *worker, const struct connection_command *command)
{
	const struct transfer *transfer = command->transfer;
	struct connection *connection = command->connection;
	struct connection_worker *own = worker->connections;
	int error;

	if (connection->phase != CONNECTION_HELD)
		return -EALREADY;
	error = install_endpoint(worker, connection, transfer);
	if (error < 0)
		return error;
	backlog_init(&connection->backlog, &own->backlog, &own->pool);
	frame_reader_init(&connection->reader, false);
	connection_way_init(connection);
	connection->phase = CONNECTION_LIVE;
	connection_input_bytes(worker, connection, transfer->unread, transfer->state.unread_len);
	install_held(worker, connection);
	connection_touch(worker, connection);
	return 0;
}

/* --- release, end ------------------------------------------------------------------------------------------------- */

/* What waited goes to the kernel, in its order. */
static int go_back(struct worker *worker, struct connection *connection)
{
	if (connection->phase != CONNECTION_HELD)
		return -EALREADY;
	while (connection->held_first) {
		struct rte_mbuf *segment = connection->held_first;

		connection->held_first = segment->next;
		segment->next = NULL;
		exit_kernel_segment(worker, segment, packet_of(segment)->port);
	}
	connection_let_go(worker, connection);
	return 0;
}

/* The command comes back when the connection has ended (connection_output.c). */
static void end(struct worker *worker, struct connection_command *command)
{
	struct connection *connection = command->connection;

	if (connection->phase == CONNECTION_HELD || connection->phase == CONNECTION_GONE || connection->ending) {
		command->result = connection->phase == CONNECTION_HELD ? 0 : -EALREADY;
		if (!connection->ending)
			connection_let_go(worker, connection);
		connections_answer(worker, command);
		return;
	}
	connection->ending = command;
	connection->phase = CONNECTION_ENDING;
	if (command->at_once) {
		connection_end(worker, connection, 0);
		tcp_abort(&connection->tcp);
	}
	connection_touch(worker, connection);
}

void connection_obey(struct worker *worker, struct connection_command *command)
{
	switch (command->kind) {
	case CONNECTION_INSTALL: command->result = install(worker, command); break;
	case CONNECTION_RELEASE: command->result = go_back(worker, command->connection); break;
	case CONNECTION_END: end(worker, command); return;
	}
	connections_answer(worker, command);
}
