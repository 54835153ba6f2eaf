/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registering at the gateway before IKE begins, where the configuration names methods for it. What a registration
 * brings is terms.c's; when it is dialed, and what follows, connection.c's and try.c's.
 */
#pragma once

#include "connect/ticket.h"
#include "registration/client.h"
#include "registration/tls.h"

struct connection;

/* Part of struct connection. */
struct registering {
	struct tls_context *tls;
	struct ticket ticket;
	struct registration_client *client; /* NULL: none is under way */
	bool by_tcp;			    /* UDP was in vain: TCP is to carry the tunnel */
	bool failed;			    /* in this round, and how, where that is most telling: */
	struct registration_verdict verdict;
	uint16_t port;
};

/* 0, or negative errno after a line in the log. */
int register_open(struct connection *connection);
void register_close(struct connection *connection);

/* Begins at the gateway's address and port. Ends in connection_registered or connection_register_failed. 0 or negative
 * errno. */
int register_begin(struct connection *connection);

/* Ends what is under way, without a word. */
void register_end(struct connection *connection);
