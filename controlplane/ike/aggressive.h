/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Aggressive mode (RFC 2409 sections 5.1 and 5.4). Handlers of the table in v1_states.c, and the beginning as
 * initiator. Risky by design with a pre-shared key: whoever sees message 2 may guess at a weak one offline, so it is
 * off unless a peer's configuration asks for it (RFC 9395).
 *
 * Message 2 goes to an address that nothing has proved yet, and can't always be kept below message 1: HASH_R, the two
 * NAT-D payloads and, with certificates, CERT and SIG have no counterpart there. What is optional is answered, never added
 * (natt.h), which leaves 36 to 108 bytes with a pre-shared key and SHA-256: 362 on 318 with ECP-256, some 530 on strongSwan's
 * 499 with MODP-2048. A chain of two RSA certificates makes it 2,184 on 376. So it is sent for a message that arrives,
 * never by a timer, and for the same one again only as far as what came covers a third of what went; how many
 * addresses can be had at it at once is ike.half_open_max. Main mode has none of this: its message 2 is the shorter one,
 * and whoever sends message 3 knows the cookie that went to its address.
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
