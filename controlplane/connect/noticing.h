/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a registration and before IKE: by notices (registration/notice_client.h) this host finds out which of the
 * gateway's UDP ports it is heard at, and then how long packets on that path may be. Ends in connection_noticed or
 * connection_unnoticed (try.c); the measured length is told to the data path whenever it is known.
 */
#pragma once

#include "registration/keys.h"
#include "registration/message.h"
#include "registration/notice_client.h"

#include <event2/event.h>

struct connection;

/* Part of struct connection. */
struct noticing {
	struct notice_client client;
	struct event *timer; /* NULL: nothing runs, and nothing was found out */
	bool in_vain;	     /* UDP did not get through after the last registration, */
	bool fallback;	     /* and the gateway may be asked for TCP instead */
};

/* Begins, from the common port to connection->candidates. 0 or -ENOMEM. */
int noticing_begin(struct connection *connection, const struct registration_accepted *accepted,
	const struct registration_keys *keys);

/* A notice came. */
void noticing_input(
	struct connection *connection, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len);

/* Forgets all but whether it was in vain. At any time, but from within. */
void noticing_end(struct connection *connection);

/* Where UDP gets through; NULL: not known. */
const struct endpoint *noticing_gateway(const struct connection *connection);

/* The path's MTU, where it is measured and less than `interface`; else that. */
uint32_t noticing_mtu(const struct connection *connection, uint32_t interface);
