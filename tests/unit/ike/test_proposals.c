/* SPDX-License-Identifier: Apache-2.0 */
/* What SA payloads may say, in both phases: attributes in any order and form, modes, bundles, broken structure. */
#include "ike/phase1.h"
#include "ike/phase2.h"
#include "ike/sa_payload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1};

/* An SA payload's body for one proposal with one transform of these attributes. */
static struct bytes one_transform(uint8_t *out, uint8_t protocol, uint8_t id, const char *attributes, size_t len)
{
	static uint8_t data[512];
	struct builder builder;
	size_t proposal, transform;

	builder_begin(&builder, data, sizeof(data), &hdr);
	sa_payload_begin(&builder);
	proposal = sa_payload_begin_proposal(
		&builder, true, 1, protocol, bytes_of("\x12\x34\x56\x78", protocol == ISAKMP_PROTO_ISAKMP ? 0 : 4), 1);
	transform = sa_payload_begin_transform(&builder, true, 1, id);
	builder_put(&builder, attributes, len);
	sa_payload_end_transform(&builder, transform);
	sa_payload_end_proposal(&builder, proposal);
	builder_close(&builder);
	assert_int_equal(builder_finish(&builder), 0);
	memcpy(out, data + 32, builder.len - 32);
	return bytes_of(out, builder.len - 32);
}

#define ATTRIBUTES(text) text, sizeof(text) - 1

static void test_phase1_attributes(void **state)
{
	static const struct {
		const char *attributes;
		size_t len;
		bool usable;
	} rows[] = {
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x03\0\x01"), true},
		/* any order, key length first */
		{ATTRIBUTES("\x80\x0e\x01\0\x80\x03\0\x01\x80\x04\0\x13\x80\x02\0\x04\x80\x01\0\x07"), true},
		/* the variable form of a basic attribute */
		{ATTRIBUTES("\0\x01\0\x02\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\0\x03\0\x04\0\0\0\x01"),
			true},
		/* with a lifetime of four bytes */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x03\0\x01\x80\x0b\0\x01"
			    "\0\x0c\0\x04\0\0\x0e\x10"),
			true},
		/* unknown attribute */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x03\0\x01\x80\x0d\0\x01"),
			false},
		/* the group twice */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x04\0\x13\x80\x03\0\x01"),
			false},
		/* cut, and a length that leaves the transform */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x03\0"), false},
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\0\x03\0\x09\0\0\0\x01"), false},
		/* no length at all */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\0\x03\0\0"), false},
		/* other method, other cipher */
		{ATTRIBUTES("\x80\x01\0\x07\x80\x0e\x01\0\x80\x02\0\x04\x80\x04\0\x13\x80\x03\xfd\xe9"), false},
		{ATTRIBUTES("\x80\x01\0\x05\x80\x02\0\x04\x80\x04\0\x13\x80\x03\0\x01"), false},
	};
	struct config_peer peer = {.auth = {IKE_AUTH_PSK},
		.n_auth = 1,
		.ike = {{IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA256, IKE_GROUP_ECP256}},
		.n_ike = 1};
	struct phase1_offers offers;
	char text[PHASE1_TEXT_LEN];
	uint8_t body[512];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes sa =
			one_transform(body, ISAKMP_PROTO_ISAKMP, ISAKMP_KEY_IKE, rows[i].attributes, rows[i].len);

		assert_int_equal(phase1_parse(sa, &offers, &why), 0);
		if ((phase1_choose(&offers, &peer, false, 64) != NULL) != rows[i].usable)
			fail_msg("row %zu", i);
		assert_null(phase1_choose(&offers, &peer, false, 65)); /* the KE value is of another group */
		assert_true(strlen(phase1_explain(&offers, &peer, false, 64, text)) > 20);
	}
}

static void test_phase2_attributes(void **state)
{
	static const struct {
		uint8_t protocol, id;
		const char *attributes;
		size_t len;
		bool nat, floated, usable;
	} rows[] = {
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01"), false, false, true},
		{3, 20, ATTRIBUTES("\x80\x04\0\x01\x80\x06\x01\0"), false, true, true},
		{3, 20, ATTRIBUTES("\x80\x06\x01\0"), false, false, true},		/* no mode: tunnel */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01"), true, true, false}, /* plain through a NAT */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x03"), true, true, true},
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\xf0\x03"), true, true, true}, /* 61443 */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x03"), false, true, true},	 /* forced */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x03"), false, false, false},
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x02"), false, true, false}, /* transport mode */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x04"), true, true, false},
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\xf0\x04"), true, true, false}, /* 61444 */
		{3, 20, ATTRIBUTES("\x80\x06\0\x80\x80\x04\0\x01"), false, true, false},  /* another key length */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x0b\0\x01"), false, true, false}, /* ESN */
		{3, 20, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x03\0\x13"), false, true,
			false}, /* group, no KE */
		{3, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x05\0\x02"), false, true, true},
		{3, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x05\0\x01"), false, true, false}, /* HMAC-MD5 */
		{3, 3, ATTRIBUTES("\x80\x04\0\x01\x80\x05\0\x02"), false, true, false},		       /* 3DES */
		{2, 3, ATTRIBUTES("\x80\x04\0\x01\x80\x05\0\x02"), false, true, false},		       /* AH */
	};
	struct config_peer peer = {.esp = {ESP_AES256_GCM, ESP_AES256_CBC_SHA1_96}, .n_esp = 2};
	char text[PHASE2_TEXT_LEN];
	struct phase2_offers offers;
	uint8_t body[512];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct phase2_terms terms = {.peer = &peer, .nat = rows[i].nat, .floated = rows[i].floated};
		struct bytes sa = one_transform(body, rows[i].protocol, rows[i].id, rows[i].attributes, rows[i].len);

		assert_int_equal(phase2_parse(sa, &offers, &why), 0);
		if ((phase2_choose(&offers, &terms) != NULL) != rows[i].usable)
			fail_msg("row %zu", i);
		assert_true(strlen(phase2_explain(&offers, &terms, text)) > 20);
	}
}

/* 64-bit numbers and transport mode, where the peer's configuration has them. */
static void test_phase2_peers_choice(void **state)
{
	static const struct {
		const char *attributes;
		size_t len;
		bool transport, nat, usable;
	} rows[] = {
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x0b\0\x01"), false, false, true},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\0\x0b\0\x02\0\x01"), false, false,
			true}, /* the variable form */
		{ATTRIBUTES("\x80\x0b\0\x01\x80\x04\0\x01\x80\x06\x01\0"), false, false, true},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x0b\0\0"), false, false, false}, /* reserved */
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x0b\0\x02"), false, false, false},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x0b\0\x01\x80\x0b\0\x01"), false, false,
			false}, /* twice */
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x02"), true, false, true},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x02\x80\x0b\0\x01"), true, false, true},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x02"), true, true, false}, /* plain through a NAT */
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x04"), true, true, true},
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\xf0\x04"), true, true, true}, /* 61444 */
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01"), true, false, false}, /* tunnel */
		{ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x03"), true, true, false},
		{ATTRIBUTES("\x80\x06\x01\0"), true, false, false}, /* not said */
	};
	struct config_peer peer = {.esp = {ESP_AES256_GCM}, .n_esp = 1, .esn = true};
	char text[PHASE2_TEXT_LEN];
	struct phase2_offers offers;
	uint8_t body[512];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct phase2_terms terms = {.peer = &peer, .nat = rows[i].nat, .floated = rows[i].nat};
		struct bytes sa = one_transform(body, ISAKMP_PROTO_ESP, 20, rows[i].attributes, rows[i].len);

		peer.mode = rows[i].transport ? CONFIG_MODE_TRANSPORT : CONFIG_MODE_TUNNEL;
		assert_int_equal(phase2_parse(sa, &offers, &why), 0);
		if ((phase2_choose(&offers, &terms) != NULL) != rows[i].usable)
			fail_msg("row %zu", i);
		assert_non_null(strstr(phase2_explain(&offers, &terms, text),
			rows[i].transport ? ", transport mode" : ", tunnel mode"));
	}
}

/* In whichever order a peer offers them, 64-bit numbers are taken before others, and after a better suite. */
static void test_phase2_number_order(void **state)
{
	struct config_peer offering = {.esp = {ESP_AES128_GCM, ESP_AES256_GCM}, .n_esp = 2, .esn = true};
	struct config_peer peer = {.esp = {ESP_AES256_GCM, ESP_AES128_GCM}, .n_esp = 2, .esn = true};
	struct phase2_terms terms = {.peer = &peer};
	const struct phase2_offer *chosen;
	struct phase2_offers offers;
	struct builder builder;
	uint8_t data[512];
	const char *why;

	(void)state;
	builder_begin(&builder, data, sizeof(data), &hdr);
	phase2_write_offers(&builder, &offering, 0x12345678, IPSEC_TUNNEL, IKE_GROUP_NONE);
	assert_int_equal(phase2_parse(bytes_of(data + 32, builder.len - 32), &offers, &why), 0);
	assert_int_equal(offers.count, 4);
	for (int turned = 0; turned < 2; turned++) {
		for (int i = 0; i < 4; i++)
			assert_int_equal(offers.items[i].extended, i % 2 == turned);
		chosen = phase2_choose(&offers, &terms);
		assert_int_equal(chosen->suite, ESP_AES256_GCM);
		assert_true(chosen->extended);
		peer.esn = false;
		chosen = phase2_choose(&offers, &terms);
		assert_int_equal(chosen->suite, ESP_AES256_GCM);
		assert_false(chosen->extended);
		peer.esn = true;
		for (int i = 0; i < 4; i++)
			offers.items[i].extended = !offers.items[i].extended;
	}
}

/* How each suite is written in a proposal, and that it is read back as what it was. */
static void test_phase2_numbers(void **state)
{
	static const struct {
		uint8_t suite, id;
		const char *attributes; /* up to the mode */
		size_t len;
	} rows[] = {
		{ESP_AES128_GCM, 20, ATTRIBUTES("\x80\x06\0\x80")},
		{ESP_AES192_GCM, 20, ATTRIBUTES("\x80\x06\0\xc0")},
		{ESP_AES256_GCM, 20, ATTRIBUTES("\x80\x06\x01\0")},
		{ESP_AES128_CBC_SHA1_96, 12, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x02")},
		{ESP_AES192_CBC_SHA1_96, 12, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x02")},
		{ESP_AES256_CBC_SHA1_96, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x02")},
		{ESP_AES128_CBC_SHA256_128, 12, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x05")},
		{ESP_AES192_CBC_SHA256_128, 12, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x05")},
		{ESP_AES256_CBC_SHA256_128, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x05")},
		{ESP_AES128_CBC_SHA384_192, 12, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x06")},
		{ESP_AES192_CBC_SHA384_192, 12, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x06")},
		{ESP_AES256_CBC_SHA384_192, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x06")},
		{ESP_AES128_CBC_SHA512_256, 12, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x07")},
		{ESP_AES192_CBC_SHA512_256, 12, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x07")},
		{ESP_AES256_CBC_SHA512_256, 12, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x07")},
		{ESP_AES128_CTR_SHA1_96, 13, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x02")},
		{ESP_AES192_CTR_SHA1_96, 13, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x02")},
		{ESP_AES256_CTR_SHA1_96, 13, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x02")},
		{ESP_AES128_CTR_SHA256_128, 13, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x05")},
		{ESP_AES192_CTR_SHA256_128, 13, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x05")},
		{ESP_AES256_CTR_SHA256_128, 13, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x05")},
		{ESP_AES128_CTR_SHA384_192, 13, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x06")},
		{ESP_AES192_CTR_SHA384_192, 13, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x06")},
		{ESP_AES256_CTR_SHA384_192, 13, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x06")},
		{ESP_AES128_CTR_SHA512_256, 13, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x07")},
		{ESP_AES192_CTR_SHA512_256, 13, ATTRIBUTES("\x80\x06\0\xc0\x80\x05\0\x07")},
		{ESP_AES256_CTR_SHA512_256, 13, ATTRIBUTES("\x80\x06\x01\0\x80\x05\0\x07")},
		{ESP_NULL_SHA1_96, 11, ATTRIBUTES("\x80\x05\0\x02")},
		{ESP_NULL_SHA256_128, 11, ATTRIBUTES("\x80\x05\0\x05")},
		{ESP_NULL_SHA384_192, 11, ATTRIBUTES("\x80\x05\0\x06")},
		{ESP_NULL_SHA512_256, 11, ATTRIBUTES("\x80\x05\0\x07")},
	};
	enum { COUNT = sizeof(rows) / sizeof(rows[0]), TRANSFORM_AT = 4 + 8 + 12 };
	struct phase2_offers offers;
	struct builder builder;
	uint8_t data[512];
	const char *why;

	(void)state;
	assert_int_equal(COUNT, ESP_SUITE_COUNT - 2); /* all but ChaCha20-Poly1305 */
	for (size_t i = 0; i < COUNT; i++) {
		struct config_peer peer = {.esp = {rows[i].suite}, .n_esp = 1, .lifetime = 3600};
		const uint8_t *transform = data + sizeof(hdr) + TRANSFORM_AT;

		builder_begin(&builder, data, sizeof(data), &hdr);
		phase2_write_offers(&builder, &peer, 0x12345678, IPSEC_TUNNEL, IKE_GROUP_NONE);
		assert_int_equal(transform[5], rows[i].id);
		assert_memory_equal(transform + 8, rows[i].attributes, rows[i].len);
		assert_memory_equal(transform + 8 + rows[i].len, "\x80\x04\0\x01", 4);
		assert_int_equal(phase2_parse(bytes_of(data + 32, builder.len - 32), &offers, &why), 0);
		assert_int_equal(offers.count, 1);
		assert_true(offers.items[0].usable);
		assert_int_equal(offers.items[0].suite, rows[i].suite);
	}
}

/* Near misses are no suites: a number that IKEv2 has, lengths and algorithms that a cipher doesn't take. */
static void test_phase2_no_suites(void **state)
{
	static const struct {
		uint8_t id;
		const char *attributes;
		size_t len;
	} rows[] = {
		{28, ATTRIBUTES("\x80\x06\x01\0")},		  /* ChaCha20-Poly1305 in IKEv2 */
		{0, ATTRIBUTES("\x80\x06\x01\0")},		  /* its number in our table */
		{11, ATTRIBUTES("\x80\x04\0\x01")},		  /* neither encryption nor integrity */
		{11, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x05")}, /* a key for nothing */
		{13, ATTRIBUTES("\x80\x06\0\x80")},		  /* RFC 3686: never without integrity */
		{13, ATTRIBUTES("\x80\x06\0\xa0\x80\x05\0\x05")}, /* 160 bits: with the nonce */
		{12, ATTRIBUTES("\x80\x05\0\x05")},		  /* no length */
		{20, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x05")}, /* GCM and an HMAC */
		{18, ATTRIBUTES("\x80\x06\0\x80")},		  /* GCM with an ICV of 8 bytes */
		{12, ATTRIBUTES("\x80\x06\0\x80\x80\x05\0\x08")}, /* HMAC-RIPEMD */
	};
	struct phase2_offers offers;
	uint8_t body[512];
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes sa = one_transform(body, ISAKMP_PROTO_ESP, rows[i].id, rows[i].attributes, rows[i].len);

		assert_int_equal(phase2_parse(sa, &offers, &why), 0);
		if (offers.items[0].suite != ESP_SUITE_NONE)
			fail_msg("row %zu", i);
	}
}

/* What IKEv1 has no number for is left out, and the last of the rest says that it is the last. */
static void test_phase2_without_number(void **state)
{
	struct config_peer peer = {
		.esp = {ESP_AES256_GCM, ESP_CHACHA20_POLY1305, ESP_NULL_SHA1_96, ESP_CHACHA20_POLY1305}, .n_esp = 4};
	struct phase2_terms terms = {.peer = &peer};
	struct phase2_offers offers;
	struct builder builder;
	uint8_t data[512];
	const char *why;

	(void)state;
	builder_begin(&builder, data, sizeof(data), &hdr);
	phase2_write_offers(&builder, &peer, 0x12345678, IPSEC_TUNNEL, IKE_GROUP_NONE);
	assert_int_equal(phase2_parse(bytes_of(data + 32, builder.len - 32), &offers, &why), 0);
	assert_int_equal(offers.count, 2);
	assert_int_equal(offers.items[0].suite, ESP_AES256_GCM);
	assert_int_equal(offers.items[1].suite, ESP_NULL_SHA1_96);
	peer.esp[0] = ESP_CHACHA20_POLY1305;
	assert_ptr_equal(phase2_choose(&offers, &terms), &offers.items[1]);
}

/* ESP and AH of one number are one bundle; what follows it with another number is free. */
static void test_bundles(void **state)
{
	struct config_peer peer = {.esp = {ESP_AES256_GCM}, .n_esp = 1};
	struct phase2_terms terms = {.peer = &peer};
	struct phase2_offers offers;
	struct builder builder;
	uint8_t data[512];
	const char *why;

	(void)state;
	for (int third = 0; third < 2; third++) {
		builder_begin(&builder, data, sizeof(data), &hdr);
		sa_payload_begin(&builder);
		for (uint8_t i = 0; i < 2 + third; i++) {
			size_t proposal = sa_payload_begin_proposal(&builder, i == 1 + third, i == 2 ? 2 : 1,
				i == 0 ? ISAKMP_PROTO_AH : ISAKMP_PROTO_ESP, bytes_of("\x12\x34\x56\x78", 4), 1);
			size_t transform = sa_payload_begin_transform(&builder, true, 1, 20);

			sa_payload_put_basic(&builder, IPSEC_KEY_LENGTH, 256);
			sa_payload_end_transform(&builder, transform);
			sa_payload_end_proposal(&builder, proposal);
		}
		builder_close(&builder);
		assert_int_equal(phase2_parse(bytes_of(data + 32, builder.len - 32), &offers, &why), 0);
		assert_int_equal(offers.count, 2 + third);
		assert_int_equal(phase2_choose(&offers, &terms) != NULL, third);
	}
}

/* Every way to cut an SA payload, and every byte of its structure changed, ends in a plain answer. */
static void test_sa_structure(void **state)
{
	uint8_t body[512], copy[512];
	struct phase2_offers offers;
	const char *why;
	struct bytes sa = one_transform(body, ISAKMP_PROTO_ESP, 20,
		ATTRIBUTES("\x80\x06\x01\0\x80\x04\0\x01\x80\x01\0\x01\0\x02\0\x04\0\0\x0e\x10"));

	(void)state;
	for (size_t len = 0; len < sa.len; len++)
		assert_int_equal(phase2_parse(bytes_of(body, len), &offers, &why), -EBADMSG);
	for (size_t at = 0; at < sa.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, body, sa.len);
			copy[at] ^= (uint8_t)(1 << bit);
			(void)phase2_parse(bytes_of(copy, sa.len), &offers, &why);
			assert_true(offers.count <= 1);
		}
	copy[0] = 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phase1_attributes),
		cmocka_unit_test(test_phase2_attributes),
		cmocka_unit_test(test_phase2_peers_choice),
		cmocka_unit_test(test_phase2_number_order),
		cmocka_unit_test(test_phase2_numbers),
		cmocka_unit_test(test_phase2_no_suites),
		cmocka_unit_test(test_phase2_without_number),
		cmocka_unit_test(test_bundles),
		cmocka_unit_test(test_sa_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
