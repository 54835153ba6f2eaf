/* SPDX-License-Identifier: Apache-2.0 */
#include "forward.h"

#include "dataplane.h"
#include "exits.h"
#include "fragment.h"
#include "icmp.h"
#include "ipv4.h"

#include <rte_cycles.h>

/* Once a millisecond at most: the control plane asks the kernel to resolve it. */
static void want_neighbour(struct worker *worker, uint32_t address, uint16_t port)
{
	struct tables_event event = {.kind = TABLES_EVENT_NEIGHBOUR_WANTED, .index = port};

	if (worker->now - worker->told_neighbour_at < rte_get_tsc_hz() / 1000)
		return;
	worker->told_neighbour_at = worker->now;
	event.source.address = address_ipv4(address);
	worker_event(worker, &event);
}

static void frame_send(struct worker *worker, struct rte_mbuf *packet, const union adjacency *hop)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)rte_pktmbuf_prepend(packet, sizeof(*ether));

	if (!ether) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	ether->dst_addr = hop->mac;
	ether->src_addr = worker->dataplane->ports[hop->port].mac;
	ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	exit_transmit(worker, packet, hop->port);
}

static bool ttl_count_down(struct worker *worker, struct rte_mbuf *packet)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);

	if (ip->time_to_live <= 1) {
		icmp_send_time_exceeded(worker, packet, 0);
		exit_drop(worker, packet, REASON_DROP_TTL);
		return false;
	}
	ipv4_ttl_decrement(ip);
	return true;
}

void forward_packet(struct worker *worker, struct rte_mbuf *packet)
{
	struct dataplane *dataplane = worker->dataplane;
	const struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(packet, struct rte_ipv4_hdr *);
	uint32_t destination = rte_be_to_cpu_32(ip->dst_addr), number;
	union adjacency hop = route_find(&dataplane->routes, destination, &number);
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
	uint16_t count;

	/* From a station to another: that is forwarding (RFC 1812 section 5.3.1). */
	if (packet_of(packet)->source != PACKET_FROM_KERNEL && hop.state != ADJACENCY_LOCAL &&
		!ttl_count_down(worker, packet))
		return;
	switch (hop.state) {
	case ADJACENCY_REACHED: break;
	case ADJACENCY_LOCAL: exit_kernel_packet(worker, packet, hop.port); return;
	case ADJACENCY_ON_LINK:
	case ADJACENCY_WAITING:
		want_neighbour(worker,
			hop.state == ADJACENCY_ON_LINK ? destination : dataplane->routes.gateways[number], hop.port);
		exit_drop(worker, packet, REASON_DROP_NO_NEIGHBOUR);
		return;
	default: exit_drop(worker, packet, REASON_DROP_NO_ROUTE); return;
	}
	if (rte_pktmbuf_data_len(packet) <= dataplane->ports[hop.port].mtu) {
		frame_send(worker, packet, &hop);
		return;
	}
	/* Of our own ESP packets nobody is told: their lengths are mtu.h's business. */
	if (packet_of(packet)->source != PACKET_FROM_KERNEL && ip->fragment_offset & rte_cpu_to_be_16(IPV4_DF))
		icmp_send_fragmentation_needed(worker, packet, dataplane->ports[hop.port].mtu, 0);
	count = fragment_cut(worker, packet, dataplane->ports[hop.port].mtu, pieces);
	for (uint16_t i = 0; i < count; i++)
		frame_send(worker, pieces[i], &hop);
}
