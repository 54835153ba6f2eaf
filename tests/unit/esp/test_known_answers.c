/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others published or made: RFC 3602, 3686, 4868 and 7634, the GCM-in-ESP test cases, and scapy's packets (a file,
 * argument 1).
 */
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

/* Opens `esp` under a new key. Afterwards the packet holds what came of it, in `buffer`. */
static enum esp_status open_one(const struct reference_sa *sa, uint64_t sequence, const uint8_t *esp, size_t esp_len,
	uint8_t *buffer, struct esp_packet *packet)
{
	struct esp_engine *engine = esp_engine_new();
	struct esp_key *key = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
	size_t opened;

	assert_non_null(engine);
	assert_non_null(key);
	assert_int_equal(esp_key_expand(engine, esp_suite_find(sa->suite->name), sa->extended, sa->keymat,
				 esp_suite_keymat_len(sa->suite), key),
		0);
	memcpy(buffer, esp, esp_len);
	*packet = (struct esp_packet){.key = key, .data = buffer, .len = (uint32_t)esp_len, .sequence = sequence};
	opened = esp_open(engine, packet, 1);
	assert_int_equal(opened, packet->status == ESP_OK);
	free(key);
	esp_engine_free(engine);
	return packet->status;
}

static void check_open(const struct reference_sa *sa, uint64_t sequence, const uint8_t *esp, size_t esp_len,
	const char *payload_hex, uint8_t next_header)
{
	uint8_t buffer[ROOM], payload[ROOM];
	size_t payload_len = parse_hex(payload_hex, payload);
	struct esp_packet packet;

	assert_int_equal(open_one(sa, sequence, esp, esp_len, buffer, &packet), ESP_OK);
	assert_int_equal(packet.next_header, next_header);
	assert_int_equal(packet.len, payload_len);
	assert_memory_equal(packet.data, payload, payload_len);
}

static struct reference_sa sa_of(const char *suite_name)
{
	struct reference_sa sa = {.suite = esp_suite_get(esp_suite_find(suite_name))};

	assert_non_null(sa.suite);
	return sa;
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
	static const char *const suites[] = {"aes128-sha1", "aes128-sha256", "aes128-sha384", "aes128-sha512"};
	uint8_t esp[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(rfc3602) / sizeof(rfc3602[0]); i++) {
		for (size_t j = 0; j < 4; j++) {
			struct reference_sa sa = sa_of(suites[j]);
			size_t len = parse_hex(rfc3602[i].esp, esp);

			memset(sa.keymat, 0x0b, sizeof(sa.keymat));
			assert_int_equal(parse_hex(rfc3602[i].key, sa.keymat), sa.suite->key_len);
			reference_hmac(&sa, 0, esp, len, esp + len);
			check_open(&sa, 0, esp, len + sa.suite->icv_len, rfc3602[i].payload, rfc3602[i].next_header);
		}
	}
}

/* draft-mcgrew-gcm-test-01 section 4: cases with 32-bit and with extended numbers, key and salt in one. */
static const struct {
	const char *suite, *keymat, *esp, *payload;
	uint8_t next_header;
	uint32_t high; /* 0: a 32-bit number */
} gcm_esp[] = {
	/* clang-format off */
	{"aes128gcm", "feffe9928665731c6d6a8f9467308308" "cafebabe",
	 "0000a5f80000000afacedbaddecaf888"
	 "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4"
	 "ec3b9ba95d918bd1" "83b70d3aa8bc6ee4c309e9d85a41ad4a",
	 "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b"
	 "0000010001", 1, 0},
	{"aes256gcm", "abbccddef00112233445566778899aababbccddef00112233445566778899aab" "11223344",
	 "4a2cbfe3000000020102030405060708"
	 "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e"
	 "b335f4eecfdbf831824b4c4915956c96",
	 "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402", 1, 0},
	{"aes128gcm", "3de09874b388e6491988d0c3607eae1f" "57690e43",
	 "42f67e3f101010104e280000a2fca1a3"
	 "fba2caa4853cf9f0f22cb10d86dd83b0fec75691cf1a04b00d1138ec9c35791765acbd8701ad79845bf9fe3fba487bc91755e6662b4c8d0d"
	 "1f5e22739530320a" "e0d731cc978ecafaeae88f00e80d6e48",
	 "4500003c99c300008001cb7c40679318010101010800085c02004300616263646566676869"
	 "6a6b6c6d6e6f7071727374757677616263646566676869",
	 1, 0x10101010},
	/* clang-format on */
};

static void gcm_esp_test_cases_open(void **state)
{
	uint8_t esp[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(gcm_esp) / sizeof(gcm_esp[0]); i++) {
		struct reference_sa sa = sa_of(gcm_esp[i].suite);
		size_t len = parse_hex(gcm_esp[i].esp, esp);

		parse_hex(gcm_esp[i].keymat, sa.keymat);
		sa.extended = gcm_esp[i].high != 0;
		check_open(&sa, (uint64_t)gcm_esp[i].high << 32, esp, len, gcm_esp[i].payload, gcm_esp[i].next_header);
	}
}

/* RFC 7634 appendix A. */
static void rfc7634_packet_opens(void **state)
{
	struct reference_sa sa = sa_of("chacha20poly1305");
	uint8_t esp[ROOM];

	(void)state;
	parse_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3", sa.keymat);
	check_open(&sa, 0, esp,
		parse_hex("01020304000000051011121314151617"
			  "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95df"
			  "ab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0"
			  "76aaa8266b7fb0f7b11b369907e1ad43",
			esp),
		"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f10111213"
		"1415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
		4);
}

/* RFC 3686 section 6: key, nonce, IV and ciphertext. The plaintext is a text in the first of each key length, else
 * 0, 1, 2 ... */
static const struct {
	const char *suite, *keymat, *iv, *ciphertext;
} rfc3686[] = {
	/* clang-format off */
	{"aes128ctr-sha256", "ae6852f8121067cc4bf7a5765577f39e" "00000030", "0000000000000000",
	 "e4095d4fb7a7b3792d6175a3261311b8"},
	{"aes128ctr-sha1", "7e24067817fae0d743d6ce1f32539163" "006cb6db", "c0543b59da48d90b",
	 "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"},
	{"aes128ctr-sha512", "7691be035e5020a8ac6e618529f9a0dc" "00e0017b", "27777f3f4a1786f0",
	 "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
	{"aes192ctr-sha256", "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515" "00000048", "36733c147d6d93cb",
	 "4b55384fe259c9c84e7935a003cbe928"},
	{"aes192ctr-sha384", "7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a" "0096b03b", "020c6eadc2cb500d",
	 "453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00"},
	{"aes192ctr-sha1", "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe" "0007bdfd", "5cbd60278dcc0912",
	 "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"},
	{"aes256ctr-sha256", "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104" "00000060",
	 "db5672c97aa8f0b2", "145ad01dbf824ec7560863dc71e3e0c0"},
	{"aes256ctr-sha384", "f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a23884" "00faac24",
	 "c1585ef15a43d875", "f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c"},
	{"aes256ctr-sha512", "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d" "001cc5b7",
	 "51a51d70a1c11148", "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
	/* clang-format on */
};

/*
 * These are no ESP packets: their last two bytes are changed, in plaintext and ciphertext alike, into a trailer without
 * padding, and header and HMAC put around them.
 */
static void rfc3686_ciphertexts_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rfc3686) / sizeof(rfc3686[0]); i++) {
		struct reference_sa sa = sa_of(rfc3686[i].suite);
		uint8_t esp[ROOM] = {0x80, 0, 0, 1, 0, 0, 0, 1}, buffer[ROOM], plaintext[36];
		size_t len = parse_hex(rfc3686[i].ciphertext, esp + 16);
		struct esp_packet packet;

		for (uint8_t j = 0; j < sizeof(plaintext); j++)
			plaintext[j] = j;
		if (i % 3 == 0)
			memcpy(plaintext, "Single block msg", 16);
		memset(sa.keymat, 0x0b, sizeof(sa.keymat));
		parse_hex(rfc3686[i].keymat, sa.keymat);
		parse_hex(rfc3686[i].iv, esp + 8);
		esp[16 + len - 2] ^= plaintext[len - 2];
		esp[16 + len - 1] ^= plaintext[len - 1] ^ 4;
		reference_hmac(&sa, 0, esp, 16 + len, esp + 16 + len);
		assert_int_equal(open_one(&sa, 0, esp, 16 + len + sa.suite->icv_len, buffer, &packet), ESP_OK);
		assert_int_equal(packet.len, len - 2);
		assert_memory_equal(packet.data, plaintext, len - 2);
		assert_int_equal(packet.next_header, 4);
	}
}

/*
 * RFC 4868 sections 2.7.2.1 to 2.7.2.3, test cases 2: their text as an ESP packet without encryption. Its end is no
 * trailer, but bad padding is told of authentic packets alone. With an extended number, the last four bytes are its
 * high half.
 */
static void rfc4868_codes_are_accepted(void **state)
{
	static const char text[] = "what do ya want for nothing?";
	static const struct {
		const char *suite, *icv;
	} rows[] = {
		{"null-sha256", "167f928588c5cc2eef8e3093caa0e87c"},
		{"null-sha384", "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d"},
		{"null-sha512", "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct reference_sa sa = sa_of(rows[i / 2].suite);
		size_t len = strlen(text) - (i % 2 ? 4 : 0);
		uint8_t esp[ROOM], buffer[ROOM];
		struct esp_packet packet;

		sa.extended = i % 2;
		for (size_t j = 0; j < sa.suite->auth_key_len; j++)
			sa.keymat[j] = (uint8_t) "Jefe"[j % 4];
		memcpy(esp, text, len);
		len += parse_hex(rows[i / 2].icv, esp + len);
		assert_int_equal(open_one(&sa, UINT64_C(0x696e673f) << 32, esp, len, buffer, &packet), ESP_BAD_PAD);
		esp[len - 1] ^= 1;
		assert_int_equal(open_one(&sa, UINT64_C(0x696e673f) << 32, esp, len, buffer, &packet), ESP_BAD_ICV);
	}
}

/* One line of the stored vectors: suite keymat spi sequence payload esp. Numbers beyond 32 bits are extended ones. */
static void check_scapy_line(char *line)
{
	uint8_t esp[ROOM];
	char *fields[6], *rest = NULL;
	struct reference_sa sa;
	uint64_t sequence;
	size_t len;

	for (size_t i = 0; i < 6; i++) {
		fields[i] = strtok_r(i ? NULL : line, " \n", &rest);
		assert_non_null(fields[i]);
	}
	sa = sa_of(fields[0]);
	sequence = strtoull(fields[3], NULL, 10);
	sa.extended = sequence > UINT32_MAX;
	assert_int_equal(strlen(fields[1]), 2 * esp_suite_keymat_len(sa.suite));
	parse_hex(fields[1], sa.keymat);
	len = parse_hex(fields[5], esp);
	assert_int_equal(esp_read_spi(esp), strtoul(fields[2], NULL, 16));
	assert_int_equal(esp_read_sequence(esp), (uint32_t)sequence);
	check_open(&sa, sequence, esp, len, fields[4], 4);
}

static void scapy_packets_open(void **state)
{
	FILE *file = fopen(vector_path, "r");
	char *line = NULL;
	size_t size = 0, count = 0, expected = 0;

	(void)state;
	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		if (line[0] == '#')
			continue;
		check_scapy_line(line);
		count++;
	}
	/* scapy has extended numbers for combined modes alone. */
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++)
		expected += esp_suite_is_combined(esp_suite_get(id)) ? 16 : 8;
	assert_int_equal(count, expected);
	free(line);
	fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3602_packets_open),
		cmocka_unit_test(gcm_esp_test_cases_open),
		cmocka_unit_test(rfc7634_packet_opens),
		cmocka_unit_test(rfc3686_ciphertexts_open),
		cmocka_unit_test(rfc4868_codes_are_accepted),
		cmocka_unit_test(scapy_packets_open),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s esp_scapy.txt\n", argv[0]);
		return 2;
	}
	vector_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
