/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream on a TCP connection over the loopback interface, in an event loop: its other end is another stream, or plain
 * bytes. Each test has its pair as state, see STREAM_TEST.
 */
#pragma once

#include "stream/stream.h"

enum { STREAM_PAIR_PATIENCE_S = 20, STREAM_PAIR_LOG_MAX = 8192 };

/* One end, and what it was told: a letter each, ESP in lower case and IKE in upper case. */
struct stream_end {
	struct stream *stream;
	char log[STREAM_PAIR_LOG_MAX];
	size_t log_len, ends;
	char why[128];
	void (*on_ike)(struct stream_end *end);
	void (*on_esp)(struct stream_end *end);
};

struct stream_pair {
	struct event_base *base;
	struct stream_loop *loop;
	struct stream_end us, them; /* we did not dial, they did */
	size_t settled;		    /* how often the loop said so */
	int plain;		    /* the other end, where it is no stream; -1: none */
};

extern const struct stream_options stream_pair_defaults;

int stream_pair_set_up(void **state);
int stream_pair_tear_down(void **state);
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, stream_pair_set_up, stream_pair_tear_down)

/* Two sockets with a connection between them; the first one dialed. */
void stream_pair_connect(int fds[2]);

/* A stream of ours that did not dial, and one that did; or plain bytes at the end that did. */
void stream_pair_open(struct stream_pair *pair);
void stream_pair_open_plain(struct stream_pair *pair, const struct stream_options *options);
/* One end of a connection, whose socket it takes. */
struct stream *stream_pair_open_end(
	struct stream_pair *pair, struct stream_end *end, int fd, const struct stream_options *options);

/* Runs the loop until *value reaches `least`; fails when it does not. */
void stream_pair_run_until(struct stream_pair *pair, const size_t *value, size_t least);

/* A packet for each of the letters, of `len` bytes that are all that letter; a message likewise, as stream_send_ike. */
void stream_pair_send_esp(struct stream_end *end, const char *names, size_t len);
int stream_pair_send_ike(struct stream_end *end, char name, size_t len);
/* Bytes from the plain end. */
void stream_pair_send_plain(struct stream_pair *pair, const void *bytes, size_t len);
