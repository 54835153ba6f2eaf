/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in frames (four bytes of length in network order, then 1 to 65,536 bytes) over TLS over one TCP connection,
 * driven by the event loop; the same for both ends. Whole frames come out of it, and four ends: the peer has said that
 * it sends nothing more, ours is said and sent, the connection failed, or the owner frees it. Callbacks come from the loop, never from
 * within a call of these functions, and the channel may be freed in each of them.
 *
 * Nothing more is read while output waits to leave, so that a peer that doesn't read can't make it grow. Deadlines are
 * the owner's.
 */
#pragma once

#include "registration/message.h"
#include "registration/tls.h"

#include <event2/event.h>

struct channel;

struct channel_handler {
	void *context;
	void (*opened)(void *context);				   /* the handshake is done */
	void (*message)(void *context, const char *text, size_t len); /* wiped after the call */
	void (*closed)(void *context);	 /* the peer's close_notify */
	void (*sent_all)(void *context); /* our close_notify has left, with all that came before it */
	/*
	 * Instead of TLS the peer begins with "IKETCP" (RFC 9329), of which nothing is taken: channel_release. NULL: that is
	 * nothing to us, and fails.
	 */
	void (*is_stream)(void *context);
	/* `why`: a sentence without end. A length that can't be counts as TLS_FAILURE_PROTOCOL. Nothing comes after it. */
	void (*failed)(void *context, enum tls_failure failure, const char *why);
};

/* Takes `fd`, connected and non-blocking, and `tls` over, and begins the handshake. NULL with both as they were. */
struct channel *channel_new(struct event_base *base, int fd, struct tls *tls, const struct channel_handler *handler);

/* Closes the connection (with FIN, or RST when something unread is there) and frees all. NULL is allowed. */
void channel_free(struct channel *channel);

/* Sends a frame. 0; -EMSGSIZE; -ENOMEM; -EPIPE after channel_close. */
int channel_send(struct channel *channel, const char *text, size_t len);

/* Sends it as text in a frame, and wipes the text: it may hold a password. As channel_send, and as message_encode. */
int channel_send_message(struct channel *channel, const struct registration_message *message);

/* Sends close_notify after all that is on its way. */
void channel_close(struct channel *channel);

/* For keys, certificates and channel binding. */
const struct tls *channel_tls(const struct channel *channel);

/*
 * Takes the bare connection out, once both close_notifies are through (`closed` and `sent_all` came) or in is_stream:
 * frees the channel and TLS. The descriptor is the caller's.
 */
int channel_release(struct channel *channel);
