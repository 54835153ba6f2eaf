/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include "connection.h"
#include "dataplane.h"
#include "encap.h"
#include "header.h"
#include "tables/bundle.h"
#include "tables/transfer.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RELAY_RING = 4096,
	RELAY_BURST = 64,    /* packets in one message */
	RELAY_MESSAGES = 16, /* taken a turn */
};

int relay_init(struct dataplane *dataplane, const char *name)
{
	struct relay *relay = &dataplane->relay;
	char ring_name[RTE_RING_NAMESIZE];

	relay->fd = -1;
	snprintf(ring_name, sizeof(ring_name), "%s-relay", name);
	relay->ring = rte_ring_create(ring_name, RELAY_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	relay->message = rte_malloc("relay", BUNDLE_LEN_MAX, RTE_CACHE_LINE_SIZE);
	return relay->ring && relay->message ? 0 : -ENOMEM;
}

static void count(struct dataplane *dataplane, enum reason reason, uint64_t packets)
{
	tables_count(&tables_counters(&dataplane->tables, 0)->reasons[reason], packets);
}

void relay_fini(struct dataplane *dataplane)
{
	struct relay *relay = &dataplane->relay;

	if (relay->ring) {
		relay->fd = -1;
		while (relay_send(dataplane) > 0)
			;
	}
	rte_ring_free(relay->ring);
	rte_free(relay->message);
}

void relay_attach(struct dataplane *dataplane, int fd)
{
	int len = BUNDLE_SOCKET_LEN;

	dataplane->relay.fd = fd;
	/* As far as the kernel grants it: what does not fit is dropped as on any wire. */
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &len, sizeof(len)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

bool relay_head_write(struct rte_mbuf *packet, const struct bundle_head *head)
{
	if (rte_pktmbuf_headroom(packet) < sizeof(*head))
		return false;
	packet_begin_move(packet, -(int)sizeof(*head));
	memcpy(rte_pktmbuf_mtod(packet, void *), head, sizeof(*head));
	return true;
}

/* The session may have left since. Its slot is no other one's yet: the ring is empty before that can be asked for. */
static bool head_complete(const struct dataplane *dataplane, struct rte_mbuf *packet)
{
	uint8_t *begin = rte_pktmbuf_mtod(packet, uint8_t *);
	struct bundle_head head;

	memcpy(&head, begin, sizeof(head));
	if (head.kind == BUNDLE_IKE)
		return true;
	head.id = dataplane->sas.sessions[head.index].id;
	memcpy(begin, &head, sizeof(head));
	return head.id != 0;
}

/* One message of what fits. */
static void send_message(struct dataplane *dataplane, struct iovec *parts, uint16_t n_parts)
{
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};

	if (n_parts > 0 && sendmsg(dataplane->relay.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		count(dataplane, REASON_NOTE_STREAM_REFUSED, n_parts);
}

static void send_burst(struct dataplane *dataplane, struct rte_mbuf **packets, unsigned int n_packets)
{
	struct iovec parts[RELAY_BURST];
	uint16_t n_parts = 0;
	size_t len = 0;

	for (unsigned int i = 0; i < n_packets; i++) {
		size_t packet_len = rte_pktmbuf_data_len(packets[i]);

		if (dataplane->relay.fd < 0 || !head_complete(dataplane, packets[i])) {
			count(dataplane, REASON_NOTE_STREAM_AWAY, 1);
			continue;
		}
		if (len + packet_len > BUNDLE_LEN_MAX) {
			send_message(dataplane, parts, n_parts);
			len = n_parts = 0;
		}
		parts[n_parts++] =
			(struct iovec){.iov_base = rte_pktmbuf_mtod(packets[i], void *), .iov_len = packet_len};
		len += packet_len;
	}
	send_message(dataplane, parts, n_parts);
	rte_pktmbuf_free_bulk(packets, n_packets);
}

unsigned int relay_send(struct dataplane *dataplane)
{
	struct rte_mbuf *packets[RELAY_BURST];
	unsigned int total = 0, n_packets;

	for (unsigned int i = 0; i < RELAY_RING / RELAY_BURST; i++) {
		n_packets = rte_ring_sc_dequeue_burst(dataplane->relay.ring, (void **)packets, RELAY_BURST, NULL);
		if (n_packets == 0)
			break;
		send_burst(dataplane, packets, n_packets);
		total += n_packets;
	}
	return total;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static struct rte_mbuf *packet_make(struct dataplane *dataplane, const uint8_t *esp, uint32_t len)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(dataplane->packets);

	if (packet && rte_pktmbuf_tailroom(packet) < len) {
		rte_pktmbuf_free(packet);
		packet = rte_pktmbuf_alloc(dataplane->jumbos);
	}
	if (!packet)
		return NULL;
	if (rte_pktmbuf_tailroom(packet) < len) {
		rte_pktmbuf_free(packet);
		return NULL;
	}
	memcpy(rte_pktmbuf_append(packet, (uint16_t)len), esp, len);
	return packet;
}

/* To a worker; REASON_COUNT, or why not. */
static enum reason hand_over(struct dataplane *dataplane, struct rte_mbuf *packet, uint16_t owner)
{
	if (rte_ring_enqueue(dataplane->workers[owner].handoff, packet) == 0)
		return REASON_COUNT;
	rte_pktmbuf_free(packet);
	return REASON_DROP_HANDOFF;
}

/* To the worker that owns the SA. */
static enum reason take_esp(struct dataplane *dataplane, const uint8_t *esp, uint32_t len)
{
	const struct sa_outer *outer;
	struct rte_mbuf *packet;
	struct sa_in *in;

	if (len < ESP_HDR_LEN)
		return REASON_DROP_ESP_LENGTH;
	in = sa_find_in(&dataplane->sas, esp_read_spi(esp));
	if (!in)
		return REASON_DROP_UNKNOWN_SPI;
	packet = packet_make(dataplane, esp, len);
	if (!packet)
		return REASON_DROP_NO_BUFFER;
	outer = dataplane->sas.sessions[in->session].outer;
	*packet_of(packet) = (struct packet){
		.kind = PACKET_ESP,
		.stream = true,
		.outer_len = encap_write_addresses(
			rte_pktmbuf_mtod(packet, uint8_t *), &outer->remote, &outer->local),
	};
	return hand_over(dataplane, packet, in->owner);
}

/* To the worker that owns the TCP connection. */
static enum reason take_ike(struct dataplane *dataplane, const struct bundle_packet *ike)
{
	const struct connection *connection = connections_live(dataplane, ike->head.index, ike->head.id);
	struct rte_mbuf *packet;

	if (!connection)
		return REASON_DROP_CONNECTION_ENDED;
	packet = packet_make(dataplane, ike->data, ike->head.packet_len);
	if (!packet)
		return REASON_DROP_NO_BUFFER;
	*packet_of(packet) = (struct packet){.index = ike->head.index, .kind = PACKET_IKE};
	return hand_over(dataplane, packet, connection->owner);
}

void relay_take(struct dataplane *dataplane, uint8_t *message, size_t len)
{
	struct bundle_packet packet;
	size_t at = 0;

	while (bundle_next(message, len, &at, &packet)) {
		bool is_ike = packet.head.kind == BUNDLE_IKE;
		enum reason reason = is_ike ? take_ike(dataplane, &packet)
					    : take_esp(dataplane, packet.data, packet.head.packet_len);

		count(dataplane, is_ike ? REASON_IN_IKE : REASON_IN_STREAM, 1);
		count(dataplane, reason == REASON_COUNT ? REASON_OUT_HANDOFF : reason, 1);
	}
}

/* One message, and the descriptor that came with it: -1: none. Further ones the kernel has closed. */
static ssize_t receive(struct relay *relay, int *descriptor)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = relay->message, .iov_len = BUNDLE_LEN_MAX};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = CMSG_LEN(sizeof(int)), /* padding is room, too */
	};
	ssize_t received = recvmsg(relay->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = received < 0 ? NULL : CMSG_FIRSTHDR(&message);

	*descriptor = -1;
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
		header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(descriptor, CMSG_DATA(header), sizeof(int));
	return received;
}

/* What came with a descriptor is a transfer, or nothing that we know. */
static void take_transfer(struct dataplane *dataplane, const uint8_t *message, size_t len, int memfd)
{
	struct transfer_head head;

	if (len == sizeof(head)) {
		memcpy(&head, message, sizeof(head));
		if (head.magic == TRANSFER_MAGIC)
			connections_install(dataplane, &head, memfd);
	}
	close(memfd);
}

bool relay_receive(struct dataplane *dataplane)
{
	struct relay *relay = &dataplane->relay;

	for (unsigned int i = 0; i < RELAY_MESSAGES; i++) {
		ssize_t received;
		int descriptor;

		/* A transfer is answered: without room for that, it waits. */
		if (ring_room(&dataplane->tables.events[0]) == 0)
			return true;
		received = receive(relay, &descriptor);
		if (received < 0)
			return errno == EAGAIN || errno == EINTR;
		if (descriptor >= 0)
			take_transfer(dataplane, relay->message, (size_t)received, descriptor);
		else if (received == 0)
			return false;
		else
			relay_take(dataplane, relay->message, (size_t)received);
	}
	return true;
}
