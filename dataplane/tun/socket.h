/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A UDP socket of the kernel's, in bursts: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT, where the kernel has
 * these. The outer header is the kernel's: it cuts datagrams that are longer than the path's MTU, since DF is clear,
 * and joins what arrives in pieces. What ICMP has to say about our datagrams is kept beside, to tell why nothing is
 * answered.
 */
#pragma once

#include "tables/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TUN_SOCKET_BURST = 32,	  /* messages a call */
	TUN_DATAGRAM_MAX = 65535, /* bytes, and of a message that holds several */
	TUN_SEGMENTS_MAX = 64,	  /* datagrams in one message to send: the kernel's limit */
};

struct tun_socket {
	int fd; /* -1: none; never blocks */
	struct endpoint local;
	bool segmentation; /* the kernel takes several datagrams as one message */
};

/* What one message of a burst brought: one datagram, or several of `segment_len` bytes each, the last one may be
 * shorter. */
struct tun_arrival {
	uint8_t *data;
	uint32_t len, segment_len;
	struct endpoint remote;
	uint8_t tos;
};

/* Where a burst is received, for any number of sockets in turn. */
struct tun_arrivals {
	struct tun_arrival items[TUN_SOCKET_BURST];
	size_t count;
	uint8_t buffers[TUN_SOCKET_BURST][TUN_DATAGRAM_MAX];
};

/* A datagram to be sent. */
struct tun_departure {
	uint8_t *data;
	uint32_t len;
	uint8_t tos;
};

/* What came of a datagram of ours, by ICMP. It is not authentic. */
struct tun_complaint {
	int error;	      /* errno, such as ECONNREFUSED */
	uint16_t remote_port; /* that we had sent to */
	struct address from;  /* who says so; none: this host */
};

/* Opens and binds; port 0: any. `local` tells which in the end. 0 or negative errno. */
int tun_socket_open(struct tun_socket *socket, const struct endpoint *local);
void tun_socket_close(struct tun_socket *socket);

/* What waits, up to a burst. False: there may be more. */
bool tun_socket_receive(struct tun_socket *socket, struct tun_arrivals *out);

/*
 * Sends `count` datagrams in their order and returns how many the kernel took; the rest is lost, as on any wire.
 * Datagrams of one length that fit `segment_max` bytes travel together as far as the kernel can do it.
 */
size_t tun_socket_send(struct tun_socket *socket, const struct endpoint *remote, const struct tun_departure *departures,
	size_t count, uint32_t segment_max);

/* Sends one datagram in two parts, of which the first may be empty. 0 or negative errno. */
int tun_socket_send_parts(const struct tun_socket *socket, const struct endpoint *remote, const void *head,
	size_t head_len, const void *data, size_t data_len);

/* Whether what is sent from now on may not be cut, here or on the way (DF), whatever the kernel knows of the path. */
void tun_socket_set_whole(const struct tun_socket *socket, bool whole);

/* The oldest complaint; false: there is none. */
bool tun_socket_complaint(struct tun_socket *socket, struct tun_complaint *out);

/* Of the kernel's route to `remote`: our address, and the MTU of its path, bytes. 0 or negative errno. */
int tun_socket_route(const struct endpoint *remote, struct address *local, uint32_t *mtu);
