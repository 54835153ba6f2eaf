/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP as transport of the tunnel (stream/stream.h): one connection carries IKE and ESP. It is dialed here, or was one
 * already: a registration's, without TLS by then. Another one may take its place while the tunnel stands: when the
 * first has ended, in which the same SAs go on (resuming.h), and when a new registration brings a new IKE SA. For that
 * time there are two, and no packet is lost between them: `next` until it carries, `former` until the gateway ends it.
 */
#pragma once

#include "connect/explain.h"
#include "stream/stream.h"

struct connection;

/* Part of struct connection. */
struct over_tcp {
	struct stream_loop *loop;
	struct stream *current;		    /* carries the tunnel; NULL: none stands */
	struct stream *next;		    /* is to; NULL */
	struct stream *former;		    /* did, and is still read; NULL */
	uint64_t former_ms;		    /* since when */
	struct event *dialing;		    /* NULL: none is dialed */
	int handed;			    /* a registration's, to be begun in; -1: none */
	char ended_why[EXPLAIN_DETAIL_LEN]; /* the last one that was current */
	struct address address;		    /* of ours towards the gateway */
};

/* What connection_open does for it, and connection_close. 0 or -ENOMEM. */
int over_tcp_open(struct connection *connection);
void over_tcp_close(struct connection *connection);

/* Whether IKE goes by TCP now: by configuration where it does it alone, else as the registration has agreed. */
bool over_tcp_is_meant(const struct connection *connection);

/* A connected socket, for the next over_tcp_try or over_tcp_renew. It is taken over. */
void over_tcp_hand(struct connection *connection, int fd);

/* Begins the exchanges in the socket that was handed over; or dials connection->gateway, and then. 0 or negative errno. */
int over_tcp_try(struct connection *connection);

/* Negotiates a new IKE SA in the socket that was handed over; the tunnel stays where it is. 0 or negative errno. */
int over_tcp_renew(struct connection *connection);

/* Dials connection->gateway for `next`. Ends in resuming_opened or resuming_failed. 0 or negative errno. */
int over_tcp_dial_next(struct connection *connection);

/* `next` carries the tunnel from now on. */
void over_tcp_promote(struct connection *connection);

/* Nothing comes of `next`, or of its dial. */
void over_tcp_drop_next(struct connection *connection);

/* Which one IKE means by its own end; NULL: none stands. */
struct stream *over_tcp_find(const struct connection *connection, const struct endpoint *local);

/* Once a second while the tunnel stands. */
void over_tcp_tick(struct connection *connection, uint64_t now_ms);

/* Ends all that there is of connections, what was sent in them going out first. */
void over_tcp_end(struct connection *connection);

/* The tunnel's connection has ended: `ended_why` says why. */
bool over_tcp_is_lost(const struct connection *connection);
