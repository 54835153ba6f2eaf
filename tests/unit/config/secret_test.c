/* SPDX-License-Identifier: Apache-2.0 */
/* Pre-shared keys: the forms that they may have, the ones that are refused, and that no error shows any of one. */
#include "fixture.h"

#include <string.h>
#include <sys/stat.h>

#define WITH_KEY(key) FILE_PEERS("{" PEER_WHO PEER_MODE PEER_NETS key "}")
#define HEX_16	      "000102030405060708090a0b0c0d0eFF"
#define WHY                                                                                                            \
	", since IKEv1 aggressive mode lets an eavesdropper try guesses offline; `openssl rand -base64 24` makes "     \
	"one\n"

static void expect_key(const char *text, const void *key, size_t len)
{
	struct config *config = fixture_load_text(text);

	assert_string_equal(fixture_said(), "");
	assert_non_null(config);
	assert_int_equal(config->peers[0].secret_len, len);
	assert_memory_equal(config->peers[0].secret, key, len);
	config_free(config);
}

static void test_forms(void **state)
{
	static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
	char longest[CONFIG_SECRET_LEN + 1];
	char file[sizeof(longest) + 1];

	(void)state;
	expect_key(WITH_KEY("secret = \"exactly-20-character\";"), "exactly-20-character", 20);
	expect_key(WITH_KEY("secret = \"0x" HEX_16 "\";"), bytes, sizeof(bytes));
	fixture_write("key", SECRET "\n");
	expect_key(WITH_KEY("secret_file = \"key\";"), SECRET, strlen(SECRET));
	fixture_write("key", "0x" HEX_16 "\r\n");
	expect_key(WITH_KEY("secret_file = \"key\";"), bytes, sizeof(bytes));
	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	strcpy(file, longest);
	strcat(file, "\n");
	fixture_write("key", file);
	expect_key(WITH_KEY("secret_file = \"key\";"), longest, CONFIG_SECRET_LEN);
}

/* clang-format off */
static void test_refused(void **state)
{
	(void)state;
	fixture_expect_refusal(WITH_KEY("secret = \"nineteen-characters\";"),
		"t.cfg:8: peers[0].secret: (19 characters) is not of a length that fits; expected 20 to 256 characters" WHY);
	fixture_expect_refusal(WITH_KEY("secret = \"0xa0a1a2a3a4a5a6a7a8a9aaabacadae\";"),
		"t.cfg:8: peers[0].secret: (15 bytes) is not of a length that fits; expected 16 to 256 bytes" WHY);
	fixture_expect_refusal(WITH_KEY("secret = \"0x" HEX_16 "0\";"),
		"t.cfg:8: peers[0].secret: (35 characters) is not a hexadecimal key; expected \"0x\" and two digits a byte\n");
	fixture_expect_refusal(WITH_KEY("secret = \"0x" HEX_16 "zz\";"),
		"t.cfg:8: peers[0].secret: (36 characters) is not a hexadecimal key; expected \"0x\" and two digits a byte\n");
	fixture_expect_refusal(WITH_KEY("secret = 12345678;"),
		"t.cfg:8: peers[0].secret: a value without quotes is not a pre-shared key; expected a text in quotes, or \"0x\" "
		"and hexadecimal digits\n");
	fixture_expect_refusal(WITH_KEY("secret = [\"" SECRET "\"];"),
		"t.cfg:8: peers[0].secret: an array is not a pre-shared key; expected a text in quotes, or \"0x\" and hexadecimal "
		"digits\n");
	fixture_expect_refusal(WITH_KEY(""), "t.cfg:8: peers[0].secret: is missing; expected secret or secret_file\n");
	fixture_write("key", SECRET "\n");
	fixture_expect_refusal(WITH_KEY(PEER_KEY "secret_file = \"key\";"),
		"t.cfg:8: peers[0].secret_file: is not alone: there is a secret too; expected one of them\n");
}

static void test_refused_files(void **state)
{
	(void)state;
	fixture_expect_refusal(WITH_KEY("secret_file = \"" SECRET "\";"),
		"t.cfg:8: peers[0].secret_file: (23 characters) is not a file that can be read: No such file or directory; "
		"expected a path, relative to the configuration file\n");
	fixture_expect_refusal(WITH_KEY("secret_file = \"\";"),
		"t.cfg:8: peers[0].secret_file: \"\" is not a regular file; expected one with the key alone\n");
	fixture_write("key", SECRET "\n");
	assert_int_equal(chmod(fixture_path("key"), 0644), 0);
	fixture_expect_refusal(WITH_KEY("secret_file = \"key\";"),
		"t.cfg:8: peers[0].secret_file: \"key\" is not private: its mode is 0644; expected 0640 or less, say: "
		"chmod 640 key\n");
	fixture_write("key", "short");
	fixture_expect_refusal(WITH_KEY("secret_file = \"key\";"),
		"t.cfg:8: peers[0].secret_file: (5 characters) is not of a length that fits; expected 20 to 256 characters" WHY);
	fixture_write("key", "first line of the key\nsecond line of the key\n");
	fixture_expect_refusal(WITH_KEY("secret_file = \"key\";"),
		"t.cfg:8: peers[0].secret_file: \"key\" is not a single line; expected the key alone\n");
	assert_int_equal(mkfifo(fixture_path("fifo"), 0600), 0);
	fixture_expect_refusal(WITH_KEY("secret_file = \"fifo\";"),
		"t.cfg:8: peers[0].secret_file: \"fifo\" is not a regular file; expected one with the key alone\n");
}
/* clang-format on */

/* Whatever else is wrong around a secret, no piece of it gets out. */
static void test_never_shown(void **state)
{
	static const char *const texts[] = {
		WITH_KEY("secret = \"hunter2\";"),
		WITH_KEY("secret = \"0xhunter2\";"),
		WITH_KEY("secret = \"" SECRET),
		WITH_KEY("secret = hunter2;"),
		WITH_KEY("secret = {a = \"hunter2\"; };"),
		WITH_KEY("secret = (\"hunter2\");"),
		WITH_KEY("sekret = \"hunter2\";"),
		WITH_KEY("psk = \"hunter2\";"),
		WITH_KEY("secret_file = \"hunter2\";"),
		WITH_KEY(PEER_KEY PEER_KEY),
		WITH_KEY("secret = \"hunter2\" \"\n"),
		FILE_PEERS("{" PEER_WHO PEER_KEY "}, {" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "}"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_null(fixture_load_text(texts[i]));
		assert_string_not_equal(fixture_said(), "");
		assert_null(strstr(fixture_said(), "hunter2"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_never_shown),
	};

	return cmocka_run_group_tests_name("secret", tests, fixture_setup, fixture_teardown);
}
