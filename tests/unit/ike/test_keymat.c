/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Key derivation and proofs against values that an independent script computed (tests/vectors/ikev1_keymat.py). The
 * file is the first argument.
 */
#include "ike/keymat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { FIELDS = 48, VALUE_MAX = 128 };

struct field {
	char name[24];
	uint8_t value[VALUE_MAX];
	size_t len;
};

static const char *path;
static struct field fields[FIELDS];
static size_t n_fields;

/* Reads one case; returns its hash, 0 at the end of the file. */
static uint16_t read_case(FILE *file)
{
	static const struct {
		const char *name;
		uint16_t hash;
	} hashes[] = {{"md5", IKE_HASH_MD5}, {"sha1", IKE_HASH_SHA1}, {"sha256", IKE_HASH_SHA256},
		{"sha384", IKE_HASH_SHA384}, {"sha512", IKE_HASH_SHA512}};
	char line[512], text[400];
	uint16_t hash = 0;

	n_fields = 0;
	while (fgets(line, sizeof(line), file) && line[0] != '\n') {
		struct field *field = &fields[n_fields];

		assert_int_equal(sscanf(line, "%23s %399s", field->name, text), 2);
		if (strcmp(field->name, "hash") == 0) {
			for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
				if (strcmp(hashes[i].name, text) == 0)
					hash = hashes[i].hash;
			continue;
		}
		for (field->len = 0; text[field->len * 2]; field->len++)
			assert_int_equal(sscanf(text + field->len * 2, "%2hhx", &field->value[field->len]), 1);
		n_fields++;
	}
	return hash;
}

static struct bytes value(const char *name)
{
	for (size_t i = 0; i < n_fields; i++)
		if (strcmp(fields[i].name, name) == 0)
			return bytes_of(fields[i].value, fields[i].len);
	fail_msg("no value %s", name);
	return bytes_of(NULL, 0);
}

static void expect(const char *name, const uint8_t *got, size_t len)
{
	assert_int_equal(value(name).len, len);
	assert_memory_equal(value(name).data, got, len);
}

static void check_proofs(const struct keymat *keys, const struct keymat_input *input)
{
	uint8_t out[PRF_LEN_MAX], iv[CIPHER_BLOCK_MAX], child[68];
	struct bytes nonce_i = value("nonce_i"), nonce_r = value("nonce_r");

	assert_int_equal(keymat_proof(keys, input, true, value("id_i"), out), 0);
	expect("hash_i", out, keys->prf_len);
	assert_int_equal(keymat_proof(keys, input, false, value("id_r"), out), 0);
	expect("hash_r", out, keys->prf_len);
	assert_int_equal(keymat_iv_phase1(keys, input->ke_i, input->ke_r, iv), 0);
	expect("iv_1", iv, keys->block_len);
	assert_int_equal(keymat_iv_phase2(keys, iv, 0x0badcafe, iv), 0);
	expect("iv_2", iv, keys->block_len);
	assert_int_equal(keymat_hash1(keys, 0x0badcafe, value("rest"), out), 0);
	expect("hash_1", out, keys->prf_len);
	assert_int_equal(keymat_hash2(keys, 0x0badcafe, nonce_i, value("rest"), out), 0);
	expect("hash_2", out, keys->prf_len);
	assert_int_equal(keymat_hash3(keys, 0x0badcafe, nonce_i, nonce_r, out), 0);
	expect("hash_3", out, keys->prf_len);
	assert_int_equal(
		keymat_child(keys, bytes_of(NULL, 0), 3, 0x80001234, nonce_i, nonce_r, child, sizeof(child)), 0);
	expect("child", child, sizeof(child));
	assert_int_equal(keymat_child(keys, value("secret"), 3, 0x80001234, nonce_i, nonce_r, child, sizeof(child)), 0);
	expect("child_pfs", child, sizeof(child));
}

/* RFC 2409 section 5.1: SKEYID without a key; RFC 4754 section 4: ECDSA has a hash of its own for HASH_I. */
static void check_signatures(const struct ike_proposal *proposal, struct keymat_input input)
{
	static const struct {
		uint16_t auth;
		const char *hash_i;
	} methods[] = {{IKE_AUTH_RSA, "rsa_hash_i"}, {IKE_AUTH_XAUTH_INIT_RSA, "rsa_hash_i"},
		{IKE_AUTH_HYBRID_INIT_RSA, "rsa_hash_i"}, {IKE_AUTH_ECDSA_256, "ecdsa256_hash_i"},
		{IKE_AUTH_ECDSA_384, "ecdsa384_hash_i"}, {IKE_AUTH_ECDSA_521, "ecdsa521_hash_i"}};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		uint8_t out[PRF_LEN_MAX];
		struct keymat keys;

		input.auth = methods[i].auth;
		input.pre_shared_key = bytes_of(NULL, 0);
		assert_int_equal(keymat_derive(&keys, proposal, &input), 0);
		expect("sig_skeyid", keys.skeyid, keys.prf_len);
		expect("sig_skeyid_d", keys.skeyid_d, keys.prf_len);
		assert_int_equal(keymat_proof(&keys, &input, true, value("id_i"), out), 0);
		expect(methods[i].hash_i, out, keymat_proof_len(&keys));
		keymat_wipe(&keys);
	}
}

static void test_known_answers(void **state)
{
	FILE *file = fopen(path, "r");
	uint16_t hash;
	int cases = 0;

	(void)state;
	assert_non_null(file);
	while ((hash = read_case(file))) {
		struct ike_proposal proposal = {
			.cipher = value("iv_1").len == 8 ? IKE_CIPHER_3DES_CBC : IKE_CIPHER_AES_CBC,
			.key_bits = value("iv_1").len == 8 ? 0 : (uint16_t)(value("key").len * 8),
			.hash = hash,
		};
		struct keymat_input input = {value("cookie_i"), value("cookie_r"), value("ke_i"), value("ke_r"),
			value("nonce_i"), value("nonce_r"), value("secret"), value("psk"), value("sa_i"), IKE_AUTH_PSK};
		struct keymat keys;

		assert_int_equal(keymat_derive(&keys, &proposal, &input), 0);
		expect("skeyid", keys.skeyid, keys.prf_len);
		expect("skeyid_d", keys.skeyid_d, keys.prf_len);
		expect("skeyid_a", keys.skeyid_a, keys.prf_len);
		expect("skeyid_e", keys.skeyid_e, keys.prf_len);
		expect("key", keys.key, keys.key_len);
		check_proofs(&keys, &input);
		keymat_wipe(&keys);
		input.auth = IKE_AUTH_XAUTH_INIT_PSK;
		assert_int_equal(keymat_derive(&keys, &proposal, &input), 0);
		expect("skeyid", keys.skeyid, keys.prf_len);
		keymat_wipe(&keys);
		check_signatures(&proposal, input);
		cases++;
	}
	assert_int_equal(cases, 5);
	fclose(file);
}

static void test_unknown_algorithms(void **state)
{
	struct keymat_input input = {.pre_shared_key = bytes_of("x", 1)};
	struct ike_proposal no_hash = {IKE_CIPHER_AES_CBC, 128, 99, 0}, no_key = {IKE_CIPHER_AES_CBC, 100, 2, 0};
	struct keymat keys;

	(void)state;
	assert_true(keymat_derive(&keys, &no_hash, &input) < 0);
	assert_true(keymat_derive(&keys, &no_key, &input) < 0);
	assert_int_equal(prf_len(99), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_unknown_algorithms),
	};

	path = argc > 1 ? argv[1] : "";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
