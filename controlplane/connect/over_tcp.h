/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP as transport of the tunnel (stream/stream.h): one connection carries IKE and ESP for as long as the tunnel
 * stands, and the next dial makes another one. It is dialed here, or was one already: a registration's, without TLS by
 * then.
 */
#pragma once

#include <stdbool.h>

struct connection;

/* What connection_open does for it, and connection_close. 0 or -ENOMEM. */
int over_tcp_open(struct connection *connection);
void over_tcp_close(struct connection *connection);

/* Whether IKE goes by TCP now: by configuration where it does it alone, else as the registration has agreed. */
bool over_tcp_is_meant(const struct connection *connection);

/* A connected socket, for the next over_tcp_try. It is taken over. */
void over_tcp_hand(struct connection *connection, int fd);

/* Begins the exchanges in the socket that was handed over; or dials connection->gateway, and then. 0 or negative errno. */
int over_tcp_try(struct connection *connection);

/* Ends what there is of a connection, what was sent in it going out first. */
void over_tcp_end(struct connection *connection);

/* The tunnel's connection has ended. connection->lost_why says why. */
bool over_tcp_is_lost(const struct connection *connection);
