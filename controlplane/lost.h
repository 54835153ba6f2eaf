/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers whose sessions went with a data plane. They must be told, or they would go on sending into SAs that are no
 * more; but the interface by which they are reached goes with the data plane too. So their IKE SAs are kept until the
 * next one is attached and has an address again, and deleted then, unless the peer came by itself meanwhile.
 */
#pragma once

#include "gateway.h"

/* The data plane went. */
void lost_begin(struct gateway *gateway);

/* To be called every second: tells them when that can work. */
void lost_tick(struct gateway *gateway);

/* Tells them now. Returns how many peers. */
size_t lost_tell(struct gateway *gateway);
