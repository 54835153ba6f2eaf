/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary bytes as an RFC 9329 stream, read twice: as a whole, and as if they came in pieces of the size that the
 * second byte says. Both must yield the same frames and the same end. The first byte chooses the side and the cap.
 */
#include "stream/framing.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of a stream: where each frame lay, and how it ended. */
struct story {
	uint64_t sum;
	size_t frames, taken;
	enum framing_kind end;
};

static void note(struct story *story, const struct framing_frame *frame, const uint8_t *begin)
{
	story->frames++;
	story->sum = story->sum * 1099511628211u + (uint64_t)frame->kind * 7 + frame->payload_len;
	story->sum = story->sum * 31 + (uint64_t)(frame->payload - begin);
}

static struct story read_stream(struct framing framing, uint8_t *data, size_t len, size_t piece)
{
	struct story story = {.end = FRAMING_PARTIAL};
	struct framing_frame frame;
	size_t there = 0, taken;

	while (there < len && !framing_refusal(story.end)) {
		there = piece < len - there ? there + piece : len;
		do {
			/* Memory of its own, exactly as long as what has come. */
			size_t some = there - story.taken;
			uint8_t *bytes = malloc(some ? some : 1);

			if (!bytes)
				abort();
			memcpy(bytes, data + story.taken, some);
			taken = framing_read(&framing, bytes, some, &frame);
			if (taken > some)
				abort();
			story.end = frame.kind;
			if (frame.kind != FRAMING_PARTIAL && !framing_refusal(frame.kind)) {
				if (frame.payload < bytes || frame.payload + frame.payload_len > bytes + taken)
					abort();
				note(&story, &frame, bytes);
			}
			story.taken += taken;
			free(bytes);
		} while (taken > 0);
	}
	return story;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct framing framing;
	struct story whole, pieces;
	uint8_t *copy;

	if (size < 2)
		return 0;
	framing = (struct framing){
		.awaits_prefix = data[0] & 1, .payload_max = data[0] & 2 ? FRAMING_PAYLOAD_MAX : 1u + (data[0] >> 2)};
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	whole = read_stream(framing, copy + 2, size - 2, size);
	pieces = read_stream(framing, copy + 2, size - 2, 1u + data[1] % 64);
	free(copy);
	/* A payload lies behind the prefix only where both came at once, so places may differ by that for the first. */
	if (whole.frames != pieces.frames || whole.taken != pieces.taken || whole.end != pieces.end)
		abort();
	if (!framing.awaits_prefix && whole.sum != pieces.sum)
		abort();
	return 0;
}
