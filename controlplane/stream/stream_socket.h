/* SPDX-License-Identifier: Apache-2.0 */
/* Inside stream/ only: what a stream wants of its kernel socket. */
#pragma once

#include "stream/stream.h"

#include <stdint.h>

/*
 * Never blocks, sends small writes at once, holds little that can't go yet. `keepalive`: seconds of silence before the
 * kernel asks the other side, 0: never; one that is gone shows after four times as long, be there data on the way or
 * not. 0 or negative errno.
 */
int stream_socket_prepare(int fd, uint32_t keepalive);

/* Between whom it is, with their transport set. 0 or negative errno. */
int stream_socket_ends(int fd, struct endpoint *local, struct endpoint *remote);

/* How it fares (stream_path). 0 or negative errno. */
int stream_socket_path(int fd, struct stream_path *path);
