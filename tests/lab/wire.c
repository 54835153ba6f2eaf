/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad cable between two Ethernet interfaces, both directions alike, for kernels without netem:
 *
 *	wire DEVICE DEVICE DELAY LOSS DUPLICATE REORDER [RATE [SEED]]
 *
 * DELAY is in milliseconds, RATE in megabits a second (0: any), the rest in percent of the frames. A frame is lost or
 * doubled first; then it waits for its turn, where there is a rate, and is lost if that would take more than QUEUE_MAX;
 * then it is delayed. A reordered frame is not, and so overtakes others.
 *
 * Dice are thrown for each frame of a direction alike, whatever the percentages: the n-th has the same luck in each run
 * with the same SEED. Runs until SIGTERM, and then says what became of the frames. What came out LATE behind its time,
 * and what the kernel lost before it got here, is the machine's fault, not the cable's.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

enum {
	FRAME_MAX = 65536,
	BURST = 64,
	SOCKET_BUFFER = 8 << 20,
	QUEUE_MAX = 50000,     /* microseconds */
	LATE = 2000,	       /* microseconds */
	PREAMBLE_AND_GAP = 24, /* bytes that each frame takes on Ethernet beside its own, with the checksum */
};

struct quality {
	double loss, duplicate, reorder; /* percent */
	double rate;			 /* bits a microsecond; 0: any */
	uint64_t delay;			 /* microseconds */
};

struct frame {
	STAILQ_ENTRY(frame) next;
	uint64_t due;
	size_t len;
	char data[];
};

/* Frames in the order in which they are due. */
struct lane {
	STAILQ_HEAD(, frame) frames;
	struct event *timer;
	struct end *to;
};

/* One direction: in at this end's device, out at the other's. */
struct end {
	const struct quality *quality;
	int socket;
	unsigned short dice[3];
	uint64_t free;		    /* when the last frame will have left the queue */
	struct lane delayed, early; /* towards this end */
	struct end *other;
	unsigned long frames, lost, overflowed, late;
};

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool happens(struct end *end, double percent)
{
	return erand48(end->dice) * 100 < percent;
}

/* --- out -------------------------------------------------------------------------------------------------------------
 */

static void lane_arm(struct lane *lane, uint64_t now)
{
	const struct frame *first = STAILQ_FIRST(&lane->frames);
	uint64_t wait = first->due > now ? first->due - now : 0;

	event_add(lane->timer,
		&(struct timeval){.tv_sec = (time_t)(wait / 1000000), .tv_usec = (suseconds_t)(wait % 1000000)});
}

static void lane_deliver(evutil_socket_t unused, short what, void *context)
{
	struct lane *lane = context;
	struct frame *frame;
	uint64_t now = microseconds();

	(void)unused;
	(void)what;
	while ((frame = STAILQ_FIRST(&lane->frames)) && frame->due <= now) {
		STAILQ_REMOVE_HEAD(&lane->frames, next);
		lane->to->late += now - frame->due > LATE;
		(void)!send(lane->to->socket, frame->data, frame->len, 0); /* a full device loses frames, too */
		free(frame);
	}
	if (frame)
		lane_arm(lane, now);
}

static void lane_put(struct lane *lane, const char *data, size_t len, uint64_t due, uint64_t now)
{
	struct frame *frame = malloc(sizeof *frame + len);
	bool was_empty = STAILQ_EMPTY(&lane->frames);

	if (!frame)
		return;
	frame->due = due;
	frame->len = len;
	memcpy(frame->data, data, len);
	STAILQ_INSERT_TAIL(&lane->frames, frame, next);
	if (was_empty)
		lane_arm(lane, now);
}

/* --- in --------------------------------------------------------------------------------------------------------------
 */

static void end_forward(struct end *end, const char *data, size_t len, bool reordered, uint64_t now)
{
	const struct quality *quality = end->quality;
	uint64_t due = now;

	if (quality->rate > 0) {
		due = end->free > now ? end->free : now;
		if (due - now > QUEUE_MAX) {
			end->overflowed++;
			return;
		}
		due += (uint64_t)((double)(len + PREAMBLE_AND_GAP) * 8 / quality->rate);
		end->free = due;
	}
	if (reordered)
		lane_put(&end->other->early, data, len, due, now);
	else
		lane_put(&end->other->delayed, data, len, due + quality->delay, now);
}

static void end_readable(evutil_socket_t socket, short what, void *context)
{
	static char data[FRAME_MAX];
	struct end *end = context;
	const struct quality *quality = end->quality;
	uint64_t now = microseconds();

	(void)what;
	for (int i = 0; i < BURST; i++) {
		ssize_t len = recv(socket, data, sizeof data, 0);
		bool lost, doubled, reordered;

		if (len <= 0)
			return;
		end->frames++;
		lost = happens(end, quality->loss);
		doubled = happens(end, quality->duplicate);
		reordered = happens(end, quality->reorder);
		end->lost += lost;
		for (int copies = lost ? 0 : 1 + doubled; copies > 0; copies--)
			end_forward(end, data, (size_t)len, reordered, now);
	}
}

/* --- life ------------------------------------------------------------------------------------------------------------
 */

static bool lane_init(struct lane *lane, struct end *to, struct event_base *base)
{
	STAILQ_INIT(&lane->frames);
	lane->to = to;
	lane->timer = evtimer_new(base, lane_deliver, lane);
	return lane->timer != NULL;
}

static int end_open(struct end *end, const char *device, struct event_base *base)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(device),
	};
	struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	int one = 1, size = SOCKET_BUFFER;
	struct event *event;

	if (!lane_init(&end->delayed, end, base) || !lane_init(&end->early, end, base))
		return -1;
	end->socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (end->socket < 0 || !address.sll_ifindex)
		return -1;
	if (setsockopt(end->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
		setsockopt(end->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
		setsockopt(end->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
		setsockopt(end->socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) ||
		bind(end->socket, (struct sockaddr *)&address, sizeof address))
		return -1;
	event = event_new(base, end->socket, EV_READ | EV_PERSIST, end_readable, end);
	return event ? event_add(event, NULL) : -1;
}

static void end_report(const struct end *end, const char *device)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof stats;

	getsockopt(end->socket, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	printf("from %s: frames %lu lost %lu overflowed %lu late %lu missed %u\n", device, end->frames, end->lost,
		end->overflowed, end->other->late, stats.tp_drops);
}

static void terminated(evutil_socket_t unused, short what, void *base)
{
	(void)unused;
	(void)what;
	event_base_loopbreak(base);
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config || event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER))
		return NULL;
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int main(int argc, char **argv)
{
	struct quality quality = {0};
	struct end ends[2] = {0};
	struct event_base *base = base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, terminated, base) : NULL;

	if (argc < 7 || argc > 9 || !term || event_add(term, NULL)) {
		fprintf(stderr, "usage: wire DEVICE DEVICE DELAY LOSS DUPLICATE REORDER [RATE [SEED]]\n");
		return EXIT_FAILURE;
	}
	quality.delay = (uint64_t)(atof(argv[3]) * 1000);
	quality.loss = atof(argv[4]);
	quality.duplicate = atof(argv[5]);
	quality.reorder = atof(argv[6]);
	quality.rate = argc > 7 ? atof(argv[7]) : 0;
	for (int i = 0; i < 2; i++) {
		ends[i] = (struct end){.quality = &quality,
			.other = &ends[!i],
			.dice = {(unsigned short)(argc > 8 ? atoi(argv[8]) : 1), 0x330e, (unsigned short)i}};
		if (end_open(&ends[i], argv[1 + i], base)) {
			perror(argv[1 + i]);
			return EXIT_FAILURE;
		}
	}
	printf("ready\n");
	fflush(stdout);
	if (event_base_dispatch(base) < 0)
		return EXIT_FAILURE;
	for (int i = 0; i < 2; i++)
		end_report(&ends[i], argv[1 + i]);
	return EXIT_SUCCESS;
}
