/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client with the habits of the one in the field: it begins several aggressive mode exchanges side by side, answers
 * only the newest, sends quick mode on the heels of message 3 (or, with -o, ahead of it), and gives up after 3 seconds.
 * It is client 0 of tests/clients, with plain UDP sockets. Says how long it took; the exit status is 1 when it gave up.
 */
#include "../clients/clients.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	SIDE_BY_SIDE = 3,
	BETWEEN_MS = 40, /* the next exchange begins before the one before it can be through */
	PATIENCE_MS = 3000,
	MARKER_LEN = 4,
	EXCHANGE_AT = 18,
	AGGRESSIVE = 4,
	MESSAGE_MAX = 4096,
};

struct field_client {
	struct clients *clients;
	struct sockaddr_in gateway;
	int fd[2]; /* UDP 500, and 4500 */
	uint8_t newest[IKE_COOKIE_LEN];
	int begun, ignored;
	bool overtake, connected;
	uint8_t held[MESSAGE_MAX]; /* message 3, until quick mode has overtaken it */
	size_t held_len;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void send_one(struct field_client *client, bool floated, const uint8_t *message, size_t message_len)
{
	struct sockaddr_in to = client->gateway;
	uint8_t datagram[MARKER_LEN + MESSAGE_MAX] = {0};
	size_t marker = floated ? MARKER_LEN : 0;

	to.sin_port = htons(floated ? 4500 : 500);
	memcpy(datagram + marker, message, message_len);
	if (sendto(client->fd[floated], datagram, marker + message_len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
		fprintf(stderr, "field-client: a message was not sent: %s\n", strerror(errno));
}

static void on_send(void *context, size_t number, bool floated, const uint8_t *message, size_t message_len)
{
	struct field_client *client = context;

	(void)number;
	if (message_len > MESSAGE_MAX)
		return;
	if (!floated) /* message 1 of another exchange */
		memcpy(client->newest, message, IKE_COOKIE_LEN);
	if (floated && client->overtake && message[EXCHANGE_AT] == AGGRESSIVE) {
		memcpy(client->held, message, message_len);
		client->held_len = message_len;
		return;
	}
	send_one(client, floated, message, message_len);
	if (client->held_len)
		send_one(client, floated, client->held, client->held_len);
	client->held_len = 0;
}

static void on_connected(void *context, size_t number)
{
	(void)number;
	((struct field_client *)context)->connected = true;
}

/* Exchanges that are no longer the newest expire in the end; it has no patience to wait for that. */
static void on_failed(void *context, size_t number, const char *why)
{
	(void)context;
	(void)number;
	fprintf(stderr, "field-client: %s\n", why);
}

static void receive(struct field_client *client, bool floated)
{
	uint8_t datagram[65536];
	size_t skip = floated ? MARKER_LEN : 0;
	ssize_t len = recv(client->fd[floated], datagram, sizeof(datagram), MSG_DONTWAIT);

	if (len < (ssize_t)(skip + IKE_COOKIE_LEN))
		return;
	if (memcmp(datagram + skip, client->newest, IKE_COOKIE_LEN) != 0)
		client->ignored++;
	else
		clients_input(client->clients, 0, floated, datagram + skip, (size_t)len - skip);
}

static int open_socket(uint16_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) == 0 ? fd : -errno;
}

static int run(struct field_client *client)
{
	uint64_t begun = now_ms(), now = begun;

	while (!client->connected && now < begun + PATIENCE_MS) {
		struct pollfd ready[] = {{client->fd[0], POLLIN, 0}, {client->fd[1], POLLIN, 0}};
		int wait = (int)(begun + PATIENCE_MS - now);

		if (client->begun < SIDE_BY_SIDE && now >= begun + (uint64_t)client->begun * BETWEEN_MS) {
			client->begun++;
			clients_dial(client->clients, 0);
		}
		if (client->begun < SIDE_BY_SIDE)
			wait = 5;
		if (poll(ready, 2, wait < 100 ? wait : 100) > 0)
			for (int i = 0; i < 2; i++)
				if (ready[i].revents & POLLIN && client->begun == SIDE_BY_SIDE)
					receive(client, i == 1);
		clients_run_timers(client->clients, 0);
		now = now_ms();
	}
	if (client->connected)
		printf("connected after %llu ms, %d answers to older exchanges not taken\n",
			(unsigned long long)(now - begun), client->ignored);
	else
		printf("gave up after %d ms\n", PATIENCE_MS);
	return client->connected ? 0 : -ETIMEDOUT;
}

int main(int argc, char **argv)
{
	struct field_client client = {.overtake = argc == 3 && strcmp(argv[1], "-o") == 0};
	struct clients_hooks hooks = {
		.context = &client, .send = on_send, .connected = on_connected, .failed = on_failed};
	struct address gateway;
	int rc;

	if (argc != 2 + client.overtake || address_parse(argv[argc - 1], &gateway) < 0) {
		fprintf(stderr, "Usage: field-client [-o] GATEWAY\n");
		return EXIT_FAILURE;
	}
	client.gateway.sin_family = AF_INET;
	memcpy(&client.gateway.sin_addr, gateway.bytes, sizeof(client.gateway.sin_addr));
	client.fd[0] = open_socket(500);
	client.fd[1] = open_socket(4500);
	client.clients = clients_new(1, 0, IKE_GROUP_MODP2048, &gateway, &hooks);
	if (client.fd[0] < 0 || client.fd[1] < 0 || !client.clients) {
		fprintf(stderr, "field-client: UDP 500 and 4500 can't be had\n");
		return EXIT_FAILURE;
	}
	rc = run(&client);
	clients_free(client.clients);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
