/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_seal.h"

#include "connection_output.h"
#include "connection_worker.h"
#include "dataplane.h"
#include "exits.h"
#include "numbers.h"
#include "outbound.h"

#include <string.h>

enum { NO_SPI = 0xff /* four of them are an SPI that nobody has */ };

/* To its endpoint, which sends it when it may. False: it has left. */
static bool frame_queue(
	struct worker *worker, struct connection *connection, struct rte_mbuf *packet, uint8_t *frame, uint32_t len)
{
	packet_place(packet, frame, len);
	if (likely(tcp_send(&connection->tcp, frame, len, packet) == 0))
		return true;
	connection->counters.dropped_full++;
	exit_drop(worker, packet, REASON_DROP_CONNECTION_FULL);
	return false;
}

void connection_frame_ike(struct worker *worker, struct connection *connection, struct rte_mbuf *packet)
{
	uint8_t *frame = NULL;
	uint32_t len;

	if (likely(rte_pktmbuf_headroom(packet) >= frame_head_len(FRAME_IKE)))
		frame = frame_write_head(
			FRAME_IKE, rte_pktmbuf_mtod(packet, uint8_t *), rte_pktmbuf_data_len(packet), &len);
	if (unlikely(!frame)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	packet_of(packet)->frame_offset = (uint16_t)(frame - (uint8_t *)packet->buf_addr);
	if (!frame_queue(worker, connection, packet, frame, len))
		return;
	worker_count(worker, REASON_OUT_FRAME, 1);
	connection->counters.ike_out++;
}

/* Once for all that a connection sends in a row: when another one's turn comes. */
static inline void sender_set(struct worker *worker, struct connection *next)
{
	struct connection_sealing *sealing = &worker->connections->sealing;

	if (sealing->sender && sealing->sender != next)
		connection_sent(worker, sealing->sender);
	sealing->sender = next;
}

/* Its place in the stream is taken, and the peer's reader must find one frame there: of an SA that there is not. */
static void blot(struct rte_mbuf *packet, uint32_t frame_len)
{
	uint8_t *frame = (uint8_t *)packet->buf_addr + packet_of(packet)->frame_offset;

	memset(frame + FRAME_LENGTH_LEN, NO_SPI, frame_len - FRAME_LENGTH_LEN);
}

/* The frame of what was sealed leaves in its segment. True: it is one. */
static inline bool leave(struct worker *worker, const struct connection_begun *begun, const struct esp_packet *esp)
{
	bool good = esp->status == ESP_OK;

	if (unlikely(!good)) {
		blot(esp->owner, begun->frame_len);
		worker_count(worker, REASON_DROP_CRYPTO, 1);
	}
	connection_segment_end(worker, begun, esp->owner);
	return good;
}

/* Or is its endpoint's from now on. */
static bool give(struct worker *worker, struct connection *connection, const struct esp_packet *esp)
{
	bool good = esp->status == ESP_OK;

	connection->gathered = 0;
	if (unlikely(!good))
		exit_drop(worker, esp->owner, REASON_DROP_CRYPTO);
	else
		good = frame_queue(
			worker, connection, esp->owner, esp->data - FRAME_LENGTH_LEN, FRAME_LENGTH_LEN + esp->len);
	connection->frames_out += good;
	connection_rest(worker, connection);
	return good;
}

void connection_seal(struct worker *worker)
{
	struct connection_sealing *sealing = &worker->connections->sealing;
	uint16_t frames = 0, segments = 0;

	if (sealing->count == 0)
		return;
	sender_set(worker, NULL);
	esp_seal(worker->engine, sealing->esp, sealing->count);
	for (uint16_t i = 0; i < sealing->count; i++) {
		if (likely(!sealing->waits[i])) {
			frames += leave(worker, &sealing->begun[i], &sealing->esp[i]);
			segments++;
		} else {
			frames += give(worker, sealing->waits[i], &sealing->esp[i]);
		}
	}
	worker_count(worker, REASON_OUT_FRAME, frames);
	worker_count(worker, REASON_IN_SEGMENT, segments);
	sealing->count = 0;
}

/* What esp_seal wants to know. False: it has left. */
static inline bool esp_begin(struct worker *worker, struct rte_mbuf *packet, uint32_t child,
	const struct esp_extent *extent, struct esp_packet *esp)
{
	const struct sa_store *sas = &worker->dataplane->sas;

	outbound_payload(&sas->out[child], sa_key(sas, child, SA_KEY_OUT), packet, esp);
	if (unlikely(esp->headroom < extent->front_len + FRAME_LENGTH_LEN ||
		     esp->tailroom < extent->len - extent->front_len - esp->len ||
		     extent->len > FRAME_MAX - FRAME_LENGTH_LEN)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return false;
	}
	if (unlikely(!numbers_take_one(worker, child, esp))) {
		exit_drop(worker, packet, REASON_DROP_HARD_LIFETIME);
		return false;
	}
	return true;
}

void connection_seal_add(struct worker *worker, struct connection *connection, struct rte_mbuf *packet, uint32_t child,
	const struct esp_extent *extent, bool at_once)
{
	struct connection_sealing *sealing = &worker->connections->sealing;
	struct tables_traffic *traffic = &worker->counters->traffic[child];
	struct esp_packet *esp = &sealing->esp[sealing->count];
	uint32_t frame_len = 0;
	uint8_t *frame;

	if (unlikely(!esp_begin(worker, packet, child, extent, esp)))
		return;
	tables_count(&traffic->packets_out, 1);
	tables_count(&traffic->bytes_out, esp->len);
	frame = frame_write_head(FRAME_ESP, esp->data - extent->front_len, extent->len, &frame_len);
	packet_of(packet)->frame_offset = (uint16_t)(frame - (uint8_t *)packet->buf_addr);
	if (likely(at_once && connection_segment_begin(
				      worker, connection, packet, frame, frame_len, &sealing->begun[sealing->count]))) {
		sealing->waits[sealing->count] = NULL;
		connection->frames_out++;
		sender_set(worker, connection);
	} else {
		sealing->waits[sealing->count] = connection;
		connection->gathered += frame_len;
	}
	if (++sealing->count == BURST)
		connection_seal(worker);
}
