/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices: small authenticated datagrams on the data ports, beside IKE and ESP, by which a registered client and the
 * gateway find out whether UDP reaches them, through which NATs, and how long its packets may be. The first word is
 * neither zero, as IKE's marker is, nor has it the top bit of our SPIs (RFC 3948 section 2). Bytes in, bytes out: no
 * socket, no clock, no memory.
 *
 *   0        4      5      8         24         32         52     54     56        len - 16
 *   | "SLN1" | type | zero | session | sequence | endpoint | port | zero | padding | HMAC  |
 *
 * All numbers are in network order, padding is zero. An endpoint is a family (4, 6 or, where there is none, 0), a
 * zero, a port and 16 bytes of address, of which IPv4 uses the first four. The HMAC is HMAC-SHA-256 under the session's key over all before it,
 * cut to 16 bytes (RFC 2104 section 5). Types that only one side sends keep a notice from being good in the other
 * direction. An answer is as long as what it answers.
 */
#pragma once

#include "tables/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NOTICE_SESSION_LEN = 16,
	NOTICE_KEY_LEN = 32,
	NOTICE_LEN = 72,	 /* of all but probes and their answers, which may be longer */
	NOTICE_LEN_MAX = 9216,
	NOTICE_DIAL_MS = 1000,	 /* between two dials; both sides count on it */
};

enum notice_type {
	NOTICE_HELLO = 1,    /* client; endpoint: its own, port: the one that it dials */
	NOTICE_ANSWER,	     /* gateway, with the hello's sequence; endpoint: where that came from, port: ours that it came to */
	NOTICE_PROBE,	     /* client, not to be cut on the way; as hello */
	NOTICE_PROBE_ANSWER, /* gateway, likewise; as answer */
	NOTICE_DIAL,	     /* gateway, of its own accord; endpoint: where it goes to, port: where it goes from */
	NOTICE_TYPES
};

struct notice {
	enum notice_type type;
	uint8_t session[NOTICE_SESSION_LEN];
	uint64_t sequence; /* from 1, greater each time that a side speaks of its own accord: what is not is a replay */
	struct endpoint endpoint;
	uint16_t port;
};

/* Whether a datagram to a data port is a notice, by its first word. Nothing else is checked. */
bool notice_is_one(const uint8_t *datagram, size_t len);

/* The session that it claims to be of, for finding the key. NULL: its form is wrong. */
const uint8_t *notice_session(const uint8_t *datagram, size_t len);

/* 0 with *out; -EINVAL: its form is wrong; -EBADMSG: it was not made with this key. */
int notice_open(
	const uint8_t key[NOTICE_KEY_LEN], const uint8_t *datagram, size_t len, struct notice *out);

/* Writes a notice of `len` bytes, NOTICE_LEN, or more of a probe and its answer. 0, or -EIO when the library fails. */
int notice_seal(const uint8_t key[NOTICE_KEY_LEN], const struct notice *notice, uint8_t *datagram, size_t len);

/* "hello"; "unknown". */
const char *notice_type_name(enum notice_type type);
