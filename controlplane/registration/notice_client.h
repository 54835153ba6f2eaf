/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of notices (notice.h): by which address and port of the gateway UDP gets through, what NATs it
 * passes, and how long packets may be. Hellos go to one candidate after the other, the port that was dialed first, until
 * one is answered: that one carries IKE and data, so where the first works there is no second flow. A dial of the
 * gateway is answered with a hello to where it came from, which then is a candidate, too. It sends nothing and has no
 * clock: the caller does what the steps say. One thread.
 *
 *   trying -- answer --> reached, and the path is measured
 *     '------ wait and dials over --> failed
 */
#pragma once

#include "registration/notice.h"
#include "registration/path_search.h"

enum { NOTICE_CLIENT_CANDIDATES_MAX = 20, NOTICE_CLIENT_TEXT_LEN = 512 };

struct notice_client_settings {
	uint8_t session[NOTICE_SESSION_LEN];
	uint8_t key[NOTICE_KEY_LEN];
	struct endpoint candidates[NOTICE_CLIENT_CANDIDATES_MAX]; /* of the gateway, in the order to try */
	size_t n_candidates;
	struct endpoint local;	    /* our socket */
	struct endpoint registered; /* where the gateway saw our registration come from */
	uint32_t wait_ms;	    /* for UDP, until the gateway dials */
	uint32_t dial_tries;
	uint16_t mtu; /* of the interface towards the gateway, bytes; 0: the path is not measured */
};

enum notice_client_state { NOTICE_CLIENT_TRYING, NOTICE_CLIENT_REACHED, NOTICE_CLIENT_FAILED };

enum notice_client_step {
	NOTICE_STEP_NOTHING,  /* until client->due_ms */
	NOTICE_STEP_SEND,     /* the datagram */
	NOTICE_STEP_REACHED,  /* UDP works with client->gateway */
	NOTICE_STEP_FAILED,   /* it works with none */
	NOTICE_STEP_MEASURED, /* client->path_mtu is known, or stays 0 since no probe was answered */
};

struct notice_client {
	struct notice_client_settings settings;
	enum notice_client_state state;
	enum notice_client_step news; /* to be told by the next run */
	struct endpoint gateway;      /* when reached: what works */
	struct endpoint seen;	      /* and where the gateway sees us there */
	uint16_t gateway_port;	      /* its own number of that port, before any mapping */
	uint16_t path_mtu;
	uint64_t due_ms; /* when to run again; UINT64_MAX: when something comes */

	size_t candidate;
	unsigned hellos; /* to this candidate, in this turn */
	bool all_tried;
	uint64_t sequence; /* of the last that we sent */
	uint64_t sent_ms;
	uint64_t give_up_ms;
	struct endpoint dialed_from; /* port 0: no dial came */
	uint64_t dial;		     /* the last one's sequence */
	bool dial_waits;	     /* for its answer */
	struct path_search path;
	uint64_t probed; /* the first sequence of the present size */
	uint32_t probe_wait_ms;
};

struct notice_datagram {
	struct endpoint to;
	bool whole; /* not to be cut on the way */
	size_t len;
	uint8_t bytes[NOTICE_LEN_MAX];
};

void notice_client_init(struct notice_client *client, const struct notice_client_settings *settings, uint64_t now_ms);

/* Wipes the key. */
void notice_client_clear(struct notice_client *client);

/* What is due. To be called again until it says NOTICE_STEP_NOTHING. */
enum notice_client_step notice_client_run(struct notice_client *client, uint64_t now_ms, struct notice_datagram *out);

/* The datagram of the last step was too long to be sent (EMSGSIZE). */
void notice_client_too_long(struct notice_client *client, uint64_t now_ms);

/* A datagram that notice_is_one came. What is not authentic, or not awaited, has no effect. */
void notice_client_input(struct notice_client *client, uint64_t now_ms, const struct endpoint *from,
	const uint8_t *datagram, size_t len);

/* What was found, as one sentence for the step REACHED, FAILED or MEASURED, in NOTICE_CLIENT_TEXT_LEN bytes. */
const char *notice_client_explain(const struct notice_client *client, enum notice_client_step step, char *text);
