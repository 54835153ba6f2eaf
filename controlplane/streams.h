/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's streams (stream/stream.h): TCP connections of peers, found by their endpoints where IKE wants to send,
 * and by their session where ESP is to go. One connection carries a session: the newest in which its peer has proved
 * who it is. A session whose connection has ended waits for another one, or for IKE to give it up. Those
 * of sessions move into the data plane's workers (streams_takeover.h).
 *
 * Whoever listens, or has registered a peer over TCP, gives the connected socket to streams_take; the peer begins with
 * "IKETCP" (RFC 9329) then. All that it sends in the beginning is bounded: bytes of a frame, time, and how many there
 * are of it.
 */
#pragma once

#include "config/config.h"
#include "stream/stream.h"

struct streams;

struct streams_handler {
	void *context;
	/* One IKE message, without marker. */
	void (*ike)(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
		size_t message_len);
	/* ESP packets of a peer that has proved who it is; they may be changed in place. */
	void (*esp)(void *context, const struct stream_packet *packets, size_t count);
	/* The connection of this session has ended, and no other one has taken its place yet. */
	void (*lost)(void *context, uint32_t session, uint64_t id, const struct endpoint *remote, const char *why);
	/* Its connection is a worker's now, or stays in the kernel for now: in a sentence. NULL: nobody wants to know. */
	void (*moved)(void *context, uint32_t session, uint64_t id, bool taken, const char *sentence);
	/* After each batch of the above. */
	void (*settle)(void *context);
};

/* Sums since the start. */
struct streams_counters {
	uint64_t opened, ended;
	uint64_t pushed_out;		       /* of `ended`: not proved yet, and there were too many of them */
	uint64_t ike_in, ike_out, ike_refused; /* the last: no such connection, or its peer does not read */
	uint64_t esp_in, esp_out;
	uint64_t esp_unproved;		     /* came before its peer had proved who it is */
	uint64_t esp_no_stream;		     /* for a session whose connection has ended */
	uint64_t dropped_full, dropped_late; /* of esp_out: waited for room in too large a crowd, or too long */
	uint64_t taken, not_taken;	     /* into a worker; stayed in the kernel against our will */
	uint64_t esp_moving;		     /* ESP that came here for a connection while it moved, or afterwards: dropped */
};

/* Listens on config->tcp_ports at the addresses of config->listen. NULL with errno, after a line in the log. */
struct streams *streams_open(
	struct event_base *base, const struct config_ike *config, const struct streams_handler *handler);
/* Ends all, telling nobody. NULL is allowed. */
void streams_close(struct streams *streams);

/* Takes over a connected socket whose peer is about to begin with "IKETCP". 0 or negative errno: it is closed. */
int streams_take(struct streams *streams, int fd);

/* Sends an IKE message in the connection between these; counts it where that can't be. */
void streams_send_ike(struct streams *streams, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len);

/* An IKE SA has proved that its peer is at the other end of the connection between these. */
void streams_confirm(struct streams *streams, const struct endpoint *local, const struct endpoint *remote);

/*
 * A session's ESP goes there from now on; a connection that it had before ends. `id` is its record's. False: the
 * connection is not there any more.
 */
bool streams_bind(struct streams *streams, uint32_t session, uint64_t id, const struct endpoint *local,
	const struct endpoint *remote);

/* The session has ended, or goes by UDP now: its connection ends, when what IKE has to say in it has been said. */
void streams_unbind(struct streams *streams, uint32_t session, uint64_t id, const char *why);

/* Whether the session has a connection. */
bool streams_carry(const struct streams *streams, uint32_t session, uint64_t id);

/* ESP of a session, or drops it. */
void streams_send_esp(
	struct streams *streams, uint32_t session, uint64_t id, const struct stream_packet *packets, size_t count);

/* Once a second: ends what is of no use to anybody. `id_of`: the id of the session in a slot now, 0: none. */
void streams_tick(struct streams *streams, uint64_t (*id_of)(void *context, uint32_t session), void *context);

struct streams_counters streams_counters(const struct streams *streams);

/* Where a connection's move into a worker failed (streams_takeover.h). */
enum streams_step {
	STREAMS_STEP_NONE,
	STREAMS_STEP_HOLD,
	STREAMS_STEP_READ,
	STREAMS_STEP_SEND,
	STREAMS_STEP_INSTALL,
};

/* A connection as it is shown. */
struct streams_status {
	const struct endpoint *local, *remote;
	const struct stream *stream; /* NULL: a worker has it, and its figures are in the tables: */
	uint32_t connection;	     /* index of the record there; TABLES_NONE: none */
	bool proved;
	bool moving;	  /* on its way to a worker */
	uint32_t session; /* TABLES_NONE: it carries none; and its id: */
	uint64_t id;
	enum streams_step stays; /* why it is not a worker's; STREAMS_STEP_NONE: nothing has failed */
	int stays_error;	 /* negative errno */
};

void streams_each(const struct streams *streams, void (*each)(void *context, const struct streams_status *status),
	void *context);

/* "its state can't be read (...)". */
enum { STREAMS_STAYS_LEN = 160 };
void streams_stays_format(enum streams_step step, int error, char text[STREAMS_STAYS_LEN]);
