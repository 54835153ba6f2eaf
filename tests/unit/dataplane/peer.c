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

static struct address address_6(const uint8_t bytes[16])
{
	struct address address = {.family = ADDRESS_IPV6};

	memcpy(address.bytes, bytes, sizeof(address.bytes));
	return address;
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

struct tables_session peer_session(const struct peer *peer)
{
	struct tables_session session = {
		.encapsulation = peer->stream ? TABLES_ENCAPSULATION_STREAM
				 : peer->udp  ? TABLES_ENCAPSULATION_UDP
					      : TABLES_ENCAPSULATION_ESP,
		.local = {.address = peer->outer_ipv6 ? address_of(HQ_WAN_6) : address_ipv4(HQ_WAN),
			.port = peer->hq_port},
		.remote = {.address = peer->outer_ipv6 ? address_6(peer->address_6) : address_ipv4(peer->address),
			.port = peer->port},
		.peer = "peer",
	};

	return session;
}

struct tables_child peer_child(const struct peer *peer, const struct peer_options *options)
{
	struct address lan = peer->inner_ipv6 ? address_of(LAN_6) : address_ipv4(LAN);
	struct address remote = peer->inner_ipv6 ? address_6(peer->host_6) : address_ipv4(peer->host & 0xffff0000);
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
		child.local_network = prefix_make(&lan, peer->inner_ipv6 ? 64 : 24);
	if (child.remote_network.address.family == ADDRESS_NONE)
		child.remote_network = prefix_make(&remote, peer->inner_ipv6 ? 64 : 16);
	return child;
}

static void keymat_fill(struct reference_sa *sa, const uint8_t *given, uint32_t seed)
{
	if (given)
		memcpy(sa->keymat, given, esp_suite_keymat_len(sa->suite));
	else
		wire_noise(sa->keymat, ESP_KEYMAT_MAX, seed);
}

static void child_open(struct peer *peer, const struct peer_options *options)
{
	uint32_t suite = (uint32_t)or_usual(options->suite, ESP_AES128_GCM), refused = harness.n_refused;
	struct tables_child values;

	peer->to_hq.suite = peer->from_hq.suite = esp_suite_get(suite);
	assert_int_equal(writer_child_claim(harness.writer, &peer->child, &peer->to_hq.spi), 0);
	peer->from_hq.spi = (uint32_t)or_usual(options->spi_out, 0x1000 + peer->child);
	peer->to_hq.extended = peer->from_hq.extended = options->extended;
	keymat_fill(&peer->to_hq, options->keymat_to_hq, 2 * peer->to_hq.spi);
	keymat_fill(&peer->from_hq, options->keymat_from_hq, 2 * peer->to_hq.spi + 1);
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
	char text[ADDRESS_TEXT_LEN];

	memset(peer, 0, sizeof(*peer));
	peer->number = number;
	peer->udp = !options->bare && !options->stream;
	peer->stream = options->stream;
	peer->outer_ipv6 = options->outer_ipv6;
	peer->inner_ipv6 = options->inner_ipv6;
	if (peer->outer_ipv6 || peer->inner_ipv6)
		harness_add_ipv6();
	snprintf(text, sizeof(text), "2001:db8:100::%x", number);
	wire_address(text, peer->address_6);
	snprintf(text, sizeof(text), "fd02:%x::5", number);
	wire_address(text, peer->host_6);
	peer->address = 0xc6336400 + number;
	peer->host = 0x0a640005 + (number << 16);
	peer->port = peer->udp ? PEER_NAT_PORT : 0;
	peer->hq_port = peer->udp ? (uint16_t)or_usual(options->hq_port, HARNESS_NAT_PORT) : 0;
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
	struct wire_ipv4 ipv4 = {
		.source = peer->address,
		.destination = HQ_WAN,
		.tos = tos,
		.protocol = peer->udp ? IPPROTO_UDP : IPPROTO_ESP,
		.id = (uint16_t)(0x4321 + peer->sequence),
	};
	struct wire_ipv6 ipv6 = {.tos = tos, .next_header = ipv4.protocol, .flow = peer->number};
	uint8_t *payload = packet + (peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN);
	size_t len;

	if (peer->udp)
		esp_len = wire_udp(payload, peer->port, peer->hq_port, esp, esp_len);
	else
		memmove(payload, esp, esp_len);
	if (!peer->outer_ipv6)
		return wire_ipv4(packet, &ipv4, payload, esp_len);
	memcpy(ipv6.source, peer->address_6, 16);
	wire_address(HQ_WAN_6, ipv6.destination);
	len = wire_ipv6(packet, &ipv6, payload, esp_len);
	if (peer->udp)
		wire_ipv6_checksum(packet);
	return len;
}

static uint8_t next_header_of(const uint8_t *inner)
{
	return wire_is_ipv6(inner) ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

void peer_send(struct peer *peer, uint8_t tos, const void *inner, size_t len)
{
	static uint8_t esp[WIRE_MAX], packet[WIRE_MAX];
	size_t esp_len = peer_esp(peer, ++peer->sequence, next_header_of(inner), inner, len, esp);

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

static size_t inner_6(const uint8_t *source, const uint8_t *destination, size_t payload_len, uint8_t *inner)
{
	struct wire_ipv6 header = {.next_header = IPPROTO_UDP, .flow = (uint32_t)payload_len};

	memcpy(header.source, source, 16);
	memcpy(header.destination, destination, 16);
	wire_noise(inner + WIRE_IPV6_LEN + WIRE_UDP_LEN, payload_len, (uint32_t)payload_len);
	payload_len = wire_udp(inner + WIRE_IPV6_LEN, 7, 9, inner + WIRE_IPV6_LEN + WIRE_UDP_LEN, payload_len);
	payload_len = wire_ipv6(inner, &header, inner + WIRE_IPV6_LEN, payload_len);
	wire_ipv6_checksum(inner);
	return payload_len;
}

size_t peer_inner_6(const struct peer *peer, const char *destination, size_t payload_len, uint8_t *inner)
{
	uint8_t address[16];

	wire_address(destination, address);
	return inner_6(peer->host_6, address, payload_len, inner);
}

size_t peer_inner_back(const struct peer *peer, size_t payload_len, uint8_t *inner)
{
	uint8_t host[16];
	size_t len;

	if (peer->inner_ipv6) {
		wire_address(LAN_HOST_6, host);
		return inner_6(host, peer->host_6, payload_len, inner);
	}
	len = peer_inner(peer, peer->host, payload_len, inner);
	wire_write32(inner + 12, LAN_HOST);
	wire_ipv4_checksum(inner);
	return len;
}

/* The outer packet as it has to be, but for what the caller knows: what it copied of `outer`. */
static void outer_expect(struct peer *peer, const uint8_t *outer, size_t len, uint8_t *expected)
{
	struct wire_ipv4 ipv4 = {.source = HQ_WAN,
		.destination = peer->address,
		.protocol = peer->udp ? IPPROTO_UDP : IPPROTO_ESP,
		.tos = wire_tos(outer),
		.id = wire_read16(outer + 4),
		.fragment = wire_read16(outer + 6) & WIRE_DF};
	struct wire_ipv6 ipv6 = {.tos = ipv4.tos, .next_header = ipv4.protocol};
	size_t header_len = peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;
	size_t front_len = header_len + (peer->udp ? WIRE_UDP_LEN : 0u);

	memcpy(expected + front_len, outer + front_len, len - front_len);
	if (peer->udp)
		wire_udp(expected + header_len, peer->hq_port, peer->port, outer + front_len, len - front_len);
	peer->hq_tos = ipv4.tos;
	peer->hq_id = peer->outer_ipv6 ? 0 : ipv4.id;
	peer->hq_fragment = peer->outer_ipv6 ? 0 : ipv4.fragment;
	if (!peer->outer_ipv6) {
		assert_int_equal(wire_ipv4(expected, &ipv4, expected + header_len, len - header_len), len);
		return;
	}
	wire_address(HQ_WAN_6, ipv6.source);
	memcpy(ipv6.destination, peer->address_6, 16);
	assert_int_equal(wire_ipv6(expected, &ipv6, expected + header_len, len - header_len), len);
	if (peer->udp)
		wire_ipv6_checksum(expected);
}

size_t peer_receive_payload(struct peer *peer, const uint8_t *outer, size_t len, uint8_t *payload, uint8_t *next_header)
{
	static uint8_t expected[WIRE_IPV6_LEN + WIRE_UDP_LEN + WIRE_MAX], plaintext[WIRE_MAX], padded[WIRE_MAX];
	size_t front_len = (peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN) + (peer->udp ? WIRE_UDP_LEN : 0u);
	size_t plaintext_len, payload_len;
	const uint8_t *esp = outer + front_len;

	assert_true(len >= front_len + ESP_HDR_LEN);
	outer_expect(peer, outer, len, expected);
	assert_memory_equal(outer, expected, front_len);
	assert_int_equal(wire_read32(esp), peer->from_hq.spi);
	assert_true(reference_decrypt(&peer->from_hq, esp, len - front_len, plaintext, &plaintext_len));
	peer->hq_sequence = (uint64_t)peer->from_hq.high << 32 | wire_read32(esp + 4);
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

	assert_int_equal(next_header, next_header_of(inner));
	assert_int_equal(wire_total_len(inner), inner_len);
	return inner_len;
}

size_t peer_receive(struct peer *peer, const struct wire_frame *frame, uint8_t *inner)
{
	uint8_t mac[WIRE_MAC_LEN];

	if (peer->outer_ipv6)
		harness_mac_6(GATEWAY_6, mac);
	else
		harness_mac(GATEWAY, mac);
	assert_memory_equal(frame->bytes, mac, WIRE_MAC_LEN);
	assert_memory_equal(frame->bytes + WIRE_MAC_LEN, harness_port_mac(0), WIRE_MAC_LEN);
	assert_int_equal(wire_read16(frame->bytes + 12), peer->outer_ipv6 ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4);
	return peer_receive_outer(peer, frame->bytes + WIRE_ETHERNET_LEN, frame->len - WIRE_ETHERNET_LEN, inner);
}

size_t peer_pass_out(struct peer *peer, const void *packet, size_t len, uint8_t *inner)
{
	static struct wire_frame frame;

	harness_send_ip(harness.lan_port, 0, LAN_HOST, packet, len);
	harness_turn();
	assert_true(harness_receive(0, &frame));
	harness_expect_no_frame();
	return peer_receive(peer, &frame, inner);
}

size_t peer_pass_in(struct peer *peer, const void *packet, size_t len, uint8_t *inner)
{
	static struct wire_frame frame;

	peer_send(peer, 0, packet, len);
	harness_turn();
	assert_true(harness_receive(harness.lan_port, &frame));
	harness_expect_no_frame();
	memcpy(inner, frame.bytes + WIRE_ETHERNET_LEN, frame.len - WIRE_ETHERNET_LEN);
	return frame.len - WIRE_ETHERNET_LEN;
}

void peer_bundle(struct peer *peer, const void *inner, size_t inner_len, uint8_t *message, size_t *len)
{
	static uint8_t esp[WIRE_MAX];
	struct bundle_head head = {.index = TABLES_NONE};

	head.packet_len = (uint32_t)peer_esp(peer, ++peer->sequence, next_header_of(inner), inner, inner_len, esp);
	assert_true(bundle_add(message, len, &head, esp));
}

size_t peer_receive_bundled(struct peer *peer, const struct bundle_packet *packet, uint8_t *inner)
{
	static uint8_t outer[WIRE_IPV6_LEN + WIRE_MAX];
	size_t front_len = peer->outer_ipv6 ? WIRE_IPV6_LEN : WIRE_IPV4_LEN;
	struct wire_ipv4 ipv4 = {.source = HQ_WAN, .destination = peer->address, .protocol = IPPROTO_ESP};
	struct wire_ipv6 ipv6 = {.next_header = IPPROTO_ESP};
	bool udp = peer->udp;
	size_t inner_len;

	assert_int_equal(packet->head.index, peer->session);
	assert_int_equal(packet->head.id, harness.tables.sessions[peer->session].id);
	/* As bare ESP, for there is no outer header to be checked. */
	peer->udp = false;
	memcpy(outer + front_len, packet->data, packet->head.packet_len);
	wire_address(HQ_WAN_6, ipv6.source);
	memcpy(ipv6.destination, peer->address_6, 16);
	if (peer->outer_ipv6)
		wire_ipv6(outer, &ipv6, outer + front_len, packet->head.packet_len);
	else
		wire_ipv4(outer, &ipv4, outer + front_len, packet->head.packet_len);
	inner_len = peer_receive_outer(peer, outer, front_len + packet->head.packet_len, inner);
	peer->udp = udp;
	return inner_len;
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
