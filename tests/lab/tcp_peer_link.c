/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp_peer_link.h"

#include <errno.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	N_SLOTS = 1 << 16,
	BURST = 64,
	DROWNED = 64, /* slots that are left for what comes */
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

void peer_link_transmit(const struct peer_link *link, const struct tcp_departure *departure)
{
	uint8_t packet[PEER_MTU];
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
	(void)!write(link->out, packet, len); /* a device that is full loses packets, as any */
}

bool peer_link_receive(const struct peer_link *link, struct tcp_segment *segment, uint8_t **memory, uint8_t **bytes)
{
	uint8_t *packet = malloc(PEER_MTU);
	struct ip ip;
	ssize_t len;

	while (packet && (len = read(link->in, packet, PEER_MTU)) > 0) {
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

/* --- the stream ------------------------------------------------------------------------------------------------------
 */

static void input(struct peer *peer, struct peer_link *link)
{
	struct tcp_segment segment;
	struct tcp_piece piece;
	uint8_t *memory, *bytes;

	for (int i = 0; i < BURST && peer_link_receive(link, &segment, &memory, &bytes); i++) {
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

static void give_frames(struct peer *peer, struct peer_link *link)
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

static void output(struct peer *peer, struct peer_link *link)
{
	struct tcp_departure departure;

	give_frames(peer, link);
	while (tcp_output(&link->tcp, &departure, peer_now())) {
		peer_link_transmit(link, &departure);
		give_frames(peer, link);
	}
}

static int wait_for_it(struct peer_link *link)
{
	uint64_t deadline = tcp_deadline(&link->tcp), now = peer_now();
	struct timespec wait = {.tv_sec = 1};
	struct pollfd ready = {.fd = link->in, .events = POLLIN};

	if (deadline <= now)
		wait.tv_sec = 0;
	else if (deadline - now < 1000000)
		wait = (struct timespec){.tv_nsec = (long)(deadline - now) * 1000};
	return ppoll(&ready, 1, &wait, NULL);
}

/* When it ends: both have closed, or one was in trouble. */
static unsigned int run(struct peer *peer, struct peer_link *link)
{
	bool sends = peer->sends, closing = false;
	unsigned int events = 0;

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

int peer_link_install(struct peer_link *link, const struct tcp_established *established)
{
	static struct tcp_slot slots[N_SLOTS];

	tcp_pool_init(&link->pool, slots, N_SLOTS);
	tcp_settings_default(&link->settings);
	link->settings.receive_window = 16 << 20;
	link->settings.held_max = N_SLOTS / 4;
	link->settings.time_wait = 2000000; /* long enough to answer a FIN that comes again */
	link->settings.release = release;
	return tcp_install(&link->tcp, &link->settings, &link->pool, established, peer_now());
}

int peer_link_run(struct peer *peer, struct peer_link *link)
{
	unsigned int events = run(peer, link);

	for (int i = 0; i < TCP_COUNTER_COUNT; i++)
		printf("%s %lu\n", tcp_counter_name(i), link->tcp.counters[i]);
	printf("srtt %u, cwnd %u, ssthresh %u\n", link->tcp.rtt.srtt, link->tcp.cubic.cwnd, link->tcp.cubic.ssthresh);
	tcp_uninstall(&link->tcp);
	return events & TCP_EVENT_CLOSED ? 0 : -1;
}
