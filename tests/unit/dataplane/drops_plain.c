/* SPDX-License-Identifier: Apache-2.0 */
/* The reasons that have to do with frames, IP, routes, ports and the kernel. */
#include "drops.h"
#include "icmp.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STRANGER = 0xc6336463, ELSEWHERE = 0x08080808, UNKNOWN_STATION = 0x0a010063 };

static uint8_t packet[WIRE_MAX];
static struct peer peer;

uint8_t *drops_udp(
	uint32_t source, uint32_t destination, uint16_t port, const void *payload, size_t payload_len, size_t *len)
{
	struct wire_ipv4 header = {.source = source, .destination = destination, .protocol = IPPROTO_UDP};

	*len = wire_udp(packet + WIRE_IPV4_LEN, 40000, port, payload, payload_len);
	*len = wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, *len);
	return packet;
}

/* From the internet, to us. */
static void send_to_us(uint16_t port, const void *payload, size_t payload_len)
{
	size_t len;

	drops_udp(STRANGER, HQ_WAN, port, payload, payload_len, &len);
	harness_send_ip(0, 0, GATEWAY, packet, len);
}

static void send_from_lan(uint32_t destination, size_t payload_len)
{
	size_t len;

	drops_udp(LAN_HOST, destination, 9, packet, payload_len, &len);
	harness_send_ip(1, 0, LAN_HOST, packet, len);
}

static size_t broadcast_make(uint8_t *frame)
{
	static const uint8_t everybody[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, body[46];
	uint8_t mac[WIRE_MAC_LEN];

	harness_mac(GATEWAY, mac);
	return wire_ethernet(frame, everybody, mac, WIRE_TYPE_ARP, body, sizeof(body));
}

static void broadcast(void)
{
	harness_send(0, 0, packet, broadcast_make(packet));
	harness_turn();
}

static void from_kernel(void)
{
	harness_send_kernel(0, packet, broadcast_make(packet));
	harness_turn();
}

static void keepalive(void)
{
	send_to_us(HARNESS_NAT_PORT, "\xff", 1);
	harness_turn();
}

static void other_mac(void)
{
	size_t len;

	drops_udp(LAN_HOST, ELSEWHERE, 9, "", 1, &len);
	len = wire_ethernet(packet, harness_port_mac(1), harness_port_mac(1), WIRE_TYPE_IPV4, packet, len);
	harness_send(0, 0, packet, len);
	harness_turn();
}

/* One field of a packet to us written over, its header checksum made right again. */
static void send_spoilt(size_t at, uint8_t value)
{
	size_t len;

	drops_udp(STRANGER, HQ_WAN, HARNESS_NAT_PORT, "\x53hello", 6, &len);
	packet[at] = value;
	if ((packet[0] & 15) >= 5)
		wire_ipv4_checksum(packet);
	harness_send_ip(0, 0, GATEWAY, packet, len);
}

static void malformed(void)
{
	harness_send(0, 0, "too short", 9);
	harness_send_ip(0, 0, GATEWAY, packet, 0);
	harness_send_ip(0, 0, GATEWAY, packet, WIRE_IPV4_LEN - 1);
	send_spoilt(0, 0x65);		      /* version 6 */
	send_spoilt(0, 0x44);		      /* header of 16 bytes */
	send_spoilt(0, 0x4f);		      /* header longer than the packet */
	send_spoilt(2, 0x70);		      /* packet longer than its frame */
	send_spoilt(WIRE_IPV4_LEN + 4, 0x70); /* datagram longer than its packet */
	send_spoilt(WIRE_IPV4_LEN + 5, 7);    /* shorter than its header */
	harness_turn();
}

static void checksum(void)
{
	size_t len;

	drops_udp(STRANGER, HQ_WAN, HARNESS_NAT_PORT, "\x53hello", 6, &len);
	packet[10] ^= 1;
	harness_send_ip(0, 0, GATEWAY, packet, len);
	drops_udp(STRANGER, HQ_WAN, HARNESS_NAT_PORT, "\x53hello", 6, &len);
	wire_udp_checksum(packet);
	packet[len - 1] ^= 1;
	harness_send_ip(0, 0, GATEWAY, packet, len);
	harness_turn();
}

static void no_policy(void)
{
	send_from_lan(ELSEWHERE, 30);
	harness_turn();
}

static void rule_for_all(enum config_action action)
{
	struct address any = address_ipv4(0);
	struct prefix all = prefix_make(&any, 0);

	harness.config.rules[0] = (struct config_rule){
		.action = action, .source = all, .destination = all, .protocol = CONFIG_PROTOCOL_ANY};
	harness.config.n_rules = 1;
	rules_fill(&harness.dataplane.rules, &harness.config);
}

/* Although a policy would take it. */
static void rule_discard(void)
{
	rule_for_all(CONFIG_ACTION_DISCARD);
	peer_open(&peer, 1, &(struct peer_options){0});
	send_from_lan(peer.host, 30);
	harness_turn();
}

static void rule_bypass(void)
{
	rule_for_all(CONFIG_ACTION_BYPASS);
	send_from_lan(ELSEWHERE, 30);
	harness_turn();
}

static void no_outbound(void)
{
	peer_open(&peer, 1, &(struct peer_options){.passive = true});
	send_from_lan(peer.host, 30);
	harness_turn();
}

static void ttl(void)
{
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){0});
	for (uint8_t left = 0; left < 2; left++) {
		drops_udp(LAN_HOST, peer.host, 9, "", 0, &len);
		packet[8] = left;
		wire_ipv4_checksum(packet);
		harness_send_ip(1, 0, LAN_HOST, packet, len);
		drops_udp(peer.host, LAN_HOST, 9, "", 0, &len);
		packet[8] = left;
		wire_ipv4_checksum(packet);
		peer_send(&peer, 0, packet, len);
	}
	harness_turn();
}

static void no_route(void)
{
	harness_net(TABLES_ROUTE_REMOVE, 0, 0, GATEWAY, 0, 1);
	harness_settle();
	peer_open(&peer, 1, &(struct peer_options){0});
	send_from_lan(peer.host, 30);
	harness_turn();
}

static void no_neighbour(void)
{
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){0});
	len = peer_inner(&peer, UNKNOWN_STATION, 30, packet);
	peer_send(&peer, 0, packet, len);
	harness_net(TABLES_NEIGHBOUR_REMOVE, GATEWAY, 32, 0, 0, 1);
	harness_settle();
	send_from_lan(peer.host, 30);
	harness_turn();
}

static void mtu(void)
{
	size_t len;

	harness.dataplane.ports[1].mtu = 576;
	peer_open(&peer, 1, &(struct peer_options){0});
	len = peer_inner(&peer, LAN_HOST, 557 - WIRE_UDP_LEN, packet);
	wire_write16(packet + 6, WIRE_DF);
	wire_ipv4_checksum(packet);
	peer_send(&peer, 0, packet, len);
	harness_turn();
}

/* The packet is here already when the pool runs dry, and has to be cut. */
static void no_buffer(void)
{
	static struct rte_mbuf *taken[8192];
	uint32_t n_taken = 0;
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){0});
	drops_udp(LAN_HOST, peer.host, 9, packet, 1472, &len);
	harness_send_ip(1, 0, LAN_HOST, packet, len);
	while ((taken[n_taken] = rte_pktmbuf_alloc(harness.dataplane.packets)))
		n_taken++;
	harness_turn();
	rte_pktmbuf_free_bulk(taken, n_taken);
}

static void no_room(void)
{
	static uint8_t frame[WIRE_MAX];
	struct rte_mbuf *mbuf;
	uint8_t mac[WIRE_MAC_LEN];
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){0});
	drops_udp(LAN_HOST, peer.host, 9, "", 0, &len);
	harness_mac(LAN_HOST, mac);
	len = wire_ethernet(frame, harness_port_mac(1), mac, WIRE_TYPE_IPV4, packet, len);
	/* Too little for ESP, enough for ESP but not for the outer header, and not for Ethernet. */
	for (uint16_t room = 0; room < 3; room++) {
		mbuf = harness_mbuf(frame, len);
		memmove((uint8_t *)mbuf->buf_addr + 20 * room, frame, len);
		mbuf->data_off = (uint16_t)(20 * room);
		worker_input(&harness.dataplane.workers[0], 1, &mbuf, 1);
	}
}

/* What the crypto library can't count: no frame is that long, so one is made by hand. */
static void crypto(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(harness.dataplane.jumbos);
	uint8_t mac[WIRE_MAC_LEN];
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){.fragment = TUNNEL_FRAGMENT_AFTER});
	assert_non_null(mbuf);
	mbuf->data_off = 0;
	drops_udp(LAN_HOST, peer.host, 9, packet, 65535 - WIRE_ETHERNET_LEN - WIRE_IPV4_LEN - WIRE_UDP_LEN, &len);
	harness_mac(LAN_HOST, mac);
	rte_pktmbuf_append(mbuf, (uint16_t)(WIRE_ETHERNET_LEN + len));
	wire_ethernet(rte_pktmbuf_mtod(mbuf, uint8_t *), harness_port_mac(1), mac, WIRE_TYPE_IPV4, packet, len);
	worker_input(&harness.dataplane.workers[0], 1, &mbuf, 1);
}

static void ring_fill(struct rte_ring *ring)
{
	while (!rte_ring_full(ring))
		assert_int_equal(rte_ring_enqueue(ring, harness_mbuf("", 0)), 0);
}

static void transmit(void)
{
	ring_fill(harness_wire_out(0, 0));
	from_kernel();
}

static void kernel_rate(void)
{
	struct rte_mbuf *frames[5];

	/* One a second, in no time. */
	harness_open(&(struct harness_options){.exception_rate = 1});
	for (int i = 0; i < 5; i++)
		frames[i] = harness_mbuf(packet, broadcast_make(packet));
	worker_input(&harness.dataplane.workers[0], 0, frames, 5);
}

static void kernel_full(void)
{
	harness_open(&(struct harness_options){.packet_buffers = 8191});
	ring_fill(harness.dataplane.ports[0].to_kernel);
	broadcast();
}

/* Port 1's wire plays port 0's exception port. */
static void kernel_refused(void)
{
	struct port *port = &harness.dataplane.ports[0];

	port->exception = harness.dataplane.ports[1].device;
	ring_fill(harness_wire_out(1, 0));
	broadcast();
	broadcast();
	assert_int_equal(port_exchange_kernel(&harness.dataplane, port), 2);
}

/* In no time; one more than the bucket holds. */
static void icmp_rate(void)
{
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){0});
	drops_udp(LAN_HOST, peer.host, 9, "", 0, &len);
	packet[8] = 1;
	wire_ipv4_checksum(packet);
	for (int i = 0; i < ICMP_RATE / 10 + 2; i++)
		harness_input_ip(1, LAN_HOST, packet, len);
	harness_turn();
}

const struct provocation drops_plain[REASON_COUNT] = {
	[REASON_IN_PORT] = {broadcast, 1},
	[REASON_IN_ICMP] = {mtu, 1},
	[REASON_IN_KERNEL] = {from_kernel, 1},
	[REASON_OUT_SENT] = {from_kernel, 1},
	[REASON_OUT_KERNEL] = {broadcast, 1},
	[REASON_DROP_KEEPALIVE] = {keepalive, 1},
	[REASON_DROP_OTHER_MAC] = {other_mac, 1},
	[REASON_DROP_MALFORMED] = {malformed, 9},
	[REASON_DROP_CHECKSUM] = {checksum, 2},
	[REASON_DROP_NO_POLICY] = {no_policy, 1},
	[REASON_DROP_RULE] = {rule_discard, 1},
	[REASON_NOTE_BYPASSED] = {rule_bypass, 1},
	[REASON_DROP_NO_OUTBOUND] = {no_outbound, 1},
	[REASON_DROP_TTL] = {ttl, 4},
	[REASON_DROP_NO_ROUTE] = {no_route, 1},
	[REASON_DROP_NO_NEIGHBOUR] = {no_neighbour, 2},
	[REASON_DROP_MTU] = {mtu, 1},
	[REASON_DROP_NO_BUFFER] = {no_buffer, 1},
	[REASON_DROP_NO_ROOM] = {no_room, 3},
	[REASON_DROP_CRYPTO] = {crypto, 1},
	[REASON_DROP_TRANSMIT] = {transmit, 1},
	[REASON_DROP_KERNEL_RATE] = {kernel_rate, 4},
	[REASON_DROP_KERNEL_FULL] = {kernel_full, 1},
	[REASON_NOTE_ICMP_RATE] = {icmp_rate, 1},
	[REASON_NOTE_KERNEL_REFUSED] = {kernel_refused, 2},
};
