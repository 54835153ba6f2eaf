/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of the IKE engine: its clock and randomness, its sockets, and the SAs that it wants installed. The engine
 * calls these from within its own functions; none of them calls it back.
 */
#pragma once

#include "gateway.h"

struct ike_host host_make(struct gateway *gateway);
