/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the exchanges of phase 1 do alike, in either role: whether another one is admitted, the identity that we send,
 * where the NATs are, and what the operator is told when the peer has proved itself.
 */
#pragma once

#include "ike/builder.h"
#include "ike/ike_sa.h"

/* Whether a first message is within the half-open limits; when not, it has been counted and reported. */
bool handshake_admit(const struct v1_message *message);

/* The body of the ID payload that we send: the configured identity, or the local address. Returns its length. */
size_t handshake_write_identity(const struct ike_sa *sa, uint8_t *body);

/* Whether we tell this peer that we know users' logins and virtual addresses: there may be one or the other. */
bool handshake_has_clients(const struct config_peer *peer);

/*
 * As initiator, from NAT-D in the message that answered: who is behind a NAT; and if anybody is, our endpoints change
 * to the NAT port for the next message (RFC 3947 section 4).
 */
void handshake_float(struct ike_sa *sa, const struct v1_message *message);

/*
 * As responder, from NAT-D in this message. NAT-D carries the hashes of the addresses as the peer wrote them: those of
 * this message or, where it hashed before it changed the port, those of message 1.
 */
void handshake_detect_nat(struct ike_sa *sa, const struct v1_message *message);

/* As responder: the message that carries the peer's proof has been verified; it is now where this came from. */
void handshake_take_over(struct ike_sa *sa, const struct v1_message *message);

/* Tells that the peer is authenticated; `first`: where message 1 came from, `now`: where the proof did, message
 * `number`. */
void handshake_report(struct ike_sa *sa, const struct endpoint *first, const struct endpoint *now, unsigned number);
