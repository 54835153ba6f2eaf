/* SPDX-License-Identifier: Apache-2.0 */
/* The reasons that have to do with ESP, fragments and the hand-over between workers. */
#include "drops.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { STRANGER = 0xc6336463, CONGESTED = 3 };

static uint8_t packet[WIRE_MAX], esp[WIRE_MAX], inner[WIRE_MAX];
static struct peer peer;

/* An ESP packet that lies in `esp`, in the outer header of the peer. */
static void send_esp(size_t esp_len, uint8_t tos)
{
	harness_send_ip(0, 0, GATEWAY, packet, peer_outer(&peer, tos, esp, esp_len, packet));
}

static void send_payload(uint8_t next_header, const void *payload, size_t len)
{
	send_esp(peer_esp(&peer, ++peer.sequence, next_header, payload, len, esp), 0);
}

static void open_peer(void)
{
	peer_open(&peer, 1, &(struct peer_options){0});
}

static void dummy(void)
{
	open_peer();
	send_payload(IPPROTO_NONE, "whatever", 8);
	send_payload(IPPROTO_NONE, "", 0);
	harness_turn();
}

static void unknown_spi(void)
{
	size_t len;

	open_peer();
	len = peer_esp(&peer, 1, IPPROTO_IPIP, inner, peer_inner(&peer, LAN_HOST, 10, inner), esp);
	for (int bit = 0; bit < 31; bit++) {
		wire_write32(esp, peer.to_hq.spi ^ 1u << bit);
		send_esp(len, 0);
	}
	/* Bare ESP comes with any SPI. */
	peer.udp = false;
	wire_write32(esp, 0);
	send_esp(len, 0);
	wire_write32(esp, peer.to_hq.spi ^ 1u << 31);
	send_esp(len, 0);
	harness_turn();
}

static void esp_length(void)
{
	size_t len;

	peer_open(&peer, 1, &(struct peer_options){.suite = ESP_AES128_CBC_SHA1_96, .bare = true});
	len = peer_esp(&peer, 1, IPPROTO_IPIP, inner, peer_inner(&peer, LAN_HOST, 10, inner), esp);
	send_esp(7, 0);
	send_esp(8, 0);
	send_esp(8 + 16 + 12, 0);
	send_esp(len - 1, 0);
	harness_turn();
}

static void replayed(void)
{
	size_t len;

	open_peer();
	len = peer_esp(&peer, 1, IPPROTO_IPIP, inner, peer_inner(&peer, LAN_HOST, 10, inner), esp);
	for (int i = 0; i < 3; i++)
		send_esp(len, 0); /* the same burst */
	harness_turn();
	send_esp(len, 0);
	harness_turn();
	wire_write32(esp + 4, 0); /* never valid */
	send_esp(len, 0);
	harness_turn();
}

static void icv(void)
{
	size_t len;

	open_peer();
	len = peer_esp(&peer, 1, IPPROTO_IPIP, inner, peer_inner(&peer, LAN_HOST, 10, inner), esp);
	for (size_t at = 4; at < len; at++) {
		esp[at] ^= 0x40;
		send_esp(len, 0);
		esp[at] ^= 0x40;
		harness_turn();
	}
	send_esp(len, 0); /* none of them has moved the window */
	harness_turn();
	assert_int_equal(harness_count(REASON_OUT_SENT), 1);
	assert_int_equal(harness_count(REASON_DROP_ICV), len - 4);
}

/* Authentic packets whose padding no honest sender makes. */
static void pad(void)
{
	static const uint8_t bad[][16] = {
		{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 7, 6, IPPROTO_IPIP},  /* not 1 2 3 ... */
		{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 15, IPPROTO_IPIP}, /* longer than all of it */
		{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 255, IPPROTO_IPIP},
	};
	uint8_t iv[16] = {0};

	open_peer();
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		send_esp(reference_encrypt(&peer.to_hq, i + 1, iv, bad[i], sizeof(bad[i]), esp), 0);
	harness_turn();
}

static void next_header(void)
{
	open_peer();
	send_payload(IPPROTO_TCP, "transport mode", 14);
	send_payload(IPPROTO_IPV6, packet, 40);
	harness_turn();
}

static void inner_malformed(void)
{
	size_t len;

	open_peer();
	send_payload(IPPROTO_IPIP, "", 0);
	send_payload(IPPROTO_IPIP, "E", 1);
	len = peer_inner(&peer, LAN_HOST, 10, inner);
	send_payload(IPPROTO_IPIP, inner, len - 1); /* longer than it is */
	inner[10] ^= 1;
	send_payload(IPPROTO_IPIP, inner, len);
	harness_turn();
}

static void selector(void)
{
	size_t len;

	open_peer();
	len = peer_inner(&peer, HQ_WAN, 10, inner);
	send_payload(IPPROTO_IPIP, inner, len);
	peer.host = LAN_HOST_2; /* somebody else's */
	len = peer_inner(&peer, LAN_HOST, 10, inner);
	send_payload(IPPROTO_IPIP, inner, len);
	harness_turn();
}

static void ecn(void)
{
	open_peer();
	peer_send(&peer, CONGESTED, inner, peer_inner(&peer, LAN_HOST, 10, inner));
	harness_turn();
}

static void hard_lifetime(void)
{
	size_t len;
	uint8_t *plain;

	peer_open(&peer, 1, &(struct peer_options){.hard_packets = 3, .hard_bytes = 100});
	for (int i = 0; i < 2; i++)
		peer_send(&peer, 0, inner, peer_inner(&peer, LAN_HOST, 40, inner)); /* 68 bytes each */
	harness_turn();
	for (int i = 0; i < 5; i++) {
		plain = drops_udp(LAN_HOST, peer.host, 9, "", 0, &len);
		harness_send_ip(1, 0, LAN_HOST, plain, len);
	}
	harness_turn();
}

static void moved(void)
{
	open_peer();
	peer.address++;
	peer_send(&peer, 0, inner, peer_inner(&peer, LAN_HOST, 10, inner));
	harness_turn();
}

/* The second slot belongs to the second worker. */
static void handoff_open(void)
{
	struct peer first;

	harness_open(&(struct harness_options){.n_workers = 2});
	peer_open(&first, 2, &(struct peer_options){0});
	open_peer();
	assert_int_equal(peer.child % 2, 1);
}

static void handoff(void)
{
	handoff_open();
	peer_send(&peer, 0, inner, peer_inner(&peer, LAN_HOST, 10, inner));
	harness_turn();
}

static void handoff_full(void)
{
	handoff_open();
	for (int i = 0; i < WORKER_HANDOFF_RING; i++) {
		peer_send(&peer, 0, inner, peer_inner(&peer, LAN_HOST, 10, inner));
		worker_turn(&harness.dataplane.workers[0]);
	}
	/* It goes on when there is room again; the numbers that were lost are missed by nobody. */
	assert_int_equal(harness_count(REASON_OUT_HANDOFF), WORKER_HANDOFF_RING - 1);
}

/* A piece of a UDP packet from a stranger to us. */
static void send_piece(uint16_t id, uint32_t offset, bool more, size_t len)
{
	struct wire_ipv4 header = {.source = STRANGER,
		.destination = HQ_WAN,
		.protocol = IPPROTO_UDP,
		.id = id,
		.fragment = (uint16_t)(offset / 8 | (more ? WIRE_MF : 0))};

	harness_send_ip(0, 0, GATEWAY, packet, wire_ipv4(packet, &header, inner, len));
}

static void merged(void)
{
	wire_udp(inner, 40000, 2012, inner, 48);
	send_piece(1, 0, true, 24);
	send_piece(1, 24, true, 16);
	send_piece(1, 40, false, 16);
	harness_turn();
}

static void cut(void)
{
	size_t len;
	uint8_t *plain;

	open_peer();
	plain = drops_udp(LAN_HOST, peer.host, 9, "", 0, &len);
	plain = drops_udp(LAN_HOST, peer.host, 9, plain, 1472, &len);
	harness_send_ip(1, 0, LAN_HOST, plain, len);
	harness_turn();
	assert_int_equal(harness_count(REASON_OUT_SENT), 2);
}

static void fragment_bad(void)
{
	send_piece(1, 0, true, 20); /* no multiple of 8, and more follow */
	send_piece(2, 64, true, 0); /* nothing in it */
	send_piece(3, 64, false, 0);
	send_piece(4, 65512, false, 100); /* ping of death */
	harness_turn();
}

static void fragment_overlap(void)
{
	send_piece(1, 0, true, 64);
	send_piece(1, 56, false, 64);
	harness_turn();
	assert_int_equal(harness_balance(), 0);
	send_piece(2, 0, true, 64);
	send_piece(2, 0, true, 64); /* a duplicate costs itself only */
	harness_turn();
}

static void fragment_timeout(void)
{
	send_piece(1, 0, true, 64);
	send_piece(1, 80, false, 64);
	harness_turn();
	harness_expire_fragments();
}

static void fragment_limit(void)
{
	harness_open(&(struct harness_options){.fragments_per_source = 1});
	send_piece(1, 0, true, 64);
	send_piece(2, 0, true, 64);
	harness_turn();
}

/* What a stranger sends in our name. */
static void transport_mode(void)
{
	struct address ours = address_ipv4(HQ_WAN), theirs = address_ipv4(0xc6336401);
	size_t len;
	uint8_t *sent;

	peer_open(&peer, 1, &(struct peer_options){.bare = true,
				    .transport = true,
				    .local_network = prefix_make(&ours, 32),
				    .remote_network = prefix_make(&theirs, 32)});
	sent = drops_udp(HQ_WAN, peer.address, 9, "", 0, &len);
	harness_send_ip(1, 0, LAN_HOST, sent, len);
	harness_turn();
}

const struct provocation drops_esp[REASON_COUNT] = {
	[REASON_IN_HANDOFF] = {handoff, 1},
	[REASON_IN_CUT] = {cut, 1},
	[REASON_OUT_HANDOFF] = {handoff, 1},
	[REASON_OUT_MERGED] = {merged, 2},
	[REASON_DROP_DUMMY] = {dummy, 2},
	[REASON_DROP_UNKNOWN_SPI] = {unknown_spi, 33},
	[REASON_DROP_ESP_LENGTH] = {esp_length, 4},
	[REASON_DROP_REPLAYED] = {replayed, 4},
	[REASON_DROP_ICV] = {icv, 68},
	[REASON_DROP_PAD] = {pad, 3},
	[REASON_DROP_NEXT_HEADER] = {next_header, 2},
	[REASON_DROP_INNER] = {inner_malformed, 4},
	[REASON_DROP_SELECTOR] = {selector, 2},
	[REASON_DROP_ECN] = {ecn, 1},
	[REASON_DROP_TRANSPORT] = {transport_mode, 1},
	[REASON_DROP_HARD_LIFETIME] = {hard_lifetime, 3},
	[REASON_DROP_HANDOFF] = {handoff_full, 1},
	[REASON_DROP_FRAGMENT_BAD] = {fragment_bad, 4},
	[REASON_DROP_FRAGMENT_OVERLAP] = {fragment_overlap, 3},
	[REASON_DROP_FRAGMENT_TIMEOUT] = {fragment_timeout, 2},
	[REASON_DROP_FRAGMENT_LIMIT] = {fragment_limit, 1},
	[REASON_NOTE_REASSEMBLED] = {merged, 1},
	[REASON_NOTE_MOVED] = {moved, 1},
};
