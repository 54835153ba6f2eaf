/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into the harness and comes out of it: frames, changes, events, counters. */
#include "harness.h"

#include "changes.h"
#include "reassemble.h"

#include <rte_cycles.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS_MAX = 10000 };

struct rte_mbuf *harness_mbuf(const void *bytes, size_t len)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(harness.dataplane.packets);
	char *data = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)len) : NULL;

	assert_non_null(mbuf);
	assert_non_null(data);
	memcpy(data, bytes, len);
	return mbuf;
}

struct rte_mbuf *harness_jumbo(const void *bytes, size_t len)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(harness.dataplane.jumbos);

	assert_non_null(mbuf);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)len), bytes, len);
	*packet_of(mbuf) = (struct packet){.port = 1};
	worker_count(&harness.dataplane.workers[0], REASON_IN_PORT, 1);
	return mbuf;
}

void harness_send(uint16_t port, uint16_t queue, const void *frame, size_t len)
{
	assert_int_equal(rte_ring_enqueue(harness_wire_in(port, queue), harness_mbuf(frame, len)), 0);
}

/* A packet of the neighbour in a frame to our port, which lasts until the next one. */
static const uint8_t *frame_of(uint16_t port, uint32_t from, const void *packet, size_t *len)
{
	static uint8_t frame[WIRE_MAX];
	uint16_t type = wire_is_ipv6(packet) ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4;
	uint8_t mac[WIRE_MAC_LEN];

	harness_mac(from, mac);
	*len = wire_ethernet(frame, harness_port_mac(port), mac, type, packet, *len);
	return frame;
}

void harness_send_ip(uint16_t port, uint16_t queue, uint32_t from, const void *packet, size_t len)
{
	const uint8_t *frame = frame_of(port, from, packet, &len);

	harness_send(port, queue, frame, len);
}

void harness_input_ip(uint16_t port, uint32_t from, const void *packet, size_t len)
{
	const uint8_t *frame = frame_of(port, from, packet, &len);
	struct rte_mbuf *mbuf = harness_mbuf(frame, len);

	worker_input(&harness.dataplane.workers[0], port, &mbuf, 1);
}

void harness_send_kernel(uint16_t port, const void *frame, size_t len)
{
	assert_int_equal(rte_ring_enqueue(harness.dataplane.ports[port].from_kernel, harness_mbuf(frame, len)), 0);
}

static bool take(struct rte_ring *ring, struct wire_frame *frame)
{
	void *packet;
	struct rte_mbuf *mbuf;

	if (rte_ring_dequeue(ring, &packet) < 0)
		return false;
	mbuf = packet;
	assert_int_equal(mbuf->nb_segs, 1);
	assert_int_equal(mbuf->pkt_len, mbuf->data_len);
	frame->len = mbuf->data_len;
	memcpy(frame->bytes, rte_pktmbuf_mtod(mbuf, void *), frame->len);
	rte_pktmbuf_free(mbuf);
	return true;
}

bool harness_receive(uint16_t port, struct wire_frame *frame)
{
	for (uint16_t queue = 0; queue < HARNESS_WORKERS; queue++)
		if (take(harness_wire_out(port, queue), frame))
			return true;
	return false;
}

bool harness_receive_kernel(uint16_t port, struct wire_frame *frame)
{
	return take(harness.dataplane.ports[port].to_kernel, frame);
}

void harness_expect_no_frame(void)
{
	static struct wire_frame frame;

	for (uint16_t port = 0; port < HARNESS_PORTS; port++) {
		assert_false(harness_receive(port, &frame));
		assert_false(harness_receive_kernel(port, &frame));
	}
}

void harness_clock_stop(void)
{
	harness.tsc = rte_rdtsc();
}

void harness_clock_advance(uint64_t microseconds)
{
	harness.tsc += microseconds * (rte_get_tsc_hz() / 1000) / 1000 + 1;
}

void harness_turn(void)
{
	unsigned int work = 1;

	for (int turn = 0; work > 0 && turn < TURNS_MAX; turn++) {
		work = 0;
		for (uint16_t i = 0; i < harness.dataplane.n_workers; i++)
			work += worker_turn_at(
				&harness.dataplane.workers[i], harness.tsc ? harness.tsc : rte_rdtsc());
	}
}

uint32_t harness_count_frames(uint16_t port)
{
	static struct wire_frame frame;
	uint32_t count = 0;

	harness_turn();
	while (harness_receive(port, &frame))
		count++;
	return count;
}

void harness_take_events(void)
{
	struct tables_event event;

	for (uint32_t i = 0; i <= harness.tables.n_workers; i++) {
		while (ring_pop(&harness.tables.events[i], &event) == 1) {
			writer_done(harness.writer, &event);
			if (event.kind == TABLES_EVENT_DONE) {
				harness.n_done++;
				harness.n_refused += event.result < 0;
				harness.last_result = event.result;
				if (event.change <= TABLES_CONNECTION_INSTALL)
					harness.n_done_of[event.change]++;
			} else {
				assert_true(harness.n_events < HARNESS_EVENTS);
				harness.events[harness.n_events++] = event;
			}
		}
	}
}

void harness_settle(void)
{
	size_t waiting = 1;

	for (int turn = 0; turn < TURNS_MAX && (waiting > 0 || changes_leaving(&harness.dataplane) > 0); turn++) {
		waiting = writer_flush(harness.writer);
		waiting += changes_apply(&harness.dataplane);
		waiting += ring_count(&harness.tables.changes);
		harness_take_events();
	}
}

uint32_t harness_count_events(enum tables_event_kind kind)
{
	uint32_t count = 0;

	harness_take_events();
	for (uint32_t i = 0; i < harness.n_events; i++)
		count += harness.events[i].kind == kind;
	return count;
}

const struct tables_event *harness_last_event(enum tables_event_kind kind)
{
	harness_take_events();
	for (uint32_t i = harness.n_events; i > 0; i--)
		if (harness.events[i - 1].kind == kind)
			return &harness.events[i - 1];
	fail_msg("no event of kind %u", (unsigned int)kind);
	return NULL;
}

uint64_t harness_count(enum reason reason)
{
	return tables_sum_reason(&harness.dataplane.tables, reason);
}

int64_t harness_balance(void)
{
	enum { IN = 1, OUT = -1, DROP = -1, NOTE = 0 };
	static const int8_t weights[REASON_COUNT] = {
#define X(id, name, kind, meaning) [REASON_##id] = kind,
		REASONS(X)
#undef X
	};
	int64_t balance = 0;

	for (int reason = 0; reason < REASON_COUNT; reason++)
		balance += weights[reason] * (int64_t)harness_count((enum reason)reason);
	for (uint16_t i = 0; i < harness.dataplane.n_workers; i++)
		balance -= reassembly_held(harness.dataplane.workers[i].reassembly);
	return balance;
}

unsigned int harness_buffers_out(void)
{
	const struct dataplane *dataplane = &harness.dataplane;

	return harness.packets_full + harness.jumbos_full + harness.headers_full -
	       rte_mempool_avail_count(dataplane->packets) - rte_mempool_avail_count(dataplane->jumbos) -
	       rte_mempool_avail_count(dataplane->headers);
}

void harness_expire_fragments(void)
{
	for (uint16_t i = 0; i < harness.dataplane.n_workers; i++) {
		harness.dataplane.workers[i].now += 3600 * rte_get_tsc_hz();
		reassemble_expire(&harness.dataplane.workers[i]);
	}
}
