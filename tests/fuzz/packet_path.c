/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as frames for the whole packet path of two workers, on the data plane of the unit tests. Input: frames, each a
 * byte of flags, two bytes of length (the higher first), and its bytes. The flags say how much is put around the bytes,
 * so that the steps behind checksums and ICVs see strangers' bytes, too. When an input is through, every packet has
 * left by one exit and every buffer is back in its pool. A packet's first byte says whether it is IPv4 or IPv6.
 */
#include "esp/replay.h"
#include "mtu.h"
#include "tests/unit/dataplane/peer.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

const char *__asan_default_options(void);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	FLAG_SHAPE = 7,	   /* enum shape */
	FLAG_LAN = 1 << 3, /* for what a stranger or peer sends: over IPv6 */
	FLAG_SECOND_WORKER = 1 << 4,
	FLAG_SECOND_PEER = 1 << 5,
	FLAG_CONGESTED = 1 << 6,
	FLAG_LATER = 1 << 7, /* a second has passed */
	FRAME_MAX = 1500,
	FRAMES_MAX = 200,
};

enum shape {
	SHAPE_FRAME,	/* the bytes are the frame */
	SHAPE_IP,	/* a packet to our Ethernet address, checksum made right */
	SHAPE_TO_US,	/* likewise, and to our outer address */
	SHAPE_ESP,	/* an ESP packet with an SPI of ours, as it is */
	SHAPE_SEALED,	/* inner bytes, sealed */
	SHAPE_INNER,	/* likewise, header checksum and source made right */
	SHAPE_DATAGRAM, /* a UDP datagram to the port that IKE and ESP share */
	SHAPE_KERNEL,	/* a frame of our own host */
};

static struct peer peers[4];
static uint8_t packet[WIRE_MAX], esp[WIRE_MAX];

/* What hangs in the memory of DPDK looks lost to the leak checker. The pools are counted here instead. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct address any = address_ipv4(0x0a000000), any_6 = {.family = ADDRESS_IPV6, .bytes = {0xfd}};
	struct prefix all = prefix_make(&any, 8), all_6 = prefix_make(&any_6, 8);

	(void)argc;
	(void)argv;
	harness_open(&(struct harness_options){.n_workers = 2, .fragments_pending = 16, .fragments_per_source = 8});
	for (unsigned int i = 0; i < 4; i++)
		peer_open(&peers[i], i + 1,
			&(struct peer_options){.local_network = i == 2 ? all_6 : all,
				.suite = i % 2 ? ESP_AES128_CBC_SHA256_128 : ESP_AES128_GCM,
				.bare = i % 2,
				.outer_ipv6 = i >= 2,
				.inner_ipv6 = i == 2});
	return 0;
}

/* Of IPv4 the header's, of IPv6 that of UDP, TCP or ICMPv6, where they are whole. */
static void checksum_set(uint8_t *ip, size_t len)
{
	if (len < WIRE_IPV4_LEN)
		return;
	if (!wire_is_ipv6(ip)) {
		if ((ip[0] & 15u) * 4u <= len && (ip[0] & 15u) >= 3)
			wire_ipv4_checksum(ip);
		return;
	}
	if (len >= WIRE_IPV6_LEN + 18 && wire_total_len(ip) <= len && wire_total_len(ip) >= WIRE_IPV6_LEN + 18)
		wire_ipv6_checksum(ip);
}

/* Whether there is room for an address at its place. */
static void address_set(uint8_t *ip, size_t len, bool source, uint32_t ipv4, const uint8_t ipv6[16])
{
	if (len >= WIRE_IPV6_LEN && wire_is_ipv6(ip))
		memcpy(ip + (source ? 8 : 24), ipv6, 16);
	else if (len >= WIRE_IPV4_LEN && !wire_is_ipv6(ip))
		wire_write32(ip + (source ? 12 : 16), ipv4);
}

static size_t esp_wrap(struct peer *peer, uint8_t flags, const uint8_t *bytes, size_t len)
{
	if ((flags & FLAG_SHAPE) == SHAPE_ESP) {
		memcpy(esp, bytes, len);
		wire_write32(esp, peer->to_hq.spi);
	} else {
		uint8_t next_header = wire_is_ipv6(bytes) ? IPPROTO_IPV6 : IPPROTO_IPIP;

		memcpy(packet, bytes, len);
		if ((flags & FLAG_SHAPE) == SHAPE_INNER) {
			address_set(packet, len, true, peer->host, peer->host_6);
			checksum_set(packet, len);
		}
		len = peer_esp(peer, ++peer->sequence, next_header, packet, len, esp);
	}
	return peer_outer(peer, flags & FLAG_CONGESTED ? 3 : 0, esp, len, packet);
}

/* A stranger's UDP datagram to the port that IKE and ESP share. */
static size_t datagram_make(uint8_t flags, const uint8_t *bytes, size_t len)
{
	struct wire_ipv4 ipv4 = {.source = 0xc6336463, .destination = HQ_WAN, .protocol = IPPROTO_UDP};
	struct wire_ipv6 ipv6 = {.next_header = IPPROTO_UDP};

	len = wire_udp(esp, 4500, HARNESS_NAT_PORT, bytes, len);
	if (!(flags & FLAG_LAN))
		return wire_ipv4(packet, &ipv4, esp, len);
	wire_address("2001:db8:100::63", ipv6.source);
	wire_address(HQ_WAN_6, ipv6.destination);
	len = wire_ipv6(packet, &ipv6, esp, len);
	wire_ipv6_checksum(packet);
	return len;
}

/* The packet that the flags make of the bytes, in `packet`; its length. */
static size_t packet_make(uint8_t flags, const uint8_t *bytes, size_t len)
{
	uint8_t ours[16];

	switch (flags & FLAG_SHAPE) {
	case SHAPE_ESP:
	case SHAPE_SEALED:
	case SHAPE_INNER:
		/* An SPI has to fit in. */
		return len < 4 ? 0
			       : esp_wrap(&peers[(flags & FLAG_LAN ? 2 : 0) + (flags & FLAG_SECOND_PEER ? 1 : 0)],
					 flags, bytes, len);
	case SHAPE_DATAGRAM: return datagram_make(flags, bytes, len);
	default: break;
	}
	memcpy(packet, bytes, len);
	wire_address(HQ_WAN_6, ours);
	if ((flags & FLAG_SHAPE) == SHAPE_TO_US)
		address_set(packet, len, false, HQ_WAN, ours);
	checksum_set(packet, len);
	return len;
}

static void frame_give(uint8_t flags, const uint8_t *bytes, size_t len)
{
	struct worker *worker = &harness.dataplane.workers[flags & FLAG_SECOND_WORKER ? 1 : 0];
	uint16_t port = flags & FLAG_LAN ? 1 : 0;
	uint8_t shape = flags & FLAG_SHAPE, mac[WIRE_MAC_LEN];
	uint16_t type;
	struct rte_mbuf *mbuf;

	if (shape == SHAPE_KERNEL) {
		harness_send_kernel(port, bytes, len);
		return;
	}
	if (shape != SHAPE_FRAME) {
		len = packet_make(flags, bytes, len);
		harness_mac(GATEWAY, mac);
		type = len > 0 && wire_is_ipv6(packet) ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4;
		len = wire_ethernet(packet, harness_port_mac(port), mac, type, packet, len);
		bytes = packet;
	}
	if (flags & FLAG_LATER)
		worker->now += rte_get_tsc_hz();
	mbuf = harness_mbuf(bytes, len);
	worker_input(worker, port, &mbuf, 1);
}

/* As it was before the first input, so that one alone shows again what it showed. */
static void peers_renew(void)
{
	for (int i = 0; i < 4; i++) {
		peers[i].sequence = 0;
		replay_init(harness.dataplane.sas.in[peers[i].child].replay, 1024);
		harness.dataplane.sas.sessions[peers[i].session].path_mtu = 0;
		mtu_set_session(&harness.dataplane, peers[i].session);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_frame frame;
	const uint8_t *end = data + size;

	peers_renew();
	for (int i = 0; end - data >= 3 && i < FRAMES_MAX; i++) {
		uint8_t flags = data[0];
		size_t len = wire_read16(data + 1), left = (size_t)(end - data) - 3;

		len = RTE_MIN(len, left);
		len = RTE_MIN(len, (size_t)FRAME_MAX);
		frame_give(flags, data + 3, len);
		data += 3 + len;
	}
	harness_turn();
	learn_apply(&harness.dataplane, rte_rdtsc());
	harness_expire_fragments();
	for (uint16_t port = 0; port < HARNESS_PORTS; port++)
		while (harness_receive(port, &frame) || harness_receive_kernel(port, &frame))
			;
	harness_take_events();
	harness.n_events = 0;
	if (harness_balance() != 0 || harness_buffers_out() != 0)
		abort();
	return 0;
}
