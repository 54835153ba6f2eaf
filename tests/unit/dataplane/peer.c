/* SPDX-License-Identifier: Apache-2.0 */
#include "peer.h"

#include "changes.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t or_usual(uint64_t value, uint64_t usual)
{
	return value ? value : usual;
}

struct tables_session peer_session(const struct peer *peer)
{
	struct tables_session session = {
		.encapsulation = peer->udp ? TABLES_ENCAPSULATION_UDP : TABLES_ENCAPSULATION_ESP,
		.local = {.address = address_ipv4(HQ_WAN), .port = peer->udp ? HARNESS_NAT_PORT : 0},
		.remote = {.address = address_ipv4(peer->address), .port = peer->port},
		.peer = "peer",
	};

	return session;
}

struct tables_child peer_child(const struct peer *peer, const struct peer_options *options)
{
	struct address lan = address_ipv4(LAN), remote = address_ipv4(peer->host & 0xffff0000);
	struct tables_child child = {
		.session = peer->session,
		.spi_out = peer->from_hq.spi,
		.suite = (uint32_t)or_usual(options->suite, ESP_AES128_GCM),
		.replay_window = (uint32_t)or_usual(options->replay_window, 1024),
		.local_network = options->local_network,
		.remote_network = options->remote_network,
		.soft_bytes = options->soft_bytes,
		.hard_bytes = options->hard_bytes,
		.soft_packets = or_usual(options->soft_packets, PEER_SOFT_PACKETS),
		.hard_packets = or_usual(options->hard_packets, UINT32_MAX),
		.expires_at = options->expires_at,
		.mode = options->transport ? TABLES_TRANSPORT : TABLES_TUNNEL,
		.extended = options->extended,
		.tunnel = {.fragment = options->fragment,
			.df = options->df,
			.dscp = options->dscp_is_set ? options->dscp : TUNNEL_DSCP_COPY,
			.mss_clamp = !options->mss_stays},
	};

	if (child.local_network.address.family == ADDRESS_NONE)
		child.local_network = prefix_make(&lan, 24);
	if (child.remote_network.address.family == ADDRESS_NONE)
		child.remote_network = prefix_make(&remote, 16);
	return child;
}

static void child_open(struct peer *peer, const struct peer_options *options)
{
	uint32_t suite = (uint32_t)or_usual(options->suite, ESP_AES128_GCM), refused = harness.n_refused;
	struct tables_child values;

	peer->to_hq.suite = peer->from_hq.suite = esp_suite_get(suite);
	assert_int_equal(writer_child_claim(harness.writer, &peer->child, &peer->to_hq.spi), 0);
	peer->from_hq.spi = 0x1000 + peer->child;
	peer->to_hq.extended = peer->from_hq.extended = options->extended;
	wire_noise(peer->to_hq.keymat, ESP_KEYMAT_MAX, 2 * peer->to_hq.spi);
	wire_noise(peer->from_hq.keymat, ESP_KEYMAT_MAX, 2 * peer->to_hq.spi + 1);
	values = peer_child(peer, options);
	assert_int_equal(writer_child_install(harness.writer, peer->child, &values, peer->to_hq.keymat,
				 peer->from_hq.keymat, esp_suite_keymat_len(peer->to_hq.suite)),
		0);
	if (!options->passive)
		writer_child_activate(harness.writer, peer->child);
	harness_settle();
	assert_int_equal(harness.n_refused, refused);
	assert_int_equal(harness.tables.children[peer->child].phase, TABLES_LIVE);
	assert_int_equal(harness.tables.sessions[peer->session].phase, TABLES_LIVE);
}

void peer_open(struct peer *peer, unsigned int number, const struct peer_options *options)
{
	struct tables_session session;

	memset(peer, 0, sizeof(*peer));
	peer->number = number;
	peer->udp = !options->bare;
	peer->address = 0xc6336400 + number;
	peer->host = 0x0a640005 + (number << 16);
	peer->port = peer->udp ? PEER_NAT_PORT : 0;
	session = peer_session(peer);
	assert_int_equal(writer_session_claim(harness.writer, &session, &peer->session), 0);
	child_open(peer, options);
}

void peer_close(const struct peer *peer)
{
	writer_session_remove(harness.writer, peer->session);
	harness_settle();
}

void peer_rekey(const struct peer *peer, struct peer *child, const struct peer_options *options)
{
	*child = *peer;
	child->sequence = child->hq_sequence = 0;
	child_open(child, options);
}

size_t peer_esp(
	const struct peer *peer, uint64_t sequence, uint8_t next_header, const void *payload, size_t len, uint8_t *esp)
{
	static uint8_t plaintext[WIRE_MAX];
	uint8_t iv[16];
	size_t plaintext_len = reference_pad(&peer->to_hq, payload, len, next_header, plaintext);

	wire_noise(iv, sizeof(iv), (uint32_t)sequence);
	return reference_encrypt(&peer->to_hq, sequence, iv, plaintext, plaintext_len, esp);
}

size_t peer_outer(const struct peer *peer, uint8_t tos, const uint8_t *esp, size_t esp_len, uint8_t *packet)
{
	struct wire_ipv4 header = {
		.source = peer->address,
		.destination = HQ_WAN,
		.tos = tos,
		.protocol = peer->udp ? IPPROTO_UDP : IPPROTO_ESP,
		.id = (uint16_t)(0x4321 + peer->sequence),
	};

	if (!peer->udp)
		return wire_ipv4(packet, &header, esp, esp_len);
	esp_len = wire_udp(packet + WIRE_IPV4_LEN, peer->port, HARNESS_NAT_PORT, esp, esp_len);
	return wire_ipv4(packet, &header, packet + WIRE_IPV4_LEN, esp_len);
}

void peer_send(struct peer *peer, uint8_t tos, const void *inner, size_t len)
{
	static uint8_t esp[WIRE_MAX], packet[WIRE_MAX];
	size_t esp_len = peer_esp(peer, ++peer->sequence, IPPROTO_IPIP, inner, len, esp);

	harness_send_ip(0, 0, GATEWAY, packet, peer_outer(peer, tos, esp, esp_len, packet));
}

size_t peer_inner(const struct peer *peer, uint32_t destination, size_t payload_len, uint8_t *inner)
{
	struct wire_ipv4 header = {
		.source = peer->host, .destination = destination, .protocol = IPPROTO_UDP, .id = (uint16_t)payload_len};

	wire_noise(inner + WIRE_IPV4_LEN + WIRE_UDP_LEN, payload_len, (uint32_t)payload_len);
	payload_len = wire_udp(inner + WIRE_IPV4_LEN, 7, 9, inner + WIRE_IPV4_LEN + WIRE_UDP_LEN, payload_len);
	return wire_ipv4(inner, &header, inner + WIRE_IPV4_LEN, payload_len);
}

size_t peer_receive_payload(
	struct peer *peer, const uint8_t *outer, size_t len, uint8_t *payload, uint8_t *next_header)
{
	static uint8_t expected[WIRE_IPV4_LEN + WIRE_UDP_LEN + WIRE_MAX], plaintext[WIRE_MAX], padded[WIRE_MAX];
	struct wire_ipv4 header = {
		.source = HQ_WAN, .destination = peer->address, .protocol = peer->udp ? IPPROTO_UDP : IPPROTO_ESP};
	size_t front_len = WIRE_IPV4_LEN + (peer->udp ? WIRE_UDP_LEN : 0u), plaintext_len, payload_len;
	const uint8_t *esp = outer + front_len;

	assert_true(len >= front_len + ESP_HDR_LEN);
	header.tos = outer[1]; /* the caller knows what it has to be */
	header.id = wire_read16(outer + 4);
	header.fragment = wire_read16(outer + 6) & WIRE_DF;
	memcpy(expected + front_len, esp, len - front_len);
	if (peer->udp)
		wire_udp(expected + WIRE_IPV4_LEN, HARNESS_NAT_PORT, peer->port, esp, len - front_len);
	assert_int_equal(wire_ipv4(expected, &header, expected + WIRE_IPV4_LEN, len - WIRE_IPV4_LEN), len);
	assert_memory_equal(outer, expected, front_len);
	assert_int_equal(wire_read32(esp), peer->from_hq.spi);
	assert_true(reference_decrypt(&peer->from_hq, esp, len - front_len, plaintext, &plaintext_len));
	peer->hq_sequence = (uint64_t)peer->from_hq.high << 32 | wire_read32(esp + 4);
	peer->hq_tos = outer[1];
	peer->hq_id = header.id;
	peer->hq_fragment = header.fragment;
	*next_header = plaintext[plaintext_len - 1];
	assert_true(plaintext[plaintext_len - 2] + 2u <= plaintext_len);
	payload_len = plaintext_len - 2 - plaintext[plaintext_len - 2];
	/* Padding and trailer are those of RFC 4303, and no longer than they have to be. */
	assert_int_equal(reference_pad(&peer->from_hq, plaintext, payload_len, *next_header, padded), plaintext_len);
	assert_memory_equal(plaintext, padded, plaintext_len);
	memcpy(payload, plaintext, payload_len);
	return payload_len;
}

size_t peer_receive_outer(struct peer *peer, const uint8_t *outer, size_t len, uint8_t *inner)
{
	uint8_t next_header;
	size_t inner_len = peer_receive_payload(peer, outer, len, inner, &next_header);

	assert_int_equal(next_header, IPPROTO_IPIP);
	assert_int_equal(wire_read16(inner + 2), inner_len);
	return inner_len;
}

size_t peer_receive(struct peer *peer, const struct wire_frame *frame, uint8_t *inner)
{
	uint8_t mac[WIRE_MAC_LEN];

	harness_mac(GATEWAY, mac);
	assert_memory_equal(frame->bytes, mac, WIRE_MAC_LEN);
	assert_memory_equal(frame->bytes + WIRE_MAC_LEN, harness_port_mac(0), WIRE_MAC_LEN);
	assert_int_equal(wire_read16(frame->bytes + 12), WIRE_TYPE_IPV4);
	return peer_receive_outer(peer, frame->bytes + WIRE_ETHERNET_LEN, frame->len - WIRE_ETHERNET_LEN, inner);
}

void peer_expect_all_free(void)
{
	const struct dataplane *dataplane = &harness.dataplane;

	assert_int_equal(writer_sessions_free(harness.writer), dataplane->sas.n_sessions);
	assert_int_equal(writer_children_free(harness.writer), dataplane->sas.n_children);
	assert_int_equal(dataplane->policies.n_free, dataplane->sas.n_children);
	assert_int_equal(changes_leaving(dataplane), 0);
	for (uint32_t i = 0; i < dataplane->sas.n_children; i++) {
		assert_int_equal(dataplane->sas.children[i].id, 0);
		assert_int_equal(harness.tables.children[i].phase, TABLES_FREE);
	}
	for (uint32_t i = 0; i < dataplane->sas.n_sessions; i++) {
		assert_int_equal(dataplane->sas.sessions[i].id, 0);
		assert_int_equal(harness.tables.sessions[i].phase, TABLES_FREE);
	}
}
