/* SPDX-License-Identifier: Apache-2.0 */
#include "icmp.h"

#include "dataplane.h"
#include "exits.h"
#include "header.h"
#include "icmp_family.h"
#include "outbound.h"

static bool may_be_sent(const struct icmp_error *error, struct rte_mbuf *packet)
{
	const void *about = rte_pktmbuf_mtod(packet, const void *);
	uint32_t len = rte_pktmbuf_data_len(packet);

	return header_is_ipv6(about) ? icmp6_may_be_sent(error, about, len) : icmp4_may_be_sent(error, about, len);
}

/* To a peer the error has to go through the peer's tunnel, so its source must be one that the policy covers. */
static union ip_address source_for_peer(const struct dataplane *dataplane, bool ipv6, const union ip_address *to)
{
	for (uint16_t i = 0; i < dataplane->n_ports; i++) {
		union ip_address ours = port_address(&dataplane->ports[i], ipv6);

		if (!ip_is_none(&ours) && policy_find(&dataplane->policies, &ours, to))
			return ours;
	}
	return (union ip_address){.words = {0, 0}};
}

/* To a station: the address of the port that the packet came in by, or one of ours at least. */
static union ip_address source_for_station(
	const struct dataplane *dataplane, uint16_t port, bool ipv6, const union ip_address *address)
{
	union ip_address ours = port_address(&dataplane->ports[port], ipv6);

	if (ip_is_none(&ours) && address && ip_is_ipv4(address) == !ipv6)
		return *address;
	for (uint16_t i = 0; ip_is_none(&ours) && i < dataplane->n_ports; i++)
		ours = port_address(&dataplane->ports[i], ipv6);
	return ours;
}

/* Whose address the error bears; none: there is none that it may. */
static union ip_address source_choose(
	const struct worker *worker, struct rte_mbuf *packet, const union ip_address *address)
{
	const void *about = rte_pktmbuf_mtod(packet, const void *);
	const struct packet *meta = packet_of(packet);
	union ip_address from, to;

	header_addresses(about, &from, &to);
	/* Our own kernel believes no address of its own: it gets the destination's, where that is a station's. */
	if (meta->source == PACKET_FROM_KERNEL)
		return to.bytes[0] == 0xff ? (union ip_address){.words = {0, 0}} : to;
	if (meta->source == PACKET_FROM_PEER)
		return source_for_peer(worker->dataplane, header_is_ipv6(about), &from);
	return source_for_station(worker->dataplane, meta->port, header_is_ipv6(about), address);
}

/* The error as a packet; NULL without a buffer. */
static struct rte_mbuf *error_make(
	struct worker *worker, const struct icmp_error *error, struct rte_mbuf *packet, const union ip_address *source)
{
	const void *about = rte_pktmbuf_mtod(packet, const void *);
	bool ipv6 = header_is_ipv6(about);
	uint16_t len = ipv6 ? icmp6_len(rte_pktmbuf_data_len(packet)) : icmp4_len(rte_pktmbuf_data_len(packet));
	struct rte_mbuf *made = rte_pktmbuf_alloc(worker->dataplane->packets);
	void *out = made ? rte_pktmbuf_append(made, len) : NULL;

	if (!out) {
		rte_pktmbuf_free(made);
		return NULL;
	}
	if (ipv6)
		icmp6_write(out, len, error, about, source);
	else
		icmp4_write(out, len, error, about, source, worker_ipv4_id(worker));
	return made;
}

static void error_send(
	struct worker *worker, struct rte_mbuf *packet, const struct icmp_error *error, const union ip_address *address)
{
	const struct packet *meta = packet_of(packet);
	union ip_address source;
	struct rte_mbuf *made;

	if (!may_be_sent(error, packet))
		return;
	source = source_choose(worker, packet, address);
	if (ip_is_none(&source))
		return;
	if (!worker_allowance_take(worker, &worker->icmp, ICMP_RATE)) {
		worker_count(worker, REASON_NOTE_ICMP_RATE, 1);
		return;
	}
	made = error_make(worker, error, packet, &source);
	if (!made)
		return;
	worker_count(worker, REASON_IN_ICMP, 1);
	/* To a peer as if it came from a port: it quotes what was encrypted, so it goes by a policy or not at all. */
	*packet_of(made) = (struct packet){
		.port = meta->port,
		.source = meta->source == PACKET_FROM_PEER ? PACKET_FROM_PORT : PACKET_FROM_KERNEL,
	};
	if (meta->source == PACKET_FROM_KERNEL)
		exit_kernel_packet(worker, made, meta->port);
	else
		outbound_process(worker, &made, 1);
}

void icmp_send_too_big(struct worker *worker, struct rte_mbuf *packet, uint16_t mtu, const union ip_address *address)
{
	error_send(worker, packet, &(struct icmp_error){.kind = ICMP_TOO_BIG, .mtu = mtu}, address);
}

void icmp_send_time_exceeded(struct worker *worker, struct rte_mbuf *packet, const union ip_address *address)
{
	error_send(worker, packet, &(struct icmp_error){.kind = ICMP_TIME_EXCEEDED}, address);
}
