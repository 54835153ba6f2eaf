/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What we tell a peer outside of a negotiation: notifications and deletes, each one informational message under the IKE
 * SA (RFC 2409 section 5.7), and one refusal in the clear. None of them is repeated or acknowledged.
 */
#pragma once

#include "ike/ike_sa.h"

/* Notification data goes behind the SPI; both may be empty. */
void notify_send(struct ike_sa *sa, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data);

/* Deletes of child SAs by our inbound SPI, and of the IKE SA itself. */
void notify_delete_child(struct ike_sa *sa, uint32_t spi_in);
void notify_delete_sa(struct ike_sa *sa);

/* NO-PROPOSAL-CHOSEN to the sender of a first message, with no SA: 40 bytes, fewer than what was received. */
void notify_refuse(const struct v1_message *message);

/* Writes a notification payload. */
void notify_write(struct builder *builder, uint8_t protocol, uint16_t type, struct bytes spi, struct bytes data);
