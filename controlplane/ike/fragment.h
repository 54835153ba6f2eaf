/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKEv1 messages in pieces, as Cisco and Microsoft do it: no RFC says how, the vendor ID "FRAGMENTATION" says who can.
 * Firewalls on the way drop IP fragments, and messages with certificates are longer than any path's MTU. So a long
 * message, header and all, is cut; each piece travels as the only payload of a message of its own with the same cookies:
 *
 *     ISAKMP header, next payload 132 | generic header | fragment ID | number 1..255 | flags: 1 last | data
 *
 * The risky part is what strangers may make us keep: pieces come before anything is proved. So what waits is bounded in
 * number, bytes and time, for each pair of cookies and in all; peers and strangers have shares of their own, the oldest
 * goes first, and a piece's number and length are believed only as far as they fit. A whole message is nothing special:
 * it goes the way of one that came in a single datagram.
 */
#pragma once

#include "hashmap.h"
#include "ike/builder.h"
#include "ike/payload.h"
#include "tables/address.h"

#include <sys/queue.h>

struct ike;
struct v1_message;

enum {
	FRAGMENT_MESSAGE_MAX = 32768, /* bytes of a whole message */
	FRAGMENT_NUMBER_MAX = 128,    /* pieces of it */
	FRAGMENT_PER_COOKIES = 4,     /* messages that wait under one pair of cookies */
	FRAGMENT_WAITING_MAX = 512,   /* and in all, for strangers and for peers each */
	FRAGMENT_BYTES_MAX = 4 << 20, /* of these, likewise */
	FRAGMENT_TIMEOUT_MS = 10000,  /* long enough for what is sent again to fill the gaps */
};

/* Those who have proved themselves must not suffer from those who have not. */
enum fragment_share { FRAGMENT_OF_STRANGER, FRAGMENT_OF_PEER, FRAGMENT_SHARES };

struct reassembly;
TAILQ_HEAD(reassembly_list, reassembly);

/* What waits for its missing pieces, in the engine. */
struct fragments {
	struct hashmap by_cookies;
	struct reassembly_list waiting[FRAGMENT_SHARES]; /* oldest first */
	size_t count[FRAGMENT_SHARES], bytes[FRAGMENT_SHARES];
};

/* 0 or negative errno. */
int fragments_open(struct ike *ike);
void fragments_close(struct ike *ike);

/* One piece whose header has been checked; when it is the last one missing, the whole message. */
void fragment_input(struct v1_message *message);

/*
 * Sends a message in pieces when it is longer than the configured size and its SA's peer takes pieces; false when it is
 * to be sent in one.
 */
bool fragment_send(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len);

/* The vendor ID that says that we take pieces, where the configuration lets us; and whether a peer has said it. */
void fragment_write_vendor(const struct ike *ike, struct builder *builder);
bool fragment_offered(const struct payload_list *payloads);
