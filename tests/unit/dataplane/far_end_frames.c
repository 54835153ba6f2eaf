/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The far end's side of RFC 9329, the frames that it sends and takes; and the numbered packets in them, which HQ's LAN
 * sends and takes on the other side.
 */
#include "far_end.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LAN_PAYLOAD_MAX = 1452 /* IPv6 and UDP in 1,500 bytes */ };

static uint8_t buffer[WIRE_MAX], inner[WIRE_MAX];

void far_end_send_frame(struct far_end *far, enum frame_kind kind, const void *bytes, size_t len)
{
	uint8_t *owner = malloc(FRAME_LENGTH_LEN + FRAME_MARKER_LEN + len), *begin;
	uint32_t frame_len = 0;

	assert_non_null(owner);
	if (len > 0)
		memcpy(owner + FRAME_LENGTH_LEN + FRAME_MARKER_LEN, bytes, len);
	begin = frame_write_head(kind, owner + FRAME_LENGTH_LEN + FRAME_MARKER_LEN, (uint32_t)len, &frame_len);
	assert_non_null(begin);
	far->buffers++;
	assert_int_equal(tcp_send(&far->tcp, begin, frame_len, owner), 0);
}

void far_end_send_bytes(struct far_end *far, const void *bytes, size_t len)
{
	uint8_t *owner = malloc(len);

	assert_non_null(owner);
	memcpy(owner, bytes, len);
	far->buffers++;
	assert_int_equal(tcp_send(&far->tcp, owner, (uint32_t)len, owner), 0);
}

/* Into the payload, behind the UDP header. */
static void number_write(uint8_t *packet, uint32_t number)
{
	wire_write32(packet + wire_header_len(packet) + WIRE_UDP_LEN, number);
	if (wire_is_ipv6(packet))
		wire_ipv6_checksum(packet);
}

static void number_seen(struct far_end_frames *frames, const uint8_t *packet)
{
	uint32_t number = wire_read32(packet + wire_header_len(packet) + WIRE_UDP_LEN);

	if (!wire_is_ipv6(packet) && wire_read16(packet + 6) & WIRE_OFFSET_MASK)
		return; /* not the first piece of a long one */
	assert_true(number < FAR_END_MANY);
	assert_true(number < frames->sent);
	frames->seen[number]++;
	frames->received++;
}

void far_end_send_packet(struct far_end *far, uint32_t number)
{
	static uint8_t packet[WIRE_MAX];
	size_t len = far->peer->inner_ipv6 ? peer_inner_6(far->peer, LAN_HOST_6, far->payload_len, packet)
					   : peer_inner(far->peer, LAN_HOST, far->payload_len, packet);

	number_write(packet, number);
	len = peer_esp(far->peer, ++far->peer->sequence, wire_is_ipv6(packet) ? IPPROTO_IPV6 : IPPROTO_IPIP, packet,
		len, buffer);
	far_end_send_frame(far, FRAME_ESP, buffer, len);
}

static void frame_check(struct far_end *far, const struct frame *read)
{
	struct bundle_packet packet = {.head = {.index = far->peer->session,
					       .id = harness.tables.sessions[far->peer->session].id,
					       .packet_len = read->len},
		.data = read->data};

	if (read->kind == FRAME_IKE) {
		far->ike_received++;
		return;
	}
	assert_int_equal(read->kind, FRAME_ESP);
	peer_receive_bundled(far->peer, &packet, inner);
	assert_true(far->peer->hq_sequence > far->hq_highest);
	far->n_gaps += far->peer->hq_sequence != far->hq_highest + 1;
	far->hq_highest = far->peer->hq_sequence;
	far->n_marked += (wire_tos(inner) & 3) == 3;
	number_seen(&far->out, inner);
}

void far_end_read_frames(struct far_end *far)
{
	enum frame_result result;
	struct tcp_piece piece;
	struct frame read;

	while (tcp_read(&far->tcp, &piece)) {
		while ((result = frame_next(&far->reader, &piece, &read)) != FRAME_PIECE_DONE) {
			assert_int_not_equal(result, FRAME_BROKEN);
			if (result == FRAME_NEEDS_BUFFER) {
				frame_lend(&far->reader, malloc(read.len));
				continue;
			}
			frame_check(far, &read);
			if (!read.in_place)
				free(read.kind == FRAME_IKE ? read.data - FRAME_MARKER_LEN : read.data);
		}
		far_end_release_buffer(far, piece.owner);
	}
}

void far_end_lan_sends(struct far_end *far)
{
	static uint8_t packet[WIRE_MAX];

	for (uint32_t n = 0; n < far->burst && far->out.sent < far->out.to_send; n++) {
		size_t payload_len = far->payload_len < LAN_PAYLOAD_MAX ? far->payload_len : LAN_PAYLOAD_MAX;
		size_t len = peer_inner_back(far->peer, payload_len, packet);

		if (far->out_tos) {
			packet[1] = far->out_tos;
			wire_ipv4_checksum(packet);
		}
		number_write(packet, far->out.sent++);
		harness_send_ip(1, 0, LAN_HOST, packet, len);
	}
}

void far_end_lan_receives(struct far_end *far)
{
	static struct wire_frame frame;

	while (harness_receive(1, &frame))
		number_seen(&far->in, frame.bytes + WIRE_ETHERNET_LEN);
}
