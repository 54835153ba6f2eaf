/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Main mode (RFC 2409 sections 5.1 and 5.4). Handlers of the table in v1_states.c, and the beginning as initiator. The
 * responder does not know who it talks to before message 5: it agrees on a proposal that any of the candidates has
 * (candidates.h), and holds the one that the peer turns out to be against it.
 */
#pragma once

#include "ike/auth.h"
#include "ike/ike_sa.h"

/* Sends message 1. 0 or negative errno. */
int main_mode_begin(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote);

/* Responder. */
enum v1_verdict main_mode_receive_1(struct v1_message *message);
enum v1_verdict main_mode_receive_3(struct v1_message *message);
enum v1_verdict main_mode_receive_5(struct v1_message *message);

/* Before message 5 is opened: finds out with whose pre-shared key it was encrypted, and takes the keys that come of it.
 */
void main_mode_unlock_5(struct v1_message *message);

/* Initiator. */
enum v1_verdict main_mode_receive_2(struct v1_message *message);
enum v1_verdict main_mode_receive_4(struct v1_message *message);
enum v1_verdict main_mode_receive_6(struct v1_message *message);

/* What both roles do. Return 0 or negative errno. */

/* Takes a copy of SAi_b, with which the transcript begins. */
int main_mode_open_transcript(struct ike_sa *sa, struct bytes sa_i);

/* What the peer's vendor IDs say that it can do. `force_udp`: it is to put ESP into UDP in any case. */
void main_mode_note_vendors(struct ike_sa *sa, const struct v1_message *message, bool force_udp);

/* Our key pair, which the handshake has from now on, and our nonce. */
int main_mode_make_values(struct ike_sa *sa, struct dh *pair);

/* Takes the peer's key exchange value and nonce out of message 3 or 4. The value has been found to be one of the group.
 */
void main_mode_take_values(struct ike_sa *sa, const struct v1_message *message);

/* HDR, KE, N [, CERTREQ ...], NAT-D, NAT-D: message 3 or 4. */
int main_mode_send_values(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote);

/* What the keys are made of, where `peer` has the pre-shared key, if the method wants one. */
struct keymat_input main_mode_input(const struct ike_sa *sa, const struct config_peer *peer);

/* Who we are, and our proof of it. */
struct main_mode_proof {
	uint8_t id[IDENTITY_BODY_MAX];
	size_t id_len;
	struct auth_proof proof;
};

/* Makes it. Also -EINPROGRESS, see compute.h. */
int main_mode_prove(struct v1_message *message, const struct keymat_input *input, struct main_mode_proof *out);

/* HDR*, ID, HASH or what the method has in its place [, N]: message 5 or 6. `contact`: with INITIAL-CONTACT. */
int main_mode_send_proof(struct ike_sa *sa, const struct main_mode_proof *proof, bool contact);

/* Ends an exchange that can't go on. */
enum v1_verdict main_mode_give_up(struct ike_sa *sa, const char *what, int error);
