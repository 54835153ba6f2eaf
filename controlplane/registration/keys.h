/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registration leaves to IKE and to notices: derived by both ends from the TLS session (RFC 8446 section 7.5)
 * with the 16 bytes of the registration's session as context, and never sent. The caller wipes what it was given.
 */
#pragma once

#include "registration/message.h"
#include "registration/tls.h"

enum {
	KEYS_PRE_SHARED_LEN = 32,
	KEYS_NOTICE_LEN = 32,
	KEYS_CHANNEL_BINDING_LEN = 32,
	KEYS_IDENTITY_LEN = 32 + sizeof("@registered"), /* with terminator */
};

struct registration_keys {
	uint8_t pre_shared[KEYS_PRE_SHARED_LEN]; /* IKE's, for one IKE SA */
	char identity[KEYS_IDENTITY_LEN];	 /* the client's IDii, a user@FQDN: 32 hex digits "@registered" */
	uint8_t notice[KEYS_NOTICE_LEN];	 /* HMAC-SHA-256 of notices */
};

/* 0 or -EIO, before the handshake is done. */
int keys_derive(const struct tls *tls, const uint8_t session[REGISTRATION_SESSION_LEN], struct registration_keys *out);

/* What authentication inside is bound to (RFC 9266, tls-exporter). 0 or -EIO. */
int keys_channel_binding(const struct tls *tls, uint8_t out[KEYS_CHANNEL_BINDING_LEN]);
