/* SPDX-License-Identifier: Apache-2.0 */
/* The stream through dataplane/tcp over a TUN device. The handshake, which the endpoint doesn't know, is made here. */
#include "tcp_peer_link.h"
#include "tun/device.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MSS = PEER_MTU - 40,
	SCALE = 10,
	PORT_FIRST = 32768,
	PORTS = 16384,
	SYN_TRIES = 10,
	SYN_WAIT = 1000, /* milliseconds */
};

/* --- the handshake (RFC 9293 section 3.5) ----------------------------------------------------------------------------
 */

static void send_syn(const struct peer_link *link, const struct tcp_established *established)
{
	static const uint8_t options[] = {
		2, 4, MSS >> 8, MSS & 255, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, SCALE};
	struct tcp_header header = {
		.source_port = established->local_port,
		.destination_port = established->remote_port,
		.seq = established->snd_una - 1,
		.flags = TCP_FLAG_SYN | TCP_FLAG_ECE | TCP_FLAG_CWR, /* RFC 3168 section 6.1.1 */
		.window = 65535,
	};
	struct tcp_departure departure = {.header_len = TCP_HEADER_LEN + sizeof(options)};

	tcp_header_write(&header, departure.header);
	departure.header[12] = (uint8_t)(departure.header_len / 4 << 4);
	memcpy(departure.header + TCP_HEADER_LEN, options, sizeof(options));
	peer_link_transmit(link, &departure);
}

/* What a SYN-ACK offers. */
static void read_offer(const uint8_t *bytes, const struct tcp_segment *segment, struct tcp_established *established)
{
	const uint8_t *at = bytes + TCP_HEADER_LEN, *end = segment->payload;

	established->mss = 536;
	established->timestamps = segment->header.has_timestamps;
	established->ecn = (segment->header.flags & (TCP_FLAG_ECE | TCP_FLAG_CWR)) == TCP_FLAG_ECE;
	established->snd_wnd = segment->header.window;
	established->snd_wl1 = segment->header.seq;
	established->rcv_nxt = segment->header.seq + 1;
	for (; at < end && *at != 0; at += *at == 1 ? 1 : at[1]) {
		if (*at == 2)
			established->mss = (uint16_t)(at[2] << 8 | at[3]);
		else if (*at == 3)
			established->snd_scale = at[2];
		else if (*at == 4)
			established->sack = true;
	}
	if (established->mss > MSS)
		established->mss = MSS;
}

static bool handshake(struct peer_link *link, struct tcp_established *established)
{
	struct pollfd ready = {.fd = link->in, .events = POLLIN};
	struct tcp_segment segment;
	uint8_t *memory, *bytes;
	uint64_t deadline;

	for (int tries = 0; tries < SYN_TRIES; tries++) {
		send_syn(link, established);
		deadline = peer_now() + SYN_WAIT * 1000;
		while (peer_now() < deadline) {
			poll(&ready, 1, SYN_WAIT / 10);
			while (peer_link_receive(link, &segment, &memory, &bytes)) {
				bool answer = (segment.header.flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) ==
						      (TCP_FLAG_SYN | TCP_FLAG_ACK) &&
					      segment.header.ack == established->snd_una;

				if (answer)
					read_offer(bytes, &segment, established);
				free(memory);
				if (answer)
					return true;
			}
		}
	}
	fprintf(stderr, "no SYN-ACK in %d tries\n", SYN_TRIES);
	return false;
}

int peer_endpoint(struct peer *peer, const char *name, const char *own_address, const char *address, const char *port)
{
	static struct peer_link link;
	struct tun_device device;
	struct tcp_established established = {
		.local_port = (uint16_t)(PORT_FIRST + getpid() % PORTS), /* another each time */
		.remote_port = (uint16_t)atoi(port),
		.snd_una = 0xfffff000,
		.snd_nxt = 0xfffff000,
		.rcv_wnd = 65535,
		.rcv_scale = SCALE,
		.ts_value = 2,
	};
	int rc;

	inet_pton(AF_INET, own_address, &link.own);
	inet_pton(AF_INET, address, &link.remote);
	if (tun_device_open(&device, name) < 0) {
		perror(name);
		return -1;
	}
	link.in = link.out = device.fd;
	if (!handshake(&link, &established) || peer_link_install(&link, &established) < 0)
		return -1;
	peer->stop = peer_now() + (uint64_t)(peer->seconds * 1e6);
	rc = peer_link_run(peer, &link);
	tun_device_close(&device);
	return rc;
}
