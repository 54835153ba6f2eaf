/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long an inner packet may be for an outbound SA: what is left of the outer path's MTU after outer header and ESP,
 * exact for the suite's padding. The outer path's MTU is that of the port that the route to the peer leaves by, or less
 * where the path has told so (learn.h). Computed by the main thread, which owns it; workers read two words of the SA
 * (sa.h).
 *
 * Nobody may ask IPv6 for packets shorter than 1,280 bytes (RFC 8200 section 5). So an SA for IPv6 takes as much,
 * however little fits, and what is too long then is cut after encryption (RFC 2473 section 7.1).
 *
 * In a TCP connection anything fits that its frames can hold, and TCP cuts it. What inner TCP connections are told to
 * send is what one segment of the outer one holds, all the same: it leaves in its own buffer, and is not lost by halves.
 */
#pragma once

#include "dataplane.h"

/* What every host takes (RFC 791), every link (RFC 8200 section 5): nothing may lower an outer path's MTU below it. */
enum { MTU_FLOOR = 576, MTU_FLOOR_IPV6 = 1280 };

/* Sets the SA of child `index`, in sas and, for the control plane to see, in the tables. */
void mtu_set(struct dataplane *dataplane, uint32_t index);

/* The same for all children of a session: its endpoints have moved, or its path's MTU has changed. */
void mtu_set_session(struct dataplane *dataplane, uint32_t session);

/* Routes have changed: all SAs, unless they can't differ because all ports have one MTU. */
void mtu_set_all(struct dataplane *dataplane);

/* The MTU of the outer path to a session's peer now, bytes. */
uint16_t mtu_outer(const struct dataplane *dataplane, const struct sa_session *session);
