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

/* RFC 2409 section 6, RFC 3526, RFC 5903: the "group description". */
enum ike_group {
	IKE_GROUP_NONE = 0,
	IKE_GROUP_MODP1024 = 2,
	IKE_GROUP_MODP1536 = 5,
	IKE_GROUP_MODP2048 = 14,
	IKE_GROUP_ECP256 = 19,
	IKE_GROUP_ECP384 = 20,
};

struct ike_proposal {
	uint16_t cipher;   /* enum ike_cipher */
	uint16_t key_bits; /* 0 for a cipher of fixed key length */
	uint16_t hash;     /* enum ike_hash */
	uint16_t group;    /* enum ike_group */
};

enum { IKE_PROPOSAL_TEXT_LEN = 40 };

/* 0, or -EINVAL when the text is not CIPHER-HASH-GROUP with known names. */
int ike_proposal_parse(const char *text, struct ike_proposal *out);

/* Writes into IKE_PROPOSAL_TEXT_LEN bytes and returns it; unknown numbers appear as numbers. */
char *ike_proposal_format(const struct ike_proposal *proposal, char *text);

/* The first of its algorithms that is legacy, as its name; NULL when none is. */
const char *ike_proposal_legacy(const struct ike_proposal *proposal);

/* Group by name ("modp2048", "none"); -EINVAL when there is none such. And its name; "unknown" when it has none. */
int ike_group_parse(const char *text, uint16_t *out);
const char *ike_group_name(uint16_t group);
