/* SPDX-License-Identifier: Apache-2.0 */
#include "exits.h"

#include "dataplane.h"
#include "fragment.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

/* The bucket holds a tenth of a second's worth and fills with time. */
static bool kernel_allowed(struct worker *worker)
{
	struct worker_allowance *bucket = &worker->kernel;
	uint32_t rate = worker->dataplane->config->dataplane.exception_rate, full = rate / 10 + 1;
	uint64_t passed = worker->now - bucket->filled_at, hz = rte_get_tsc_hz();

	if (passed > hz / 1000) {
		/* Never more than a second at once: the product stays within 64 bits. */
		uint64_t add = RTE_MIN(passed, hz) * rate / hz;

		if (add > 0) {
			bucket->tokens = (uint32_t)RTE_MIN(bucket->tokens + add, (uint64_t)full);
			/* The time of a token that is not whole yet is kept. */
			bucket->filled_at = passed > hz ? worker->now : bucket->filled_at + add * hz / rate;
		}
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}

void exit_kernel_frame(struct worker *worker, struct rte_mbuf *frame, uint16_t port)
{
	if (!kernel_allowed(worker)) {
		exit_drop(worker, frame, REASON_DROP_KERNEL_RATE);
		return;
	}
	if (rte_ring_enqueue(worker->dataplane->ports[port].to_kernel, frame) < 0) {
		exit_drop(worker, frame, REASON_DROP_KERNEL_FULL);
		return;
	}
	worker_count(worker, REASON_OUT_KERNEL, 1);
}

static void packet_to_kernel(struct worker *worker, struct rte_mbuf *packet, uint16_t port)
{
	const struct rte_ether_addr *mac = &worker->dataplane->ports[port].mac;
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));

	if (!ether) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	ether->dst_addr = *mac;
	ether->src_addr = *mac;
	ether->src_addr.addr_bytes[0] ^= RTE_ETHER_LOCAL_ADMIN_ADDR; /* a station does not speak to itself */
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
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

void exit_handoff(struct worker *worker, struct rte_mbuf *packet, uint16_t owner)
{
	if (rte_ring_enqueue(worker->dataplane->workers[owner].handoff, packet) < 0) {
		exit_drop(worker, packet, REASON_DROP_HANDOFF);
		return;
	}
	worker_count(worker, REASON_OUT_HANDOFF, 1);
}
