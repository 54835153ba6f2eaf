/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's side of notices (notice.h): answers those of registered sessions whose transport is UDP, notes where they
 * come from, and finds out that there is a NAT, or a pool of them, on the way. Where no UDP comes within
 * `registration.udp_wait`, it dials the peer itself, `registration.dial_tries` times; then it says that UDP does not get
 * through. To what does not verify, or is not newer than all before, there is no answer of any kind, no answer is longer
 * than what it answers, and a session gets no more than ten a second for long (RFC 8085 in spirit).
 *
 * No socket, no clock: what it wants done are calls of its host, which must not call back from there. One thread.
 */
#pragma once

#include "config/config.h"
#include "hashmap.h"
#include "registration/notice.h"

#include <sys/queue.h>

struct notices;

enum { NOTICES_SEEN_MAX = 4, NOTICES_SENTENCE_LEN = 320 };

/* Lies in a registered session, which fills the first part in and leaves the rest alone. */
struct notice_session {
	uint8_t session[NOTICE_SESSION_LEN];
	uint8_t key[NOTICE_KEY_LEN]; /* wiped by notices_end */
	struct endpoint local, remote; /* of the TCP connection that it registered by */
	uint16_t udp_port;	       /* the peer's; 0: it can't be dialed */

	struct hashmap_node by_session;
	TAILQ_ENTRY(notice_session) queued;
	enum notice_session_state { NOTICE_IDLE, NOTICE_WAITING, NOTICE_DIALING, NOTICE_SETTLED } state;
	uint64_t began_ms, due_ms;
	uint64_t newest;  /* sequence of the last notice that was taken */
	uint32_t dials;	  /* sent; the last one's sequence, too */
	uint32_t budget_ms; /* of answers, as time in which they are earned */
	uint64_t budget_at_ms;
	struct notice_seen {
		struct endpoint remote;
		uint16_t port; /* ours */
	} seen[NOTICES_SEEN_MAX];
	uint16_t n_seen;
	bool pool_told;
};

enum notices_news {
	NOTICES_REACHED,     /* the first notice came */
	NOTICES_POOL,	     /* the peer's packets come from several addresses */
	NOTICES_DIALING,     /* udp_wait is over */
	NOTICES_UNREACHABLE, /* and dialing was in vain: notices_end is done, the session is to end or to fall back */
};

struct notices_host {
	void *context;
	uint64_t (*now_ms)(void *context); /* monotonic */
	/* Sends from a data port. `whole`: it may not be cut on the way. A failure is nobody's concern. */
	void (*send)(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *datagram,
		size_t len, bool whole);
	/* `sentence` is for the session's timeline and lives during the call. Only of UNREACHABLE may the session end in it. */
	void (*news)(void *context, struct notice_session *session, enum notices_news news, const char *sentence);
};

#define NOTICES_COUNTERS(X)                                                                                            \
	X(received)                                                                                                    \
	X(answered)                                                                                                    \
	X(dialed)                                                                                                      \
	X(malformed)                                                                                                   \
	X(forged)                                                                                                      \
	X(unknown) /* of no session that is here */                                                                    \
	X(replayed)                                                                                                    \
	X(limited) /* more than a session may ask */

struct notices_counters {
#define X(name) uint64_t name;
	NOTICES_COUNTERS(X)
#undef X
};

/* The configuration must stay. NULL with errno. */
struct notices *notices_new(const struct config *config, const struct notices_host *host);
void notices_free(struct notices *notices); /* sessions that are left are forgotten; their keys are their owners' to wipe */

/* From now on UDP is waited for, and the session's notices are answered. */
void notices_begin(struct notices *notices, struct notice_session *session);

/* UDP is there: IKE has come by it. Nothing is waited for any more. */
void notices_reached(struct notices *notices, struct notice_session *session);

/* Forgets the session and wipes its key. One that never began is no error. */
void notices_end(struct notices *notices, struct notice_session *session);

/* A datagram that notice_is_one, as it came to a data port. */
void notices_input(struct notices *notices, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *datagram, size_t len);

/* Runs what is due; milliseconds until the next call is needed, UINT64_MAX when nothing waits. */
uint64_t notices_run_timers(struct notices *notices);

const struct notices_counters *notices_counters(const struct notices *notices);
