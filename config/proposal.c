/* SPDX-License-Identifier: Apache-2.0 */
#include "config/proposal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PROPOSAL_PARTS = 3 };

struct proposal_name {
	const char *name;
	uint16_t number;
	uint16_t key_bits; /* ciphers of several key lengths only */
	bool legacy;
};

/* RFC 8247 section 2.1: AES-CBC is the rule, 3DES is left to old peers. */
static const struct proposal_name ciphers[] = {
	{"aes128", IKE_CIPHER_AES_CBC, 128, false},
	{"aes192", IKE_CIPHER_AES_CBC, 192, false},
	{"aes256", IKE_CIPHER_AES_CBC, 256, false},
	{"3des", IKE_CIPHER_3DES_CBC, 0, true},
	{0},
};

/* RFC 8247 sections 2.2 and 2.3. */
static const struct proposal_name hashes[] = {
	{"md5", IKE_HASH_MD5, 0, true},
	{"sha1", IKE_HASH_SHA1, 0, true},
	{"sha256", IKE_HASH_SHA256, 0, false},
	{"sha384", IKE_HASH_SHA384, 0, false},
	{"sha512", IKE_HASH_SHA512, 0, false},
	{0},
};

/* RFC 8247 section 2.4. */
static const struct proposal_name groups[] = {
	{"none", IKE_GROUP_NONE, 0, false},
	{"modp1024", IKE_GROUP_MODP1024, 0, true},
	{"modp1536", IKE_GROUP_MODP1536, 0, true},
	{"modp2048", IKE_GROUP_MODP2048, 0, false},
	{"modp3072", IKE_GROUP_MODP3072, 0, false},
	{"modp4096", IKE_GROUP_MODP4096, 0, false},
	{"ecp256", IKE_GROUP_ECP256, 0, false},
	{"ecp384", IKE_GROUP_ECP384, 0, false},
	{"ecp521", IKE_GROUP_ECP521, 0, false},
	{"curve25519", IKE_GROUP_CURVE25519, 0, false},
	{0},
};

/* A peer may offer all of these; the configuration can't ask for those that are named for the log alone. */
static const struct {
	const char *name;
	uint16_t number;
	bool for_log;
} methods[] = {
	{"psk", IKE_AUTH_PSK, false},
	{"rsa", IKE_AUTH_RSA, false},
	{"ecdsa256", IKE_AUTH_ECDSA_256, false},
	{"ecdsa384", IKE_AUTH_ECDSA_384, false},
	{"ecdsa521", IKE_AUTH_ECDSA_521, false},
	{"xauth-psk", IKE_AUTH_XAUTH_INIT_PSK, false},
	{"xauth-rsa", IKE_AUTH_XAUTH_INIT_RSA, false},
	{"hybrid-rsa", IKE_AUTH_HYBRID_INIT_RSA, false},
	{"registration", IKE_AUTH_REGISTRATION, false},
	{"dss", IKE_AUTH_DSS, true},
	{"xauth-psk-responder", IKE_AUTH_XAUTH_RESP_PSK, true},
	{"xauth-rsa-responder", IKE_AUTH_XAUTH_RESP_RSA, true},
	{"hybrid-rsa-responder", IKE_AUTH_HYBRID_RESP_RSA, true},
};

enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static const struct proposal_name *proposal_find_name(const struct proposal_name *table, const char *text, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && memcmp(table->name, text, len) == 0)
			return table;
	return NULL;
}

static const struct proposal_name *proposal_find_number(
	const struct proposal_name *table, uint16_t number, uint16_t key_bits)
{
	for (; table->name; table++)
		if (table->number == number && table->key_bits == key_bits)
			return table;
	return NULL;
}

int ike_proposal_parse(const char *text, struct ike_proposal *out)
{
	static const struct proposal_name *const tables[PROPOSAL_PARTS] = {ciphers, hashes, groups};
	const struct proposal_name *part[PROPOSAL_PARTS];

	for (int i = 0; i < PROPOSAL_PARTS; i++) {
		size_t len = strcspn(text, "-");
		char end = i == PROPOSAL_PARTS - 1 ? '\0' : '-';

		part[i] = proposal_find_name(tables[i], text, len);
		if (!part[i] || text[len] != end)
			return -EINVAL;
		text += len + 1;
	}
	/* Phase 1 always exchanges keys (RFC 2409 section 5). */
	if (part[2]->number == IKE_GROUP_NONE)
		return -EINVAL;
	*out = (struct ike_proposal){
		.cipher = part[0]->number,
		.key_bits = part[0]->key_bits,
		.hash = part[1]->number,
		.group = part[2]->number,
	};
	return 0;
}

char *ike_proposal_format(const struct ike_proposal *proposal, char *text)
{
	const struct proposal_name *cipher = proposal_find_number(ciphers, proposal->cipher, proposal->key_bits);
	const struct proposal_name *hash = proposal_find_number(hashes, proposal->hash, 0);
	const struct proposal_name *group = proposal_find_number(groups, proposal->group, 0);
	char cipher_text[16], hash_text[8], group_text[8];

	snprintf(cipher_text, sizeof(cipher_text), proposal->key_bits ? "%u/%u" : "%u", proposal->cipher,
		proposal->key_bits);
	snprintf(hash_text, sizeof(hash_text), "%u", proposal->hash);
	snprintf(group_text, sizeof(group_text), "%u", proposal->group);
	snprintf(text, IKE_PROPOSAL_TEXT_LEN, "%s-%s-%s", cipher ? cipher->name : cipher_text,
		hash ? hash->name : hash_text, group ? group->name : group_text);
	return text;
}

const char *ike_proposal_legacy(const struct ike_proposal *proposal)
{
	const struct proposal_name *const parts[PROPOSAL_PARTS] = {
		proposal_find_number(ciphers, proposal->cipher, proposal->key_bits),
		proposal_find_number(hashes, proposal->hash, 0),
		proposal_find_number(groups, proposal->group, 0),
	};

	for (int i = 0; i < PROPOSAL_PARTS; i++)
		if (parts[i] && parts[i]->legacy)
			return parts[i]->name;
	return NULL;
}

bool ike_auth_asks_user(uint16_t method)
{
	return method == IKE_AUTH_XAUTH_INIT_PSK || method == IKE_AUTH_XAUTH_INIT_RSA ||
	       method == IKE_AUTH_HYBRID_INIT_RSA;
}

int ike_auth_parse(const char *text, uint16_t *out)
{
	for (int i = 0; i < METHODS; i++) {
		if (methods[i].for_log || strcmp(methods[i].name, text) != 0)
			continue;
		*out = methods[i].number;
		return 0;
	}
	return -EINVAL;
}

char *ike_auth_format(uint16_t method, char *text)
{
	for (int i = 0; i < METHODS; i++) {
		if (methods[i].number != method)
			continue;
		snprintf(text, IKE_AUTH_TEXT_LEN, "%s", methods[i].name);
		return text;
	}
	snprintf(text, IKE_AUTH_TEXT_LEN, "method %u", method);
	return text;
}

bool ike_auth_shares_key(uint16_t method)
{
	return method == IKE_AUTH_PSK || method == IKE_AUTH_XAUTH_INIT_PSK || method == IKE_AUTH_XAUTH_RESP_PSK;
}

uint16_t ike_auth_signature(uint16_t method, bool initiator)
{
	switch (method) {
	case IKE_AUTH_RSA:
	case IKE_AUTH_ECDSA_256:
	case IKE_AUTH_ECDSA_384:
	case IKE_AUTH_ECDSA_521: return method;
	case IKE_AUTH_XAUTH_INIT_RSA: return IKE_AUTH_RSA;
	case IKE_AUTH_HYBRID_INIT_RSA: return initiator ? 0 : IKE_AUTH_RSA;
	default: return 0;
	}
}

int ike_group_parse(const char *text, uint16_t *out)
{
	const struct proposal_name *name = proposal_find_name(groups, text, strlen(text));

	if (!name)
		return -EINVAL;
	*out = name->number;
	return 0;
}

const char *ike_group_name(uint16_t group)
{
	const struct proposal_name *name = proposal_find_number(groups, group, 0);

	return name ? name->name : "unknown";
}
