/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we tell a peer outside of a negotiation: notifications and deletes, each one informational message under the IKE
 * SA (RFC 2409 section 5.7), and one refusal in the clear. None of them is repeated or acknowledged.
 */
#pragma once

#include "ike/ike_sa.h"

/* Notification data goes behind the SPI; both may be empty. */
void notify_send(struct ike_sa *sa, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data);

/* The same, not from and to where the SA's peer is known to be. */
void notify_send_at(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote, uint8_t protocol,
	uint16_t type, struct bytes spi, struct bytes data);

/* Deletes of child SAs by our inbound SPI, and of the IKE SA itself. */
void notify_delete_child(struct ike_sa *sa, uint32_t spi_in);
void notify_delete_sa(struct ike_sa *sa);

/* An error in the clear to the sender of a message that no SA is there for: 40 bytes, fewer than what was received. */
void notify_refuse(const struct v1_message *message, uint16_t type);

/*
 * AUTHENTICATION-FAILED to the sender of a message of phase 1 whose proof was not accepted, once in an exchange and in
 * fewer bytes than the message had. Which check it was is for our own log: who asks must not learn names or keys by
 * trying. `sealed`: both sides have the keys, so that the peer can believe it, and the SA is deleted with it; else in the
 * clear, where it can't.
 */
void notify_reject(const struct v1_message *message, bool sealed);

/* Writes a notification payload. */
void notify_write(struct builder *builder, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data);
