/* SPDX-License-Identifier: Apache-2.0 */
/* The stream through dataplane/tcp over a TUN device. The handshake, which the endpoint doesn't know, is made here. */
#include "tcp/sequence.h"
#include "tcp_peer.h"
#include "tun/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	N_SLOTS = 1 << 16,
	MTU = 1500,
	BURST = 64,
	MSS = MTU - 40,
	SCALE = 10,
	PORT_FIRST = 32768,
	PORTS = 16384,
	SYN_TRIES = 10,
	SYN_WAIT = 1000, /* milliseconds */
	DROWNED = 64,	 /* slots that are left for what comes */
};

struct link {
	struct tun_device device;
	struct in_addr own, remote;
	uint16_t port;
	struct tcp tcp;
	struct tcp_pool pool;
	struct tcp_settings settings;
};

static void release(void *context, void *owner)
{
	(void)context;
	free(owner);
}

/* --- packets ---------------------------------------------------------------------------------------------------------
 */

static uint16_t ip_checksum(const struct ip *ip)
{
	const uint16_t *words = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (int i = 0; i < 10; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void transmit(const struct link *link, const struct tcp_departure *departure)
{
	uint8_t packet[MTU];
	size_t len = sizeof(struct ip) + departure->header_len + departure->payload_len;
	struct ip ip = {
		.ip_v = 4,
		.ip_hl = 5,
		.ip_len = htons((uint16_t)len),
		.ip_off = htons(IP_DF),
		.ip_ttl = 64,
		.ip_p = IPPROTO_TCP,
		.ip_tos = departure->ecn_capable ? IPTOS_ECN_ECT0 : 0,
		.ip_src = link->own,
		.ip_dst = link->remote,
	};
	uint16_t sum = tcp_checksum(&link->own, &link->remote, 4, departure->header, departure->header_len,
		departure->payload, departure->payload_len);

	ip.ip_sum = ip_checksum(&ip);
	memcpy(packet, &ip, sizeof(ip));
	memcpy(packet + sizeof(ip), departure->header, departure->header_len);
	memcpy(packet + sizeof(ip) + TCP_CHECKSUM_OFFSET, &sum, sizeof(sum));
	if (departure->payload_len)
		memcpy(packet + sizeof(ip) + departure->header_len, departure->payload, departure->payload_len);
	(void)!write(link->device.fd, packet, len); /* a device that is full loses packets, as any */
}

/*
 * A packet of the connection, in memory of its own, *memory; *bytes: where the TCP header begins. False: none there, or
 * none any more.
 */
static bool receive(const struct link *link, struct tcp_segment *segment, uint8_t **memory, uint8_t **bytes)
{
	uint8_t *packet = malloc(MTU);
	struct ip ip;
	ssize_t len;

	while (packet && (len = read(link->device.fd, packet, MTU)) > 0) {
		size_t header_len = (size_t)(packet[0] & 15) * 4;

		if ((size_t)len < sizeof(ip) || packet[0] >> 4 != 4)
			continue;
		memcpy(&ip, packet, sizeof(ip));
		if (ip.ip_p != IPPROTO_TCP || ip.ip_src.s_addr != link->remote.s_addr ||
			ntohs(ip.ip_len) > (size_t)len || ntohs(ip.ip_len) < header_len)
			continue;
		len = ntohs(ip.ip_len) - (ssize_t)header_len;
		*bytes = packet + header_len;
		if (tcp_checksum(&ip.ip_src, &ip.ip_dst, 4, *bytes, (size_t)len, NULL, 0) != 0 ||
			tcp_segment_parse(*bytes, (size_t)len, segment) != 0)
			continue;
		segment->congestion_experienced = (ip.ip_tos & IPTOS_ECN_MASK) == IPTOS_ECN_CE;
		*memory = packet;
		return true;
	}
	free(packet);
	return false;
}

/* --- the handshake (RFC 9293 section 3.5) ----------------------------------------------------------------------------
 */

static void send_syn(const struct link *link, const struct tcp_established *established)
{
	static const uint8_t options[] = {
		2, 4, MSS >> 8, MSS & 255, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, SCALE};
	struct tcp_header header = {
		.source_port = established->local_port,
		.destination_port = link->port,
		.seq = established->snd_una - 1,
		.flags = TCP_FLAG_SYN | TCP_FLAG_ECE | TCP_FLAG_CWR, /* RFC 3168 section 6.1.1 */
		.window = 65535,
	};
	struct tcp_departure departure = {.header_len = TCP_HEADER_LEN + sizeof(options)};

	tcp_header_write(&header, departure.header);
	departure.header[12] = (uint8_t)(departure.header_len / 4 << 4);
	memcpy(departure.header + TCP_HEADER_LEN, options, sizeof(options));
	transmit(link, &departure);
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

static bool handshake(struct link *link, struct tcp_established *established)
{
	struct pollfd ready = {.fd = link->device.fd, .events = POLLIN};
	struct tcp_segment segment;
	uint8_t *memory, *bytes;
	uint64_t deadline;

	for (int tries = 0; tries < SYN_TRIES; tries++) {
		send_syn(link, established);
		deadline = peer_now() + SYN_WAIT * 1000;
		while (peer_now() < deadline) {
			poll(&ready, 1, SYN_WAIT / 10);
			while (receive(link, &segment, &memory, &bytes)) {
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

static bool establish(struct link *link)
{
	static struct tcp_slot slots[N_SLOTS];
	struct tcp_established established = {
		.local_port = (uint16_t)(PORT_FIRST + getpid() % PORTS), /* another each time */
		.remote_port = link->port,
		.snd_una = 0xfffff000,
		.snd_nxt = 0xfffff000,
		.rcv_wnd = 65535,
		.rcv_scale = SCALE,
		.ts_value = 2,
	};

	if (!handshake(link, &established))
		return false;
	tcp_pool_init(&link->pool, slots, N_SLOTS);
	tcp_settings_default(&link->settings);
	link->settings.receive_window = 16 << 20;
	link->settings.held_max = N_SLOTS / 4;
	link->settings.time_wait = 2000000; /* long enough to answer a FIN that comes again */
	link->settings.release = release;
	return tcp_install(&link->tcp, &link->settings, &link->pool, &established, peer_now()) == 0;
}

/* --- the stream ------------------------------------------------------------------------------------------------------
 */

static void input(struct peer *peer, struct link *link)
{
	struct tcp_segment segment;
	struct tcp_piece piece;
	uint8_t *memory, *bytes;

	for (int i = 0; i < BURST && receive(link, &segment, &memory, &bytes); i++) {
		if (!tcp_input(&link->tcp, &segment, memory, peer_now())) {
			free(memory);
			continue;
		}
		while (tcp_read(&link->tcp, &piece)) {
			peer_read(peer, &piece);
			free(piece.owner);
		}
	}
}

static void give_frames(struct peer *peer, struct link *link)
{
	while (tcp_send_room(&link->tcp) > 0 && link->pool.n_free > DROWNED && peer_sends(peer)) {
		uint8_t *frame = malloc(PEER_FRAME_LEN);

		if (!frame)
			return;
		peer_write_frame(peer, frame);
		if (tcp_send(&link->tcp, frame, PEER_FRAME_LEN, frame) != 0) {
			fprintf(stderr, "a frame was refused\n");
			exit(EXIT_FAILURE);
		}
	}
}

static void output(struct peer *peer, struct link *link)
{
	struct tcp_departure departure;

	give_frames(peer, link);
	while (tcp_output(&link->tcp, &departure, peer_now())) {
		transmit(link, &departure);
		give_frames(peer, link);
	}
}

static int wait_for_it(const struct link *link)
{
	uint64_t deadline = tcp_deadline(&link->tcp), now = peer_now();
	struct timespec wait = {.tv_sec = 1};
	struct pollfd ready = {.fd = link->device.fd, .events = POLLIN};

	if (deadline <= now)
		wait.tv_sec = 0;
	else if (deadline - now < 1000000)
		wait = (struct timespec){.tv_nsec = (long)(deadline - now) * 1000};
	return ppoll(&ready, 1, &wait, NULL);
}

/* When it ends: both have closed, or one was in trouble. */
static unsigned int run(struct peer *peer, struct link *link)
{
	bool sends = peer->sends, closing = false;
	unsigned int events = 0;

	peer->stop = peer_now() + (uint64_t)(peer->seconds * 1e6);
	while (link->tcp.state != TCP_STATE_CLOSED) {
		output(peer, link);
		wait_for_it(link);
		input(peer, link);
		tcp_timeout(&link->tcp, peer_now());
		events |= tcp_take_events(&link->tcp);
		if (!closing && (sends ? !peer_sends(peer) : (events & TCP_EVENT_PEER_CLOSED) != 0)) {
			closing = true;
			tcp_close(&link->tcp);
		}
	}
	output(peer, link);
	return events;
}

int peer_endpoint(struct peer *peer, const char *device, const char *own_address, const char *address, const char *port)
{
	static struct link link;
	unsigned int events;

	inet_pton(AF_INET, own_address, &link.own);
	inet_pton(AF_INET, address, &link.remote);
	link.port = (uint16_t)atoi(port);
	if (tun_device_open(&link.device, device) < 0) {
		perror(device);
		return -1;
	}
	if (!establish(&link))
		return -1;
	events = run(peer, &link);
	for (int i = 0; i < TCP_COUNTER_COUNT; i++)
		printf("%s %lu\n", tcp_counter_name(i), link.tcp.counters[i]);
	printf("srtt %u, cwnd %u, ssthresh %u\n", link.tcp.rtt.srtt, link.tcp.cubic.cwnd, link.tcp.cubic.ssthresh);
	tcp_uninstall(&link.tcp);
	tun_device_close(&link.device);
	return events & TCP_EVENT_CLOSED ? 0 : -1;
}
