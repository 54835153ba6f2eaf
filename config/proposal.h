/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IKE proposals as the configuration writes them ("aes256-sha256-modp2048") and as the wire numbers them. Pure names
 * and numbers: the algorithms themselves are in controlplane/ike. What is marked legacy is refused unless the
 * configuration's ike.legacy is true (RFC 8247, RFC 9395).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 2409 appendix A and RFC 3602 (AES), attribute "encryption algorithm". */
enum ike_cipher {
	IKE_CIPHER_3DES_CBC = 5,
	IKE_CIPHER_AES_CBC = 7,
};

/* RFC 2409 appendix A and RFC 4868, attribute "hash algorithm"; the PRF is the HMAC of it. */
enum ike_hash {
	IKE_HASH_MD5 = 1,
	IKE_HASH_SHA1 = 2,
	IKE_HASH_SHA256 = 4,
	IKE_HASH_SHA384 = 5,
	IKE_HASH_SHA512 = 6,
};

/* RFC 2409 section 6, RFC 3526, RFC 5903, RFC 8031: the "group description". */
enum ike_group {
	IKE_GROUP_NONE = 0,
	IKE_GROUP_MODP1024 = 2,
	IKE_GROUP_MODP1536 = 5,
	IKE_GROUP_MODP2048 = 14,
	IKE_GROUP_MODP3072 = 15,
	IKE_GROUP_MODP4096 = 16,
	IKE_GROUP_ECP256 = 19,
	IKE_GROUP_ECP384 = 20,
	IKE_GROUP_ECP521 = 21,
	IKE_GROUP_CURVE25519 = 31,
};

/*
 * "Authentication method": RFC 2409 appendix A, RFC 4754 section 6, draft-beaulieu-ike-xauth-02 section 7.2 and
 * draft-ietf-ipsec-isakmp-hybrid-auth-05 section 3.2.1. INIT and RESP name the side that XAUTH asks for its password.
 */
enum ike_auth {
	IKE_AUTH_PSK = 1,
	IKE_AUTH_DSS = 2,
	IKE_AUTH_RSA = 3,
	IKE_AUTH_ECDSA_256 = 9,
	IKE_AUTH_ECDSA_384 = 10,
	IKE_AUTH_ECDSA_521 = 11,
	IKE_AUTH_HYBRID_INIT_RSA = 64221,
	IKE_AUTH_HYBRID_RESP_RSA = 64222,
	IKE_AUTH_XAUTH_INIT_PSK = 65001,
	IKE_AUTH_XAUTH_RESP_PSK = 65002,
	IKE_AUTH_XAUTH_INIT_RSA = 65005,
	IKE_AUTH_XAUTH_RESP_RSA = 65006,
	/* In configurations alone: the pre-shared key comes from a registration. */
	IKE_AUTH_REGISTRATION = 65534,
};

struct ike_proposal {
	uint16_t cipher;   /* enum ike_cipher */
	uint16_t key_bits; /* 0 for a cipher of fixed key length */
	uint16_t hash;	   /* enum ike_hash */
	uint16_t group;	   /* enum ike_group */
};

enum { IKE_PROPOSAL_TEXT_LEN = 40 };

/* 0, or -EINVAL when the text is not CIPHER-HASH-GROUP with known names. */
int ike_proposal_parse(const char *text, struct ike_proposal *out);

/* Writes into IKE_PROPOSAL_TEXT_LEN bytes and returns it; unknown numbers appear as numbers. */
char *ike_proposal_format(const struct ike_proposal *proposal, char *text);

/* The first of its algorithms that is legacy, as its name; NULL when none is. */
const char *ike_proposal_legacy(const struct ike_proposal *proposal);

/*
 * Authentication method by the name that the configuration gives it ("psk", "rsa", "xauth-psk"); -EINVAL when there is
 * none such. And the name of any method, in IKE_AUTH_TEXT_LEN bytes; a number where it has none.
 */
enum { IKE_AUTH_TEXT_LEN = 24 };
/* Whether the initiator of the IKE SA has a user who logs in after phase 1. */
bool ike_auth_asks_user(uint16_t method);

int ike_auth_parse(const char *text, uint16_t *out);
char *ike_auth_format(uint16_t method, char *text);

/* Whether the keys of a method come of a pre-shared one; else of the key exchange alone (RFC 2409 section 5). */
bool ike_auth_shares_key(uint16_t method);

/*
 * The kind of signature by which a side proves itself: IKE_AUTH_RSA or one of IKE_AUTH_ECDSA_...; 0: it does not sign.
 * `initiator`: its role. In hybrid authentication the side that has the user does not; XAUTH has numbers for RSA alone.
 */
uint16_t ike_auth_signature(uint16_t method, bool initiator);

/* Group by name ("modp2048", "none"); -EINVAL when there is none such. And its name; "unknown" when it has none. */
int ike_group_parse(const char *text, uint16_t *out);
const char *ike_group_name(uint16_t group);
