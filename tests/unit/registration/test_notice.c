/* SPDX-License-Identifier: Apache-2.0 */
/* Notices on the wire: against bytes that were computed elsewhere, and everything that makes one bad. */
#include "registration/notice.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/hmac.h>

static uint8_t key[NOTICE_KEY_LEN];

static struct notice sample(enum notice_type type)
{
	struct notice notice = {
		.type = type,
		.sequence = 0x0102030405060708,
		.endpoint = {.address = address_ipv4(0xcb00710a), .port = 50000},
		.port = 4009,
	};

	for (int i = 0; i < NOTICE_KEY_LEN; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < NOTICE_SESSION_LEN; i++)
		notice.session[i] = (uint8_t)(0xa0 + i);
	return notice;
}

/* Python's hmac and struct made it. */
static void test_known_bytes(void **state)
{
	static const uint8_t expected[NOTICE_LEN] =
		"\x53\x4c\x4e\x31\x01\x00\x00\x00\xa0\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac\xad\xae\xaf"
		"\x01\x02\x03\x04\x05\x06\x07\x08\x04\x00\xc3\x50\xcb\x00\x71\x0a\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x0f\xa9\x00\x00\x37\x05\x98\x28\xd0\x36\xcb\xdf\xfe\x3c\x75\xc8\x84\x82\x8c\xae";
	struct notice notice = sample(NOTICE_HELLO), out;
	uint8_t datagram[NOTICE_LEN];

	(void)state;
	assert_int_equal(notice_seal(key, &notice, datagram, sizeof(datagram)), 0);
	assert_memory_equal(datagram, expected, sizeof(datagram));
	assert_int_equal(notice_open(key, expected, sizeof(expected), &out), 0);
	assert_memory_equal(&out, &notice, sizeof(notice));
	assert_memory_equal(notice_session(expected, sizeof(expected)), notice.session, NOTICE_SESSION_LEN);
	/* On a data port it is neither IKE nor ESP. */
	assert_true(datagram[0] != 0 && !(datagram[0] & 0x80));
}

static void test_each_type(void **state)
{
	uint8_t datagram[NOTICE_LEN_MAX];
	struct notice out;

	(void)state;
	for (unsigned type = NOTICE_HELLO; type < NOTICE_TYPES; type++) {
		struct notice notice = sample((enum notice_type)type);
		size_t len = type == NOTICE_PROBE || type == NOTICE_PROBE_ANSWER ? NOTICE_LEN_MAX : NOTICE_LEN;

		if (type == NOTICE_DIAL)
			notice.endpoint = (struct endpoint){.port = 0};
		else if (type == NOTICE_ANSWER)
			assert_int_equal(address_parse("2001:db8::ffff", &notice.endpoint.address), 0);
		assert_int_equal(notice_seal(key, &notice, datagram, len), 0);
		assert_int_equal(notice_open(key, datagram, len, &out), 0);
		assert_memory_equal(&out, &notice, sizeof(notice));
		assert_string_not_equal(notice_type_name(notice.type), "unknown");
	}
	assert_string_equal(notice_type_name(NOTICE_TYPES), "unknown");
	assert_string_equal(notice_type_name((enum notice_type)0), "unknown");
}

static void authenticate(uint8_t *datagram, size_t len)
{
	uint8_t mac[EVP_MAX_MD_SIZE];

	assert_non_null(HMAC(EVP_sha256(), key, sizeof(key), datagram, len - 16, mac, NULL));
	memcpy(datagram + len - 16, mac, 16);
}

/* One bit anywhere, another key, a byte less or more. */
static void test_forged(void **state)
{
	struct notice notice = sample(NOTICE_PROBE), out;
	uint8_t datagram[NOTICE_LEN + 9], other[NOTICE_KEY_LEN];
	size_t len = NOTICE_LEN + 8;

	(void)state;
	assert_int_equal(notice_seal(key, &notice, datagram, len), 0);
	for (size_t bit = 0; bit < len * 8; bit++) {
		datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(notice_open(key, datagram, len, &out) < 0);
		datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t i = 0; i < len; i++)
		assert_true(notice_open(key, datagram, i, &out) < 0);
	datagram[len] = 0;
	assert_int_equal(notice_open(key, datagram, len + 1, &out), -EBADMSG);
	memcpy(other, key, sizeof(other));
	other[NOTICE_KEY_LEN - 1] ^= 1;
	assert_int_equal(notice_open(other, datagram, len, &out), -EBADMSG);
	assert_int_equal(notice_open(key, datagram, len, &out), 0);
}

/* A peer with the key is a stranger, too: there is one way to write each notice. */
static void test_authentic_and_malformed(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {{0, 'T'}, {3, '2'}, {4, 0}, {4, NOTICE_TYPES}, {4, 255}, {5, 1}, {7, 1}, {32, 5}, {32, 0}, {33, 1},
		{40, 1}, {51, 1}, {54, 1}, {55, 1}, {56, 1}, {63, 1}};
	struct notice notice = sample(NOTICE_PROBE), out;
	uint8_t datagram[NOTICE_LEN_MAX + 1];
	size_t len = NOTICE_LEN + 8;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(notice_seal(key, &notice, datagram, len), 0);
		datagram[wrong[i].at] = wrong[i].value;
		authenticate(datagram, len);
		assert_int_equal(notice_open(key, datagram, len, &out), -EINVAL);
	}
	/* Only probes are long, and not without end. */
	assert_int_equal(notice_seal(key, &notice, datagram, len), 0);
	datagram[4] = NOTICE_HELLO;
	authenticate(datagram, len);
	assert_int_equal(notice_open(key, datagram, len, &out), -EINVAL);
	memset(datagram, 0, sizeof(datagram));
	assert_int_equal(notice_seal(key, &notice, datagram, NOTICE_LEN), 0);
	memset(datagram + NOTICE_LEN - 16, 0, 16);
	authenticate(datagram, sizeof(datagram));
	assert_int_equal(notice_open(key, datagram, sizeof(datagram), &out), -EINVAL);
	authenticate(datagram, sizeof(datagram) - 1);
	assert_int_equal(notice_open(key, datagram, sizeof(datagram) - 1, &out), 0);
}

static void test_what_is_one(void **state)
{
	static const uint8_t esp[] = "\x80\0\0\1esp", ike[] = "\0\0\0\0ike", short_one[] = "SLN";

	(void)state;
	assert_true(notice_is_one((const uint8_t *)"SLN1", 4));
	assert_false(notice_is_one(esp, sizeof(esp)));
	assert_false(notice_is_one(ike, sizeof(ike)));
	assert_false(notice_is_one(short_one, 3));
	assert_false(notice_is_one(short_one, 0));
	assert_null(notice_session((const uint8_t *)"SLN1\1", 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_bytes),
		cmocka_unit_test(test_each_type),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_authentic_and_malformed),
		cmocka_unit_test(test_what_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
