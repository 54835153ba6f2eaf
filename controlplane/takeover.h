/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An established TCP connection leaves the kernel for dataplane/tcp, with Linux's TCP_REPAIR: its state is read, and
 * the socket closes without a segment on the wire. Needs CAP_NET_ADMIN.
 *
 *   divert the flow, so that its packets wait elsewhere      (the caller: the kernel would answer them with RST)
 *   takeover_read                                            nothing new leaves from here on
 *   tcp_install, then what was unread to the frame reader, and what was unsent to tcp_send
 *   takeover_close; or, when anything failed, takeover_cancel: the connection goes on in the kernel
 *
 * Nothing is lost or doubled: what reaches the kernel after takeover_read isn't acknowledged, so the peer sends it
 * again, and what it acknowledged before is in `unread`. What the kernel held out of order is sent again by the peer,
 * too. The peer's last timestamp is not told; the endpoint learns it from the next segment.
 */
#pragma once

#include "tcp/tcp.h"

struct takeover {
	int fd;
	struct tcp_established established; /* `unacknowledged` lies in `sent` */
	uint8_t *unread;		    /* received, acknowledged, and not read from the socket */
	uint32_t unread_len;
	uint8_t *sent; /* the send queue: the unacknowledged first, behind them the unsent */
	uint32_t unsent_len;
};

/*
 * Freezes the connection and reads it. The socket stays the caller's. 0; negative errno, and then the connection goes
 * on: -EPERM without the capability, -ENOTCONN unless established, -EPROTO when the kernel's answers contradict each
 * other, -ENOMEM.
 */
int takeover_read(struct takeover *takeover, int fd);

/* What the kernel had and never sent; it follows `unacknowledged`. NULL: nothing. */
static inline uint8_t *takeover_unsent(const struct takeover *takeover)
{
	return takeover->unsent_len ? takeover->sent + (takeover->established.snd_nxt - takeover->established.snd_una)
				    : NULL;
}

/*
 * Closes the socket without FIN or RST. The memory of `sent` stays until takeover_free, which has to wait until the
 * endpoint has given back what points into it.
 */
void takeover_close(struct takeover *takeover);

/* The kernel goes on with the connection as if nothing had been. 0 or negative errno. Frees the memory. */
int takeover_cancel(struct takeover *takeover);

void takeover_free(struct takeover *takeover);
