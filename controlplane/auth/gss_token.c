/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/gss_token.h"

#include <stdbool.h>
#include <string.h>

/* DER identifiers. */
enum {
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_UTF8 = 0x0c,
	TAG_SEQUENCE = 0x30,
	TAG_TOKEN = 0x60,	 /* [APPLICATION 0] (RFC 2743 section 3.1) */
	TAG_AS_REQ = 0x6a,	 /* [APPLICATION 10] (RFC 4120 section 5.10) */
	TAG_TGS_REQ = 0x6c,	 /* [APPLICATION 12] */
	TAG_TARGET_REALM = 0xa1, /* [1] of IAKERB-HEADER */
	TAG_COOKIE = 0xa2,	 /* [2] */
};

enum { TOKEN_ID_LEN = 2, LENGTH_OCTETS_MAX = 4 };

static const uint8_t oid_krb5[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}; /* 1.2.840.113554.1.2.2 */
static const uint8_t oid_iakerb[] = {0x2b, 0x06, 0x01, 0x05, 0x02, 0x05};		  /* 1.3.6.1.5.2.5 */
static const uint8_t id_ap_req[TOKEN_ID_LEN] = {0x01, 0x00}, id_proxy[TOKEN_ID_LEN] = {0x05, 0x01};

struct part {
	const uint8_t *at;
	size_t len;
};

static struct part part_take(struct part *from, size_t len)
{
	struct part taken = {from->at, len};

	from->at += len;
	from->len -= len;
	return taken;
}

/* Takes one element of this identifier off the front. False: it is another one, or longer than what it stands in. */
static bool der_take(struct part *from, uint8_t tag, struct part *contents)
{
	struct part rest = *from;
	size_t len, octets;

	if (rest.len < 2 || rest.at[0] != tag)
		return false;
	len = part_take(&rest, 2).at[1];
	if (len & 0x80) {
		octets = len & 0x7f;
		if (octets == 0 || octets > LENGTH_OCTETS_MAX || octets > rest.len)
			return false;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | part_take(&rest, 1).at[0];
	}
	if (len > rest.len)
		return false;
	*contents = part_take(&rest, len);
	*from = rest;
	return true;
}

/* The same, and nothing behind it. */
static bool der_is(struct part from, uint8_t tag, struct part *contents)
{
	return der_take(&from, tag, contents) && from.len == 0;
}

static bool part_is(struct part part, const uint8_t *bytes, size_t len)
{
	return part.len == len && memcmp(part.at, bytes, len) == 0;
}

/*
 * IAKERB-HEADER ::= SEQUENCE { target-realm [1] UTF8String, cookie [2] OCTET STRING OPTIONAL }, then the message for
 * the KDC. MIT's library writes the realm as OCTET STRING, and takes no other.
 */
static enum gss_token_kind token_read_proxy(struct part body, struct gss_token *token)
{
	struct part header, field, realm, cookie, ignored;

	if (!der_take(&body, TAG_SEQUENCE, &header) || !der_take(&header, TAG_TARGET_REALM, &field) ||
		(!der_is(field, TAG_OCTETS, &realm) && !der_is(field, TAG_UTF8, &realm)))
		return GSS_TOKEN_NOISE;
	if (header.len > 0 && (!der_is(header, TAG_COOKIE, &field) || !der_is(field, TAG_OCTETS, &cookie)))
		return GSS_TOKEN_NOISE;
	token->realm = (const char *)realm.at;
	token->realm_len = realm.len;
	token->message = body.at;
	token->message_len = body.len;
	if (der_is(body, TAG_AS_REQ, &ignored))
		return GSS_TOKEN_IAKERB_AS_REQ;
	if (der_is(body, TAG_TGS_REQ, &ignored))
		return GSS_TOKEN_IAKERB_TGS_REQ;
	return GSS_TOKEN_IAKERB_OTHER;
}

struct gss_token gss_token_read(const uint8_t *bytes, size_t len)
{
	struct gss_token token = {.kind = GSS_TOKEN_NOISE};
	struct part body, oid, id;
	bool krb5, iakerb;

	/* Behind the first token, MIT's library before 1.22 leaves IAKERB's frame out. */
	if (len >= TOKEN_ID_LEN && memcmp(bytes, id_proxy, TOKEN_ID_LEN) == 0) {
		token.kind = token_read_proxy((struct part){bytes + TOKEN_ID_LEN, len - TOKEN_ID_LEN}, &token);
		return token;
	}
	if (!der_is((struct part){bytes, len}, TAG_TOKEN, &body) || !der_take(&body, TAG_OID, &oid))
		return token;
	krb5 = part_is(oid, oid_krb5, sizeof(oid_krb5));
	iakerb = part_is(oid, oid_iakerb, sizeof(oid_iakerb));
	if (!krb5 && !iakerb) {
		token.kind = GSS_TOKEN_OTHER_MECHANISM;
		return token;
	}
	if (body.len < TOKEN_ID_LEN)
		return token;
	id = part_take(&body, TOKEN_ID_LEN);
	if (iakerb && part_is(id, id_proxy, sizeof(id_proxy))) {
		token.kind = token_read_proxy(body, &token);
	} else if (part_is(id, id_ap_req, sizeof(id_ap_req))) {
		token.kind = krb5 ? GSS_TOKEN_AP_REQ : GSS_TOKEN_IAKERB_AP_REQ;
		token.message = body.at;
		token.message_len = body.len;
	} else {
		token.kind = GSS_TOKEN_OTHER_MESSAGE;
	}
	return token;
}
