/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a stream of RFC 9329 frames whose bytes are known in advance: through a socket of the kernel, or through
 * dataplane/tcp over a TUN device, where it is a host of its own behind this one.
 *
 *	tcp-peer listen PORT WHAT SECONDS
 *	tcp-peer dial ADDRESS PORT WHAT SECONDS
 *	tcp-peer endpoint DEVICE OWN-ADDRESS ADDRESS PORT WHAT SECONDS
 *	tcp-peer takeover DEVICE PORT DIVERT WHAT SECONDS
 *
 * takeover: the kernel accepts, and in the middle of the stream the connection moves into dataplane/tcp, which then has
 * the packets of DEVICE. DIVERT is a command that keeps them from the kernel.
 *
 * WHAT is send, receive or both. After SECONDS it sends no more and closes; it ends when the other side has done so,
 * too. Prints what it received and how fast, and exits with 0 if every frame came once, in order, and whole.
 */
#include "tcp_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t peer_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Each frame has its number in front, inverted lest it be a non-ESP marker; behind it bytes that begin elsewhere in the
 * pattern for each. */
void peer_write_frame(struct peer *peer, uint8_t frame[PEER_FRAME_LEN])
{
	uint64_t number = peer->sent++, inverted = ~number;
	uint32_t len;

	memcpy(frame + FRAME_LENGTH_LEN, &inverted, sizeof(inverted));
	memcpy(frame + FRAME_LENGTH_LEN + sizeof(number), peer->pattern + number % PEER_PATTERN_SHIFT,
		PEER_FRAME_LEN - FRAME_LENGTH_LEN - sizeof(number));
	frame_write_head(FRAME_ESP, frame + FRAME_LENGTH_LEN, PEER_FRAME_LEN - FRAME_LENGTH_LEN, &len);
}

static void check_frame(struct peer *peer, const struct frame *frame)
{
	uint64_t number = 0;

	if (frame->len == PEER_FRAME_LEN - FRAME_LENGTH_LEN)
		memcpy(&number, frame->data, sizeof(number));
	number = ~number;
	if (frame->len != PEER_FRAME_LEN - FRAME_LENGTH_LEN || number != peer->received ||
		memcmp(frame->data + sizeof(number), peer->pattern + number % PEER_PATTERN_SHIFT,
			frame->len - sizeof(number)) != 0) {
		fprintf(stderr, "frame %lu of %u bytes came where %lu was next\n", number, frame->len, peer->received);
		exit(EXIT_FAILURE);
	}
	peer->received++;
}

void peer_read(struct peer *peer, struct tcp_piece *piece)
{
	struct frame frame;
	enum frame_result result;

	if (peer->bytes_received == 0)
		peer->first = peer_now();
	peer->last = peer_now();
	peer->bytes_received += piece->len;
	while ((result = frame_next(&peer->reader, piece, &frame)) != FRAME_PIECE_DONE) {
		if (result == FRAME_BROKEN) {
			fprintf(stderr, "what came behind frame %lu is no frame\n", peer->received);
			exit(EXIT_FAILURE);
		}
		if (result == FRAME_NEEDS_BUFFER)
			frame_lend(&peer->reader, peer->buffer);
		else
			check_frame(peer, &frame);
	}
}

bool peer_sends(struct peer *peer)
{
	if (peer->sends && peer_now() >= peer->stop)
		peer->sends = false;
	return peer->sends;
}

static void report(const struct peer *peer)
{
	double seconds = (double)(peer->last - peer->first) / 1e6;

	printf("sent %lu frames, received %lu, %lu bytes in %.3f s: %.3f Mbit/s\n", peer->sent, peer->received,
		peer->bytes_received, seconds, seconds > 0 ? (double)peer->bytes_received * 8 / seconds / 1e6 : 0);
}

static void usage(void)
{
	fprintf(stderr, "usage: tcp-peer listen PORT WHAT SECONDS\n"
			"       tcp-peer dial ADDRESS PORT WHAT SECONDS\n"
			"       tcp-peer endpoint DEVICE OWN-ADDRESS ADDRESS PORT WHAT SECONDS\n"
			"       tcp-peer takeover DEVICE PORT DIVERT WHAT SECONDS\n"
			"WHAT: send, receive or both\n");
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int argc;
	} sides[] = {{"listen", 5}, {"dial", 6}, {"endpoint", 8}, {"takeover", 7}};
	static struct peer peer;
	size_t side = 0;
	int rc;

	while (argc > 1 && side < 4 && strcmp(argv[1], sides[side].name) != 0)
		side++;
	if (argc < 2 || side == 4 || argc != sides[side].argc)
		usage();
	for (size_t i = 0; i < sizeof(peer.pattern); i++)
		peer.pattern[i] = (uint8_t)(i * 131 + (i >> 7));
	peer.sends = strcmp(argv[argc - 2], "receive") != 0;
	peer.seconds = atof(argv[argc - 1]);
	frame_reader_init(&peer.reader, false);
	switch (side) {
	case 0: rc = peer_kernel(&peer, NULL, argv[2]); break;
	case 1: rc = peer_kernel(&peer, argv[2], argv[3]); break;
	case 2: rc = peer_endpoint(&peer, argv[2], argv[3], argv[4], argv[5]); break;
	default: rc = peer_takeover(&peer, argv[2], argv[3], argv[4]);
	}
	report(&peer);
	return rc == 0 && peer.reader.n_head == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
