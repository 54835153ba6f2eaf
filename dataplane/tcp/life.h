/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a connection (RFC 9293 section 3.6). */
#pragma once

#include "tcp/tcp.h"

/* Ends it now: no timers, nothing to send. `event`: enum tcp_event, or 0. What came can still be read. */
void life_end(struct tcp *tcp, unsigned int event);

/* Is our FIN acknowledged? After each ACK. */
void life_fin_acknowledged(struct tcp *tcp, uint64_t now);

/* Is the peer's FIN next? After each segment. */
void life_peer_finished(struct tcp *tcp, uint64_t now);
