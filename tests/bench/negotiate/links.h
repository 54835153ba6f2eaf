/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients' TCP connections to the gateway (RFC 9329), one each, from the client's public address to port 4500: IKE
 * goes in frames both ways; of ESP nothing is sent, and what comes is thrown away.
 */
#pragma once

#include "carrier.h"

#include "tables/address.h"

struct links;

/* For clients from number `first` on. NULL with errno. */
struct links *links_new(
	size_t count, size_t first, const struct address *gateway, carrier_message *on_message, void *context);
void links_free(struct links *links);

/* Sends an IKE message, over a new connection where the client has none. 0 or negative errno. */
int links_send(struct links *links, size_t client, const uint8_t *message, size_t message_len);

/* Reads what has come, waiting up to `wait_ms` for it. */
void links_receive(struct links *links, int wait_ms);
