/* SPDX-License-Identifier: Apache-2.0 */
/* What both kinds of tcp_peer.c share: what is sent, and what must come. */
#pragma once

#include "tcp/frames.h"

enum {
	PEER_FRAME_LEN = 1420, /* with the length field; less than an MSS, as Sluice clamps inner packets to fit */
	PEER_PATTERN_SHIFT = 251,
	PEER_CHUNK_LEN = 32 * PEER_FRAME_LEN, /* what a socket is given at once */
};

struct peer {
	bool sends;
	double seconds;
	uint64_t stop;		 /* when it stops to send: microseconds, set when the connection is there */
	uint64_t sent, received; /* frames */
	uint64_t bytes_received, first, last;
	uint8_t chunk[PEER_CHUNK_LEN]; /* frames on their way into a socket, of which it has taken chunk_at bytes */
	size_t chunk_at;
	uint64_t move; /* when the kernel gives the connection away; 0: never */
	struct frame_reader reader;
	uint8_t buffer[FRAME_MAX];
	uint8_t pattern[PEER_FRAME_LEN + PEER_PATTERN_SHIFT];
};

uint64_t peer_now(void);

/* Writes the next frame to send. */
void peer_write_frame(struct peer *peer, uint8_t frame[PEER_FRAME_LEN]);

/* Checks what came. Ends the program when it is wrong. */
void peer_read(struct peer *peer, struct tcp_piece *piece);

/* Is there more to send? */
bool peer_sends(struct peer *peer);

/* One stream to, or from, the kernel: until both have closed, or it is time to move. 1 then; 0; -1: broken. */
int peer_kernel_run(struct peer *peer, int fd);
int peer_kernel_open(const char *address, const char *port);

/* As much as the socket takes now. False: the stream is broken. */
bool peer_kernel_send(struct peer *peer, int fd);

/* Runs the stream to its end. `address` NULL: accepts it. 0, or -1 with a sentence on standard error. */
int peer_kernel(struct peer *peer, const char *address, const char *port);
int peer_takeover(struct peer *peer, const char *device, const char *port, const char *divert);
int peer_endpoint(
	struct peer *peer, const char *device, const char *own_address, const char *address, const char *port);
