/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's side of registration (PROTOCOL.md): listens on TCP, takes connections within limits, and makes a
 * dialog of each (dialog.h). It knows no sockets of IKE, no sessions and no control socket; those who do are its host.
 *
 * Limits don't look at an address alone: behind a carrier's NAT there are many clients on one, each with a port of its
 * own. Nobody is refused for what neighbours do as long as there is room; where there is none (connections, or
 * connections_per_address), a new connection takes the place of the oldest one that keeps us waiting, of the same
 * address, or else of the address that has the most.
 */
#pragma once

#include "registration/grant.h"
#include "registration/proof.h"
#include "registration/tls.h"
#include "timeline.h"

struct registrar;

#define REGISTRAR_COUNTERS(X)                                                                                          \
	X(connections)	/* accepted by TCP */                                                                          \
	X(crowded_out)	/* closed to make room */                                                                      \
	X(not_admitted) /* closed at once: no room, and nobody to make any */                                          \
	X(tls_failed)                                                                                                  \
	X(malformed)                                                                                                   \
	X(timed_out)                                                                                                   \
	X(streams) /* no registrations: IKE in TCP (RFC 9329) */                                                       \
	X(broken_off) /* by the client, or the network */                                                              \
	X(not_authenticated)                                                                                           \
	X(not_allowed)                                                                                                 \
	X(busy)                                                                                                        \
	X(accepted_kerberos)                                                                                           \
	X(accepted_certificate)                                                                                        \
	X(accepted_password)

struct registrar_counters {
#define X(name) uint64_t name;
	REGISTRAR_COUNTERS(X)
#undef X
};

/* Whom the registrar works for; everything in it must stay as long as it does. */
struct registrar_host {
	void *context;
	const struct config *config;
	struct registry *registry;
	struct proof_means proof;
	struct grant_means grant;
	/* Something to tell the operator, in one sentence; `over`: it is the last of this registration. */
	void (*tell)(
		void *context, const struct timeline_registration *about, enum timeline_what what, const char *text);
	void (*over)(void *context, const struct timeline_registration *about);
	/*
	 * The client has confirmed: IKE may begin. For UDP both ends of the TCP connection are being closed, and `fd`
	 * is -1; for TCP it is the connection, free of TLS, which is the host's now.
	 */
	void (*started)(void *context, struct registration *registration, int fd);
	/* This client doesn't register: it begins with "IKETCP" (RFC 9329), in a connection that is the host's now. */
	void (*is_stream)(void *context, int fd);
	/* Called last in each callback of the loop. */
	void (*settle)(void *context);
};

/* Opens the ports and starts. NULL with errno, after a line in the log. `credentials` must stay. */
struct registrar *registrar_new(
	struct event_base *base, const struct registrar_host *host, const struct credentials *credentials);

/* Certificates that were read anew, for connections that come from now on. 0; -EINVAL with a sentence in `why`. */
int registrar_use_credentials(struct registrar *registrar, const struct credentials *credentials, char why[TLS_WHY_LEN]);

/* Closes all connections. NULL is allowed. */
void registrar_free(struct registrar *registrar);

const struct registrar_counters *registrar_counters(const struct registrar *registrar);

/* Registrations under way. */
size_t registrar_count(const struct registrar *registrar);

/* The port that the kernel gave to the first listener, for tests that ask for none in particular. */
uint16_t registrar_port(const struct registrar *registrar);
