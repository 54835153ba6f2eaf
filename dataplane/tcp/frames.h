/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKE and ESP in a stream (RFC 9329 section 3): each frame is a 16-bit length, which counts itself, and an ESP packet,
 * or four zero bytes and an IKE message.
 *
 *   | length | ESP packet ... |        | length | 0 0 0 0 | IKE message ... |
 *
 * Reading: a frame that lies whole in one piece of the stream stays there, to be decrypted in place. One that spans
 * pieces is copied once, into a buffer that the caller lends while such a frame is under way; or, where there is room
 * behind the piece that it begins in, only what is missing is copied; or, where a piece has no more than a few bytes of
 * it, these are kept and put before the next piece.
 */
#pragma once

#include "tcp/tcp.h"

#include <endian.h>
#include <string.h>

enum {
	FRAME_LENGTH_LEN = 2,
	FRAME_MARKER_LEN = 4, /* the non-ESP marker */
	FRAME_PREFIX_LEN = 6, /* "IKETCP", the first bytes of the originator's stream (RFC 9329 section 4) */
	FRAME_MAX = 65535,
	FRAME_KEPT_MAX = 64, /* bytes that frame_keep takes at most */
};

enum frame_kind {
	FRAME_ESP,
	FRAME_IKE,
	FRAME_IGNORED, /* too short for either, such as a NAT keepalive, which TCP has no use for */
};

struct frame {
	enum frame_kind kind;
	uint8_t *data; /* without length field and marker */
	uint32_t len;
	bool in_place; /* in the piece; else in the buffer lent, which is the caller's again */
};

struct frame_reader {
	uint8_t *buffer;   /* the caller's; NULL: none lent */
	uint32_t len;	   /* of the frame under way, behind its length field; known when n_head is 2 */
	uint32_t n_copied; /* of these */
	uint8_t n_head;	   /* bytes of the length field that came */
	uint8_t head[FRAME_LENGTH_LEN];
	uint8_t prefix_left; /* of "IKETCP" */
	uint8_t n_kept;
	uint8_t kept[FRAME_KEPT_MAX];
};

enum frame_result {
	FRAME_READY,	    /* *frame is one, valid until the piece's memory is given up */
	FRAME_PIECE_DONE,   /* the piece has no more */
	FRAME_NEEDS_BUFFER, /* frame->len bytes: lend it with frame_lend or frame_stay, or keep what there is, and call again */
	FRAME_BROKEN, /* a length below 2, or another prefix: the stream can't be read any more, and must be closed */
};

/* `prefix`: the stream begins with "IKETCP". Otherwise it begins with a frame. */
void frame_reader_init(struct frame_reader *reader, bool prefix);

/* The next frame of a piece, which gets shorter by what was read. */
enum frame_result frame_next(struct frame_reader *reader, struct tcp_piece *piece, struct frame *frame);

static inline void frame_lend(struct frame_reader *reader, uint8_t *buffer)
{
	reader->buffer = buffer;
}

/*
 * The piece's own memory is lent: the frame's beginning, with which the piece ends, stays where it is, and the rest will
 * be put behind it, where there is room for frame->len bytes in all.
 */
static inline void frame_stay(struct frame_reader *reader, struct tcp_piece *piece)
{
	reader->buffer = piece->data;
	reader->n_copied = piece->len;
	piece->data += piece->len;
	piece->len = 0;
}

/*
 * Are the bytes that a piece has left the beginning of a frame, and few enough to be kept? Asked between frames: then the
 * piece's memory is not needed for them.
 */
static inline bool frame_is_begun(const struct frame_reader *reader, const struct tcp_piece *piece)
{
	return reader->n_head == 0 && piece->len > 0 && piece->len <= FRAME_KEPT_MAX &&
	       (piece->len < FRAME_LENGTH_LEN || ((uint32_t)piece->data[0] << 8 | piece->data[1]) > piece->len);
}

/* The piece's last bytes, FRAME_KEPT_MAX at most, will be put right before the next piece, which has the room. */
static inline void frame_keep(struct frame_reader *reader, struct tcp_piece *piece)
{
	memcpy(reader->kept, piece->data, piece->len);
	reader->n_kept = (uint8_t)piece->len;
	piece->data += piece->len;
	piece->len = 0;
}

/* The buffer that was lent and did not come back, to be freed when the stream ends; or NULL. */
static inline uint8_t *frame_reader_end(struct frame_reader *reader)
{
	uint8_t *buffer = reader->buffer;

	reader->buffer = NULL;
	return buffer;
}

/* Bytes before an ESP packet or IKE message. */
static inline uint32_t frame_head_len(enum frame_kind kind)
{
	return FRAME_LENGTH_LEN + (kind == FRAME_IKE ? FRAME_MARKER_LEN : 0);
}

/*
 * Writes these bytes in front of `data` and returns where the frame begins; *frame_len: how long it is. NULL when that
 * were more than FRAME_MAX.
 */
static inline uint8_t *frame_write_head(enum frame_kind kind, uint8_t *data, uint32_t len, uint32_t *frame_len)
{
	uint32_t head_len = frame_head_len(kind);
	uint16_t length;

	if (len > FRAME_MAX - head_len)
		return NULL;
	*frame_len = len + head_len;
	length = htobe16((uint16_t)*frame_len);
	data -= head_len;
	memcpy(data, &length, sizeof(length));
	if (kind == FRAME_IKE)
		memset(data + FRAME_LENGTH_LEN, 0, FRAME_MARKER_LEN);
	return data;
}
