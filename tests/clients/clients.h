/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many initiators in one process, each an IKE engine with an identity of its own, to try and to measure a gateway with:
 * aggressive mode and one quick mode each. Client number n is clientN.example, with an inner address of its own and the
 * public address 10.64.0.0 + n. It thinks that its address is 192.168.0.1, so the gateway finds a NAT and everything
 * floats to UDP 4500, or begins there: in TCP (RFC 9329). Who makes the clients carries their messages.
 */
#pragma once

#include "ike/ike.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENTS_SECRET "a-secret-of-the-tests-alone"
#define CLIENTS_GATEWAY_IDENTITY "hq.example"
#define CLIENTS_NETWORK "172.31.1.0/24" /* behind the gateway */

struct clients;

/* What a client tells who made it. */
struct clients_hooks {
	void *context;
	/* One IKE message of a client; it floated when `floated`. */
	void (*send)(void *context, size_t client, bool floated, const uint8_t *message, size_t message_len);
	/* Its tunnel stands; nothing came of its dial. */
	void (*connected)(void *context, size_t client);
	void (*failed)(void *context, size_t client, const char *why);
};

/* A client's public address; and the number of the client with such an address. */
struct address clients_address(size_t number);
size_t clients_number(const struct address *address);

/* `group`: of phase 1. Client 0 is number `first`. NULL with errno. */
struct clients *clients_new(
	size_t count, size_t first, uint16_t group, const struct address *gateway, const struct clients_hooks *hooks);
void clients_free(struct clients *clients);

/* Those that begin from now on do so at port 4500, as in TCP. */
void clients_begin_floated(struct clients *clients);

/* Begins a client's negotiation. 0 or negative errno. */
int clients_dial(struct clients *clients, size_t client);

/* A message for a client. */
void clients_input(struct clients *clients, size_t client, bool floated, const uint8_t *message, size_t message_len);

/* Runs a client's timers: retransmission. */
void clients_run_timers(struct clients *clients, size_t client);

/* Asks whether the gateway is there (RFC 3706), over a client's IKE SA. As ike_peer_probe. */
int clients_probe(struct clients *clients, size_t client);

/* The configuration of a gateway that serves them: a peer each. The caller frees config->peers. 0 or -ENOMEM. */
int clients_gateway_config(struct config *config, size_t count, uint16_t group);
