/* SPDX-License-Identifier: Apache-2.0 */
#include "tcp/frames.h"

#include <string.h>

static const uint8_t prefix[FRAME_PREFIX_LEN] = {'I', 'K', 'E', 'T', 'C', 'P'};
static const uint8_t marker[FRAME_MARKER_LEN];

void frame_reader_init(struct frame_reader *reader, bool has_prefix)
{
	*reader = (struct frame_reader){.prefix_left = has_prefix ? FRAME_PREFIX_LEN : 0};
}

static void skip(struct tcp_piece *piece, uint32_t len)
{
	piece->data += len;
	piece->len -= len;
}

/* False: it is another one. */
static bool read_prefix(struct frame_reader *reader, struct tcp_piece *piece)
{
	while (reader->prefix_left > 0 && piece->len > 0) {
		if (*piece->data != prefix[FRAME_PREFIX_LEN - reader->prefix_left])
			return false;
		reader->prefix_left--;
		skip(piece, 1);
	}
	return true;
}

/* False: a length that does not even count itself. */
static inline bool read_length(struct frame_reader *reader, struct tcp_piece *piece)
{
	uint32_t len;

	if (reader->n_head == 0 && piece->len >= FRAME_LENGTH_LEN) {
		memcpy(reader->head, piece->data, FRAME_LENGTH_LEN);
		reader->n_head = FRAME_LENGTH_LEN;
		skip(piece, FRAME_LENGTH_LEN);
	}
	while (reader->n_head < FRAME_LENGTH_LEN && piece->len > 0) {
		reader->head[reader->n_head++] = *piece->data;
		skip(piece, 1);
	}
	if (reader->n_head < FRAME_LENGTH_LEN)
		return true;
	len = (uint32_t)reader->head[0] << 8 | reader->head[1];
	if (len < FRAME_LENGTH_LEN)
		return false;
	reader->len = len - FRAME_LENGTH_LEN;
	return true;
}

/* What the bytes behind a length field are. The reader is ready for the next. */
static enum frame_result finish(
	struct frame_reader *reader, struct frame *frame, uint8_t *data, uint32_t len, bool in_place)
{
	*frame = (struct frame){.kind = FRAME_ESP, .data = data, .len = len, .in_place = in_place};
	if (len < FRAME_MARKER_LEN) {
		frame->kind = FRAME_IGNORED;
	} else if (memcmp(data, marker, FRAME_MARKER_LEN) == 0) {
		frame->kind = FRAME_IKE;
		frame->data += FRAME_MARKER_LEN;
		frame->len -= FRAME_MARKER_LEN;
	}
	reader->n_head = 0;
	reader->n_copied = 0;
	return FRAME_READY;
}

/* A frame of which the piece has not all. */
static enum frame_result collect(struct frame_reader *reader, struct tcp_piece *piece, struct frame *frame)
{
	uint32_t missing = reader->len - reader->n_copied, part = missing < piece->len ? missing : piece->len;
	uint8_t *buffer = reader->buffer;

	if (!buffer) {
		frame->len = reader->len;
		return FRAME_NEEDS_BUFFER;
	}
	memcpy(buffer + reader->n_copied, piece->data, part);
	reader->n_copied += part;
	skip(piece, part);
	if (reader->n_copied < reader->len)
		return FRAME_PIECE_DONE;
	reader->buffer = NULL;
	return finish(reader, frame, buffer, reader->len, false);
}

static void put_before(struct frame_reader *reader, struct tcp_piece *piece)
{
	piece->data -= reader->n_kept;
	piece->len += reader->n_kept;
	memcpy(piece->data, reader->kept, reader->n_kept);
	reader->n_kept = 0;
}

enum frame_result frame_next(struct frame_reader *reader, struct tcp_piece *piece, struct frame *frame)
{
	if (reader->n_kept > 0 && piece->len > 0)
		put_before(reader, piece);
	if (!read_prefix(reader, piece) || !read_length(reader, piece))
		return FRAME_BROKEN;
	if (reader->n_head < FRAME_LENGTH_LEN || (piece->len == 0 && reader->len > 0))
		return FRAME_PIECE_DONE;
	if (reader->n_copied == 0 && !reader->buffer && piece->len >= reader->len) {
		uint8_t *data = piece->data;

		skip(piece, reader->len);
		return finish(reader, frame, data, reader->len, true);
	}
	return collect(reader, piece, frame);
}
