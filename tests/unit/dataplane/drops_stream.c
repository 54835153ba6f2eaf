/* SPDX-License-Identifier: Apache-2.0 */
/* The reasons that have to do with sessions whose transport is TCP. */
#include "drops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t packet[WIRE_MAX], message[BUNDLE_LEN_MAX];
static struct peer peer;

static void send_out(void)
{
	harness_send_ip(1, 0, LAN_HOST, packet, peer_inner_back(&peer, 100, packet));
	harness_turn();
}

static void from_stream(void)
{
	size_t len = 0;

	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	peer_bundle(&peer, packet, peer_inner(&peer, LAN_HOST, 100, packet), message, &len);
	relay_take(&harness.dataplane, message, len);
	harness_turn();
}

static void to_stream(void)
{
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	send_out();
}

static void stream_full(void)
{
	harness_open(&(struct harness_options){.packet_buffers = 8191});
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	while (!rte_ring_full(harness.dataplane.relay.ring))
		send_out();
	send_out();
	send_out();
}

static void away(void)
{
	to_stream();
	send_out();
	assert_int_equal(relay_send(&harness.dataplane), 2);
}

/* It is attached and does not read. */
static void refused(void)
{
	int ends[2], least = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	relay_attach(&harness.dataplane, ends[0]);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	while (send(ends[0], message, 1, MSG_DONTWAIT) > 0)
		;
	send_out();
	send_out();
	send_out();
	assert_int_equal(relay_send(&harness.dataplane), 3);
	relay_attach(&harness.dataplane, -1);
	close(ends[0]);
	close(ends[1]);
}

const struct provocation drops_stream[REASON_COUNT] = {
	[REASON_IN_STREAM] = {from_stream, 1},
	[REASON_OUT_STREAM] = {to_stream, 1},
	[REASON_DROP_STREAM_FULL] = {stream_full, 2},
	[REASON_NOTE_STREAM_AWAY] = {away, 2},
	[REASON_NOTE_STREAM_REFUSED] = {refused, 3},
};
