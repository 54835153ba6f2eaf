/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.3 (RFC 8446) on a socket that doesn't block: OpenSSL behind five statuses, for both roles. Nothing but 1.3, no
 * tickets, no early data, no renegotiation; ALPN `sluice/1` or no handshake. The socket stays the caller's: TLS reads no
 * byte behind the peer's close_notify, so that the connection can go on without it. One thread.
 */
#pragma once

#include "ike/credentials.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tls_status {
	TLS_DONE,
	TLS_WANT_READ,	/* call again when the socket is readable */
	TLS_WANT_WRITE, /* likewise writable */
	TLS_CLOSED,	/* the peer's close_notify came: it sends nothing more */
	TLS_FAILED,	/* tls_failure and tls_why say how; nothing more can be done with it */
};

enum tls_failure {
	TLS_FAILURE_NONE,
	TLS_FAILURE_RESET,	 /* the connection was reset */
	TLS_FAILURE_ENDED,	 /* it ended without close_notify */
	TLS_FAILURE_PROTOCOL,	 /* what came is not our TLS, or an alert */
	TLS_FAILURE_CERTIFICATE, /* the gateway's, refused by the client */
	TLS_FAILURE_CLOCK,	 /* the same, for its dates alone */
	TLS_FAILURE_SYSTEM,	 /* memory, or the socket in another way */
};

enum { TLS_WHY_LEN = 320 };

struct tls_context;
struct tls;

/*
 * The gateway's: shows the certificate in `credentials`, which must stay and must have one with its key; asks for the
 * client's where `ask` is set (against credentials->store). NULL with a sentence in `why` (TLS_WHY_LEN bytes).
 */
struct tls_context *tls_context_server(const struct credentials *credentials, bool ask, char *why);

/* The client's: trusts credentials->store, which must not be empty, and shows the certificate if there is one. */
struct tls_context *tls_context_client(const struct credentials *credentials, char *why);
void tls_context_free(struct tls_context *context);

/*
 * A session on the connected socket `fd`. `name`, for a client alone, is what the gateway's certificate must carry as
 * alternative name: host name, address or mail address; it must stay until the handshake is done. NULL: no memory, or a
 * name that can be none.
 */
struct tls *tls_new(struct tls_context *context, int fd, const char *name);

/* Wipes the session's keys. Sends nothing and leaves the socket open. NULL is allowed. */
void tls_free(struct tls *tls);

/* DONE: keys stand; as client, the gateway's certificate is proven and good. */
enum tls_status tls_handshake(struct tls *tls);

/* DONE: 1 to `size` bytes, *len. */
enum tls_status tls_read(struct tls *tls, void *data, size_t size, size_t *len);

/* DONE: *written of `len` (more than 0) bytes were taken, at least 1. Otherwise the next call must offer them again. */
enum tls_status tls_write(struct tls *tls, const void *data, size_t len, size_t *written);

/* Sends close_notify: DONE when it is sent. Reading goes on to work. */
enum tls_status tls_close(struct tls *tls);

enum tls_failure tls_failure(const struct tls *tls);
/* The failure in a sentence without end, such as "the gateway's certificate is not yet valid ...". */
const char *tls_why(const struct tls *tls);

/*
 * The peer's certificate, after the handshake, not verified for a gateway unless tls_peer_verified says so; NULL: it
 * showed none. It stays the session's.
 */
X509 *tls_peer_certificate(const struct tls *tls);

/* Gateway: whether the client's certificate is good (chain, dates, revocation); otherwise which check failed in `why`
 * (TLS_WHY_LEN bytes). A bad one doesn't end the handshake, since other methods don't need one. */
bool tls_peer_verified(const struct tls *tls, char *why);

/* RFC 8446 section 7.5. 0, or -EIO before the handshake is done. */
int tls_export(const struct tls *tls, const char *label, const uint8_t *context, size_t context_len, uint8_t *out,
	size_t out_len);
