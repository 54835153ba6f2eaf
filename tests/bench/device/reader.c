/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include "check.h"

#include <string.h>

enum {
	LENGTH_LEN = 2,	    /* the length field, which counts itself */
	SAMPLE_FIRST = 256, /* frames that are all checked */
	SAMPLE_SHIFT = 14,  /* then so many in every ... frames, as a power of two */
	SAMPLE_EACH = 32,
};

static bool sample_is_due(uint64_t frames)
{
	return frames < SAMPLE_FIRST || (frames & ((1u << SAMPLE_SHIFT) - 1)) < SAMPLE_EACH;
}

static void checked(struct reader *reader, bool good)
{
	meter_add(&reader->counts->checked, 1);
	meter_add(&reader->counts->bad, !good);
}

/* The length field of the next frame. False: only its first byte is there. */
static bool length_read(struct peer *peer, const uint8_t **bytes, uint32_t *len)
{
	if (!peer->length_is_begun) {
		peer->length_first = *(*bytes)++;
		peer->length_is_begun = 1;
		if (--*len == 0)
			return false;
	}
	peer->frame_left = (uint32_t)peer->length_first << 8 | *(*bytes)++;
	peer->length_is_begun = 0;
	--*len;
	return true;
}

/* A frame begins, `len` bytes of the segment follow its length field. False: its length cannot be. */
static bool frame_begin(
	struct reader *reader, struct peer *peer, uint32_t session, const uint8_t *bytes, uint32_t len, bool push)
{
	bool due = sample_is_due(reader->frames++);

	if (peer->frame_left <= LENGTH_LEN) {
		peer->frame_left = 0;
		checked(reader, false);
		return false;
	}
	peer->frame_left -= LENGTH_LEN;
	if (due && peer->frame_left <= len) {
		/* What ends a segment is to be handed on at once. */
		checked(reader, check_esp(session, bytes, peer->frame_left) && (push || peer->frame_left < len));
	} else if (due && !reader->sampled && peer->frame_left <= sizeof(reader->frame)) {
		reader->sampled = peer;
		reader->len = 0;
	}
	return true;
}

void reader_take(
	struct reader *reader, struct peer *peer, uint32_t session, const uint8_t *bytes, uint32_t len, bool push)
{
	while (len > 0) {
		uint32_t here;

		if (peer->frame_left == 0 &&
			(!length_read(peer, &bytes, &len) || !frame_begin(reader, peer, session, bytes, len, push)))
			continue;
		here = RTE_MIN(len, peer->frame_left);
		if (reader->sampled == peer) {
			memcpy(reader->frame + reader->len, bytes, here);
			reader->len += here;
		}
		bytes += here;
		len -= here;
		peer->frame_left -= here;
		if (peer->frame_left > 0)
			continue;
		meter_add(&reader->counts->received, 1);
		if (reader->sampled != peer)
			continue;
		checked(reader, check_esp(session, reader->frame, reader->len) && (push || len > 0));
		reader->sampled = NULL;
	}
}
