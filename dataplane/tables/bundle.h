/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of sessions whose transport is TCP, between the data plane and the control plane: ESP where the data plane has
 * the keys and the control plane the connection, and IKE messages where the connection is a worker's. They travel on the
 * attachment's own connection (tables/share.h), several in one message:
 *
 *   head | packet | head | packet | ...        at most BUNDLE_LEN_MAX bytes
 *
 * A socket and no ring in the tables: the kernel bounds what is under way and copies it, so that neither side waits
 * for, or has to believe, the other; and it ends with the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BUNDLE_PACKET_MAX = UINT16_MAX - 2, /* what one frame of RFC 9329 holds */
	BUNDLE_LEN_MAX = 96 << 10,
	BUNDLE_SOCKET_LEN = 4 << 20, /* to be asked of the kernel for what is under way, each way */
};

enum bundle_kind {
	BUNDLE_ESP, /* `index`: session; towards the data plane TABLES_NONE, for the SPI says which SA it is of */
	BUNDLE_IKE, /* without marker; `index`: connection */
};

struct bundle_head {
	uint64_t id; /* of the record, so that no later one in its slot is meant; of ESP 0 towards the data plane */
	uint32_t index;
	uint32_t kind;       /* enum bundle_kind */
	uint32_t packet_len; /* bytes, 1 to BUNDLE_PACKET_MAX */
	uint32_t reserved;
};

struct bundle_packet {
	struct bundle_head head;
	uint8_t *data;
};

/* Puts head and packet behind the `*len` bytes that are there. False: it does not fit any more, nothing is changed. */
bool bundle_add(uint8_t bytes[BUNDLE_LEN_MAX], size_t *len, const struct bundle_head *head, const void *packet);

/* Reads what is at `*at` and moves that on. False: that was all, or what follows is no whole packet. */
bool bundle_next(uint8_t *bytes, size_t len, size_t *at, struct bundle_packet *out);
