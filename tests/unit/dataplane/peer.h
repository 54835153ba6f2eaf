/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer beyond the gateway, as the tests play it: its session is installed as the control plane would, its ESP is made
 * and read by the reference over OpenSSL (tests/unit/esp/reference.h). Peer n is at 198.51.100.n with 10.100+n.0.0/16
 * behind it, its host at .0.5; what HQ protects for it is 10.1.0.0/24. With outer_ipv6 it is at 2001:db8:100::n, and
 * with inner_ipv6 it has fd02:n::/64 behind it, its host at ::5, and HQ protects fd01::/64 for it.
 */
#pragma once

#include "harness.h"
#include "tables/bundle.h"
#include "tests/unit/esp/reference.h"

enum { PEER_NAT_PORT = 61234, PEER_SOFT_PACKETS = 1 << 30 };

/* Zero means the usual: AES128-GCM in UDP without limits in bytes. */
struct peer_options {
	uint32_t suite;
	uint32_t spi_out;			      /* HQ's to it */
	const uint8_t *keymat_to_hq, *keymat_from_hq; /* NULL: noise */
	bool bare, outer_ipv6, inner_ipv6;
	bool stream; /* in a TCP connection: see peer_bundle */
	uint16_t hq_port; /* 0: HARNESS_NAT_PORT */
	struct prefix local_network, remote_network;
	uint64_t soft_bytes, hard_bytes, soft_packets, hard_packets;
	uint32_t replay_window;
	int64_t expires_at; /* 0: never */
	bool passive;	    /* not activated */
	bool transport, extended;
	uint8_t fragment, df; /* struct tunnel_settings */
	bool dscp_is_set, mss_stays;
	uint8_t dscp;
};

struct peer {
	unsigned int number;
	bool udp, stream, outer_ipv6, inner_ipv6;
	uint32_t address, host;
	uint8_t address_6[16], host_6[16];
	uint16_t port; /* of its outer address; 0: bare ESP */
	uint16_t hq_port; /* likewise, of HQ's */
	uint32_t session, child;
	struct reference_sa to_hq, from_hq;
	uint64_t sequence;    /* the last that it sent */
	uint64_t hq_sequence; /* the last that it received; its high half as from_hq.high says */
	uint8_t hq_tos;	      /* of the last outer header received, as the next ones, which IPv4 alone has */
	uint16_t hq_id, hq_fragment;
};

/* Installs and activates session and child SA; fails the test when they are refused. */
void peer_open(struct peer *peer, unsigned int number, const struct peer_options *options);

/* Removes its session and all children. */
void peer_close(const struct peer *peer);

/* A further child SA of the same session: fills `child`, which shares the address of `peer`. */
void peer_rekey(const struct peer *peer, struct peer *child, const struct peer_options *options);

/* The record and key material for peer_open; for tests that install by hand. */
struct tables_session peer_session(const struct peer *peer);
struct tables_child peer_child(const struct peer *peer, const struct peer_options *options);

/* The ESP packet for a payload with that number and next header; its length. */
size_t peer_esp(
	const struct peer *peer, uint64_t sequence, uint8_t next_header, const void *payload, size_t len, uint8_t *esp);

/* The outer packet around an ESP packet; its length. */
size_t peer_outer(const struct peer *peer, uint8_t tos, const uint8_t *esp, size_t esp_len, uint8_t *packet);

/* Both, with the next number, sent to HQ through the gateway. */
void peer_send(struct peer *peer, uint8_t tos, const void *inner, size_t len);

/* A packet of the peer's host to `destination`, UDP with noise; its length. */
size_t peer_inner(const struct peer *peer, uint32_t destination, size_t payload_len, uint8_t *inner);
size_t peer_inner_6(const struct peer *peer, const char *destination, size_t payload_len, uint8_t *inner);

/* The other way: of the same form and of the peer's inner family, from LAN_HOST or LAN_HOST_6 to the peer's host. */
size_t peer_inner_back(const struct peer *peer, size_t payload_len, uint8_t *inner);

/*
 * Opens an ESP frame from HQ, after a check of every field of its outer headers: the inner packet into `inner`, its
 * length returned. Fails the test on anything that is not as it should be.
 */
size_t peer_receive(struct peer *peer, const struct wire_frame *frame, uint8_t *inner);

/* The same for the outer packet alone. */
size_t peer_receive_outer(struct peer *peer, const uint8_t *outer, size_t len, uint8_t *inner);

/* The same for whatever payload it carries, of which it says the next header: transport mode. */
size_t peer_receive_payload(
	struct peer *peer, const uint8_t *outer, size_t len, uint8_t *payload, uint8_t *next_header);

/*
 * A packet through HQ and its tunnel, to the peer's host from the LAN or from it, alone: what came out of it into
 * `inner`, its length returned.
 */
size_t peer_pass_out(struct peer *peer, const void *packet, size_t len, uint8_t *inner);
size_t peer_pass_in(struct peer *peer, const void *packet, size_t len, uint8_t *inner);

/* Puts the next ESP packet, around `inner`, into a message as sluiced sends it; `len` bytes are there already. */
void peer_bundle(struct peer *peer, const void *inner, size_t inner_len, uint8_t *message, size_t *len);

/* Opens an ESP packet that went to sluiced, and checks that it is for the peer's session: the inner packet's length. */
size_t peer_receive_bundled(struct peer *peer, const struct bundle_packet *packet, uint8_t *inner);

/* Fails the test unless every slot, on both sides of the tables, is free. */
void peer_expect_all_free(void);
