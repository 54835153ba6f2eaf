/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attachment to the data plane: tries every second until it answers, maps its tables, wakes up for its events, and
 * notices when it ends; then all over again. It says once what it waits for, not every second.
 */
#pragma once

#include "tables/tables.h"
#include "tables/transfer.h"

#include <event2/event.h>

#include <sys/uio.h>

struct attachment;

struct attachment_hooks {
	void *context;
	/* The tables are mapped and stay so until `detached` returns. Negative errno: not usable, tried again later. */
	int (*attached)(void *context, struct tables *tables, int changes_fd);
	void (*detached)(void *context);
	/* Events may wait in the rings. */
	void (*events)(void *context);
	/* A message of packets of TCP connections (tables/bundle.h) came. */
	void (*bundle)(void *context, uint8_t *bytes, size_t len);
};

/* Begins to try. `path` is copied. NULL with errno. */
struct attachment *attachment_new(struct event_base *base, const char *path, const struct attachment_hooks *hooks);

/* Lets go without calling `detached`. */
void attachment_free(struct attachment *attachment);

/* Runs `events` again in the next turn of the loop. */
void attachment_events_again(struct attachment *attachment);

/*
 * Sends such a message, of `n_parts` parts. 0; -ENOTCONN, also for NULL; -EAGAIN and others: the data plane does not
 * take it.
 */
int attachment_send_bundle(struct attachment *attachment, struct iovec *parts, size_t n_parts);

/*
 * Gives `bundle` what has been sent up to now. NULL, not attached: nothing. The end is left for the loop to find. Not
 * to be called within `bundle`.
 */
void attachment_take_bundles(struct attachment *attachment);

/* The state of a TCP connection (tables/transfer.h), which is in `file`; that stays the caller's. Likewise. */
int attachment_send_transfer(struct attachment *attachment, const struct transfer_head *head, int file);

/* Why it is not attached, in a sentence; "" while it is. */
const char *attachment_waits_for(const struct attachment *attachment);
