/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Big numbers and curve points of OpenSSL directly: its key objects draw private values from a generator of their own,
 * and know no group 2. Curve25519 is theirs: its private value is any 32 bytes.
 *
 * What a group's arithmetic needs beside the values (its prime in Montgomery's form, its curve) takes a tenth as long
 * to make as an exchange. It is made once, read only from then on, and shared by all threads.
 */
#include "ike/dh.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

enum { DH_X25519_LEN = 32 };

/* What is known of a group beforehand. */
struct dh_kind {
	uint16_t group;
	uint16_t field_len;
	BIGNUM *(*prime)(BIGNUM *);
	int curve;
};

/* And what is made of it once. */
struct dh_domain {
	BIGNUM *bound;		   /* private values lie below */
	BIGNUM *prime, *generator; /* MODP */
	BN_MONT_CTX *montgomery;
	EC_GROUP *curve; /* ECP */
};

struct dh {
	uint16_t group;
	unsigned holders;
	const struct dh_domain *domain; /* NULL: Curve25519 */
	BIGNUM *private_value;
	EVP_PKEY *pair; /* Curve25519 */
	uint8_t public_value[DH_PUBLIC_MAX];
};

static const struct dh_kind kinds[] = {
	{IKE_GROUP_MODP1024, 128, BN_get_rfc2409_prime_1024, 0},
	{IKE_GROUP_MODP1536, 192, BN_get_rfc3526_prime_1536, 0},
	{IKE_GROUP_MODP2048, 256, BN_get_rfc3526_prime_2048, 0},
	{IKE_GROUP_MODP3072, 384, BN_get_rfc3526_prime_3072, 0},
	{IKE_GROUP_MODP4096, 512, BN_get_rfc3526_prime_4096, 0},
	{IKE_GROUP_ECP256, 32, NULL, NID_X9_62_prime256v1},
	{IKE_GROUP_ECP384, 48, NULL, NID_secp384r1},
	{IKE_GROUP_ECP521, 66, NULL, NID_secp521r1},
	{IKE_GROUP_CURVE25519, DH_X25519_LEN, NULL, NID_X25519},
};

static const struct dh_kind *dh_kind(uint16_t group)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].group == group)
			return &kinds[i];
	return NULL;
}

size_t dh_secret_len(uint16_t group)
{
	const struct dh_kind *kind = dh_kind(group);

	return kind ? kind->field_len : 0;
}

size_t dh_public_len(uint16_t group)
{
	const struct dh_kind *kind = dh_kind(group);

	return kind ? (kind->prime || kind->curve == NID_X25519 ? 1u : 2u) * kind->field_len : 0;
}

uint16_t dh_group(const struct dh *dh)
{
	return dh->group;
}

struct bytes dh_public(const struct dh *dh)
{
	return bytes_of(dh->public_value, dh_public_len(dh->group));
}

/* The private value lies in 1 .. bound-1: the order of the curve, or for MODP 2^384, above RFC 3526's advice. */
static bool dh_make_bound(struct dh_domain *domain)
{
	domain->bound = BN_new();
	return domain->bound &&
	       (domain->curve ? EC_GROUP_get_order(domain->curve, domain->bound, NULL) == 1
			      : BN_set_bit(domain->bound, 384) == 1) &&
	       BN_sub_word(domain->bound, 1) == 1;
}

static bool dh_make_domain(const struct dh_kind *kind, struct dh_domain *domain)
{
	BN_CTX *context;
	bool done;

	if (!kind->prime) {
		domain->curve = EC_GROUP_new_by_curve_name(kind->curve);
		return domain->curve && dh_make_bound(domain);
	}
	context = BN_CTX_new();
	domain->prime = kind->prime(NULL);
	domain->generator = BN_new();
	domain->montgomery = BN_MONT_CTX_new();
	done = context && domain->prime && domain->generator && domain->montgomery &&
	       BN_set_word(domain->generator, 2) == 1 &&
	       BN_MONT_CTX_set(domain->montgomery, domain->prime, context) == 1 && dh_make_bound(domain);
	BN_CTX_free(context);
	return done;
}

static void dh_free_domain(struct dh_domain *domain)
{
	BN_free(domain->bound);
	BN_free(domain->prime);
	BN_free(domain->generator);
	BN_MONT_CTX_free(domain->montgomery);
	EC_GROUP_free(domain->curve);
	*domain = (struct dh_domain){.bound = NULL};
}

/* Made by the first who wants it; NULL when there is no memory: the next one tries again. */
static const struct dh_domain *dh_domain(const struct dh_kind *kind)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct dh_domain domains[sizeof(kinds) / sizeof(kinds[0])];
	static bool made[sizeof(kinds) / sizeof(kinds[0])];
	size_t i = (size_t)(kind - kinds);
	bool done;

	pthread_mutex_lock(&lock);
	if (!made[i]) {
		made[i] = dh_make_domain(kind, &domains[i]);
		if (!made[i])
			dh_free_domain(&domains[i]);
	}
	done = made[i];
	pthread_mutex_unlock(&lock);
	return done ? &domains[i] : NULL;
}

static bool dh_power(const struct dh *dh, const BIGNUM *base, uint8_t *out, BN_CTX *context)
{
	BIGNUM *result = BN_secure_new();
	bool done = result &&
		    BN_mod_exp_mont_consttime(
			    result, base, dh->private_value, dh->domain->prime, context, dh->domain->montgomery) == 1 &&
		    BN_bn2binpad(result, out, (int)dh_secret_len(dh->group)) >= 0;

	BN_clear_free(result);
	return done;
}

/* Writes x, and y when it is wanted. */
static bool dh_write_point(const struct dh *dh, const EC_POINT *point, uint8_t *out, bool want_y, BN_CTX *context)
{
	int field_len = (int)dh_secret_len(dh->group);
	BIGNUM *x = BN_secure_new(), *y = BN_secure_new();
	bool done = x && y && EC_POINT_get_affine_coordinates(dh->domain->curve, point, x, y, context) == 1 &&
		    BN_bn2binpad(x, out, field_len) == field_len &&
		    (!want_y || BN_bn2binpad(y, out + field_len, field_len) == field_len);

	BN_clear_free(x);
	BN_clear_free(y);
	return done;
}

static bool dh_make_private(struct dh *dh, const uint8_t *random, BN_CTX *context)
{
	return dh->private_value && BN_bin2bn(random, DH_RANDOM_LEN, dh->private_value) &&
	       BN_mod(dh->private_value, dh->private_value, dh->domain->bound, context) == 1 &&
	       BN_add_word(dh->private_value, 1) == 1;
}

static bool dh_make_public(struct dh *dh, BN_CTX *context)
{
	const EC_GROUP *curve = dh->domain->curve;
	EC_POINT *point;
	bool done;

	if (!curve)
		return dh_power(dh, dh->domain->generator, dh->public_value, context);
	point = EC_POINT_new(curve);
	done = point && EC_POINT_mul(curve, point, dh->private_value, NULL, NULL, context) == 1 &&
	       dh_write_point(dh, point, dh->public_value, true, context);
	EC_POINT_free(point);
	return done;
}

/* The first bytes are the private value; which of its bits count is fixed by RFC 7748 section 5. */
static bool dh_make_x25519(struct dh *dh, const uint8_t *random)
{
	size_t len = DH_X25519_LEN;

	dh->pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, random, DH_X25519_LEN);
	return dh->pair && EVP_PKEY_get_raw_public_key(dh->pair, dh->public_value, &len) == 1;
}

static bool dh_make_pair(struct dh *dh, const struct dh_kind *kind, const uint8_t *random)
{
	BN_CTX *context;
	bool done;

	if (kind->curve == NID_X25519)
		return dh_make_x25519(dh, random);
	dh->domain = dh_domain(kind);
	if (!dh->domain)
		return false;
	dh->private_value = BN_secure_new();
	context = BN_CTX_secure_new();
	done = context && dh_make_private(dh, random, context) && dh_make_public(dh, context);
	BN_CTX_free(context);
	return done;
}

struct dh *dh_new(uint16_t group, const uint8_t *random)
{
	const struct dh_kind *kind = dh_kind(group);
	struct dh *dh;

	if (!kind) {
		errno = ENOTSUP;
		return NULL;
	}
	dh = calloc(1, sizeof(*dh));
	if (!dh)
		return NULL;
	dh->group = group;
	dh->holders = 1;
	if (!dh_make_pair(dh, kind, random)) {
		dh_free(dh);
		dh = NULL;
		errno = ENOMEM;
	}
	return dh;
}

struct dh *dh_share(struct dh *dh)
{
	dh->holders++;
	return dh;
}

void dh_free(struct dh *dh)
{
	if (!dh || --dh->holders > 0)
		return;
	BN_clear_free(dh->private_value);
	EVP_PKEY_free(dh->pair);
	OPENSSL_cleanse(dh, sizeof(*dh));
	free(dh);
}

static int dh_agree_modp(const struct dh *dh, struct bytes peer_public, uint8_t *secret, BN_CTX *context)
{
	BIGNUM *value = BN_bin2bn(peer_public.data, (int)peer_public.len, NULL), *most = BN_dup(dh->domain->prime);
	int rc = -EIO;

	if (!value || !most || BN_sub_word(most, 2) != 1)
		goto out;
	/* 0, 1 and p-1 leave a secret that anyone can tell. */
	if (BN_is_zero(value) || BN_is_one(value) || BN_cmp(value, most) > 0)
		rc = -EBADMSG;
	else if (dh_power(dh, value, secret, context))
		rc = 0;
out:
	BN_free(value);
	BN_free(most);
	return rc;
}

static int dh_agree_ecp(const struct dh *dh, struct bytes peer_public, uint8_t *secret, BN_CTX *context)
{
	const EC_GROUP *curve = dh->domain->curve;
	int half = (int)peer_public.len / 2;
	BIGNUM *x = BN_bin2bn(peer_public.data, half, NULL), *y = BN_bin2bn(peer_public.data + half, half, NULL);
	EC_POINT *point = EC_POINT_new(curve), *shared = EC_POINT_new(curve);
	int rc = -EIO;

	if (!x || !y || !point || !shared)
		goto out;
	/* Setting a point's coordinates fails when they are not on the curve; all three curves have cofactor 1. */
	rc = -EBADMSG;
	if (EC_POINT_set_affine_coordinates(curve, point, x, y, context) != 1)
		goto out;
	if (EC_POINT_mul(curve, shared, NULL, point, dh->private_value, context) == 1 &&
		EC_POINT_is_at_infinity(curve, shared) == 0 && dh_write_point(dh, shared, secret, false, context))
		rc = 0;
out:
	BN_free(x);
	BN_free(y);
	EC_POINT_free(point);
	EC_POINT_clear_free(shared);
	return rc;
}

/* The library refuses a secret that is zero: then the value was a point of small order. */
static int dh_agree_x25519(const struct dh *dh, struct bytes peer_public, uint8_t *secret)
{
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_public.data, peer_public.len);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(dh->pair, NULL);
	size_t len = DH_X25519_LEN;
	int rc = -EIO;

	if (peer && context && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1)
		rc = EVP_PKEY_derive(context, secret, &len) == 1 ? 0 : -EBADMSG;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(peer);
	return rc;
}

int dh_agree(const struct dh *dh, struct bytes peer_public, uint8_t *secret)
{
	BN_CTX *context;
	int rc;

	if (peer_public.len != dh_public_len(dh->group))
		return -EBADMSG;
	if (dh->pair)
		return dh_agree_x25519(dh, peer_public, secret);
	context = BN_CTX_secure_new();
	if (!context)
		return -EIO;
	rc = dh->domain->curve ? dh_agree_ecp(dh, peer_public, secret, context)
			       : dh_agree_modp(dh, peer_public, secret, context);
	BN_CTX_free(context);
	return rc;
}
