/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of an established TCP connection on its way from the kernel, by the control plane, to a worker of the data
 * plane. It travels on the attachment's connection (tables/share.h) as one message, struct transfer_head, with one
 * descriptor, of a memfd sealed against every change, that holds
 *
 *   struct transfer_state | bytes unacknowledged | bytes unsent | bytes unread
 *
 * The connection is held already (TABLES_CONNECTION_HOLD). The answer is the DONE of TABLES_CONNECTION_INSTALL, and all or
 * nothing: refused, it is held as before, and the control plane lets the kernel go on with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TRANSFER_LEN_MAX = 32 << 20, /* of the memfd */
	TRANSFER_MAGIC = 0x4b505453,
};

/* A message of this length with a descriptor is a transfer; a bundle has none. */
struct transfer_head {
	uint32_t magic; /* TRANSFER_MAGIC */
	uint32_t index; /* of the connection's record */
	uint64_t id;
};

/* struct tcp_established (tcp/tcp.h) without its pointers and ports, which the record's endpoints have. */
struct transfer_state {
	uint32_t snd_una, snd_nxt; /* between them: the unacknowledged */
	uint32_t snd_wnd, snd_wl1;
	uint32_t rcv_nxt, rcv_wnd;
	uint32_t ts_value;
	uint32_t cwnd, ssthresh, srtt; /* bytes, bytes, microseconds; 0: not known */
	uint16_t mss;
	uint8_t snd_scale, rcv_scale;
	uint8_t timestamps, sack, ecn; /* 0 or 1 */
	uint8_t reserved;
	/*
	 * Unsent begins where the unacknowledged end, be that within a frame, and ends with a frame. Unread begins with a
	 * frame's length field: what the control plane had read of a frame and not used up stands before what the kernel
	 * still had.
	 */
	uint32_t unsent_len, unread_len;
};

struct tcp_established;

void transfer_from_established(struct transfer_state *state, const struct tcp_established *established);
/* The ports, and the memory of what is unacknowledged, stay 0. */
void transfer_to_established(const struct transfer_state *state, struct tcp_established *established);

static inline uint32_t transfer_unacknowledged_len(const struct transfer_state *state)
{
	return state->snd_nxt - state->snd_una;
}

/* --- control plane ------------------------------------------------------------------------------------------------ */

/* The sealed memfd, the caller's to close when it was sent; or negative errno: -EFBIG beyond TRANSFER_LEN_MAX. */
int transfer_make(const struct transfer_state *state, const void *unacknowledged, const void *unsent, const void *unread);

/* On the attachment's connection; the memfd stays the caller's. 0 or negative errno: -EAGAIN when its buffer is full. */
int transfer_send(int connection, const struct transfer_head *head, int memfd);

/* --- data plane --------------------------------------------------------------------------------------------------- */

struct transfer {
	struct transfer_state state;
	const uint8_t *unacknowledged, *unsent, *unread; /* in: */
	uint8_t *bytes;					 /* the transfer's own copy of the whole */
};

/*
 * Reads what a stranger may have written: all lengths, and that flags are 0 or 1; whether the state makes sense is for
 * tcp_install to say. The pointers go into `bytes`. 0 or -EPROTO.
 */
int transfer_read(struct transfer *transfer, uint8_t *bytes, size_t len);

/* The same for a memfd, which stays the caller's: -EPERM unless it is sealed, -EFBIG, -ENOMEM. */
int transfer_open(struct transfer *transfer, int memfd);
void transfer_close(struct transfer *transfer);
