/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead peer detection (RFC 3706) from our side: a session from which nothing has come for a while, neither data nor
 * IKE, is asked whether it is there; one that does not answer is taken down, so that its address and its networks'
 * routes are free for the peer's next attempt. Peers that talk are never asked.
 */
#pragma once

#include "gateway.h"

enum { DPD_LOOK_SECONDS = 5, DPD_PROBES_MIN = 3 };

/* To be called once a second: looks at a fifth of the sessions, so that each is looked at every DPD_LOOK_SECONDS. */
void dpd_tick(struct gateway *gateway, uint64_t now_ms);
