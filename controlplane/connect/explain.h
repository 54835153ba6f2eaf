/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why there is no tunnel, in one sentence: what happened, where, why, and what to do about it. Each try at a port
 * leaves one trace here, the most telling of what came back; a round's traces together make the sentence.
 */
#pragma once

#include "config/connect.h"
#include "registration/client.h"

#include <stdbool.h>
#include <stdint.h>

/* What a try came to, the more telling the later. */
enum explain_outcome {
	EXPLAIN_SILENT,	     /* nothing came back */
	EXPLAIN_UNREACHABLE, /* the network has no way to the gateway, by this host or by ICMP */
	EXPLAIN_REFUSED,     /* nobody listens at the port, by ICMP or RST */
	EXPLAIN_CLOSED,	     /* the TCP connection stood and ended */
	EXPLAIN_NOTIFIED,    /* an IKE refusal came, which anybody could have sent */
	EXPLAIN_HALF,	     /* the IKE SA stands, and what comes after it was not answered */
	EXPLAIN_DISPROVED,   /* an answer came that is not the gateway's, or is none to our question */
	EXPLAIN_DENIED,	     /* the gateway, authentic, refuses */
	EXPLAIN_LOCAL,	     /* it is this host that can't */
};

enum { EXPLAIN_DETAIL_LEN = 320, EXPLAIN_SENTENCE_LEN = 1024 };

struct explain_try {
	enum explain_outcome outcome;
	bool tcp;	     /* dialed over TCP; else over UDP */
	uint16_t port;
	int error;	     /* errno, where there is one */
	uint16_t notify;     /* ISAKMP's number of a refusal */
	struct address from; /* who said so; none: not known */
	char detail[EXPLAIN_DETAIL_LEN];
};

struct explain_round {
	struct explain_try tries[CONNECT_PORTS_MAX];
	size_t count;
};

/* What kind of failure it is, for programs, and the sentence. */
struct explain_verdict {
	const char *code; /* "silent", "refused", ...; NULL: none */
	char sentence[EXPLAIN_SENTENCE_LEN];
};

void explain_round_begin(struct explain_round *round);
void explain_try_begin(struct explain_round *round, uint16_t port, bool tcp);

/* Notes what came back at the present try, unless something more telling is there. NULL: there is no try. */
struct explain_try *explain_note(struct explain_round *round, enum explain_outcome outcome, const char *detail);

/* The round as a sentence. `gateway` is the address that was dialed. */
void explain_verdict(const struct explain_round *round, const struct connect_config *config,
	const struct address *gateway, struct explain_verdict *out);

/* Why a registration at the gateway's TCP port came to nothing. */
void explain_registration(const struct registration_verdict *verdict, const struct address *gateway, uint16_t port,
	const struct connect_config *config, struct explain_verdict *out);
/* The same where `verdict` is that of IKE alone afterwards: that is more telling, unless it met nothing but silence. */
void explain_alone(const struct registration_verdict *registration, const struct address *gateway, uint16_t port,
	const struct connect_config *config, struct explain_verdict *verdict);
/* After a registration silence means that UDP doesn't get through, where TCP does. */
void explain_registered(const struct explain_round *round, struct explain_verdict *verdict);
/* Whether that is about the way to the gateway, not about who is who: another port, or IKE alone, may do better. */
bool explain_is_about_tcp(const struct registration_verdict *verdict);

/* Failures that come before any try, or outside of one. */
void explain_name(const char *name, const char *why, struct explain_verdict *out);
void explain_set(struct explain_verdict *out, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
