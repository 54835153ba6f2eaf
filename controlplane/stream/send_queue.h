/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits to be written into a stream. Inner packets are datagrams: late is worse than lost, so ESP that is too old
 * or too much is dropped, the oldest first; IKE is never dropped and goes before ESP. A frame that is written in part
 * is finished before any other, and stays: the other side counts bytes. Bytes and a clock in; no socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

struct send_queue_frame;
STAILQ_HEAD(send_queue_list, send_queue_frame);

struct send_queue_limits {
	size_t esp_bytes; /* more than this of ESP: the oldest goes */
	uint32_t esp_ms;  /* older than this: it goes */
	size_t ike_bytes; /* more than this of IKE is a peer that does not read */
};

struct send_queue {
	struct send_queue_limits limits;
	struct send_queue_list ike, esp;
	struct send_queue_frame *begun;	     /* of either kind */
	size_t ike_bytes, esp_bytes;	     /* without `begun` */
	uint64_t dropped_full, dropped_late; /* ESP packets */
};

void send_queue_init(struct send_queue *queue, const struct send_queue_limits *limits);
/* Wipes and frees what waits. */
void send_queue_clear(struct send_queue *queue);
bool send_queue_is_empty(const struct send_queue *queue);

/* Adds an IKE message, framed. 0, -EMSGSIZE, -ENOMEM; -ENOBUFS when more waits than is allowed. */
int send_queue_add_ike(struct send_queue *queue, const void *message, size_t message_len);

/* Adds an ESP packet, framed, and drops what has to go, be it this one. Its length is 1 to FRAMING_PAYLOAD_MAX. */
void send_queue_add_esp(struct send_queue *queue, const void *packet, size_t packet_len, uint64_t now_ms);

/* The same where `written` bytes of the frame went out by other means. Nothing may wait. 0 or -ENOMEM. */
int send_queue_add_begun(struct send_queue *queue, const void *packet, size_t packet_len, size_t written);

/* The originator's first bytes. Nothing may wait. 0 or -ENOMEM. */
int send_queue_add_prefix(struct send_queue *queue);

/* What is to be written next, in order, after dropping what is too old. Returns how many parts were filled. */
size_t send_queue_gather(struct send_queue *queue, uint64_t now_ms, struct iovec *parts, size_t max);

/* So many of the bytes that send_queue_gather just named are written. */
void send_queue_written(struct send_queue *queue, size_t bytes);

/*
 * All that waits becomes one piece, in the order of send_queue_gather, that is finished before any other: its bytes in
 * `out`, which stay the queue's. 0 or -ENOMEM.
 */
int send_queue_join(struct send_queue *queue, struct iovec *out);

/*
 * That piece went by other means, and so shall what was added since: IKE messages are told, without marker, ESP is
 * dropped. Returns how many packets of it. The queue is empty then.
 */
size_t send_queue_leave(
	struct send_queue *queue, void (*ike)(void *context, const uint8_t *message, size_t message_len), void *context);
