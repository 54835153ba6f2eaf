/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The UDP sockets of IKE: port 500 (plain), and 4500 and the other ports of NAT traversal, for each listen address, or
 * one set for all addresses of each family. On a NAT port IKE has four zero bytes before it (RFC 3948 section 2.2) and a single 0xff
 * is a keepalive (section 2.3); both end here. Notices (registration/notice.h) come there, too; what is left is ESP that
 * the data plane left to the kernel: counted.
 */
#pragma once

#include "config/config.h"
#include "tables/address.h"

#include <event2/event.h>

#include <stdbool.h>
#include <stdint.h>

struct sockets;

struct sockets_handler {
	void *context;
	/* One IKE message without marker. `floated`: it came to a NAT port. */
	void (*input)(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
		const uint8_t *message, size_t message_len);
	/* A datagram to a NAT port that begins like a notice. NULL: they are of no interest. */
	void (*notice)(void *context, const struct endpoint *local, const struct endpoint *remote,
		const uint8_t *datagram, size_t datagram_len);
	/* After each batch of the above. */
	void (*settle)(void *context);
};

struct sockets_counters {
	uint64_t received, sent;
	uint64_t keepalives;
	uint64_t not_ike;   /* to a NAT port, without the zero marker, and no notice */
	uint64_t malformed; /* cut by the socket, or of no known address family */
	uint64_t send_failed;
};

/* Opens and binds; the addresses need not exist yet. NULL with errno, after a line in the log. */
struct sockets *sockets_open(
	struct event_base *base, const struct config_ike *config, const struct sockets_handler *handler);
void sockets_close(struct sockets *sockets);

/* Sends from `local`; adds the marker where its port is a NAT port. A failure is counted: IKE retransmits. */
void sockets_send(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len);
void sockets_keepalive(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote);

/* As it is; `whole`: it may not be cut on the way (DF), and is lost where it is too long. */
void sockets_send_notice(struct sockets *sockets, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *datagram, size_t datagram_len, bool whole);

const struct sockets_counters *sockets_counters(const struct sockets *sockets);
