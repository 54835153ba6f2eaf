/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others published or made: the examples of RFC 2202, 3602, 3686 and 4868 and NIST SP 800-38A, which are turned
 * into ESP packets here, and whole packets in files: argument 1 those of RFC 7634 and the GCM-in-ESP test cases,
 * argument 2 scapy's.
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

static const char *published_path, *scapy_path;

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

static const char *const hashes[] = {"sha1", "sha256", "sha384", "sha512"};

enum { HASHES = sizeof(hashes) / sizeof(hashes[0]) };

/* An SA whose cipher alone is given: with that HMAC, and a key of ours for it. */
static struct reference_sa sa_with(const char *cipher, const char *hash, const char *key)
{
	char name[32];
	struct reference_sa sa;

	snprintf(name, sizeof(name), "%s-%s", cipher, hash);
	sa = sa_of(name);
	memset(sa.keymat, 0x0b, sizeof(sa.keymat));
	assert_int_equal(parse_hex(key, sa.keymat), sa.suite->key_len + sa.suite->salt_len);
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
	uint8_t esp[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(rfc3602) / sizeof(rfc3602[0]) * HASHES; i++) {
		struct reference_sa sa = sa_with("aes128", hashes[i % HASHES], rfc3602[i / HASHES].key);
		size_t len = parse_hex(rfc3602[i / HASHES].esp, esp);

		reference_hmac(&sa, 0, esp, len, esp + len);
		check_open(&sa, 0, esp, len + sa.suite->icv_len, rfc3602[i / HASHES].payload,
			rfc3602[i / HASHES].next_header);
	}
}

/*
 * NIST SP 800-38A sections F.2.1 to F.2.6: the same four blocks under a key of each length. One more block of ours
 * behind them holds the trailer, and an HMAC of ours follows.
 */
static const struct {
	const char *cipher, *key, *ciphertext;
} nist_cbc[] = {
	{"aes128", "2b7e151628aed2a6abf7158809cf4f3c",
		"7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
		"73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
	{"aes192", "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
		"4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
		"571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"},
	{"aes256", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
		"f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
		"39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"},
};

static void nist_cbc_examples_open(void **state)
{
	static const uint8_t trailer[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 4};

	(void)state;
	for (size_t i = 0; i < sizeof(nist_cbc) / sizeof(nist_cbc[0]) * HASHES; i++) {
		struct reference_sa sa =
			sa_with(nist_cbc[i / HASHES].cipher, hashes[i % HASHES], nist_cbc[i / HASHES].key);
		uint8_t esp[ROOM] = {0x80, 0, 0, 1, 0, 0, 0, 1}, block[16];
		size_t len = ESP_HDR_LEN;

		len += parse_hex("000102030405060708090a0b0c0d0e0f", esp + len);
		len += parse_hex(nist_cbc[i / HASHES].ciphertext, esp + len);
		for (size_t j = 0; j < sizeof(block); j++)
			block[j] = trailer[j] ^ esp[len - sizeof(block) + j];
		reference_encrypt_block(&sa, block, esp + len);
		len += sizeof(block);
		reference_hmac(&sa, 0, esp, len, esp + len);
		check_open(&sa, 1, esp, len + sa.suite->icv_len,
			"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
			"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
			4);
	}
}

/* RFC 3686 section 6: key, nonce, IV and ciphertext. The plaintext is a text in the first of each key length, else
 * 0, 1, 2 ... */
static const struct {
	const char *cipher, *key, *iv, *ciphertext;
} rfc3686[] = {
	/* clang-format off */
	{"aes128ctr", "ae6852f8121067cc4bf7a5765577f39e" "00000030", "0000000000000000",
	 "e4095d4fb7a7b3792d6175a3261311b8"},
	{"aes128ctr", "7e24067817fae0d743d6ce1f32539163" "006cb6db", "c0543b59da48d90b",
	 "5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"},
	{"aes128ctr", "7691be035e5020a8ac6e618529f9a0dc" "00e0017b", "27777f3f4a1786f0",
	 "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
	{"aes192ctr", "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb78515" "00000048", "36733c147d6d93cb",
	 "4b55384fe259c9c84e7935a003cbe928"},
	{"aes192ctr", "7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a" "0096b03b", "020c6eadc2cb500d",
	 "453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00"},
	{"aes192ctr", "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe" "0007bdfd", "5cbd60278dcc0912",
	 "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"},
	{"aes256ctr", "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104" "00000060",
	 "db5672c97aa8f0b2", "145ad01dbf824ec7560863dc71e3e0c0"},
	{"aes256ctr", "f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a23884" "00faac24",
	 "c1585ef15a43d875", "f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c"},
	{"aes256ctr", "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d" "001cc5b7",
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
	for (size_t i = 0; i < sizeof(rfc3686) / sizeof(rfc3686[0]) * HASHES; i++) {
		size_t row = i / HASHES;
		struct reference_sa sa = sa_with(rfc3686[row].cipher, hashes[i % HASHES], rfc3686[row].key);
		uint8_t esp[ROOM] = {0x80, 0, 0, 1, 0, 0, 0, 1}, buffer[ROOM], plaintext[36];
		size_t len = parse_hex(rfc3686[row].ciphertext, esp + 16);
		struct esp_packet packet;

		for (uint8_t j = 0; j < sizeof(plaintext); j++)
			plaintext[j] = j;
		if (row % 3 == 0)
			memcpy(plaintext, "Single block msg", 16);
		parse_hex(rfc3686[row].iv, esp + 8);
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
 * RFC 2202 section 3, test cases 2 and 5, and RFC 4868 sections 2.7.2.1 to 2.7.2.3, test cases 2: their texts as ESP
 * packets without encryption; no other of their texts has the length of one. The end is no trailer, but bad padding is
 * told of authentic packets alone. With an extended number, the last four bytes are its high half. A key that is too
 * short counts as if zeros followed (RFC 2104 section 2).
 */
static const struct {
	const char *suite, *key, *text, *icv;
	bool repeated; /* the key, to its whole length */
} codes[] = {
	{"null-sha1", "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5", false},
	{"null-sha1", "\f", "Test With Truncation", "4c1a03424b55e07fe7f27be1", true},
	{"null-sha256", "Jefe", "what do ya want for nothing?", "167f928588c5cc2eef8e3093caa0e87c", true},
	{"null-sha384", "Jefe", "what do ya want for nothing?", "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d",
		true},
	{"null-sha512", "Jefe", "what do ya want for nothing?",
		"cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454", true},
};

static void check_code(size_t row, bool extended)
{
	struct reference_sa sa = sa_of(codes[row].suite);
	size_t key_len = strlen(codes[row].key), text_len = strlen(codes[row].text), len = text_len - (extended ? 4 : 0);
	uint64_t sequence = (uint64_t)esp_read_spi((const uint8_t *)codes[row].text + text_len - 4) << 32;
	uint8_t esp[ROOM], buffer[ROOM];
	struct esp_packet packet;

	sa.extended = extended;
	for (size_t i = 0; i < (codes[row].repeated ? sa.suite->auth_key_len : key_len); i++)
		sa.keymat[i] = (uint8_t)codes[row].key[i % key_len];
	memcpy(esp, codes[row].text, len);
	len += parse_hex(codes[row].icv, esp + len);
	assert_int_equal(open_one(&sa, sequence, esp, len, buffer, &packet), ESP_BAD_PAD);
	esp[len - 1] ^= 1;
	assert_int_equal(open_one(&sa, sequence, esp, len, buffer, &packet), ESP_BAD_ICV);
}

static void published_codes_are_accepted(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof(codes) / sizeof(codes[0]); row++) {
		check_code(row, false);
		check_code(row, true);
	}
}

/* One line of a file: suite keymat number next_header payload esp. Numbers with 16 digits are extended ones. */
static void check_line(char *line)
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
	sequence = strtoull(fields[2], NULL, 16);
	sa.extended = strlen(fields[2]) == 16;
	assert_int_equal(strlen(fields[1]), 2 * esp_suite_keymat_len(sa.suite));
	parse_hex(fields[1], sa.keymat);
	len = parse_hex(fields[5], esp);
	assert_int_equal(esp_read_sequence(esp), (uint32_t)sequence);
	check_open(&sa, sequence, esp, len, fields[4][0] == '-' ? "" : fields[4], (uint8_t)atoi(fields[3]));
}

/* How many packets there were. */
static size_t check_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0, count = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0) {
		if (line[0] == '#')
			continue;
		check_line(line);
		count++;
	}
	free(line);
	fclose(file);
	return count;
}

static void published_packets_open(void **state)
{
	(void)state;
	assert_int_equal(check_file(published_path), 14 + 1);
}

static void scapy_packets_open(void **state)
{
	size_t expected = 0;

	(void)state;
	/* scapy has extended numbers for combined modes alone. */
	for (uint32_t id = ESP_SUITE_NONE + 1; id < ESP_SUITE_COUNT; id++)
		expected += esp_suite_is_combined(esp_suite_get(id)) ? 16 : 8;
	assert_int_equal(check_file(scapy_path), expected);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc3602_packets_open),
		cmocka_unit_test(nist_cbc_examples_open),
		cmocka_unit_test(rfc3686_ciphertexts_open),
		cmocka_unit_test(published_codes_are_accepted),
		cmocka_unit_test(published_packets_open),
		cmocka_unit_test(scapy_packets_open),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: %s esp_published.txt esp_scapy.txt\n", argv[0]);
		return 2;
	}
	published_path = argv[1];
	scapy_path = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
