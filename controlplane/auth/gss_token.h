/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer's token is, told before the GSS library sees it: so that only Kerberos reaches the library (it speaks
 * other mechanisms too), and of IAKERB only requests that are meant for a KDC which we know. The framing of RFC 2743
 * section 3.1 and RFC 4121 section 4.1, and IAKERB's header (draft-ietf-kitten-iakerb-03 section 3). Nothing is copied.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum gss_token_kind {
	GSS_TOKEN_NOISE,	   /* not framed as a token, or inconsistent lengths */
	GSS_TOKEN_OTHER_MECHANISM, /* SPNEGO, NTLM and so on */
	GSS_TOKEN_OTHER_MESSAGE,   /* of Kerberos, but none that an initiator sends */
	GSS_TOKEN_AP_REQ,	   /* of Kerberos */
	GSS_TOKEN_IAKERB_AP_REQ,   /* the last one of an IAKERB exchange */
	GSS_TOKEN_IAKERB_AS_REQ,   /* for a KDC: asks for a first ticket */
	GSS_TOKEN_IAKERB_TGS_REQ,  /* for a KDC: asks for a service's ticket */
	GSS_TOKEN_IAKERB_OTHER,	   /* for a KDC, but nothing that an initiator asks one */
};

struct gss_token {
	enum gss_token_kind kind;
	const uint8_t *message; /* the Kerberos message in it, of the kinds that have one */
	size_t message_len;
	const char *realm; /* of IAKERB's requests: whose KDC is meant; not terminated */
	size_t realm_len;
};

struct gss_token gss_token_read(const uint8_t *token, size_t token_len);

/* One of IAKERB's requests to a KDC? */
static inline int gss_token_is_for_kdc(const struct gss_token *token)
{
	return token->kind >= GSS_TOKEN_IAKERB_AS_REQ;
}
