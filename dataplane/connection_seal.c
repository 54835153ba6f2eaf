/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_seal.h"

#include "connection_output.h"
#include "connection_segment.h"
#include "connection_worker.h"
#include "dataplane.h"
#include "exits.h"
#include "numbers.h"
#include "outbound.h"

enum { AHEAD = 4 /* packets whose connections are fetched while others leave */ };

void connection_frame(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, enum frame_kind kind)
{
	uint32_t len;
	uint8_t *frame = NULL;

	if (likely(rte_pktmbuf_headroom(packet) >= frame_head_len(kind)))
		frame = frame_write_head(kind, rte_pktmbuf_mtod(packet, uint8_t *), rte_pktmbuf_data_len(packet), &len);
	if (unlikely(!frame)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	packet_begin_move(packet, -(int)frame_head_len(kind));
	packet_of(packet)->frame_offset = packet->data_off;
	if (!connection_segment_send(worker, connection, packet) &&
		unlikely(tcp_send(&connection->tcp, frame, len, packet) < 0)) {
		connection->counters.dropped_full++;
		exit_drop(worker, packet, REASON_DROP_CONNECTION_FULL);
		return;
	}
	worker_count(worker, REASON_OUT_FRAME, 1);
	*(kind == FRAME_ESP ? &connection->counters.frames_out : &connection->counters.ike_out) += 1;
}

static void sealed_give(struct worker *worker, struct connection *connection, struct esp_packet *esp, uint32_t child)
{
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	struct rte_mbuf *packet = esp->owner;

	connection->gathered = 0;
	if (unlikely(esp->status != ESP_OK)) {
		exit_drop(worker, packet, esp->status == ESP_NO_ROOM ? REASON_DROP_NO_ROOM : REASON_DROP_CRYPTO);
		return;
	}
	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, rte_pktmbuf_data_len(packet));
	packet_place(packet, esp->data, esp->len);
	connection_frame(worker, connection, packet, FRAME_ESP);
}

/* Takes out the packets that got no number. */
static void keep_numbered(struct worker *worker, struct connection_sealing *sealing)
{
	uint16_t good = 0;

	for (uint16_t i = 0; i < sealing->count; i++) {
		if (sealing->esp[i].sequence == 0) {
			sealing->connections[i]->gathered = 0;
			exit_drop(worker, sealing->esp[i].owner, REASON_DROP_HARD_LIFETIME);
			continue;
		}
		sealing->esp[good] = sealing->esp[i];
		sealing->connections[good] = sealing->connections[i];
		sealing->children[good++] = sealing->children[i];
	}
	sealing->count = good;
}

/* Encryption has driven out of the nearest cache what was there before. */
static inline void prefetch_ahead(const struct connection_sealing *sealing, uint16_t at)
{
	uint16_t fetched = at + AHEAD, arrived = at + AHEAD / 2;

	if (fetched < sealing->count) {
		rte_prefetch0_write(sealing->esp[fetched].owner);
		if (sealing->connections[fetched] != sealing->connections[fetched - 1])
			connection_prefetch(sealing->connections[fetched]);
	}
	if (arrived < sealing->count)
		tcp_prefetch_last(&sealing->connections[arrived]->tcp);
}

/* To their endpoints, and on their way where they may go at once. */
static void give_all(struct worker *worker, struct connection_sealing *sealing)
{
	for (uint16_t i = 0; i < sealing->count; i++) {
		struct connection *connection = sealing->connections[i];

		prefetch_ahead(sealing, i);
		sealed_give(worker, connection, &sealing->esp[i], sealing->children[i]);
		if (i + 1 == sealing->count || sealing->connections[i + 1] != connection)
			connection_rest(worker, connection);
	}
	sealing->count = 0;
}

void connection_seal(struct worker *worker)
{
	struct connection_sealing *sealing = &worker->connections->sealing;

	if (sealing->count == 0)
		return;
	if (unlikely(numbers_take(worker, sealing->children, sealing->esp, sealing->count) != sealing->count))
		keep_numbered(worker, sealing);
	esp_seal(worker->engine, sealing->esp, sealing->count);
	give_all(worker, sealing);
}

void connection_seal_add(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, uint32_t child)
{
	struct connection_sealing *sealing = &worker->connections->sealing;
	const struct sa_out *out = &worker->dataplane->sas.out[child];
	struct esp_packet *esp = &sealing->esp[sealing->count];

	outbound_payload(out, sa_key(&worker->dataplane->sas, child, SA_KEY_OUT), packet, esp);
	esp->headroom = RTE_MAX(esp->headroom, (uint16_t)FRAME_LENGTH_LEN) - FRAME_LENGTH_LEN;
	connection->gathered += FRAME_LENGTH_LEN + esp->len + (uint32_t)esp_overhead(esp_key_suite(esp->key), esp->len);
	sealing->children[sealing->count] = child;
	sealing->connections[sealing->count++] = connection;
	if (sealing->count == BURST)
		connection_seal(worker);
}
