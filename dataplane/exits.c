/* SPDX-License-Identifier: Apache-2.0 */
#include "exits.h"

#include "connection.h"
#include "dataplane.h"
#include "fragment.h"
#include "header.h"
#include "tables/bundle.h"

#include <rte_ethdev.h>

static void frame_to_kernel(
	struct worker *worker, struct rte_mbuf *frame, uint16_t port, struct worker_allowance *bucket, uint32_t rate)
{
	if (!worker_allowance_take(worker, bucket, rate)) {
		exit_drop(worker, frame, REASON_DROP_KERNEL_RATE);
		return;
	}
	if (rte_ring_enqueue(worker->dataplane->ports[port].to_kernel, frame) < 0) {
		exit_drop(worker, frame, REASON_DROP_KERNEL_FULL);
		return;
	}
	worker_count(worker, REASON_OUT_KERNEL, 1);
	worker->wants_main = true;
}

void exit_kernel_frame(struct worker *worker, struct rte_mbuf *frame, uint16_t port)
{
	frame_to_kernel(worker, frame, port, &worker->kernel, worker->dataplane->config->dataplane.exception_rate);
}

/* As if from outside, to the port's own Ethernet address. False: it has left. */
static bool ethernet_prepend(struct worker *worker, struct rte_mbuf *packet, uint16_t port)
{
	const struct rte_ether_addr *mac = &worker->dataplane->ports[port].mac;
	bool ipv6 = header_is_ipv6(rte_pktmbuf_mtod(packet, const void *));
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));

	if (!ether) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return false;
	}
	ether->dst_addr = *mac;
	ether->src_addr = *mac;
	ether->src_addr.addr_bytes[0] ^= RTE_ETHER_LOCAL_ADMIN_ADDR; /* a station does not speak to itself */
	ether->ether_type = rte_cpu_to_be_16(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	return true;
}

static void packet_to_kernel(struct worker *worker, struct rte_mbuf *packet, uint16_t port)
{
	if (ethernet_prepend(worker, packet, port))
		exit_kernel_frame(worker, packet, port);
}

void exit_kernel_packet(struct worker *worker, struct rte_mbuf *packet, uint16_t port)
{
	uint16_t mtu = worker->dataplane->ports[port].kernel_mtu, count;
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];

	if (rte_pktmbuf_data_len(packet) <= mtu) {
		packet_to_kernel(worker, packet, port);
		return;
	}
	count = fragment_cut(worker, packet, mtu, pieces);
	for (uint16_t i = 0; i < count; i++)
		packet_to_kernel(worker, pieces[i], port);
}

void exit_kernel_segment(struct worker *worker, struct rte_mbuf *packet, uint16_t port)
{
	const struct dataplane *dataplane = worker->dataplane;

	if (unlikely(rte_pktmbuf_data_len(packet) > dataplane->ports[port].kernel_mtu))
		exit_kernel_packet(worker, packet, port);
	else if (ethernet_prepend(worker, packet, port))
		frame_to_kernel(worker, packet, port, &worker->segments, dataplane->config->dataplane.stream_rate);
}

static void transmit_flush(struct worker *worker, uint16_t port)
{
	struct worker_transmit *transmit = &worker->transmit[port];
	uint16_t sent;

	sent = rte_eth_tx_burst(
		worker->dataplane->ports[port].device, worker->number, transmit->frames, transmit->count);
	worker_count(worker, REASON_OUT_SENT, sent);
	for (; sent < transmit->count; sent++)
		exit_drop(worker, transmit->frames[sent], REASON_DROP_TRANSMIT);
	transmit->count = 0;
}

void exit_transmit(struct worker *worker, struct rte_mbuf *frame, uint16_t port)
{
	struct worker_transmit *transmit = &worker->transmit[port];

	transmit->frames[transmit->count++] = frame;
	if (transmit->count == WORKER_TRANSMIT)
		transmit_flush(worker, port);
}

void exit_flush(struct worker *worker)
{
	for (uint16_t port = 0; port < worker->dataplane->n_ports; port++)
		if (worker->transmit[port].count > 0)
			transmit_flush(worker, port);
}

static void to_relay(struct worker *worker, struct rte_mbuf *packet, const struct bundle_head *head, enum reason reason)
{
	if (!relay_head_write(packet, head)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	if (rte_ring_enqueue(worker->dataplane->relay.ring, packet) < 0) {
		exit_drop(worker, packet, REASON_DROP_STREAM_FULL);
		return;
	}
	worker_count(worker, reason, 1);
	worker->wants_main = true;
}

void exit_stream(struct worker *worker, struct rte_mbuf *packet, uint32_t session)
{
	const struct bundle_head head = {
		.index = session, .kind = BUNDLE_ESP, .packet_len = rte_pktmbuf_data_len(packet)};

	to_relay(worker, packet, &head, REASON_OUT_STREAM);
}

void exit_ike(struct worker *worker, struct rte_mbuf *packet, const struct connection *connection)
{
	const struct bundle_head head = {.index = connection->index,
		.id = connection->id,
		.kind = BUNDLE_IKE,
		.packet_len = rte_pktmbuf_data_len(packet)};

	to_relay(worker, packet, &head, REASON_OUT_IKE);
}

void exit_handoff(struct worker *worker, struct rte_mbuf *packet, uint16_t owner)
{
	if (rte_ring_enqueue(worker->dataplane->workers[owner].handoff, packet) < 0) {
		exit_drop(worker, packet, REASON_DROP_HANDOFF);
		return;
	}
	worker_count(worker, REASON_OUT_HANDOFF, 1);
}
