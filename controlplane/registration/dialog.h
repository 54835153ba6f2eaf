/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's registration from its TCP connection to its end: one switch over what the client says, one timeout for
 * all of it, one way out. PROTOCOL.md draws the states.
 *
 *     TLS -> HELLO -> AUTHENTICATE -> PROVING (-> TOKEN -> PROVING ...) -> START -> LEAVING
 *        any state but the last: refused, LEAVING
 *
 * Dialogs are the registrar's (registrar.h), which counts them, and hears from each when it is over.
 */
#pragma once

#include "registration/registrar.h"

struct dialog;

/* Whom a dialog tells that it is over, and is to be freed: from the loop, never from within a call of these functions.
 */
struct dialog_owner {
	void *context;
	void (*over)(void *context);
};

/* Takes the connected socket over. NULL: no memory; then the socket is closed. */
struct dialog *dialog_new(const struct dialog_owner *owner, const struct registrar_host *host, struct tls_context *tls,
	struct registrar_counters *counters, int fd, const struct endpoint *local, const struct endpoint *remote);

/* `why` is one sentence for the timeline, where nothing else was said of its end. */
void dialog_free(struct dialog *dialog, const char *why);

/* Whether it is the client's turn, and nothing is lost but what the client would have to say again. */
bool dialog_waits(const struct dialog *dialog);
