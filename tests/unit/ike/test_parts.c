/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's small parts by themselves: Diffie-Hellman, ciphers, hash table, deadlines. */
#include "ike/cipher.h"
#include "ike/deadline.h"
#include "ike/dh.h"
#include "hashmap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint16_t groups[] = {IKE_GROUP_MODP1024, IKE_GROUP_MODP1536, IKE_GROUP_MODP2048, IKE_GROUP_MODP3072,
	IKE_GROUP_MODP4096, IKE_GROUP_ECP256, IKE_GROUP_ECP384, IKE_GROUP_ECP521, IKE_GROUP_CURVE25519};
enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

static void test_both_sides_agree(void **state)
{
	uint8_t random_a[DH_RANDOM_LEN], random_b[DH_RANDOM_LEN], a[DH_SECRET_MAX], b[DH_SECRET_MAX];

	(void)state;
	memset(random_a, 0xa5, sizeof(random_a));
	for (size_t i = 0; i < sizeof(random_b); i++)
		random_b[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < GROUPS; i++) {
		struct dh *one = dh_new(groups[i], random_a), *two = dh_new(groups[i], random_b);

		assert_non_null(one);
		assert_non_null(two);
		assert_int_equal(dh_public(one).len, dh_public_len(groups[i]));
		assert_int_equal(dh_agree(one, dh_public(two), a), 0);
		assert_int_equal(dh_agree(two, dh_public(one), b), 0);
		assert_memory_equal(a, b, dh_secret_len(groups[i]));
		assert_memory_not_equal(dh_public(one).data, dh_public(two).data, dh_public_len(groups[i]));
		dh_free(one);
		dh_free(two);
	}
	assert_null(dh_new(1, random_a));
	assert_int_equal(dh_public_len(1), 0);
}

/* 0, 1, p-1, p and beyond; points that are not on the curve; wrong lengths. */
static void test_bad_values(void **state)
{
	uint8_t random[DH_RANDOM_LEN] = {1}, value[DH_PUBLIC_MAX + 1], secret[DH_SECRET_MAX];

	(void)state;
	for (size_t i = 0; i < GROUPS; i++) {
		struct dh *dh = dh_new(groups[i], random);
		size_t len = dh_public_len(groups[i]);

		for (size_t other = 0; other <= len + 1; other++)
			if (other != len)
				assert_int_equal(dh_agree(dh, bytes_of(value, other), secret), -EBADMSG);
		memset(value, 0, sizeof(value));
		assert_int_equal(dh_agree(dh, bytes_of(value, len), secret), -EBADMSG);
		if (groups[i] == IKE_GROUP_CURVE25519) { /* almost any other value is one of its group */
			dh_free(dh);
			continue;
		}
		value[len - 1] = 1;
		assert_int_equal(dh_agree(dh, bytes_of(value, len), secret), -EBADMSG);
		memset(value, 0xff, sizeof(value));
		assert_int_equal(dh_agree(dh, bytes_of(value, len), secret), -EBADMSG);
		memcpy(value, dh_public(dh).data, len);
		assert_int_equal(dh_agree(dh, bytes_of(value, len), secret), 0);
		if (groups[i] >= IKE_GROUP_ECP256) {
			value[len - 1] ^= 1;
			assert_int_equal(dh_agree(dh, bytes_of(value, len), secret), -EBADMSG);
		}
		dh_free(dh);
	}
}

/* RFC 7748 section 6.1: points of small order, of which the secret would be zero whatever our private value is. */
static void test_small_order(void **state)
{
	/* clang-format off */
	static const uint8_t points[][32] = {
		{0}, {1},
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57}};
	/* clang-format on */
	uint8_t random[DH_RANDOM_LEN] = {1}, last[32], secret[DH_SECRET_MAX];
	struct dh *dh = dh_new(IKE_GROUP_CURVE25519, random);

	(void)state;
	assert_non_null(dh);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		assert_int_equal(dh_agree(dh, bytes_of(points[i], 32), secret), -EBADMSG);
	memset(last, 0xff, sizeof(last));
	last[31] = 0x7f;
	for (int low = 0xec; low <= 0xee; low++) { /* p-1, p, p+1 */
		last[0] = (uint8_t)low;
		assert_int_equal(dh_agree(dh, bytes_of(last, sizeof(last)), secret), -EBADMSG);
	}
	last[0] = 0xef;
	assert_int_equal(dh_agree(dh, bytes_of(last, sizeof(last)), secret), 0);
	dh_free(dh);
}

/* The edges of the range for group 2: its prime ends in 64 one bits, so p-1 and p-2 differ in the last byte alone. */
static void test_modp_edges(void **state)
{
	/* clang-format off */
	static const uint8_t prime[128] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34,
		0xc4, 0xc6, 0x62, 0x8b, 0x80, 0xdc, 0x1c, 0xd1, 0x29, 0x02, 0x4e, 0x08, 0x8a, 0x67, 0xcc, 0x74,
		0x02, 0x0b, 0xbe, 0xa6, 0x3b, 0x13, 0x9b, 0x22, 0x51, 0x4a, 0x08, 0x79, 0x8e, 0x34, 0x04, 0xdd,
		0xef, 0x95, 0x19, 0xb3, 0xcd, 0x3a, 0x43, 0x1b, 0x30, 0x2b, 0x0a, 0x6d, 0xf2, 0x5f, 0x14, 0x37,
		0x4f, 0xe1, 0x35, 0x6d, 0x6d, 0x51, 0xc2, 0x45, 0xe4, 0x85, 0xb5, 0x76, 0x62, 0x5e, 0x7e, 0xc6,
		0xf4, 0x4c, 0x42, 0xe9, 0xa6, 0x37, 0xed, 0x6b, 0x0b, 0xff, 0x5c, 0xb6, 0xf4, 0x06, 0xb7, 0xed,
		0xee, 0x38, 0x6b, 0xfb, 0x5a, 0x89, 0x9f, 0xa5, 0xae, 0x9f, 0x24, 0x11, 0x7c, 0x4b, 0x1f, 0xe6,
		0x49, 0x28, 0x66, 0x51, 0xec, 0xe6, 0x53, 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	/* clang-format on */
	uint8_t random[DH_RANDOM_LEN] = {1}, value[128], secret[DH_SECRET_MAX];
	struct dh *dh = dh_new(IKE_GROUP_MODP1024, random);

	(void)state;
	memcpy(value, prime, sizeof(value));
	assert_int_equal(dh_agree(dh, bytes_of(value, sizeof(value)), secret), -EBADMSG);
	value[127] = 0xfe;
	assert_int_equal(dh_agree(dh, bytes_of(value, sizeof(value)), secret), -EBADMSG);
	value[127] = 0xfd;
	assert_int_equal(dh_agree(dh, bytes_of(value, sizeof(value)), secret), 0);
	memset(value, 0, sizeof(value));
	value[127] = 2; /* the generator itself: what comes of it is our own public value, padded */
	assert_int_equal(dh_agree(dh, bytes_of(value, sizeof(value)), secret), 0);
	assert_memory_equal(secret, dh_public(dh).data, 128);
	dh_free(dh);
}

static void test_cbc_runs_on(void **state)
{
	static const uint8_t key[32] = "0123456789abcdef0123456789abcde";
	uint8_t whole[64], parts[64], iv_whole[16] = {1}, iv_parts[16] = {1}, iv_back[16] = {1};

	(void)state;
	memset(whole, 'x', sizeof(whole));
	memset(parts, 'x', sizeof(parts));
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), true, iv_whole, whole, 64), 0);
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), true, iv_parts, parts, 16), 0);
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), true, iv_parts, parts + 16, 48), 0);
	assert_memory_equal(whole, parts, 64);
	assert_memory_equal(iv_whole, iv_parts, 16);
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), false, iv_back, whole, 64), 0);
	assert_memory_equal(iv_back, iv_whole, 16);
	assert_int_equal(whole[63], 'x');
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), true, iv_back, whole, 63), -EINVAL);
	assert_int_equal(cipher_run(IKE_CIPHER_AES_CBC, bytes_of(key, 32), true, iv_back, whole, 0), -EINVAL);
	assert_int_equal(cipher_run(IKE_CIPHER_3DES_CBC, bytes_of(key, 16), true, iv_back, whole, 64), -EINVAL);
	assert_int_equal(cipher_run(99, bytes_of(key, 16), true, iv_back, whole, 64), -EINVAL);
}

static void test_hashmap(void **state)
{
	enum { NODES = 5000 };
	static struct hashmap_node nodes[NODES];
	struct hashmap map;

	(void)state;
	assert_int_equal(hashmap_init(&map, 42), 0);
	for (uint32_t i = 0; i < NODES; i++)
		hashmap_add(&map, &nodes[i], hashmap_hash(&map, &(uint32_t){i / 2}, sizeof(i))); /* two of each */
	for (uint32_t i = 0; i < NODES / 2; i++) {
		struct hashmap_node *node = hashmap_first(&map, hashmap_hash(&map, &i, sizeof(i)));
		int found = 0;

		for (; node; node = hashmap_next(node))
			found += node == &nodes[2 * i] || node == &nodes[2 * i + 1];
		assert_int_equal(found, 2);
	}
	for (uint32_t i = 0; i < NODES; i += 2)
		hashmap_remove(&map, &nodes[i]);
	hashmap_remove(&map, &nodes[0]); /* not in it any more */
	assert_int_equal(map.count, NODES / 2);
	for (uint32_t i = 0; i < NODES / 2; i++)
		assert_ptr_equal(hashmap_first(&map, hashmap_hash(&map, &i, sizeof(i))), &nodes[2 * i + 1]);
	hashmap_free(&map);
}

static void test_deadlines(void **state)
{
	enum { COUNT = 1000 };
	static struct deadline deadlines[COUNT];
	struct deadline_heap heap = {0};
	uint64_t last = 0;
	size_t taken = 0;
	struct deadline *due;

	(void)state;
	assert_int_equal(deadline_enroll(&heap, COUNT), 0);
	assert_true(deadline_next(&heap) == UINT64_MAX);
	assert_null(deadline_take(&heap, UINT64_MAX - 1));
	for (size_t i = 0; i < COUNT; i++)
		deadline_set(&heap, &deadlines[i], i * 7919 % 1009);
	for (size_t i = 0; i < COUNT; i += 3)
		deadline_set(&heap, &deadlines[i], 5000 - i);
	for (size_t i = 0; i < COUNT; i += 5)
		deadline_cancel(&heap, &deadlines[i]);
	deadline_cancel(&heap, &deadlines[0]);
	assert_null(deadline_take(&heap, 0));
	while ((due = deadline_take(&heap, 10000))) {
		assert_true(due->due_ms >= last);
		assert_true((due - deadlines) % 5 != 0);
		last = due->due_ms;
		taken++;
	}
	assert_int_equal(taken, COUNT - COUNT / 5);
	deadline_retire(&heap, COUNT);
	deadline_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides_agree),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_small_order),
		cmocka_unit_test(test_modp_edges),
		cmocka_unit_test(test_cbc_runs_on),
		cmocka_unit_test(test_hashmap),
		cmocka_unit_test(test_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
