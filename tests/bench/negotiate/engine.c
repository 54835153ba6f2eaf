/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a negotiation costs a gateway's IKE engine, and what sessions that stand already add to it: initiators and the
 * gateway's engine in one process, messages handed over from memory, CPU time counted in the gateway's calls alone.
 * Printed for each number of sessions: microseconds of CPU for one negotiation (aggressive mode and quick mode).
 */
#include "../../clients/clients.h"

#include "config/proposal.h"
#include "ike/bytes.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/rand.h>

enum { QUEUE_MAX = 64, MESSAGE_MAX = 4096, ROUND = 200, ROUNDS = 5 };

struct message {
	bool to_gateway, floated;
	size_t number;
	size_t len;
	uint8_t data[MESSAGE_MAX];
};

struct bench {
	struct config config;
	struct ike *gateway;
	struct endpoint local;
	struct clients *clients;
	size_t first; /* number of client 0 */
	struct message queue[QUEUE_MAX];
	size_t queued;
	uint32_t next_spi;
	size_t installed, connected, failed;
	uint64_t gateway_ns;
};

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void push(struct bench *bench, bool to_gateway, bool floated, size_t number, const uint8_t *data, size_t len)
{
	struct message *message = &bench->queue[bench->queued];

	if (bench->queued == QUEUE_MAX || len > MESSAGE_MAX) {
		fprintf(stderr, "bench-ike-engine: a message of %zu bytes does not fit the queue\n", len);
		exit(EXIT_FAILURE);
	}
	bench->queued++;
	*message = (struct message){.to_gateway = to_gateway, .floated = floated, .number = number, .len = len};
	memcpy(message->data, data, len);
}

/* --- the gateway's host ------------------------------------------------------------------------------------------- */

static uint64_t gateway_now(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int gateway_random(void *context, void *out, size_t len)
{
	(void)context;
	return RAND_priv_bytes(out, (int)len) == 1 ? 0 : -EIO;
}

static void gateway_send(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	push(context, false, local->port == 4500, clients_number(&remote->address), message, message_len);
}

static void gateway_keepalive(void *context, const struct endpoint *local, const struct endpoint *remote)
{
	(void)context;
	(void)local;
	(void)remote;
}

static int gateway_spi_reserve(void *context, uint32_t *spi)
{
	*spi = ((struct bench *)context)->next_spi++;
	return 0;
}

static void gateway_spi_release(void *context, uint32_t spi)
{
	(void)context;
	(void)spi;
}

static int gateway_install(void *context, const struct ike_child *child)
{
	(void)child;
	((struct bench *)context)->installed++;
	return 0;
}

static void gateway_child(void *context, uint64_t child_id, uint32_t spi_in)
{
	(void)context;
	(void)child_id;
	(void)spi_in;
}

static void gateway_moved(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
	const struct endpoint *local, const struct endpoint *remote)
{
	(void)context;
	(void)peer;
	(void)identity;
	(void)ike_sa;
	(void)local;
	(void)remote;
}

static void gateway_event(void *context, const struct ike_event *event)
{
	(void)context;
	(void)event;
}

/* --- the clients' messages ---------------------------------------------------------------------------------------- */

static void on_send(void *context, size_t client, bool floated, const uint8_t *message, size_t message_len)
{
	struct bench *bench = context;

	push(bench, true, floated, bench->first + client, message, message_len);
}

static void on_connected(void *context, size_t client)
{
	(void)client;
	((struct bench *)context)->connected++;
}

static void on_failed(void *context, size_t client, const char *why)
{
	struct bench *bench = context;

	if (bench->failed++ == 0)
		fprintf(stderr, "bench-ike-engine: client %zu was not connected: %s\n", bench->first + client, why);
}

static void deliver(struct bench *bench)
{
	struct message message = bench->queue[0];
	struct endpoint local = bench->local, remote = {.address = clients_address(message.number)};
	uint64_t begun;

	bench->queued--;
	memmove(bench->queue, bench->queue + 1, bench->queued * sizeof(bench->queue[0]));
	if (!message.to_gateway) {
		clients_input(
			bench->clients, message.number - bench->first, message.floated, message.data, message.len);
		return;
	}
	remote.port = local.port = message.floated ? 4500 : 500;
	begun = cpu_ns();
	ike_input(bench->gateway, &local, &remote, message.floated, message.data, message.len);
	ike_run_timers(bench->gateway);
	bench->gateway_ns += cpu_ns() - begun;
}

/* `count` new clients dial one after the other. */
static int dial(struct bench *bench, size_t count, uint16_t group)
{
	struct clients_hooks hooks = {
		.context = bench, .send = on_send, .connected = on_connected, .failed = on_failed};

	bench->clients = clients_new(count, bench->first, group, &bench->local.address, &hooks);
	if (!bench->clients)
		return -errno;
	for (size_t i = 0; i < count; i++) {
		clients_dial(bench->clients, i);
		while (bench->queued)
			deliver(bench);
	}
	clients_free(bench->clients);
	bench->first += count;
	return bench->connected == bench->first ? 0 : -EPROTO;
}

/* The least of a few rounds: a neighbour on the machine makes one slower, never faster. */
static int measure(struct bench *bench, size_t sessions, uint16_t group)
{
	double least = 0;
	int rc = 0;

	while (rc == 0 && bench->first < sessions)
		rc = dial(bench, sessions - bench->first < ROUND ? sessions - bench->first : ROUND, group);
	for (int round = 0; rc == 0 && round < ROUNDS; round++) {
		double cost;

		bench->gateway_ns = 0;
		rc = dial(bench, ROUND, group);
		cost = (double)bench->gateway_ns / ROUND / 1000;
		if (round == 0 || cost < least)
			least = cost;
	}
	if (rc == 0)
		printf("%-9s %9zu sessions %9.1f us of CPU a negotiation\n", ike_group_name(group), sessions, least);
	return rc;
}

static int run(uint16_t group, const size_t *at, size_t n_at)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	struct ike_host host = {
		.context = bench,
		.now_ms = gateway_now,
		.random = gateway_random,
		.send = gateway_send,
		.keepalive = gateway_keepalive,
		.spi_reserve = gateway_spi_reserve,
		.spi_release = gateway_spi_release,
		.child_install = gateway_install,
		.child_activate = gateway_child,
		.child_remove = gateway_child,
		.peer_moved = gateway_moved,
		.event = gateway_event,
	};
	int rc = bench ? clients_gateway_config(&bench->config, at[n_at - 1] + ROUND * ROUNDS * n_at, group) : -ENOMEM;

	if (rc < 0)
		goto out;
	bench->next_spi = 0x80000001;
	address_parse("172.31.1.76", &bench->local.address);
	bench->gateway = ike_new(&bench->config, &host);
	rc = bench->gateway ? 0 : -errno;
	for (size_t i = 0; rc == 0 && i < n_at; i++)
		rc = measure(bench, at[i], group);
	ike_free(bench->gateway);
	free(bench->config.peers);
out:
	free(bench);
	return rc;
}

static const char usage[] = "Usage: bench-ike-engine [-g modp2048|ecp256|...] [-n SESSIONS[,SESSIONS...]]\n"
			    "CPU time of the gateway's engine for one negotiation, at so many sessions, in rising order\n"
			    "(default: 100,10000).\n";

int main(int argc, char **argv)
{
	size_t at[8] = {100, 10000}, n_at = 2;
	uint16_t group = IKE_GROUP_MODP2048;
	int option, rc;

	while ((option = getopt(argc, argv, "g:n:h")) != -1) {
		switch (option) {
		case 'g':
			if (ike_group_parse(optarg, &group) < 0) {
				fprintf(stderr, "bench-ike-engine: there is no group %s\n", optarg);
				return EXIT_FAILURE;
			}
			break;
		case 'n':
			n_at = 0;
			for (char *number = strtok(optarg, ","); number && n_at < 8; number = strtok(NULL, ","))
				at[n_at++] = strtoul(number, NULL, 10);
			break;
		case 'h': fputs(usage, stdout); return EXIT_SUCCESS;
		default: fputs(usage, stderr); return EXIT_FAILURE;
		}
	}
	rc = n_at ? run(group, at, n_at) : -EINVAL;
	if (rc < 0)
		fprintf(stderr, "bench-ike-engine: %s\n", strerror(-rc));
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
