/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection of a peer as the test plays it against the main thread: it is sluiced, which asks for holding and
 * hands over, on a pair of sockets; and the peer, whose segments come to HQ one by one. Options are none but what the
 * kernel found at the beginning, which is nothing: neither timestamps nor SACK.
 */
#pragma once

#include "peer.h"
#include "tables/transfer.h"

enum {
	HELD_PORT = 40123,   /* the peer's, of the first one */
	HELD_SEQ = 1000,     /* what the peer sends next when the kernel gives it up */
	HELD_HQ_SEQ = 5000,  /* likewise HQ */
	HELD_FIN = 0x01,
	HELD_SYN = 0x02,
	HELD_RST = 0x04,
	HELD_PSH = 0x08,
	HELD_ACK = 0x10,
};

struct held {
	const struct peer *peer;
	uint16_t port;
	uint32_t index; /* of its record */
	uint64_t id;
};

/* sluiced's end of the attachment's connection, whose other end the data plane has while it is attached. */
extern int held_sluiced;

/* cmocka fixtures, with an attachment. */
int held_setup(void **state);
int held_setup_two_workers(void **state);
int held_teardown(void **state);

void held_attach(void);
void held_detach(void);

/* Main thread and workers take turns for as long as anything can come of it; what went to the kernel stays there. */
void held_settle(void);

/* Asks for it, and no more. */
void held_ask(struct held *held, const struct peer *peer, uint16_t port);

/* Until it is held. */
void held_wait(struct held *held, const struct peer *peer, uint16_t port);

/* The same for one that the peer's session has come to, as those have that sluiced takes over. */
void held_open(struct held *held, const struct peer *peer, uint16_t port);

/* Hands it over, with these bytes of a frame that was read half, and takes the answer: the result of the DONE. */
int held_install(const struct held *held, const void *unread, size_t unread_len);

/* The state that is handed over; the descriptor of a file with it and the bytes behind it, sealed as is right. */
struct transfer_state held_state(void);
int held_file(const void *bytes, size_t len, int seals);
int held_give(const struct held *held, int file);

/* A segment of the peer, as a packet; its length. */
size_t held_segment(const struct held *held, uint32_t seq, uint8_t flags, const void *data, size_t len, uint8_t *packet);

/* The same, to HQ, in that receive queue. */
void held_send(const struct held *held, uint16_t queue, uint32_t seq, uint8_t flags, const void *data, size_t len);

/* The next segment to the peer; false: none. */
struct held_segment {
	uint32_t seq, ack;
	uint8_t flags;
	size_t len;
	uint8_t data[2048];
};
bool held_receive(const struct held *held, struct held_segment *segment);

/* The next packet that goes to the kernel is this segment of it. */
void held_expect_kernel(const struct held *held, uint32_t seq, const void *data, size_t len);

struct tables_connection *held_record(const struct held *held);

/* What the outer header of that peer's session names. */
uint32_t held_connection_of(const struct peer *peer);

/* There was one DONE since there were that many. */
void held_expect_done(uint32_t done, int result);

/* Everything that the connection had is free again. */
void held_expect_gone(const struct held *held);

/* Back to the kernel, and gone. */
void held_release(const struct held *held);

/* Asks for its end, which is there at once where that is asked for. */
void held_end(const struct held *held, bool at_once);

/* The peer gives up: the endpoint believes it, for it is the next byte's number. */
void held_reset(const struct held *held);
