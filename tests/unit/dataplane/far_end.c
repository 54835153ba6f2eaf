/* SPDX-License-Identifier: Apache-2.0 */
#include "far_end.h"

#include "connection_worker.h"
#include "connections.h"
#include "tables/transfer.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	TURNS_MAX = 10,
	N_SLOTS = 1 << 14,
	HQ_NXT = 1000, /* far ahead of a wrap, and shortly before one */
	FAR_NXT = 0xffffff00,
	WINDOW = 4 << 20,
	MSS = 1460,
	SCALE = 7,
};

static struct wire_frame frame;

static bool happens(struct far_end *far, double probability)
{
	far->random ^= far->random << 13;
	far->random ^= far->random >> 7;
	far->random ^= far->random << 17;
	return probability > 0 && (double)(far->random >> 11) < probability * (double)(UINT64_C(1) << 53);
}

uint64_t far_end_now(void)
{
	struct worker *worker = &harness.dataplane.workers[0];

	worker->now = harness.tsc;
	return connection_worker_now(worker);
}

/* --- both ends ---------------------------------------------------------------------------------------------------- */

void far_end_release_buffer(void *context, void *owner)
{
	struct far_end *far = context;

	far->buffers--;
	free(owner);
}

static struct tcp_established established(bool hq)
{
	return (struct tcp_established){
		.local_port = hq ? HARNESS_TCP_PORT : FAR_END_PORT,
		.remote_port = hq ? FAR_END_PORT : HARNESS_TCP_PORT,
		.snd_una = hq ? HQ_NXT : FAR_NXT,
		.snd_nxt = hq ? HQ_NXT : FAR_NXT,
		.snd_wnd = WINDOW,
		.snd_wl1 = hq ? FAR_NXT : HQ_NXT,
		.rcv_nxt = hq ? FAR_NXT : HQ_NXT,
		.rcv_wnd = WINDOW,
		.snd_scale = SCALE,
		.rcv_scale = SCALE,
		.mss = MSS,
		.timestamps = true,
		.sack = true,
		.ecn = true,
		.ts_value = 12345,
	};
}

static struct endpoint endpoint(bool hq, const struct peer *peer)
{
	struct tables_session session = peer_session(peer);
	struct endpoint endpoint = hq ? session.local : session.remote;

	endpoint.port = hq ? HARNESS_TCP_PORT : FAR_END_PORT;
	return endpoint;
}

/* The main thread, the workers and the control plane take turns until a change of the connection is done. Its result.
 */
static int settle(enum tables_change_kind kind)
{
	uint32_t before = harness.n_done_of[kind];

	for (int turn = 0; turn < TURNS_MAX && harness.n_done_of[kind] == before; turn++) {
		harness_settle();
		harness_turn();
		connections_turn(&harness.dataplane);
		harness_take_events();
	}
	return harness.n_done_of[kind] == before ? -EINPROGRESS : harness.last_result;
}

void far_end_open(struct far_end *far, struct peer *peer)
{
	struct tcp_established values = established(false);
	struct tcp_slot *slots = malloc(N_SLOTS * sizeof(*slots));
	struct endpoint hq, theirs;

	if (!harness.tsc)
		harness_clock_stop();
	memset(far, 0, sizeof(*far));
	far->peer = peer;
	far->payload_len = 1000;
	far->burst = 16;
	far->random = 88172645463325252ULL;
	assert_non_null(slots);
	tcp_pool_init(&far->pool, slots, N_SLOTS);
	tcp_settings_default(&far->settings);
	far->settings.release = far_end_release_buffer;
	far->settings.context = far;
	frame_reader_init(&far->reader, false);
	assert_int_equal(tcp_install(&far->tcp, &far->settings, &far->pool, &values, far_end_now()), 0);
	hq = endpoint(true, peer);
	theirs = endpoint(false, peer);
	writer_session_move(harness.writer, peer->session, &hq, &theirs, TABLES_ENCAPSULATION_STREAM);
	harness_settle();
	assert_int_equal(writer_connection_hold(harness.writer, peer->session, &hq, &theirs, &far->index), 0);
	assert_int_equal(settle(TABLES_CONNECTION_HOLD), 0);
	far->connection = connections_find(&harness.dataplane.connections, far->index);
	assert_non_null(far->connection);
}

int far_end_install_with(struct far_end *far, const struct far_end_transfer *with)
{
	struct tcp_established values = established(true);
	struct transfer_head head = {
		.magic = TRANSFER_MAGIC, .index = far->index, .id = harness.tables.connections[far->index].id};
	struct transfer_state state;
	int memfd;

	/* The far end has sent what the kernel had got of it. */
	if (with->unread_len > 0) {
		assert_int_equal(far->in.sent, 0);
		far->tcp.send.una += with->unread_len;
		far->tcp.send.nxt = far->tcp.send.end = far->tcp.send.una;
	}
	transfer_from_established(&state, &values);
	state.snd_nxt += with->unacknowledged_len;
	state.rcv_nxt += with->unread_len;
	state.unsent_len = with->unsent_len;
	state.unread_len = with->unread_len;
	memfd = transfer_make(&state, with->unacknowledged, with->unsent, with->unread);
	assert_true(memfd >= 0);
	connections_install(&harness.dataplane, &head, memfd);
	close(memfd);
	return settle(TABLES_CONNECTION_INSTALL);
}

void far_end_install(struct far_end *far)
{
	assert_int_equal(far_end_install_with(far, &(struct far_end_transfer){0}), 0);
}

int far_end_release(struct far_end *far)
{
	writer_connection_release(harness.writer, far->index);
	return settle(TABLES_CONNECTION_RELEASE);
}

void far_end_end(struct far_end *far, bool at_once)
{
	far->n_ended = harness.n_done_of[TABLES_CONNECTION_END];
	writer_connection_end(harness.writer, far->index, at_once);
	harness_settle();
}

bool far_end_has_ended(const struct far_end *far)
{
	for (int turn = 0; turn < TURNS_MAX; turn++)
		connections_turn(&harness.dataplane);
	harness_take_events();
	return harness.n_done_of[TABLES_CONNECTION_END] > far->n_ended;
}

void far_end_close(struct far_end *far)
{
	struct worker *worker = &harness.dataplane.workers[far->connection->owner];

	if (harness.tables.connections[far->index].phase == TABLES_LIVE) {
		writer_connection_end(harness.writer, far->index, true);
		assert_int_equal(settle(TABLES_CONNECTION_END), 0);
	}
	assert_int_equal(harness.tables.connections[far->index].phase, TABLES_FREE);
	assert_int_equal(worker->connections->pool.n_free, worker->connections->pool.count);
	assert_int_equal(worker->connections->n_aside, 0);
	assert_true(TAILQ_EMPTY(&worker->connections->waiting));
	assert_int_equal(worker->connections->wheel.count, 0);
	while (harness_receive(0, &frame))
		;
	tcp_uninstall(&far->tcp);
	free(frame_reader_end(&far->reader));
	assert_int_equal(far->buffers, 0);
	free(far->pool.slots);
}

/* --- the network -------------------------------------------------------------------------------------------------- */

/* What the checksum of a TCP segment in an IP packet should be zero over, by another hand than ours. */
static uint16_t segment_sum(const uint8_t *packet, size_t len)
{
	static uint8_t pseudo[WIRE_IPV6_LEN + WIRE_MAX];
	size_t header_len = wire_header_len(packet), address_len = wire_is_ipv6(packet) ? 16 : 4;
	const uint8_t *addresses = wire_is_ipv6(packet) ? packet + 8 : packet + 12;

	memcpy(pseudo, addresses, 2 * address_len);
	wire_write32(pseudo + 2 * address_len, (uint32_t)(len - header_len));
	wire_write32(pseudo + 2 * address_len + 4, IPPROTO_TCP);
	memcpy(pseudo + 2 * address_len + 8, packet + header_len, len - header_len);
	return wire_checksum(pseudo, 2 * address_len + 8 + len - header_len);
}

/* Around what stands where a segment begins in `packet`. */
static size_t packet_make(const struct far_end *far, uint8_t *packet, size_t segment_len)
{
	const struct peer *peer = far->peer;
	struct wire_ipv4 ipv4 = {.source = peer->address, .destination = HQ_WAN, .protocol = IPPROTO_TCP};
	struct wire_ipv6 ipv6 = {.next_header = IPPROTO_TCP};
	size_t header_len = peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;
	uint8_t *tcp = packet + header_len;

	if (peer->outer_ipv6) {
		memcpy(ipv6.source, peer->address_6, 16);
		wire_address(HQ_WAN_6, ipv6.destination);
		wire_ipv6(packet, &ipv6, tcp, segment_len);
	} else {
		wire_ipv4(packet, &ipv4, tcp, segment_len);
	}
	wire_write16(tcp + TCP_CHECKSUM_OFFSET, 0);
	wire_write16(tcp + TCP_CHECKSUM_OFFSET, segment_sum(packet, header_len + segment_len));
	return header_len + segment_len;
}

static void deliver(struct far_end *far, bool to_hq, const uint8_t *packet, size_t len)
{
	size_t header_len = wire_header_len(packet);
	struct tcp_segment segment;
	uint8_t *copy;

	if (to_hq) {
		harness_send_ip(0, 0, GATEWAY, packet, len);
		return;
	}
	assert_int_equal(wire_total_len(packet), len);
	assert_int_equal(segment_sum(packet, len), 0);
	copy = malloc(len);
	assert_non_null(copy);
	memcpy(copy, packet, len);
	assert_int_equal(tcp_segment_parse(copy + header_len, len - header_len, &segment), 0);
	far->buffers++;
	if (!tcp_input(&far->tcp, &segment, copy, far_end_now()))
		far_end_release_buffer(far, copy);
	far_end_read_frames(far);
}

/* In two pieces, as from a middlebox that has taken the segment apart. */
static void deliver_cut(struct far_end *far, bool to_hq, const uint8_t *packet, size_t len)
{
	static uint8_t piece[2048];
	size_t header_len = wire_header_len(packet);
	size_t front_len = header_len + (size_t)(packet[header_len + 12] >> 4) * 4, payload_len = len - front_len,
	       first;

	if (payload_len < 2 || !to_hq) {
		deliver(far, to_hq, packet, len);
		return;
	}
	first = 1 + (size_t)far->random % (payload_len - 1);
	memcpy(piece, packet, front_len + first);
	deliver(far, to_hq, piece, packet_make(far, piece, front_len - header_len + first));
	memcpy(piece, packet, front_len);
	memcpy(piece + front_len, packet + front_len + first, payload_len - first);
	wire_write32(piece + header_len + 4, wire_read32(packet + header_len + 4) + (uint32_t)first);
	deliver(far, to_hq, piece, packet_make(far, piece, front_len - header_len + payload_len - first));
}

static void carry(struct far_end *far, bool to_hq, const uint8_t *packet, size_t len)
{
	if (happens(far, far->network.loss))
		return;
	if (far->n_late < 64 && happens(far, far->network.late)) {
		struct far_end_segment *segment = &far->late[far->n_late++];

		segment->to_hq = to_hq;
		segment->len = len;
		memcpy(segment->bytes, packet, len);
	} else if (happens(far, far->network.cut)) {
		deliver_cut(far, to_hq, packet, len);
	} else {
		deliver(far, to_hq, packet, len);
	}
}

static void carry_late(struct far_end *far)
{
	uint32_t n_late = far->n_late;

	far->n_late = 0;
	for (uint32_t i = 0; i < n_late; i++)
		deliver(far, far->late[i].to_hq, far->late[i].bytes, far->late[i].len);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static void far_acts(struct far_end *far)
{
	static uint8_t packet[2048];
	size_t header_len = far->peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;
	uint64_t now = far_end_now();
	struct tcp_departure departure;

	if (tcp_deadline(&far->tcp) <= now)
		tcp_timeout(&far->tcp, now);
	while (far->in.sent < far->in.to_send && tcp_send_room(&far->tcp) > 0)
		far_end_send_packet(far, far->in.sent++);
	for (int n = 0; n < 256 && tcp_output(&far->tcp, &departure, now); n++) {
		memcpy(packet + header_len, departure.header, departure.header_len);
		if (departure.payload_len > 0)
			memcpy(packet + header_len + departure.header_len, departure.payload, departure.payload_len);
		carry(far, true, packet, packet_make(far, packet, departure.header_len + departure.payload_len));
	}
	far->events |= tcp_take_events(&far->tcp);
}

size_t far_end_make_ack(struct far_end *far, uint8_t *packet)
{
	const struct tcp_header header = {
		.source_port = FAR_END_PORT,
		.destination_port = HARNESS_TCP_PORT,
		.seq = far->tcp.send.nxt,
		.ack = far->tcp.receive.nxt,
		.window = UINT16_MAX,
		.flags = TCP_FLAG_ACK,
		.has_timestamps = true,
		.ts_value = tcp_timestamp(&far->tcp, far_end_now()),
	};

	return packet_make(far, packet, tcp_header_write(&header, packet + WIRE_IPV4_LEN));
}

void far_end_step(struct far_end *far, uint64_t step)
{
	carry_late(far);
	far_acts(far);
	far_end_lan_sends(far);
	harness_turn();
	far_end_lan_receives(far);
	while (!far->hold_frames && harness_receive(0, &frame))
		carry(far, false, frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN);
	harness_clock_advance(step);
}

uint32_t far_end_dropped(const struct far_end *far)
{
	const struct connection_counters *counters = &far->connection->counters;

	return (uint32_t)(counters->dropped_late + counters->dropped_full);
}

void far_end_run(struct far_end *far, uint32_t steps, uint64_t step)
{
	for (uint32_t i = 0; i < steps; i++) {
		if (far->in.received >= far->in.to_send &&
			far->out.received + far_end_dropped(far) >= far->out.to_send &&
			far->tcp.send.una == far->tcp.send.end &&
			far->connection->tcp.send.una == far->connection->tcp.send.end)
			return;
		far_end_step(far, step);
	}
}

void far_end_expect_all(const struct far_end *far)
{
	assert_int_equal(far->in.sent, far->in.to_send);
	assert_int_equal(far->out.sent, far->out.to_send);
	for (uint32_t i = 0; i < far->in.to_send; i++)
		assert_int_equal(far->in.seen[i], 1);
	for (uint32_t i = 0; i < far->out.to_send; i++)
		assert_true(far->out.seen[i] <= 1);
	assert_int_equal(far->out.received + far_end_dropped(far), far->out.to_send);
	assert_int_equal(far->n_gaps, 0);
}
