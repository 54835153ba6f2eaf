/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the data plane tells, from the event rings of all its threads: changes that have ended, peers seen elsewhere,
 * lifetimes that come to an end, neighbours that packets wait for. Each is judged here and becomes an action; the data
 * plane says only what is authentic, but a record may have been replaced since it spoke.
 */
#pragma once

#include "gateway.h"

/* Takes what waits, up to a bound. True when more may wait. A data plane must be attached. */
bool events_drain(struct gateway *gateway);
