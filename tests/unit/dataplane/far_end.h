/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a TCP connection that a worker of HQ owns: a second endpoint of dataplane/tcp, whose segments the
 * test carries through a bad network to HQ's port and back. It speaks ESP, in frames, as the peer that it belongs to;
 * its packets, and those of the LAN for it, have numbers. The workers' clock stands still, and goes on by far_end_run
 * alone. The dice fall the same way in each run.
 */
#pragma once

#include "connection.h"
#include "peer.h"

enum { FAR_END_PORT = 40123, FAR_END_MANY = 20000 /* packets, each way */ };

/* Probabilities, per segment and each way: it is lost, comes later than others, or in two pieces. */
struct far_end_network {
	double loss, late, cut;
};

struct far_end_frames {
	uint32_t to_send, sent, received;
	uint8_t seen[FAR_END_MANY]; /* how often each arrived */
};

struct far_end_segment {
	size_t len;
	bool to_hq;
	uint8_t bytes[2048];
};

struct far_end {
	struct peer *peer;
	uint32_t index;		       /* of the connection's record */
	struct connection *connection; /* HQ's */
	uint32_t n_ended;	       /* "done" of ends, before it was asked for */
	struct tcp tcp;
	struct tcp_pool pool;
	struct tcp_settings settings;
	struct frame_reader reader;
	struct far_end_network network;
	bool hold_frames; /* what HQ sends stays at its port */
	struct far_end_frames in, out; /* to HQ's LAN, and from it */
	size_t payload_len;	       /* of the inner packets' UDP */
	uint32_t burst;		       /* of the LAN's packets, a step */
	uint64_t hq_highest;	       /* ESP's number in the last packet from HQ */
	uint8_t out_tos;	       /* of the LAN's packets */
	uint32_t n_marked;	       /* of these, packets that say that they met congestion */
	uint32_t n_gaps;	       /* numbers that HQ left out */
	uint32_t ike_received;
	uint32_t buffers; /* that the endpoint has */
	unsigned int events;
	uint64_t random;
	struct far_end_segment late[64];
	uint32_t n_late;
};

/* What sluiced had of the connection when it left the kernel: bytes of the stream. */
struct far_end_transfer {
	const uint8_t *unacknowledged, *unsent, *unread;
	uint32_t unacknowledged_len, unsent_len, unread_len;
};

/* Both ends are established, and HQ's is held by its owner. */
void far_end_open(struct far_end *far, struct peer *peer);

/* HQ's goes live, by the main thread and the owner: the result. Without bytes, it has to. */
int far_end_install_with(struct far_end *far, const struct far_end_transfer *with);
void far_end_install(struct far_end *far);

/* Back to the kernel: the result. */
int far_end_release(struct far_end *far);

/* HQ is asked to end it, and has it? */
void far_end_end(struct far_end *far, bool at_once);
bool far_end_has_ended(const struct far_end *far);

/* Carries segments, and time goes on by `step` microseconds each time, until all frames have arrived, or `steps`. */
void far_end_run(struct far_end *far, uint32_t steps, uint64_t step);

/* One step of it: what the far end has, and what HQ has, through the network. */
void far_end_step(struct far_end *far, uint64_t step);

/* Of the LAN's packets, those that HQ dropped before it encrypted them. */
uint32_t far_end_dropped(const struct far_end *far);

/* Every packet arrived, once, but for those that HQ dropped; and these left no hole in ESP's numbers. */
void far_end_expect_all(const struct far_end *far);

/* A frame of the far end: a packet of its own to HQ's LAN, with that number; or an IKE message. */
void far_end_send_packet(struct far_end *far, uint32_t number);
void far_end_send_frame(struct far_end *far, enum frame_kind kind, const void *bytes, size_t len);

/* Takes what has come in order: all of it is counted and checked. */
void far_end_read_frames(struct far_end *far);

/* HQ's LAN: sends the packets that are due in one step, and takes those that have come. */
void far_end_lan_sends(struct far_end *far);
void far_end_lan_receives(struct far_end *far);

/* A buffer that one of the above made is not needed any more; `context` is the far end. */
void far_end_release_buffer(void *context, void *owner);

/* A segment of its that says nothing new, as a packet; its length. */
size_t far_end_make_ack(struct far_end *far, uint8_t *packet);

/* Bytes of its stream, whatever they are. */
void far_end_send_bytes(struct far_end *far, const void *bytes, size_t len);

/* Microseconds, of the workers' clock. */
uint64_t far_end_now(void);

/* Both ends go, HQ's with RST unless it has ended. Fails the test where a buffer, a slot or an entry is left. */
void far_end_close(struct far_end *far);
