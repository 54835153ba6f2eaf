/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The story of every attempt to connect, failed ones too: each message in and out, what was said of it, what the
 * gateway did, and one sentence that says what is wrong (DESIGN: the administrator is told why). An attempt is one
 * exchange of phase 1 and all that came of it, until its IKE SA is gone and then for as long as there is room.
 *
 * Always on, so everything is bounded. Attempts whose IKE SA lives are as many as those. Of the others `attempts` are
 * kept, of one peer or one address only a few, and what strangers can make happen never pushes out what an
 * authenticated peer has left: a quarter is for strangers, a quarter for those who named a peer and proved nothing.
 * Taking in a message or event costs the same however many there are.
 */
#pragma once

#include "config/config.h"
#include "ike/ike.h"
#include "timeline_entries.h"

struct timeline;

/* The limits are those of the configuration, which must stay. NULL with errno. */
struct timeline *timeline_new(const struct config *config);
void timeline_free(struct timeline *timeline);

/* What the IKE engine tells; times are monotonic milliseconds. */
void timeline_message(struct timeline *timeline, const struct ike_message *message, uint64_t now_ms);
void timeline_event(struct timeline *timeline, const struct ike_event *event, uint64_t now_ms);

/* What an entry that is no message says: the engine's events, then what the gateway has to tell. */
enum timeline_what {
	TIMELINE_INSTALLED = IKE_EVENT_KINDS, /* a child SA, before its keys are used */
	TIMELINE_REMOVED,
	TIMELINE_FOLLOWED,  /* the data came from elsewhere */
	TIMELINE_DATAPLANE, /* it could not do what it was asked */
	TIMELINE_LIFETIME,
	TIMELINE_STREAM,       /* the TCP connection has ended, or another one has taken its place */
	TIMELINE_SILENT,       /* the peer is taken for dead */
	TIMELINE_REGISTRATION, /* what one side said or did; of a registration alone, as are these: */
	TIMELINE_UDP,	       /* how UDP gets through, or that it does not yet */
	TIMELINE_REGISTERED,   /* the peer was accepted */
	TIMELINE_UNREGISTERED, /* nothing comes of it (any more) */
	TIMELINE_KINDS,
};
const char *timeline_what_name(unsigned what);

/*
 * The gateway's own word about an IKE SA's attempt or, where `ike_sa` is 0 or not known any more, the newest attempt of
 * the peer with this identity (NULL: the configured one) that was authenticated. Nothing happens where there is none.
 */
void timeline_note(struct timeline *timeline, enum timeline_what what, uint64_t ike_sa, const struct config_peer *peer,
	const char *identity, uint64_t now_ms, const char *format, ...) __attribute__((format(printf, 7, 8)));

/* A registration over TCP, an attempt of its own; found by the halves of its session, as IKE's by the cookies. */
struct timeline_registration {
	uint64_t number;	/* by the registry's count */
	const uint8_t *session; /* 16 bytes */
	struct endpoint local, remote;
	const struct config_peer *peer; /* NULL: not accepted */
	const char *identity;		/* NULL: not known; proven where there is a peer */
};

/* `what` is one of the four above. */
void timeline_registration(struct timeline *timeline, const struct timeline_registration *about,
	enum timeline_what what, uint64_t now_ms, const char *text);
/* It is over, and its session with it. */
void timeline_registration_end(struct timeline *timeline, const struct timeline_registration *about, uint64_t now_ms);

enum timeline_outcome { TIMELINE_OPEN, TIMELINE_ESTABLISHED, TIMELINE_FAILED, TIMELINE_ENDED };
const char *timeline_outcome_name(enum timeline_outcome outcome);

enum { TIMELINE_PLACES_MAX = 8 };

struct timeline_place {
	struct endpoint local, remote;
};

/* How often each side asked whether the other is there, and was answered (RFC 3706). */
struct timeline_probes {
	uint32_t received, answered, sent, heard;
	uint64_t last_ms; /* 0: never */
};

/* An attempt as it is shown. Lives until the next call that takes something in. */
struct timeline_attempt {
	bool registration;
	uint64_t ike_sa; /* 0: none was made */
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	const struct config_peer *peer; /* NULL: never known */
	const char *identity;		/* that it named; NULL: none */
	bool proven;			/* it was authenticated */
	enum timeline_outcome outcome;
	uint64_t began_ms, last_ms;
	const char *verdict; /* NULL: nothing to say */
	struct timeline_probes probes;
	const struct timeline_place *places; /* by entry.place; those beyond n_places were too many */
	unsigned n_places;
	const struct entries *entries;
};

/* Calls `each` for every attempt, newest first, until it returns false. */
void timeline_each(const struct timeline *timeline, bool (*each)(void *context, const struct timeline_attempt *attempt),
	void *context);

size_t timeline_count(const struct timeline *timeline);
