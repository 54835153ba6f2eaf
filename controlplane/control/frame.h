/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on the control socket: a length of four bytes, big-endian, then that many bytes of JSON; requests one way,
 * replies the other, in turn. The head is for both sides; reading and writing whole frames is the client's, who may
 * wait (the server has an event loop and buffers, server.c).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_HEAD_LEN = 4,
	FRAME_REQUEST_MAX = 64 << 10,
	FRAME_REPLY_MAX = 16 << 20,
};

void frame_put_head(uint8_t head[FRAME_HEAD_LEN], uint32_t len);
uint32_t frame_get_head(const uint8_t head[FRAME_HEAD_LEN]);

/* 0 or negative errno. */
int frame_write(int fd, const void *text, size_t len);

/*
 * Reads one frame into new memory, terminated, which the caller frees. 0; -EPIPE when the other side closed before it
 * was whole; -EMSGSIZE when it would be longer than `max`; -EAGAIN when the socket's patience (SO_RCVTIMEO) is over.
 */
int frame_read(int fd, size_t max, char **text, size_t *len);
