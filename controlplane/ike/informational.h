/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Informational exchanges that came in (RFC 2409 section 5.7): deletes, INITIAL-CONTACT, dead peer detection (RFC 3706,
 * the answering side), error notifications. All of it has passed HASH(1) before it gets here.
 */
#pragma once

#include "ike/ike_sa.h"

/* Handler of the table in v1_states.c. */
enum v1_verdict informational_receive(struct v1_message *message);

/* INITIAL-CONTACT among the notifications of a message: what the peer had with us before is forgotten. */
void informational_read_contact(struct ike_sa *sa, const struct v1_message *message);

/* The peer has forgotten all but this SA; noted for later while its user has still to log in. */
void informational_take_contact(struct ike_sa *sa);
