/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker does with single packets of TCP connections: what waits, what overtakes, what is refused, what is told.
 */
#include "connection_figures.h"
#include "connection_worker.h"
#include "far_end.h"
#include "relay.h"
#include "tcp/frames.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { MILLISECOND = 1000, FIRST = 20 /* packets each way, with which a connection begins */ };

static struct far_end far;
static struct peer peer;
static uint8_t bytes[65536], packet[2048];

/* With a round trip that is known to both, and nothing owed. */
static void open_live(void)
{
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	far_end_open(&far, &peer);
	far_end_install(&far);
	far.in.to_send = far.out.to_send = FIRST;
	far_end_run(&far, 100, MILLISECOND);
	for (int i = 0; i < 100; i++)
		far_end_step(&far, MILLISECOND);
}

static void close_both(void)
{
	far_end_close(&far);
	peer_close(&peer);
}

/* HQ's endpoint may have no more than that in flight. */
static void window_set(uint32_t segments)
{
	far.connection->tcp.cubic.cwnd = segments * far.connection->tcp.send.mss;
	far.connection->tcp.cubic.ssthresh = far.connection->tcp.cubic.cwnd;
}

/* The network carries nothing, while the LAN sends. */
static void stand_still(uint32_t packets, uint64_t microseconds)
{
	double loss = far.network.loss;

	far.network.loss = 1;
	far.burst = packets;
	far.out.to_send += packets;
	far_end_step(&far, microseconds);
	far.network.loss = loss;
}

/* What waits too long goes before it is encrypted, the oldest first; what is left arrives. */
static void test_late_data_is_dropped(void **state)
{
	uint32_t first = 0;

	(void)state;
	open_live();
	window_set(2);
	stand_still(400, 100 * MILLISECOND);
	assert_true(far_end_dropped(&far) > 0);
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_LATE), far_end_dropped(&far));
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	/* In one row, right behind those that had left before the window was full. */
	while (far.out.seen[first])
		first++;
	for (uint32_t i = first; i < far.out.to_send; i++)
		assert_int_equal(far.out.seen[i], i >= first + far_end_dropped(&far));
	close_both();
}

/* A peer that takes nothing is asked again and again, and gets all when it does. */
static void test_closed_window(void **state)
{
	(void)state;
	open_live();
	far.connection->tcp.send.wnd = 0;
	far.out.to_send += 10;
	far_end_run(&far, 10, MILLISECOND);
	assert_int_equal(far.out.received, FIRST);
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	assert_true(far.connection->tcp.counters[TCP_COUNT_WINDOW_PROBES] > 0);
	close_both();
}

static void bundle_ike(uint32_t index, uint64_t id)
{
	static uint8_t message[BUNDLE_LEN_MAX];
	struct bundle_head head = {.index = index, .id = id, .kind = BUNDLE_IKE, .packet_len = 700};
	size_t len = 0;

	memset(bytes, 0xcd, head.packet_len);
	assert_true(bundle_add(message, &len, &head, bytes));
	relay_take(&harness.dataplane, message, len);
	harness_turn();
}

/* Sluiced's messages go before data that waits, and none is dropped for being late. */
static void test_ike_overtakes(void **state)
{
	(void)state;
	open_live();
	window_set(2);
	stand_still(100, MILLISECOND);
	bundle_ike(far.index, far.connection->id);
	for (int i = 0; i < 1000 && far.ike_received == 0; i++)
		far_end_step(&far, MILLISECOND);
	assert_int_equal(far.ike_received, 1);
	assert_true(far.out.received < FIRST + 20);
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	assert_int_equal(far.connection->counters.ike_out, 1);
	/* For a connection that was there before in that slot. */
	bundle_ike(far.index, far.connection->id + 1);
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_ENDED), 1);
	close_both();
}

static void test_ike_comes_in(void **state)
{
	static uint8_t message[BUNDLE_LEN_MAX];
	struct bundle_packet read;
	int ends[2];
	size_t at = 0;
	ssize_t len;

	(void)state;
	open_live();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	relay_attach(&harness.dataplane, ends[0]);
	wire_noise(bytes, 3000, 7);
	far_end_send_frame(&far, FRAME_IKE, bytes, 3000);
	far_end_send_packet(&far, far.in.sent++);
	far.in.to_send++;
	far_end_run(&far, 100, MILLISECOND);
	far_end_expect_all(&far);
	(void)relay_send(&harness.dataplane);
	len = recv(ends[1], message, sizeof(message), 0);
	assert_true(len > 0);
	assert_true(bundle_next(message, (size_t)len, &at, &read));
	assert_int_equal(at, len);
	assert_int_equal(read.head.kind, BUNDLE_IKE);
	assert_int_equal(read.head.index, far.index);
	assert_int_equal(read.head.id, far.connection->id);
	assert_int_equal(read.head.packet_len, 3000);
	assert_memory_equal(read.data, bytes, 3000);
	relay_attach(&harness.dataplane, -1);
	close(ends[0]);
	close(ends[1]);
	close_both();
}

/* Half of the time that it may wait is the sign (RFC 6040 section 4): only to who understands it. */
static void test_marked_when_it_waits(void **state)
{
	(void)state;
	open_live();
	far.out_tos = 2;
	window_set(2);
	stand_still(40, 40 * MILLISECOND);
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	assert_true(far.connection->counters.marked > 20);
	assert_int_equal(far.n_marked, far.connection->counters.marked);
	close_both();
}

/* An SA that goes takes with it what waits for it; that of its successor arrives. */
static void test_sa_goes(void **state)
{
	struct peer successor;

	(void)state;
	open_live();
	window_set(2);
	stand_still(20, MILLISECOND);
	peer_rekey(&peer, &successor, &(struct peer_options){.stream = true});
	writer_child_remove(harness.writer, peer.child);
	harness_settle();
	for (int i = 0; i < 1000 && harness_count(REASON_DROP_NO_OUTBOUND) == 0; i++)
		far_end_step(&far, MILLISECOND);
	assert_true(harness_count(REASON_DROP_NO_OUTBOUND) > 0);
	assert_int_equal(far.out.received + harness_count(REASON_DROP_NO_OUTBOUND), FIRST + 20);
	far_end_close(&far);
	peer_close(&peer);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

/* Whatever comes of segments and frames that can't be, the connection goes on. */
/* Another byte at an even offset of a segment, and its checksum as if it had always been so (RFC 1624). */
static void patch(uint8_t *tcp, uint32_t at, uint8_t value)
{
	uint32_t sum = (uint16_t)~wire_read16(tcp + TCP_CHECKSUM_OFFSET);

	sum += (uint16_t) ~(tcp[at] << 8) + (uint32_t)(value << 8);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	tcp[at] = value;
	wire_write16(tcp + TCP_CHECKSUM_OFFSET, (uint16_t)~sum);
}

static void test_refused(void **state)
{
	static const uint8_t short_esp[] = {1, 2, 3, 4, 5}, keepalive[] = {0xff};
	size_t len;

	(void)state;
	open_live();
	len = far_end_make_ack(&far, packet);
	packet[WIRE_IPV4_LEN + TCP_CHECKSUM_OFFSET] ^= 1;
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_CHECKSUM), 1);
	len = far_end_make_ack(&far, packet);
	patch(packet + WIRE_IPV4_LEN, 12, 0xf0); /* a header that is longer than the segment */
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_SEGMENT), 1);
	far_end_send_frame(&far, FRAME_ESP, short_esp, sizeof(short_esp));
	far_end_send_frame(&far, FRAME_ESP, keepalive, sizeof(keepalive));
	far_end_send_frame(&far, FRAME_IKE, NULL, 0);
	far.in.to_send++;
	far_end_run(&far, 100, MILLISECOND);
	far_end_expect_all(&far);
	assert_int_equal(harness_count(REASON_DROP_CONNECTION_FRAME), 3);
	close_both();
}

/* Without a buffer to put it together in, a frame gets lost, and not the place in the stream. */
static void test_no_buffers(void **state)
{
	struct connection_worker *own = harness.dataplane.workers[0].connections;
	uint32_t aside_max = own->aside_max;

	(void)state;
	open_live();
	far.payload_len = 4000;
	own->aside_max = 0;
	far.in.to_send += 3;
	for (int i = 0; i < 20; i++)
		far_end_step(&far, MILLISECOND);
	assert_int_equal(far.in.received, FIRST);
	assert_int_equal(harness_count(REASON_DROP_NO_BUFFER), 3);
	own->aside_max = aside_max;
	far.in.to_send += 10;
	for (int i = 0; i < 100; i++)
		far_end_step(&far, MILLISECOND);
	for (uint32_t i = FIRST + 3; i < far.in.to_send; i++)
		assert_int_equal(far.in.seen[i], 1);
	close_both();
}

/* An ICMP message of a router's about a packet of HQ's, of which it quotes the beginning. */
static void send_too_big(const uint8_t *quoted, uint16_t mtu)
{
	const struct wire_ipv4 header = {.source = GATEWAY, .destination = HQ_WAN, .protocol = IPPROTO_ICMP};
	uint8_t icmp[8 + WIRE_IPV4_LEN + 8] = {3, 4};
	uint16_t sum;

	wire_write16(icmp + 6, mtu);
	memcpy(icmp + 8, quoted, sizeof(icmp) - 8);
	sum = wire_checksum(icmp, sizeof(icmp));
	wire_write16(icmp + 2, sum);
	harness_send_ip(0, 0, GATEWAY, packet, wire_ipv4(packet, &header, icmp, sizeof(icmp)));
	harness_turn();
}

/* A path that takes less: what was on its way goes again, in pieces, and no router is believed about anything else. */
static void test_path_mtu(void **state)
{
	static struct wire_frame frame;
	uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN;

	(void)state;
	open_live();
	far.payload_len = 1300;
	far.burst = 1;
	far.out.to_send++;
	far.hold_frames = true;
	far_end_step(&far, MILLISECOND);
	assert_true(harness_receive(0, &frame));
	wire_write32(ip + WIRE_IPV4_LEN + 4, wire_read32(ip + WIRE_IPV4_LEN + 4) - 1);
	send_too_big(ip, 1000);
	assert_int_equal(far.connection->tcp.send.mss, 1448);
	wire_write32(ip + WIRE_IPV4_LEN + 4, wire_read32(ip + WIRE_IPV4_LEN + 4) + 1);
	send_too_big(ip, 1000);
	assert_int_equal(far.connection->tcp.send.mss, 1000 - 20 - 32);
	far.hold_frames = false;
	far.out.to_send += 100;
	far_end_run(&far, 1000, MILLISECOND);
	far_end_expect_all(&far);
	assert_int_equal(far.connection->counters.dropped_late, 0);
	while (harness_receive_kernel(0, &frame))
		; /* the kernel gets such messages, too */
	close_both();
}

/* A port that can adds the sum up itself: it is told where, and that of the pseudo-header stands there. */
static void test_port_adds_checksum(void **state)
{
	void *sent = NULL;
	struct rte_mbuf *mbuf;
	const struct rte_ipv4_hdr *ip;

	(void)state;
	open_live();
	harness.dataplane.ports[0].adds_tcp_checksum = true;
	far.burst = 1;
	far.out.to_send++;
	far.hold_frames = true;
	far_end_step(&far, MILLISECOND);
	assert_int_equal(rte_ring_dequeue(harness_wire_out(0, 0), &sent), 0);
	mbuf = sent;
	ip = rte_pktmbuf_mtod_offset(mbuf, const struct rte_ipv4_hdr *, WIRE_ETHERNET_LEN);
	assert_int_equal(rte_validate_tx_offload(mbuf), 0);
	assert_int_equal(mbuf->ol_flags & RTE_MBUF_F_TX_L4_MASK, RTE_MBUF_F_TX_TCP_CKSUM);
	assert_int_equal(mbuf->ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6), RTE_MBUF_F_TX_IPV4);
	assert_int_equal(mbuf->l2_len, WIRE_ETHERNET_LEN);
	assert_int_equal(mbuf->l3_len, WIRE_IPV4_LEN);
	assert_int_equal(mbuf->l4_len, 32);
	assert_int_equal(((const struct rte_tcp_hdr *)(ip + 1))->cksum, rte_ipv4_phdr_cksum(ip, mbuf->ol_flags));
	rte_pktmbuf_free(mbuf);
	harness.dataplane.ports[0].adds_tcp_checksum = false;
	far.hold_frames = false;
	far_end_run(&far, 3000, MILLISECOND);
	far_end_expect_all(&far);
	close_both();
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static uint64_t figure(unsigned int which)
{
	return atomic_load(&harness.tables.connections[far.index].figures[which]);
}

static void test_figures(void **state)
{
	(void)state;
	open_live();
	far.in.to_send = far.out.to_send = 100;
	far_end_run(&far, 1000, MILLISECOND);
	for (int i = 0; i < 3; i++) /* those who look later see the end of it, too */
		far_end_step(&far, 300 * MILLISECOND);
	assert_int_equal(figure(CONNECTION_FIGURE_FRAMES_IN), 100);
	assert_int_equal(figure(CONNECTION_FIGURE_FRAMES_OUT), 100);
	assert_int_equal(figure(CONNECTION_FIGURE_STATE), TCP_STATE_ESTABLISHED);
	assert_int_equal(figure(CONNECTION_FIGURE_FLIGHT), 0);
	assert_int_equal(figure(CONNECTION_FIGURE_MSS), 1448);
	assert_int_equal(figure(CONNECTION_FIGURE_TCP + TCP_COUNT_SEGMENTS_OUT),
		far.connection->tcp.counters[TCP_COUNT_SEGMENTS_OUT]);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_late_data_is_dropped, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_closed_window, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_ike_overtakes, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_ike_comes_in, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_marked_when_it_waits, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_sa_goes, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_refused, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_no_buffers, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_path_mtu, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_port_adds_checksum, harness_setup, harness_teardown),
		cmocka_unit_test_setup_teardown(test_figures, harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
