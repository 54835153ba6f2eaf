/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as a stream of RFC 9329 frames, read whole, in pieces whose lengths the first bytes choose, and so by a
 * reader that keeps short beginnings of frames: all must find the same. Each piece has memory of its own, exactly as long
 * but for the room that is asked for before it.
 */
#include "tcp/frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CUTS = 8 };

/* What was found, as one string of bytes. */
struct found {
	uint8_t *bytes;
	size_t len;
	bool broken;
};

static void note(struct found *found, const struct frame *frame)
{
	found->bytes[found->len++] = (uint8_t)frame->kind;
	memcpy(found->bytes + found->len, frame->data, frame->len);
	found->len += frame->len;
}

static void read_piece(struct frame_reader *reader, const uint8_t *data, size_t len, bool keeps, struct found *found)
{
	size_t before = keeps ? FRAME_KEPT_MAX : 0;
	uint8_t *memory = malloc(before + len ? before + len : 1);
	struct tcp_piece piece = {.data = memory + before, .len = (uint32_t)len};
	struct frame frame;
	enum frame_result result;

	if (!memory)
		abort();
	memcpy(piece.data, data, len);
	while (!found->broken && (result = frame_next(reader, &piece, &frame)) != FRAME_PIECE_DONE) {
		if (result == FRAME_NEEDS_BUFFER && keeps && piece.len <= FRAME_KEPT_MAX) {
			frame_keep(reader, &piece);
		} else if (result == FRAME_NEEDS_BUFFER) {
			frame_lend(reader, malloc(frame.len));
		} else if (result == FRAME_BROKEN) {
			found->broken = true;
		} else {
			if (keeps && frame.in_place && frame_is_begun(reader, &piece))
				frame_keep(reader, &piece);
			note(found, &frame);
			if (!frame.in_place)
				free(frame.kind == FRAME_IKE ? frame.data - FRAME_MARKER_LEN : frame.data);
		}
	}
	free(memory);
}

static void read_stream(
	const uint8_t *data, size_t size, const uint8_t *cuts, bool prefix, bool keeps, struct found *found)
{
	struct frame_reader reader;

	*found = (struct found){.bytes = malloc(size + 1)};
	if (!found->bytes)
		abort();
	frame_reader_init(&reader, prefix);
	for (size_t i = 0; cuts && i < CUTS; i++) {
		size_t len = cuts[i] < size ? cuts[i] : size;

		read_piece(&reader, data, len, keeps, found);
		data += len;
		size -= len;
	}
	read_piece(&reader, data, size, keeps, found);
	free(frame_reader_end(&reader));
}

static void require_same(const struct found *one, const struct found *other)
{
	if (one->broken != other->broken || one->len != other->len || memcmp(one->bytes, other->bytes, one->len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct found whole, cut, kept;

	if (size < CUTS + 1)
		return 0;
	read_stream(data + CUTS + 1, size - CUTS - 1, NULL, data[0] & 1, false, &whole);
	read_stream(data + CUTS + 1, size - CUTS - 1, data + 1, data[0] & 1, false, &cut);
	read_stream(data + CUTS + 1, size - CUTS - 1, data + 1, data[0] & 1, true, &kept);
	require_same(&whole, &cut);
	require_same(&whole, &kept);
	free(whole.bytes);
	free(cut.bytes);
	free(kept.bytes);
	return 0;
}
