/* SPDX-License-Identifier: Apache-2.0 */
#include "forward.h"

#include "dataplane.h"
#include "exits.h"
#include "fragment.h"
#include "header.h"
#include "icmp.h"

#include <rte_cycles.h>

/* Once a millisecond at most: the control plane asks the kernel to resolve it. */
static void want_neighbour(struct worker *worker, const union ip_address *address, uint16_t port)
{
	struct tables_event event = {.kind = TABLES_EVENT_NEIGHBOUR_WANTED, .index = port};

	if (worker->now - worker->told_neighbour_at < rte_get_tsc_hz() / 1000)
		return;
	worker->told_neighbour_at = worker->now;
	event.source.address = ip_to_address(address);
	worker_event(worker, &event);
}

static inline void frame_send(struct worker *worker, struct rte_mbuf *packet, const union adjacency *hop)
{
	uint8_t *header = rte_pktmbuf_mtod(packet, uint8_t *);

	if (unlikely(rte_pktmbuf_headroom(packet) < RTE_ETHER_HDR_LEN)) {
		exit_drop(worker, packet, REASON_DROP_NO_ROOM);
		return;
	}
	forward_write_ethernet(
		header - RTE_ETHER_HDR_LEN, &worker->dataplane->ports[hop->port], *hop, header_is_ipv6(header));
	packet_begin_move(packet, -RTE_ETHER_HDR_LEN);
	exit_transmit(worker, packet, hop->port);
}

static bool ttl_count_down(struct worker *worker, struct rte_mbuf *packet)
{
	void *header = rte_pktmbuf_mtod(packet, void *);

	if (unlikely(header_ttl(header) <= 1)) {
		icmp_send_time_exceeded(worker, packet, NULL);
		exit_drop(worker, packet, REASON_DROP_TTL);
		return false;
	}
	header_ttl_decrement(header);
	return true;
}

/* Not a neighbour that is known: to our own host, to one that has to be asked for, or nowhere. */
static void send_elsewhere(struct worker *worker, struct rte_mbuf *packet, const union adjacency *hop, uint32_t number,
	const union ip_address *destination)
{
	switch (hop->state) {
	case ADJACENCY_LOCAL: exit_kernel_packet(worker, packet, hop->port); return;
	case ADJACENCY_ON_LINK:
	case ADJACENCY_WAITING:
		want_neighbour(worker,
			hop->state == ADJACENCY_ON_LINK ? destination : &worker->dataplane->routes.gateways[number],
			hop->port);
		exit_drop(worker, packet, REASON_DROP_NO_NEIGHBOUR);
		return;
	default: exit_drop(worker, packet, REASON_DROP_NO_ROUTE); return;
	}
}

/* Longer than its port takes: cut, where it may be. IPv6 is cut by its sender alone (RFC 8200 section 5): that is us.
 */
static void send_long(struct worker *worker, struct rte_mbuf *packet, const union adjacency *hop, uint16_t mtu)
{
	struct rte_mbuf *pieces[FRAGMENT_PIECES_MAX];
	const void *header = rte_pktmbuf_mtod(packet, const void *);
	uint16_t count;

	/* Of our own ESP packets nobody is told: their lengths are mtu.h's business. */
	if (packet_of(packet)->source != PACKET_FROM_KERNEL && header_has_df(header)) {
		icmp_send_too_big(worker, packet, mtu, NULL);
		exit_drop(worker, packet, REASON_DROP_MTU);
		return;
	}
	count = fragment_cut(worker, packet, mtu, pieces);
	for (uint16_t i = 0; i < count; i++)
		frame_send(worker, pieces[i], hop);
}

/* `mtu`: what it is cut to, where the port takes more. */
static inline void packet_send(struct worker *worker, struct rte_mbuf *packet, const union adjacency *hop,
	uint32_t number, const union ip_address *destination, uint16_t mtu)
{
	if (unlikely(hop->state != ADJACENCY_REACHED)) {
		send_elsewhere(worker, packet, hop, number, destination);
		return;
	}
	mtu = RTE_MIN(mtu, worker->dataplane->ports[hop->port].mtu);
	if (likely(rte_pktmbuf_data_len(packet) <= mtu))
		frame_send(worker, packet, hop);
	else
		send_long(worker, packet, hop, mtu);
}

void forward_packet(struct worker *worker, struct rte_mbuf *packet)
{
	union ip_address destination = header_destination(rte_pktmbuf_mtod(packet, const void *));
	uint32_t number;
	union adjacency hop = route_find(&worker->dataplane->routes, &destination, &number);

	/* From a station to another: that is forwarding (RFC 1812 section 5.3.1, RFC 8200 section 3). */
	if (packet_of(packet)->source != PACKET_FROM_KERNEL && hop.state != ADJACENCY_LOCAL &&
		!ttl_count_down(worker, packet))
		return;
	packet_send(worker, packet, &hop, number, &destination, UINT16_MAX);
}

void forward_esp(struct worker *worker, struct rte_mbuf *packet, const union ip_address *remote, uint16_t mtu)
{
	uint32_t number;
	union adjacency hop = route_find(&worker->dataplane->routes, remote, &number);

	packet_send(worker, packet, &hop, number, remote, mtu);
}
