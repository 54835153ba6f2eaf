/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/aggressive.h"
#include "ike/informational.h"
#include "ike/main_mode.h"
#include "ike/quick.h"
#include "ike/transaction.h"
#include "ike/v1.h"

#define P(type) PAYLOAD_BIT(ISAKMP_##type)
/* By which a side proves itself in phase 1: which of these has to be there is the method's business. */
#define PROOF (P(HASH) | P(SIGNATURE) | P(CERT) | P(CERT_REQUEST))

/* clang-format off */
static const struct v1_row rows[] = {
	/*
	 * Aggressive mode, RFC 2409 section 5.4; NAT-D of RFC 3947 section 3.2. Where HASH_R and HASH_I stand other
	 * methods have other payloads (auth.h).
	 *
	 *     HDR, SA, KE, Ni, IDii, VID ...  -->
	 */
	{ISAKMP_AGGRESSIVE, V1_RESPONDER, V1_START, V1_AGGRESSIVE_SENT_2,
		P(SA) | P(KE) | P(NONCE) | P(ID), P(VENDOR_ID) | P(CERT_REQUEST) | P(NOTIFICATION),
		V1_CLEAR, V1_PROOF_BY_HANDLER, aggressive_receive_1, V1_WAIT_HALF_OPEN, NULL},
	/*
	 *                                     <--  HDR, SA, KE, Nr, IDir, HASH_R, VID ..., NAT-D, NAT-D
	 */
	{ISAKMP_AGGRESSIVE, V1_INITIATOR, V1_AGGRESSIVE_SENT_1, V1_ESTABLISHED,
		P(SA) | P(KE) | P(NONCE) | P(ID), PROOF | P(VENDOR_ID) | P(NOTIFICATION) | P(NAT_D),
		V1_CLEAR, V1_PROOF_BY_HANDLER, aggressive_receive_2, V1_WAIT_LIFETIME, NULL},
	/*
	 *     HDR*, HASH_I, NAT-D, NAT-D      -->      on the NAT port when there is a NAT; encryption is optional
	 */
	{ISAKMP_AGGRESSIVE, V1_RESPONDER, V1_AGGRESSIVE_SENT_2, V1_ESTABLISHED,
		0, PROOF | P(VENDOR_ID) | P(NOTIFICATION) | P(NAT_D),
		V1_EITHER, V1_PROOF_BY_HANDLER, aggressive_receive_3, V1_WAIT_LIFETIME, NULL},

	/*
	 * Main mode, RFC 2409 section 5.4; NAT-D of RFC 3947 section 3.2. As above other methods have other payloads in
	 * the place of HASH_I and HASH_R.
	 *
	 *     HDR, SA, VID ...                -->
	 */
	{ISAKMP_MAIN, V1_RESPONDER, V1_START, V1_MAIN_SENT_2,
		P(SA), P(VENDOR_ID) | P(NOTIFICATION),
		V1_CLEAR, V1_PROOF_BY_HANDLER, main_mode_receive_1, V1_WAIT_HALF_OPEN, NULL},
	/*
	 *                                     <--  HDR, SA, VID ...
	 */
	{ISAKMP_MAIN, V1_INITIATOR, V1_MAIN_SENT_1, V1_MAIN_SENT_3,
		P(SA), P(VENDOR_ID) | P(NOTIFICATION),
		V1_CLEAR, V1_PROOF_BY_HANDLER, main_mode_receive_2, V1_WAIT_RETRANSMIT, NULL},
	/*
	 *     HDR, KE, Ni, NAT-D, NAT-D       -->
	 */
	{ISAKMP_MAIN, V1_RESPONDER, V1_MAIN_SENT_2, V1_MAIN_SENT_4,
		P(KE) | P(NONCE), P(NAT_D) | P(CERT_REQUEST) | P(VENDOR_ID) | P(NOTIFICATION),
		V1_CLEAR, V1_PROOF_BY_HANDLER, main_mode_receive_3, V1_WAIT_HALF_OPEN, NULL},
	/*
	 *                                     <--  HDR, KE, Nr, NAT-D, NAT-D
	 */
	{ISAKMP_MAIN, V1_INITIATOR, V1_MAIN_SENT_3, V1_MAIN_SENT_5,
		P(KE) | P(NONCE), P(NAT_D) | P(CERT_REQUEST) | P(VENDOR_ID) | P(NOTIFICATION),
		V1_CLEAR, V1_PROOF_BY_HANDLER, main_mode_receive_4, V1_WAIT_RETRANSMIT, NULL},
	/*
	 *     HDR*, IDii, HASH_I              -->      on the NAT port from here on, when there is a NAT
	 */
	{ISAKMP_MAIN, V1_RESPONDER, V1_MAIN_SENT_4, V1_ESTABLISHED,
		P(ID), PROOF | P(VENDOR_ID) | P(NOTIFICATION),
		V1_ENCRYPTED, V1_PROOF_BY_HANDLER, main_mode_receive_5, V1_WAIT_LIFETIME, main_mode_unlock_5},
	/*
	 *                                     <--  HDR*, IDir, HASH_R
	 */
	{ISAKMP_MAIN, V1_INITIATOR, V1_MAIN_SENT_5, V1_ESTABLISHED,
		P(ID), PROOF | P(VENDOR_ID) | P(NOTIFICATION),
		V1_ENCRYPTED, V1_PROOF_BY_HANDLER, main_mode_receive_6, V1_WAIT_LIFETIME, NULL},

	/*
	 * Quick mode, RFC 2409 section 5.5.
	 *
	 *     HDR*, HASH(1), SA, Ni [, KE] [, IDci, IDcr] [, NAT-OA, NAT-OA]  -->
	 */
	{ISAKMP_QUICK, V1_RESPONDER, V1_QUICK_START, V1_QUICK_SENT_2,
		P(HASH) | P(SA) | P(NONCE), P(KE) | P(ID) | P(NOTIFICATION) | P(NAT_OA) | P(VENDOR_ID),
		V1_ENCRYPTED, V1_HASH_1, quick_receive_1, V1_WAIT_RETRANSMIT, NULL},
	/*
	 *                                     <--  HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, N]
	 */
	{ISAKMP_QUICK, V1_INITIATOR, V1_QUICK_SENT_1, V1_QUICK_DONE,
		P(HASH) | P(SA) | P(NONCE), P(KE) | P(ID) | P(NOTIFICATION) | P(NAT_OA) | P(VENDOR_ID),
		V1_ENCRYPTED, V1_HASH_2, quick_receive_2, V1_WAIT_LINGER, NULL},
	/*
	 *     HDR*, HASH(3)                   -->
	 */
	{ISAKMP_QUICK, V1_RESPONDER, V1_QUICK_SENT_2, V1_QUICK_DONE,
		P(HASH), P(NOTIFICATION),
		V1_ENCRYPTED, V1_HASH_3, quick_receive_3, V1_WAIT_LINGER, NULL},

	/*
	 * Transaction exchange, see transaction.h.
	 *
	 *     HDR*, HASH, ATTR                -->      a request or a set
	 *                                     <--  HDR*, HASH, ATTR
	 */
	{ISAKMP_TRANSACTION, V1_RESPONDER, V1_CONFIG_START, V1_CONFIG_DONE,
		P(HASH) | P(ATTRIBUTES), P(VENDOR_ID) | P(NOTIFICATION),
		V1_ENCRYPTED, V1_HASH_1, transaction_receive_1, V1_WAIT_LINGER, NULL},
	{ISAKMP_TRANSACTION, V1_INITIATOR, V1_CONFIG_SENT, V1_CONFIG_DONE,
		P(HASH) | P(ATTRIBUTES), P(VENDOR_ID) | P(NOTIFICATION),
		V1_ENCRYPTED, V1_HASH_1, transaction_receive_2, V1_WAIT_LINGER, NULL},

	/*
	 * Informational exchange, RFC 2409 section 5.7: one message with a message ID of its own.
	 *
	 *     HDR*, HASH(1), N ... / D ...    <->
	 */
	{ISAKMP_INFORMATIONAL, V1_RESPONDER, V1_ESTABLISHED, V1_ESTABLISHED,
		P(HASH), P(NOTIFICATION) | P(DELETE) | P(VENDOR_ID),
		V1_ENCRYPTED, V1_HASH_1, informational_receive, V1_WAIT_NOTHING, NULL},
};
/* clang-format on */

const struct v1_row *v1_find_row(uint8_t exchange, enum v1_role role, enum v1_state state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].exchange == exchange && rows[i].role == role && rows[i].state == state)
			return &rows[i];
	return NULL;
}

bool v1_knows_exchange(uint8_t exchange)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].exchange == exchange)
			return true;
	return false;
}

bool v1_awaits_last(enum v1_state state)
{
	return state == V1_AGGRESSIVE_SENT_2 || state == V1_MAIN_SENT_5;
}

bool v1_awaits_answer(enum v1_state state)
{
	return state == V1_AGGRESSIVE_SENT_1 || state == V1_MAIN_SENT_1 || state == V1_MAIN_SENT_3 ||
	       state == V1_MAIN_SENT_5;
}

const char *v1_state_name(enum v1_state state)
{
	switch (state) {
	case V1_START: return "nothing sent";
	case V1_AGGRESSIVE_SENT_1:
	case V1_MAIN_SENT_1: return "message 1 sent";
	case V1_AGGRESSIVE_SENT_2:
	case V1_MAIN_SENT_2: return "message 2 sent";
	case V1_MAIN_SENT_3: return "message 3 sent";
	case V1_MAIN_SENT_4: return "message 4 sent";
	case V1_MAIN_SENT_5: return "message 5 sent";
	case V1_XAUTH: return "user to log in";
	case V1_ESTABLISHED: return "established";
	case V1_QUICK_START: return "quick mode begun";
	case V1_QUICK_SENT_1: return "quick mode message 1 sent";
	case V1_QUICK_SENT_2: return "quick mode message 2 sent";
	case V1_QUICK_DONE: return "quick mode done";
	case V1_CONFIG_START: return "transaction begun";
	case V1_CONFIG_SENT: return "transaction sent";
	case V1_CONFIG_DONE: return "transaction done";
	}
	return "unknown";
}
