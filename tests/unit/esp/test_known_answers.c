/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that others published or made: RFC 3602, the GCM-in-ESP test cases, and scapy's (a file, argument 1). */
#include "esp/esp.h"
#include "reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 2048 };

static const char *vector_path;

static size_t parse_hex(const char *text, uint8_t *bytes)
{
	size_t len = strlen(text) / 2;

	assert_in_range(len, 0, ROOM);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(sscanf(text + 2 * i, "%2hhx", &bytes[i]), 1);
	return len;
}

static void check_open(const char *suite_name, const uint8_t *keymat, const uint8_t *esp, size_t esp_len,
	const char *payload_hex, uint8_t next_header)
{
	struct esp_engine *engine = esp_engine_new();
	enum esp_suite_id id = esp_suite_find(suite_name);
	struct esp_key *key = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
	uint8_t buffer[ROOM], payload[ROOM];
	struct esp_packet packet = {.key = key, .data = buffer, .len = (uint32_t)esp_len};
	size_t payload_len = parse_hex(payload_hex, payload);

	assert_non_null(engine);
	assert_non_null(key);
	assert_int_not_equal(id, ESP_SUITE_NONE);
	assert_int_equal(esp_key_expand(engine, id, keymat, esp_suite_keymat_len(esp_suite_get(id)), key), 0);
	memcpy(buffer, esp, esp_len);
	assert_int_equal(esp_open(engine, &packet, 1), 1);
	assert_int_equal(packet.status, ESP_OK);
	assert_int_equal(packet.next_header, next_header);
	assert_int_equal(packet.len, payload_len);
	assert_memory_equal(packet.data, payload, payload_len);
	free(key);
	esp_engine_free(engine);
}

/* RFC 3602 section 4, cases 5 to 8. They carry no ICV, so each HMAC of ours is put behind them. */
static const struct {
	const char *key, *esp, *payload;
	uint8_t next_header;
} rfc3602[] = {
	/* clang-format off */
	{"90d382b410eeba7ad938c46cec1a82bf",
	 "0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
	 "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6",
	 "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
	 "3031323334353637", 1},
	{"90d382b410eeba7ad938c46cec1a82bf",
	 "000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75",
	 "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777", 1},
	{"0123456789abcdef0123456789abcdef",
	 "0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8"
	 "e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5"
	 "a100b842f1c22f0d",
	 "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b"
	 "1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637", 4},
	{"0123456789abcdef0123456789abcdef",
	 "000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5"
	 "0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892",
	 "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffffffffffffffffffff"
	 "ffffffffffffffffffffffff", 4},
	/* clang-format on */
};

static void rfc3602_packets_open(void **state)
{
	static const char *const suites[] = {"aes128-sha1", "aes128-sha256"};
	uint8_t esp[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(rfc3602) / sizeof(rfc3602[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			struct reference_sa sa = {.suite = esp_suite_get(esp_suite_find(suites[j]))};
			size_t len = parse_hex(rfc3602[i].esp, esp);

			memset(sa.keymat, 0x0b, sizeof(sa.keymat));
			assert_int_equal(parse_hex(rfc3602[i].key, sa.keymat), sa.suite->key_len);
			reference_hmac(&sa, esp, len, esp + len);
			check_open(suites[j], sa.keymat, esp, len + sa.suite->icv_len, rfc3602[i].payload,
				rfc3602[i].next_header);
		}
	}
}

/* draft-mcgrew-gcm-test-01 section 4: the cases with 32-bit sequence numbers, key and salt in one. */
static const struct {
	const char *suite, *keymat, *esp, *payload;
	uint8_t next_header;
} gcm_esp[] = {
	/* clang-format off */
	{"aes128gcm", "feffe9928665731c6d6a8f9467308308" "cafebabe",
	 "0000a5f80000000afacedbaddecaf888"
	 "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4"
	 "ec3b9ba95d918bd1" "83b70d3aa8bc6ee4c309e9d85a41ad4a",
	 "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b"
	 "0000010001", 1},
	{"aes256gcm", "abbccddef00112233445566778899aababbccddef00112233445566778899aab" "11223344",
	 "4a2cbfe3000000020102030405060708"
	 "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e"
	 "b335f4eecfdbf831824b4c4915956c96",
	 "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402", 1},
	/* clang-format on */
};

static void gcm_esp_test_cases_open(void **state)
{
	uint8_t keymat[ESP_KEYMAT_MAX], esp[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(gcm_esp) / sizeof(gcm_esp[0]); i++) {
		size_t len = parse_hex(gcm_esp[i].esp, esp);

		parse_hex(gcm_esp[i].keymat, keymat);
		check_open(gcm_esp[i].suite, keymat, esp, len, gcm_esp[i].payload, gcm_esp[i].next_header);
	}
}

/* One line of the stored vectors: suite keymat spi sequence payload esp. */
static void check_scapy_line(char *line)
{
	uint8_t keymat[ROOM], esp[ROOM];
	char *fields[6], *rest = NULL;
	size_t len;

	for (size_t i = 0; i < 6; i++) {
		fields[i] = strtok_r(i ? NULL : line, " \n", &rest);
		assert_non_null(fields[i]);
	}
	assert_int_equal(parse_hex(fields[1], keymat), esp_suite_keymat_len(esp_suite_get(esp_suite_find(fields[0]))));
	len = parse_hex(fields[5], esp);
	assert_int_equal(esp_read_spi(esp), strtoul(fields[2], NULL, 16));
	assert_int_equal(esp_read_sequence(esp), strtoul(fields[3], NULL, 10));
	check_open(fields[0], keymat, esp, len, fields[4], 4);
}

static void scapy_packets_open(void **state)
{
	FILE *file = fopen(vector_path, "r");
	char *line = NULL;
	size_t size = 0, count = 0;

	(void)state;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		if (line[0] == '#')
			continue;
		check_scapy_line(line);
		count++;
	}
	assert_int_equal(count, 8 * (ESP_SUITE_COUNT - 1));
	free(line);
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3602_packets_open),
		cmocka_unit_test(gcm_esp_test_cases_open),
		cmocka_unit_test(scapy_packets_open),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s esp_scapy.txt\n", argv[0]);
		return 2;
	}
	vector_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
