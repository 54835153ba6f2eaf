/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKE and ESP in a TCP stream (RFC 9329). Bytes in, frames out; no socket, no memory, no clock.
 *
 *   originator, once, first of all    "IKETCP"                                                   (section 4)
 *   each frame, in either direction   length, 2 bytes, these included | ESP packet               (section 3.2)
 *                                     length | 00 00 00 00, the non-ESP marker | IKE message     (section 3.1)
 *
 * TCP keeps no boundaries: a frame may come in pieces of any size, and many in one piece.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMING_PREFIX "IKETCP"

enum {
	FRAMING_PREFIX_LEN = sizeof(FRAMING_PREFIX) - 1,
	FRAMING_HEAD_LEN = 2,
	FRAMING_MARKER_LEN = 4,
	FRAMING_PAYLOAD_MAX = UINT16_MAX - FRAMING_HEAD_LEN,
	FRAMING_IKE_MAX = FRAMING_PAYLOAD_MAX - FRAMING_MARKER_LEN,
};

/* The reader's state beside the bytes that are not taken yet. */
struct framing {
	bool awaits_prefix;   /* the other side is the originator and has not said so yet */
	uint32_t payload_max; /* longer ones are refused; 1 to FRAMING_PAYLOAD_MAX */
};

enum framing_kind {
	FRAMING_PARTIAL, /* no whole frame yet: `payload_len` bytes more are wanted at least */
	FRAMING_ESP,
	FRAMING_IKE,	   /* the payload is the message, without marker */
	FRAMING_KEEPALIVE, /* one byte 0xff, of use on UDP only (section 7.6): nothing to do */
	FRAMING_RUNT,	   /* neither ESP nor IKE, for it is too short: to be dropped, what follows is in order */
	FRAMING_NO_PREFIX, /* the stream begins otherwise: no peer of ours. No way on, like the next two */
	FRAMING_NO_LENGTH, /* a length of 0 or 1, which can't be (section 3): the boundaries are lost */
	FRAMING_TOO_LONG,  /* beyond payload_max */
};

struct framing_frame {
	enum framing_kind kind;
	uint8_t *payload; /* within what was given */
	uint32_t payload_len;
};

/*
 * Reads the frame, or the prefix and the frame behind it, that `data` begins with. Returns how many bytes are done
 * with, to be taken away before the next call: 0 where there is no whole frame, or but for the prefix.
 */
size_t framing_read(struct framing *framing, uint8_t *data, size_t len, struct framing_frame *out);

/* Whether a frame of this kind ends the connection, and why, in a sentence; NULL: it does not. */
const char *framing_refusal(enum framing_kind kind);

/* Before a payload, marker included, of 1 to FRAMING_PAYLOAD_MAX bytes. */
void framing_write_head(uint8_t head[FRAMING_HEAD_LEN], uint32_t payload_len);
