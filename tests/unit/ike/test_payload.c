/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers' truth tables: payload chains, identities and selectors, NAT detection. */
#include "ike/identity.h"
#include "ike/natt.h"
#include "ike/payload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1};

static void test_chains(void **state)
{
	/* clang-format off */
	static const struct {
		uint8_t first;
		uint8_t data[40];
		size_t len;
		int rc;
		size_t count;
	} rows[] = {
		{0, {0}, 0, 0, 0},
		{0, {1, 2, 3}, 3, 0, 0},                                  /* all of it is padding */
		{8, {0, 0, 0, 5, 9}, 5, 0, 1},
		{8, {0, 0, 0, 4, 9}, 5, -EBADMSG, 0},                     /* an empty hash */
		{8, {0, 0, 0, 3, 9}, 5, -EBADMSG, 0},                     /* shorter than its header */
		{8, {0, 0, 0, 0, 9}, 5, -EBADMSG, 0},
		{8, {0, 0, 0, 6, 9}, 5, -EBADMSG, 0},                     /* leaves the message */
		{8, {0, 0, 0xff, 0xff, 9}, 5, -EBADMSG, 0},
		{8, {0, 1, 0, 5, 9}, 5, -EBADMSG, 0},                     /* reserved */
		{8, {0, 0, 0}, 3, -EBADMSG, 0},
		{8, {0}, 0, -EBADMSG, 0},
		{8, {8, 0, 0, 5, 9, 0, 0, 0, 5, 9}, 10, -EBADMSG, 0},     /* two hashes */
		{13, {13, 0, 0, 5, 9, 0, 0, 0, 5, 9}, 10, 0, 2},          /* two vendor IDs */
		{13, {13, 0, 0, 5, 9}, 5, -EBADMSG, 0},                   /* another is promised */
		{2, {0, 0, 0, 8, 1, 1, 0, 1}, 8, -EBADMSG, 0},            /* a proposal stands in an SA only */
		{15, {0, 0, 0, 5, 9}, 5, -EBADMSG, 0},                    /* no such type */
		{33, {0, 0, 0, 5, 9}, 5, -EBADMSG, 0},                    /* one of version 2 */
		{200, {8, 0, 0, 4, 0, 0, 0, 5, 9}, 9, 0, 1},              /* private use is passed over */
		{130, {0, 0, 0, 5, 9}, 5, 0, 1},                          /* NAT-D of the drafts */
		{10, {0, 0, 0, 11, 1, 2, 3, 4, 5, 6, 7}, 11, -EBADMSG, 0}, /* a nonce of seven bytes */
		{10, {0, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8}, 12, 0, 1},
		{5, {5, 0, 0, 8, 1, 0, 0, 0, 5, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0}, 24, -EBADMSG, 0}, /* three IDs */
	};
	/* clang-format on */
	struct payload_list list;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = NULL;
		int rc = payload_parse(
			ISAKMP_VERSION_1, rows[i].first, bytes_of(rows[i].data, rows[i].len), &list, &why);

		if (rc != rows[i].rc || (rc == 0 && list.count != rows[i].count) || (rc < 0 && !why))
			fail_msg("row %zu: %d, %zu payloads", i, rc, list.count);
	}
	for (size_t len = 256; len <= 257; len++) { /* a nonce ends at 256 bytes */
		uint8_t nonce[4 + 257] = {0};

		bytes_put16(nonce + 2, (uint16_t)(4 + len));
		assert_int_equal(
			payload_parse(ISAKMP_VERSION_1, 10, bytes_of(nonce, 4 + len), &list, &why) == 0, len == 256);
	}
	assert_int_equal(payload_parse(0x20, 33, bytes_of(rows[2].data, 5), &list, &why), -EPROTONOSUPPORT);
}

static void test_payload_cap(void **state)
{
	uint8_t data[(PAYLOADS_MAX + 1) * 5];
	struct payload_list list;
	const char *why;

	(void)state;
	for (uint8_t type = 13; type != 0; type = type == 13 ? 200 : 0) /* known and private ones alike */
		for (size_t n = PAYLOADS_MAX; n <= PAYLOADS_MAX + 1; n++) {
			for (size_t i = 0; i < n; i++)
				memcpy(data + i * 5, (uint8_t[]){i + 1 < n ? type : 0, 0, 0, 5, 1}, 5);
			assert_int_equal(payload_parse(ISAKMP_VERSION_1, type, bytes_of(data, n * 5), &list, &why) == 0,
				n == PAYLOADS_MAX);
		}
}

static void test_builder(void **state)
{
	uint8_t data[256];
	struct payload_list list;
	struct builder builder;
	const char *why;

	(void)state;
	for (size_t room = 0; room < 80; room++) {
		builder_begin(&builder, data, room, &hdr);
		builder_add(&builder, ISAKMP_HASH, "0123456789abcdef", 16);
		builder_add(&builder, ISAKMP_VENDOR_ID, "v", 1);
		assert_int_equal(builder_finish(&builder), room < 28 + 20 + 5 ? -EMSGSIZE : 0);
	}
	assert_non_null(payload_header(bytes_of(data, builder.len), &why));
	assert_null(payload_header(bytes_of(data, builder.len - 1), &why));
	assert_null(payload_header(bytes_of(data, builder.len + 1), &why));
	assert_null(payload_header(bytes_of(data, 27), &why));
	assert_int_equal(
		payload_parse(ISAKMP_VERSION_1, data[16], bytes_of(data + 28, builder.len - 28), &list, &why), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(payload_body(&list, ISAKMP_HASH).len, 16);
	assert_null(payload_body(&list, ISAKMP_NONCE).data);
}

#define BODY(text) text, sizeof(text) - 1

static void test_identities(void **state)
{
	/* clang-format off */
	static const struct {
		const char *body;
		size_t len;
		const char *text; /* NULL: refused */
	} rows[] = {
		{BODY("\x02\0\0\0hq.example.org"), "hq.example.org"},
		{BODY("\x03\x11\x01\xf4me@example.org"), "me@example.org"}, /* UDP 500 */
		{BODY("\x0b\0\0\0group-7"), "group-7"},
		{BODY("\x01\0\0\0\x0a\x01\x02\x03"), "10.1.2.3"},
		{BODY("\x01\0\0\0\x0a\x01\x02"), NULL},
		{BODY("\x01\0\0\0\x0a\x01\x02\x03\x04"), NULL},
		{BODY("\x02\0\0\0"), NULL},
		{BODY("\x02\0\0\0with\0zero"), NULL},
		{BODY("\x02\0\0\0with\nline"), NULL},
		{BODY("\x02\x06\0\x50hq.example.org"), NULL},  /* TCP 80 */
		{BODY("\x09\0\0\0some name"), NULL},           /* a distinguished name */
	};
	/* clang-format on */
	char text[CONFIG_IDENTITY_LEN], longest[4 + CONFIG_IDENTITY_LEN] = {2};
	uint8_t body[IDENTITY_BODY_MAX];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = identity_read(bytes_of(rows[i].body, rows[i].len), text, &why);

		if ((rc == 0) != (rows[i].text != NULL) || (rc == 0 && strcmp(text, rows[i].text) != 0))
			fail_msg("row %zu: %d %s", i, rc, text);
		for (const char *at = text; *at; at++)
			assert_true(*at >= ' ' && *at < 0x7f);
		if (rc == 0 && rows[i].body[0] != ISAKMP_ID_KEY_ID) {
			size_t len = identity_write(text, body);

			assert_int_equal(len, rows[i].len);
			assert_int_equal(body[0], rows[i].body[0]);
			assert_memory_equal(body + 4, rows[i].body + 4, len - 4);
		}
	}
	memset(longest + 4, 'a', CONFIG_IDENTITY_LEN);
	assert_int_equal(identity_read(bytes_of(longest, sizeof(longest) - 1), text, &why), 0);
	assert_int_equal(identity_read(bytes_of(longest, sizeof(longest)), text, &why), -EBADMSG);
}

static void test_selectors(void **state)
{
	/* clang-format off */
	static const struct {
		const char *body;
		size_t len;
		const char *network;
	} rows[] = {
		{BODY("\x01\0\0\0\x0a\x01\x02\x03"), "10.1.2.3/32"},
		{BODY("\x04\0\0\0\x0a\x01\0\0\xff\xff\0\0"), "10.1.0.0/16"},
		{BODY("\x04\0\0\0\0\0\0\0\0\0\0\0"), "0.0.0.0/0"},
		{BODY("\x04\0\0\0\x0a\x01\x02\x03\xff\xff\xff\xff"), "10.1.2.3/32"},
		{BODY("\x04\0\0\0\x0a\x01\0\0\xff\0\xff\0"), NULL},     /* holes */
		{BODY("\x04\0\0\0\x0a\x01\0\0\xff\xff\0"), NULL},
		{BODY("\x04\0\0\0\x0a\x01\0\0"), NULL},
		{BODY("\x04\x11\x06\xa5\x0a\x01\0\0\xff\xff\0\0"), NULL}, /* UDP 1701 */
		{BODY("\x07\0\0\0\x0a\x01\0\0\x0a\x01\0\x09"), NULL},   /* a range */
		{BODY("\x02\0\0\0name"), NULL},
		{BODY("\x05\0\0\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "2001:db8::1/128"},
		{BODY("\x05\0\0\0\x20\x01\x0d\xb8"), NULL},
	};
	/* clang-format on */
	uint8_t body[IDENTITY_SELECTOR_MAX];
	char text[PREFIX_TEXT_LEN];
	struct prefix network, again;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = identity_read_selector(bytes_of(rows[i].body, rows[i].len), &network, &why);

		if ((rc == 0) != (rows[i].network != NULL))
			fail_msg("row %zu: %d", i, rc);
		if (rc < 0)
			continue;
		assert_string_equal(prefix_format(&network, text), rows[i].network);
		assert_int_equal(
			identity_read_selector(bytes_of(body, identity_write_selector(&network, body)), &again, &why),
			0);
		assert_true(prefix_equal(&network, &again));
	}
}

static void test_nat_detection(void **state)
{
	uint8_t data[512];
	struct isakmp_hdr cookies = {.initiator_cookie = {1}, .responder_cookie = {2}, .version = ISAKMP_VERSION_1};
	struct endpoint local = {.address = address_ipv4(0x0a000001), .port = 500};
	struct endpoint remote = {.address = address_ipv4(0x0a000002), .port = 500}, other = remote;
	struct payload_list list;
	struct builder builder;
	const char *why;

	(void)state;
	other.port = 501;
	for (enum natt_version version = NATT_DRAFT; version <= NATT_RFC3947; version++) {
		builder_begin(&builder, data, sizeof(data), &cookies);
		natt_answer_vendors(&builder, &(struct natt_vendor){.natt = version, .dead_peer_detection = true});
		assert_int_equal(natt_write_detection(&builder, version, IKE_HASH_SHA1, &cookies, &local, &remote), 0);
		assert_int_equal(
			payload_parse(ISAKMP_VERSION_1, data[16], bytes_of(data + 28, builder.len - 28), &list, &why),
			0);
		assert_int_equal(list.draft, version == NATT_DRAFT);
		assert_int_equal(natt_read_vendors(&list).natt, version);
		assert_true(natt_read_vendors(&list).dead_peer_detection);
		assert_true(natt_names(&list, NATT_FIRST, IKE_HASH_SHA1, &cookies, &remote));
		assert_true(natt_names(&list, NATT_OTHERS, IKE_HASH_SHA1, &cookies, &local));
		assert_false(natt_names(&list, NATT_FIRST, IKE_HASH_SHA1, &cookies, &local));
		assert_false(natt_names(&list, NATT_FIRST, IKE_HASH_SHA1, &cookies, &other));
		assert_false(natt_names(&list, NATT_FIRST, IKE_HASH_SHA256, &cookies, &remote));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_payload_cap),
		cmocka_unit_test(test_builder),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_nat_detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
