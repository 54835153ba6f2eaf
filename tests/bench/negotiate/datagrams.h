/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKE in UDP for many clients, by one socket for port 500 and one for 4500: from each client's public address, which
 * wants the network 10.64.0.0/12 as addresses of this host.
 */
#pragma once

#include "carrier.h"

#include "tables/address.h"

struct datagrams;

/* For clients from number `first` on. NULL with errno. */
struct datagrams *datagrams_new(
	size_t count, size_t first, const struct address *gateway, carrier_message *on_message, void *context);
void datagrams_free(struct datagrams *datagrams);

/* 0 or negative errno. */
int datagrams_send(
	struct datagrams *datagrams, size_t client, bool floated, const uint8_t *message, size_t message_len);

/* Reads a few of those that have come, waiting up to `wait_ms` for one. */
void datagrams_receive(struct datagrams *datagrams, int wait_ms);
