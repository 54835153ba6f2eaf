/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggressive mode (RFC 2409 sections 5.1 and 5.4). Handlers of the table in v1_states.c, and the beginning as
 * initiator. Risky by design with a pre-shared key: whoever sees message 2 may guess at a weak one offline, so it is
 * off unless a peer's configuration asks for it (RFC 9395).
 */
#pragma once

#include "ike/ike_sa.h"

/* Sends message 1. 0 or negative errno. */
int aggressive_begin(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote);

/* Responder. */
enum v1_verdict aggressive_receive_1(struct v1_message *message);
enum v1_verdict aggressive_receive_3(struct v1_message *message);

/* Initiator. */
enum v1_verdict aggressive_receive_2(struct v1_message *message);
