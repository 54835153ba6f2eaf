/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One endpoint, and a test that plays its peer segment by segment, with a clock of its own. Sequence numbers are
 * relative: SOLO_US and SOLO_PEER are the next bytes of each side at the start. Both wrap soon after.
 */
#pragma once

#include "tcp/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum {
	SOLO_SLOTS = 512,
	SOLO_MSS = 1000, /* payload of a full segment, whatever the options */
	SOLO_MS = 1000,	 /* microseconds */
	SOLO_SECOND = 1000000,
	SOLO_RTT = 100 * SOLO_MS, /* as measured at the start */
	SOLO_WINDOW = 1 << 20,	  /* both sides' */
	SOLO_MARGIN = 1000,
};
static const uint32_t SOLO_US = 0xfffffc00, SOLO_PEER = 0xfffff800;

struct solo {
	struct tcp tcp;
	struct tcp_settings settings;
	struct tcp_pool pool;
	struct tcp_slot slots[SOLO_SLOTS];
	uint64_t now;
	uint32_t peer_ts;	/* the peer's next TSval */
	uint16_t peer_window;	/* field */
	unsigned int released;	/* buffers that came back */
	struct tcp_segment out; /* the last segment that left */
	bool out_ecn_capable;
	uint8_t wire[TCP_HEADER_MAX + 4096];
	uint8_t bytes[1 << 17];	  /* what is sent: frames lie here, bytes[n] for sequence number SOLO_US + n */
	uint8_t peer_bytes[1 << 14]; /* the same of the peer, behind SOLO_MARGIN bytes before SOLO_PEER */
};

enum solo_option { SOLO_PLAIN = 0, SOLO_TIMESTAMPS = 1, SOLO_SACK = 2, SOLO_ECN = 4 };

/* Established just now, nothing outstanding; the first ACK, which it owes, is out. cwnd: bytes, 0: as RFC 6928. */
void solo_start(struct solo *solo, unsigned int options, uint32_t cwnd);
void solo_stop(struct solo *solo);

/* One frame of that many bytes, from SOLO_US + start on. */
void solo_send(struct solo *solo, uint32_t start, uint32_t len);

/* Starts; `count` full segments are under way since `age`. */
void solo_under_way(struct solo *solo, unsigned int options, uint32_t cwnd, uint32_t count, uint64_t age);

uint64_t solo_counter(const struct solo *solo, enum tcp_counter which);

/* Takes the next segment, into `out`; false: none. */
bool solo_out(struct solo *solo);

/* Takes all; how many. */
unsigned int solo_drain(struct solo *solo);

/* There is one, with these bytes (relative) and flags besides ACK. */
void solo_expect(struct solo *solo, uint32_t start, uint32_t len, uint8_t flags);
/* There is one without bytes, which acknowledges the peer's bytes up to SOLO_PEER + ack. */
void solo_expect_ack(struct solo *solo, uint32_t ack);
void solo_expect_nothing(struct solo *solo);

/* Where the peer's bytes from relative `seq` on lie; for numbers far off, anywhere. */
uint8_t *solo_peer_bytes(struct solo *solo, uint32_t seq);

/* A segment of the peer's, relative numbers. `len` bytes of payload. Returns what tcp_input does. */
bool solo_in(struct solo *solo, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack);

/* An ACK of ours up to SOLO_US + ack, with SACK blocks: pairs of relative numbers, ended by {0, 0}. */
struct solo_block {
	uint32_t start, end;
};
#define SOLO_BLOCKS(...) ((const struct solo_block[]){__VA_ARGS__, {0, 0}})
void solo_ack(struct solo *solo, uint32_t ack, const struct solo_block *blocks);

/* A segment as it is, filled in but for ports and timestamps; those as the peer's, unless `raw`. */
bool solo_in_segment(struct solo *solo, struct tcp_segment *segment, bool raw);

/* Time passes; deadlines that come by are kept, and segments that they bring stay to be taken by solo_out. */
void solo_wait(struct solo *solo, uint64_t microseconds);

/* Until the next deadline. Returns how long that took. */
uint64_t solo_wait_deadline(struct solo *solo);

/* All that can be read, compared with peer_bytes from relative `start` on; returns how many bytes. */
uint32_t solo_read(struct solo *solo, uint32_t start);
