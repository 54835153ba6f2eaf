/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XAUTH (draft-beaulieu-ike-xauth-02) and its use by hybrid authentication: after phase 1 the responder asks the
 * initiator who its user is and for the password, as often as it allows wrong ones, and tells the outcome. Until then
 * the IKE SA is not established: no quick mode, nothing that acts on other SAs.
 *
 *     initiator (client)                 responder (server)
 *                        <--  REQUEST(TYPE, USER_NAME, USER_PASSWORD)
 *     REPLY(name, password)  -->                 the host checks them, which takes a while
 *                        <--  SET(STATUS)        or the next REQUEST
 *     ACK(STATUS)        -->
 */
#pragma once

#include "ike/transaction.h"

/* Whether phase 1 of this SA leaves the user to be authenticated. */
bool xauth_is_due(const struct ike_sa *sa);

/* Phase 1 is done. The server asks; the client waits to be asked. */
void xauth_begin(struct ike_sa *sa);

/* Server: what came back to REQUEST or SET. */
enum v1_verdict xauth_server_receive(struct v1_message *message, const struct attributes *attributes);

/* Client: REQUEST or SET. */
enum v1_verdict xauth_client_receive(struct v1_message *message, const struct attributes *attributes);

/* Whether a message has to wait until the user is authenticated. */
bool xauth_must_wait(const struct v1_message *message);
