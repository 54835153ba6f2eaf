/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each message that comes and goes, told to a host that wants to know (ike_host.message). A message that came is told
 * once, before anything is done about it, but after it could be read: what is said of it then follows.
 */
#pragma once

#include "ike/engine.h"
#include "ike/v1.h"

/* `again`: it came before. Does nothing when this message has been told already. */
void trace_received(struct v1_message *message, bool again);

/* One that goes; `notify` is the type of the notification in it, 0: none. */
void trace_sent(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len, bool again, uint16_t notify);
