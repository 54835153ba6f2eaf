/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two endpoints in one process, a network between them that loses, doubles, reorders, truncates and marks, and a clock
 * that goes from event to event. The dice fall the same way in each run. Every segment has its checksum made and
 * checked. What the ends send are frames whose lengths and bytes follow from their numbers, so that the receiving end
 * knows what must come next.
 */
#pragma once

#include "tcp/backlog.h"
#include "tcp/frames.h"
#include "tcp/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct network_quality {
	double loss, duplicate, reorder, truncate, mark; /* probabilities, per segment */
	uint64_t delay, jitter;				 /* microseconds, one way */
	uint64_t rate;					 /* bytes a second, each way; 0: without limit */
	uint64_t queue;					 /* bytes before the bottleneck; 0: without limit */
};

struct network_end {
	struct tcp tcp;
	struct tcp_pool pool;
	struct tcp_settings settings;
	struct frame_reader reader;
	uint64_t frames_to_send; /* in all */
	uint64_t sent, received; /* frames */
	uint64_t bytes_received;
	uint64_t buffers;    /* that the endpoint has and did not give back */
	uint64_t busy_until; /* of the way out of here */
	unsigned int events;
};

struct network {
	struct network_quality quality;
	struct network_end ends[2];
	uint64_t now;
	uint64_t segments, lost; /* that went into the network, and did not come out */
	uint64_t at_once;	 /* of the segments, by tcp_send_at_once */
	uint64_t lone_acks;	 /* and by tcp_input_ack */
	struct packet **heap;	 /* by time */
	size_t n_heap, heap_room;
	uint64_t serial;
	uint64_t random;
	uint32_t frame_len_max;
};

/* Both ends established, with timestamps, SACK and ECN; sequence numbers wrap soon. */
void network_start(struct network *network, const struct network_quality *quality);
/* Another start: `established` is of end 0, and end 1 mirrors it. */
void network_start_as(
	struct network *network, const struct network_quality *quality, const struct tcp_established *established);
void network_established(struct tcp_established *established);

/* Until both have all frames, or `until`. Fails the test when nothing is under way and something is missing. */
void network_run(struct network *network, uint64_t until);

/* Until no more events, or `until`: what comes after the data. */
void network_settle(struct network *network, uint64_t until);

/* Also fails the test when a buffer did not come back. */
void network_stop(struct network *network);

uint64_t network_random(struct network *network);
