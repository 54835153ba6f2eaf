/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long one packet takes through a gateway that has nothing else to do. Sends the plan's UDP packets for session 0
 * on one interface of the kernel, one after the other with pauses in between, and sees the ESP packet of each at
 * another. The time is from before the send call to the kernel's receive timestamp, so that it does not matter when
 * this program gets its turn again.
 */
#include "plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	PACKETS_MAX = 1000000,
	PAYLOAD_LEN = 36, /* an inner packet of 64 bytes */
	WAIT_MS = 100,    /* after that a packet is lost */
	PAUSE_MIN_US = 1000,
	PAUSE_MAX_US = 5000,
};

static const char usage[] =
	"latency - how long a packet takes through an idle gateway\n"
	"\n"
	"  latency SEND_DEVICE RECEIVE_DEVICE GATEWAY_MAC PACKETS\n"
	"\n"
	"Prints median, 99th percentile and the most, microseconds, and how many packets were lost.\n";

struct frame {
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[PAYLOAD_LEN];
} __attribute__((packed));

/* RFC 1071, over a header without options. */
static uint16_t header_checksum(const void *header)
{
	uint16_t words[sizeof(struct iphdr) / 2];
	uint32_t sum = 0;

	memcpy(words, header, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void frame_make(struct frame *frame, const uint8_t gateway_mac[ETH_ALEN])
{
	*frame = (struct frame){
		.ether.ether_type = htons(ETHERTYPE_IP),
		.ip = {
			.version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(*frame) - sizeof(frame->ether)),
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = htonl(plan_lan_host),
			.daddr = htonl(plan_branch_host(0)),
		},
		.udp = {
			.source = htons(4000),
			.dest = htons(4001),
			.len = htons(sizeof(frame->udp) + PAYLOAD_LEN), /* without a checksum, as IPv4 allows */
		},
	};
	memcpy(frame->ether.ether_dhost, gateway_mac, ETH_ALEN);
	plan_station(0, frame->ether.ether_shost);
	frame->ip.check = header_checksum(&frame->ip);
}

/* A packet socket on the device; -1 after a sentence. */
static int packet_socket(const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = (int)if_nametoindex(device),
	};
	struct timeval wait = {.tv_usec = WAIT_MS * 1000};
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	if (fd < 0 || address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0) {
		fprintf(stderr, "latency: %s: %s\n", device, strerror(errno));
		return -1;
	}
	return fd;
}

static int64_t nanoseconds(const struct timespec *time)
{
	return time->tv_sec * 1000000000LL + time->tv_nsec;
}

/* When the next ESP packet was received there, nanoseconds; -1 when none came in time. */
static int64_t esp_receive(int fd)
{
	for (;;) {
		union {
			struct cmsghdr header;
			uint8_t room[CMSG_SPACE(sizeof(struct timespec))];
		} control;
		struct frame frame;
		struct iovec vector = {.iov_base = &frame, .iov_len = sizeof(frame)};
		struct msghdr message = {
			.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(fd, &message, 0);
		struct cmsghdr *header;

		if (len < 0)
			return -1;
		header = CMSG_FIRSTHDR(&message);
		if (len < (ssize_t)(sizeof(frame.ether) + sizeof(frame.ip)) || frame.ip.protocol != IPPROTO_ESP)
			continue;
		if (header && header->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec time;

			memcpy(&time, CMSG_DATA(header), sizeof(time));
			return nanoseconds(&time);
		}
	}
}

/* Of a length that is chance: not in step with how the gateway sleeps. */
static void pause_some(unsigned int *seed)
{
	long us = PAUSE_MIN_US + rand_r(seed) % (PAUSE_MAX_US - PAUSE_MIN_US);

	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void report(int64_t *times, int count, int packets)
{
	qsort(times, (size_t)count, sizeof(*times), compare);
	printf("%.1f %.1f %.1f %d\n", (double)times[count / 2] / 1000, (double)times[count - 1 - count / 100] / 1000,
		(double)times[count - 1] / 1000, packets - count);
}

static bool mac_read(const char *text, uint8_t mac[ETH_ALEN])
{
	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == ETH_ALEN;
}

int main(int argc, char **argv)
{
	static int64_t times[PACKETS_MAX];
	uint8_t gateway_mac[ETH_ALEN];
	unsigned int seed = 1;
	struct frame frame;
	int out, in, packets, count = 0;

	packets = argc == 5 ? atoi(argv[4]) : 0;
	if (packets < 1 || packets > PACKETS_MAX || !mac_read(argv[3], gateway_mac)) {
		fputs(usage, stderr);
		return 2;
	}
	out = packet_socket(argv[1]);
	in = packet_socket(argv[2]);
	if (out < 0 || in < 0)
		return 1;
	frame_make(&frame, gateway_mac);
	for (int i = 0; i < packets; i++) {
		struct timespec before;
		int64_t received;

		pause_some(&seed);
		clock_gettime(CLOCK_REALTIME, &before);
		if (send(out, &frame, sizeof(frame), 0) < 0) {
			fprintf(stderr, "latency: %s: %s\n", argv[1], strerror(errno));
			return 1;
		}
		received = esp_receive(in);
		if (received >= 0)
			times[count++] = received - nanoseconds(&before);
	}
	if (count == 0) {
		fprintf(stderr, "latency: no packet came out of the gateway\n");
		return 1;
	}
	report(times, count, packets);
	close(out);
	close(in);
	return 0;
}
