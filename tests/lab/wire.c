/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad cable between two Ethernet interfaces, both directions alike, for kernels without netem:
 *
 *	wire DEVICE DEVICE DELAY LOSS DUPLICATE REORDER
 *
 * DELAY is in milliseconds, the rest in percent of the frames. A reordered frame is not delayed and so overtakes
 *others. Runs until it is ended. The dice are thrown the same way in each run.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FRAME_MAX = 65536, BURST = 64, SOCKET_BUFFER = 8 << 20 };

struct quality {
	double loss, duplicate, reorder; /* percent */
	const struct timeval *delay;	 /* libevent's own queue, which keeps the order; NULL: none */
};

struct end {
	struct event_base *base;
	const struct quality *quality;
	struct end *other;
	int socket;
};

struct frame {
	const struct end *to;
	size_t len;
	char data[];
};

static bool happens(double percent)
{
	return drand48() * 100 < percent;
}

static void frame_deliver(evutil_socket_t unused, short what, void *context)
{
	struct frame *frame = context;

	(void)unused;
	(void)what;
	(void)!send(frame->to->socket, frame->data, frame->len, 0); /* a full cable loses frames, too */
	free(frame);
}

static void end_forward(const struct end *end, const char *data, size_t len)
{
	const struct quality *quality = end->quality;
	struct frame *frame = malloc(sizeof *frame + len);

	if (!frame)
		return;
	frame->to = end->other;
	frame->len = len;
	memcpy(frame->data, data, len);
	if (!quality->delay || happens(quality->reorder))
		frame_deliver(-1, 0, frame);
	else if (event_base_once(end->base, -1, EV_TIMEOUT, frame_deliver, frame, quality->delay))
		free(frame);
}

static void end_readable(evutil_socket_t socket, short what, void *context)
{
	static char data[FRAME_MAX];
	const struct end *end = context;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		ssize_t len = recv(socket, data, sizeof data, 0);

		if (len <= 0)
			return;
		if (happens(end->quality->loss))
			continue;
		end_forward(end, data, (size_t)len);
		if (happens(end->quality->duplicate))
			end_forward(end, data, (size_t)len);
	}
}

static int end_open(struct end *end, const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(device),
	};
	struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	int one = 1, size = SOCKET_BUFFER;
	struct event *event;

	end->socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (end->socket < 0 || !address.sll_ifindex)
		return -1;
	if (setsockopt(end->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
		setsockopt(end->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
		setsockopt(end->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
		setsockopt(end->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) ||
		bind(end->socket, (struct sockaddr *)&address, sizeof address))
		return -1;
	event = event_new(end->base, end->socket, EV_READ | EV_PERSIST, end_readable, end);
	return event ? event_add(event, NULL) : -1;
}

int main(int argc, char **argv)
{
	struct quality quality = {0};
	struct end ends[2];
	struct event_base *base = event_base_new();
	struct timeval delay;

	if (argc != 7 || !base) {
		fprintf(stderr, "usage: wire DEVICE DEVICE DELAY LOSS DUPLICATE REORDER\n");
		return EXIT_FAILURE;
	}
	delay = (struct timeval){.tv_sec = atoi(argv[3]) / 1000, .tv_usec = atoi(argv[3]) % 1000 * 1000};
	if (atoi(argv[3]) > 0)
		quality.delay = event_base_init_common_timeout(base, &delay);
	quality.loss = atof(argv[4]);
	quality.duplicate = atof(argv[5]);
	quality.reorder = atof(argv[6]);
	srand48(1);
	for (int i = 0; i < 2; i++) {
		ends[i] = (struct end){.base = base, .quality = &quality, .other = &ends[!i]};
		if (end_open(&ends[i], argv[1 + i])) {
			perror(argv[1 + i]);
			return EXIT_FAILURE;
		}
	}
	printf("ready\n");
	fflush(stdout);
	return event_base_dispatch(base) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
