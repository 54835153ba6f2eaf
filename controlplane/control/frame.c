/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void frame_put_head(uint8_t head[FRAME_HEAD_LEN], uint32_t len)
{
	uint32_t wire = htonl(len);

	memcpy(head, &wire, sizeof(wire));
}

uint32_t frame_get_head(const uint8_t head[FRAME_HEAD_LEN])
{
	uint32_t wire;

	memcpy(&wire, head, sizeof(wire));
	return ntohl(wire);
}

static int write_whole(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t written = send(fd, data, len, MSG_NOSIGNAL);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		len -= (size_t)written;
	}
	return 0;
}

static int read_whole(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t received = recv(fd, data, len, 0);

		if (received < 0 && errno == EINTR)
			continue;
		if (received < 0)
			return -errno;
		if (received == 0)
			return -EPIPE;
		data += received;
		len -= (size_t)received;
	}
	return 0;
}

int frame_write(int fd, const void *text, size_t len)
{
	uint8_t head[FRAME_HEAD_LEN];
	int rc;

	frame_put_head(head, (uint32_t)len);
	rc = write_whole(fd, head, sizeof(head));
	return rc < 0 ? rc : write_whole(fd, text, len);
}

int frame_read(int fd, size_t max, char **text, size_t *len)
{
	uint8_t head[FRAME_HEAD_LEN];
	int rc = read_whole(fd, head, sizeof(head));

	if (rc < 0)
		return rc;
	*len = frame_get_head(head);
	if (*len > max)
		return -EMSGSIZE;
	*text = malloc(*len + 1);
	if (!*text)
		return -ENOMEM;
	rc = read_whole(fd, (uint8_t *)*text, *len);
	if (rc < 0) {
		free(*text);
		return rc;
	}
	(*text)[*len] = '\0';
	return 0;
}
