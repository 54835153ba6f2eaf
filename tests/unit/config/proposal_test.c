/* SPDX-License-Identifier: Apache-2.0 */
#include "config/proposal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	struct ike_proposal proposal;

	(void)state;
	assert_int_equal(ike_proposal_parse("aes256-sha256-modp2048", &proposal), 0);
	assert_int_equal(proposal.cipher, 7);
	assert_int_equal(proposal.key_bits, 256);
	assert_int_equal(proposal.hash, 4);
	assert_int_equal(proposal.group, 14);
	assert_int_equal(ike_proposal_parse("3des-md5-modp1024", &proposal), 0);
	assert_int_equal(proposal.cipher, 5);
	assert_int_equal(proposal.key_bits, 0);
	assert_int_equal(proposal.hash, 1);
	assert_int_equal(proposal.group, 2);
}

/* Every name of each kind goes there and back. */
static void test_there_and_back(void **state)
{
	static const char *const ciphers[] = {"aes128", "aes192", "aes256", "3des"};
	static const char *const hashes[] = {"md5", "sha1", "sha256", "sha384", "sha512"};
	static const char *const groups[] = {
		"modp1024", "modp1536", "modp2048", "modp3072", "modp4096", "ecp256", "ecp384", "ecp521", "curve25519"};
	char text[64], back[IKE_PROPOSAL_TEXT_LEN];
	struct ike_proposal proposal;

	(void)state;
	for (size_t i = 0; i < 4 * 5 * 9; i++) {
		snprintf(text, sizeof(text), "%s-%s-%s", ciphers[i / 45], hashes[i / 9 % 5], groups[i % 9]);
		assert_int_equal(ike_proposal_parse(text, &proposal), 0);
		assert_string_equal(ike_proposal_format(&proposal, back), text);
	}
}

static void test_methods(void **state)
{
	static const char *const names[] = {
		"psk", "rsa", "ecdsa256", "ecdsa384", "ecdsa521", "xauth-psk", "xauth-rsa", "hybrid-rsa",
		"registration"};
	char text[IKE_AUTH_TEXT_LEN];
	uint16_t method;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(ike_auth_parse(names[i], &method), 0);
		assert_string_equal(ike_auth_format(method, text), names[i]);
	}
	assert_int_equal(ike_auth_parse("dss", &method), -EINVAL); /* it has a name for the log alone */
	assert_string_equal(ike_auth_format(IKE_AUTH_DSS, text), "dss");
	assert_string_equal(ike_auth_format(65533, text), "method 65533");
}

static void test_refused(void **state)
{
	static const char *const texts[] = {"", "-", "--", "---", "aes256", "aes256-sha256", "aes256-sha256-",
		"aes256-sha256-none", "aes256-sha256-modp2048-", "aes256-sha256-modp2048-x", " aes256-sha256-modp2048",
		"AES256-sha256-modp2048", "aes25-sha256-modp2048", "aes2566-sha256-modp2048", "sha256-aes256-modp2048"};
	struct ike_proposal proposal;
	uint16_t group;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(ike_proposal_parse(texts[i], &proposal), -EINVAL);
	assert_int_equal(ike_group_parse("modp8192", &group), -EINVAL);
	assert_int_equal(ike_group_parse("", &group), -EINVAL);
}

static void test_groups(void **state)
{
	uint16_t group;

	(void)state;
	assert_int_equal(ike_group_parse("ecp256", &group), 0);
	assert_int_equal(group, IKE_GROUP_ECP256);
	assert_int_equal(ike_group_parse("none", &group), 0);
	assert_int_equal(group, IKE_GROUP_NONE);
	assert_string_equal(ike_group_name(IKE_GROUP_NONE), "none");
	assert_string_equal(ike_group_name(IKE_GROUP_MODP1536), "modp1536");
	assert_string_equal(ike_group_name(32), "unknown");
}

/* What a peer offers may be anything; the text holds it all. */
static void test_unknown_numbers(void **state)
{
	const struct ike_proposal strange = {65535, 65535, 65535, 65535};
	const struct ike_proposal partly = {IKE_CIPHER_AES_CBC, 128, 3, 24};
	char text[IKE_PROPOSAL_TEXT_LEN];

	(void)state;
	assert_string_equal(ike_proposal_format(&strange, text), "65535/65535-65535-65535");
	assert_string_equal(ike_proposal_format(&partly, text), "aes128-3-24");
	assert_null(ike_proposal_legacy(&strange));
}

static void check_legacy(const char *text, const char *algorithm)
{
	struct ike_proposal proposal;

	assert_int_equal(ike_proposal_parse(text, &proposal), 0);
	if (algorithm)
		assert_string_equal(ike_proposal_legacy(&proposal), algorithm);
	else
		assert_null(ike_proposal_legacy(&proposal));
}

static void test_legacy(void **state)
{
	(void)state;
	check_legacy("3des-sha256-modp2048", "3des");
	check_legacy("aes128-md5-modp2048", "md5");
	check_legacy("aes128-sha1-modp2048", "sha1");
	check_legacy("aes128-sha256-modp1024", "modp1024");
	check_legacy("aes128-sha256-modp1536", "modp1536");
	check_legacy("3des-md5-modp1024", "3des");
	check_legacy("aes192-sha384-ecp384", NULL);
	check_legacy("aes256-sha512-modp2048", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_legacy),
	};

	return cmocka_run_group_tests_name("proposal", tests, NULL, NULL);
}
