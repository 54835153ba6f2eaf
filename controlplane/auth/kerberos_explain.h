/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a peer's AP-REQ was refused, and what a KDC answered, as sentences for the administrator. The GSS library tells a
 * code; whose ticket it was, its times and the peer's clock stand in the AP-REQ, which is looked into for that.
 * Inside auth/ only; runs in helper threads.
 */
#pragma once

#include <gssapi/gssapi.h>
#include <stddef.h>
#include <stdint.h>

struct kerberos_refusal {
	OM_uint32 major, minor; /* of gss_accept_sec_context, just now and in this thread */
	const gss_OID_desc *mechanism;
	const char *keytab;
	const uint8_t *message; /* the AP-REQ */
	size_t message_len;
};

/* Writes one sentence. */
void kerberos_explain(const struct kerberos_refusal *refusal, char *why, size_t size);

/* What a KDC's reply is, which IAKERB's token for the peer holds: "it wants pre-authentication". */
void kerberos_explain_kdc(const uint8_t *reply, size_t reply_len, char *text, size_t size);
