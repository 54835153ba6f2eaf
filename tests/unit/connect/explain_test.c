/* SPDX-License-Identifier: Apache-2.0 */
/* Of what came back the most telling is what is said; each sentence names what, where, why and what to do. */
#include "connect/explain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct connect_config config;
static struct explain_round made;
static struct explain_verdict verdict;
static struct address gateway;

static int setup(void **state)
{
	(void)state;
	config = (struct connect_config){.patience = 4};
	strcpy(config.base.ike.identity, "branch1.example");
	strcpy(config.peer.identity, "hq.example");
	config.peer.ike[0] = (struct ike_proposal){IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA256, IKE_GROUP_MODP2048};
	config.peer.n_ike = 1;
	address_parse("203.0.113.5", &gateway);
	explain_round_begin(&made);
	return 0;
}

static void expect(const char *code, const char *const *parts)
{
	explain_verdict(&made, &config, &gateway, &verdict);
	assert_string_equal(verdict.code, code);
	for (; *parts; parts++)
		if (!strstr(verdict.sentence, *parts))
			fail_msg("'%s' is not in: %s", *parts, verdict.sentence);
}

#define EXPECT(code, ...) expect(code, (const char *const[]){__VA_ARGS__, NULL})

static void test_silence_names_every_port(void **state)
{
	(void)state;
	explain_try_begin(&made, 500, false);
	EXPECT("silent", "203.0.113.5", "UDP port 500 ", "4 s", "firewall", "\"branch1.example\"");
	explain_try_begin(&made, 4500, false);
	explain_try_begin(&made, 4009, false);
	EXPECT("silent", "UDP ports 500, 4500 and 4009", "4 s each", "check");
}

static void test_icmp(void **state)
{
	struct explain_try *try;

	(void)state;
	explain_try_begin(&made, 500, false);
	try = explain_note(&made, EXPLAIN_REFUSED, NULL);
	address_parse("198.51.100.9", &try->from);
	EXPECT("refused", "UDP port 500", "198.51.100.9 (ICMP)", "check");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_UNREACHABLE, NULL)->error = ENETUNREACH;
	EXPECT("unreachable", "this host", "unreachable", "route");
}

static void test_tcp(void **state)
{
	(void)state;
	explain_try_begin(&made, 88, true);
	EXPECT("silent", "TCP port 88 ", "maps TCP to it");
	explain_note(&made, EXPLAIN_UNREACHABLE, NULL)->error = ETIMEDOUT;
	EXPECT("unreachable", "TCP port 88", "timed out", "route");
	explain_note(&made, EXPLAIN_REFUSED, NULL)->error = ECONNREFUSED;
	EXPECT("refused", "refuses TCP port 88", "tcp_ports");
	explain_note(&made, EXPLAIN_CLOSED, "the other side closed the connection");
	EXPECT("closed", "TCP port 88", "the other side closed the connection", "log");
	explain_note(&made, EXPLAIN_DISPROVED, "HASH_R is wrong: the pre-shared keys differ, or somebody else answered");
	EXPECT("wrong_key", "TCP port 88");
}

/* A refusal by one port outweighs silence at another; nothing less telling replaces it. */
static void test_most_telling(void **state)
{
	struct explain_try *try;

	(void)state;
	explain_try_begin(&made, 500, false);
	try = explain_note(&made, EXPLAIN_NOTIFIED, NULL);
	try->notify = 14;
	explain_note(&made, EXPLAIN_SILENT, "nothing");
	explain_note(&made, EXPLAIN_UNREACHABLE, "nothing");
	assert_int_equal(made.tries[0].outcome, EXPLAIN_NOTIFIED);
	explain_try_begin(&made, 4500, false);
	EXPECT("no_proposal", "port 500", "NO-PROPOSAL-CHOSEN (14, not authenticated)", "aes256-sha256-modp2048",
		"\"branch1.example\"", "compare");
	try->notify = 18;
	EXPECT("unknown_identity", "\"branch1.example\"", "INVALID-ID-INFORMATION (18, not authenticated)", "aggressive");
	try->notify = 24;
	EXPECT("not_accepted", "\"branch1.example\"", "AUTHENTICATION-FAILED (24, not authenticated)", "certificate");
	explain_note(&made, EXPLAIN_DENIED, "the peer gave up after message 5, and said why: AUTHENTICATION-FAILED (24)");
	EXPECT("not_accepted", "after message 5", "certificate");
}

static void test_answers(void **state)
{
	(void)state;
	explain_try_begin(&made, 500, false);
	explain_note(
		&made, EXPLAIN_DISPROVED, "HASH_R is wrong: the pre-shared keys differ, or somebody else answered");
	EXPECT("wrong_key", "\"hq.example\"", "same secret", "\"branch1.example\"");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_DISPROVED, "the identity that answered is not the configured one");
	EXPECT("wrong_identity", "not \"hq.example\"", "gateway_identity");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_DISPROVED, "certificate refused: certificate has expired (CN=hq)");
	EXPECT("certificate", "\"hq.example\"", "has expired", "authorities");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_DISPROVED, "the answer has no responder cookie");
	EXPECT("bad_answer", "no responder cookie");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_DENIED, "quick mode: the peer reports error 14");
	EXPECT("denied", "error 14", "remote_networks", "compare");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	strcpy(config.login, "alice");
	explain_note(&made, EXPLAIN_DENIED, "name or password is wrong: the gateway refused the user");
	EXPECT("wrong_login", "\"alice\"", "refused the user", "password_file");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_DENIED, "the gateway gave no virtual address: its pool may be exhausted");
	EXPECT("no_address", "pool may be exhausted", "local_networks");
	explain_round_begin(&made);
	explain_try_begin(&made, 500, false);
	explain_note(&made, EXPLAIN_HALF, NULL);
	EXPECT("half", "proved its key", "4500");
}

/* Texts of others can be as long as they like. */
static void test_long_texts(void **state)
{
	char longer[4 * EXPLAIN_DETAIL_LEN];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (uint16_t port = 1; port < 2 * CONNECT_PORTS_MAX; port++)
		explain_try_begin(&made, (uint16_t)(50000 + port), false);
	assert_int_equal(made.count, CONNECT_PORTS_MAX);
	EXPECT("silent", "50001", "50007 and 50008");
	explain_note(&made, EXPLAIN_DENIED, longer);
	EXPECT("denied", "compare");
	explain_name(longer, longer, &verdict);
	assert_int_equal(strlen(verdict.sentence), sizeof(verdict.sentence) - 1);
}

static void test_no_try(void **state)
{
	(void)state;
	assert_null(explain_note(&made, EXPLAIN_DENIED, "x"));
	EXPECT("silent", "203.0.113.5");
}

static void expect_registration(enum registration_failure failure, const char *code, const char *part, const char *what)
{
	struct registration_verdict registration = {.failure = failure, .method = REGISTRATION_PASSWORD};

	strcpy(registration.detail, "SAID");
	explain_registration(&registration, &gateway, 88, &config, &verdict);
	assert_string_equal(verdict.code, code);
	if (!strstr(verdict.sentence, part) || !strstr(verdict.sentence, what) || !strstr(verdict.sentence, "203.0.113.5"))
		fail_msg("'%s' or '%s' is not in: %s", part, what, verdict.sentence);
}

static void test_registration(void **state)
{
	(void)state;
	config.alone = true;
	strcpy(config.login, "anna");
	expect_registration(REGISTRATION_SILENT, "silent", "TCP port 88", "within 4 s");
	expect_registration(REGISTRATION_UNREACHABLE, "unreachable", "SAID", "default route");
	expect_registration(REGISTRATION_PORT_CLOSED, "refused", "TCP port 88 (RST)", "maps only UDP");
	expect_registration(REGISTRATION_RESET, "reset", "SAID", "firewall");
	expect_registration(REGISTRATION_STALLED, "timeout", "SAID", "4 s");
	expect_registration(REGISTRATION_STRANGER, "stranger", "SAID", "(registration)");
	expect_registration(REGISTRATION_UNSUITABLE, "unsuitable", "SAID", "fit");
	expect_registration(REGISTRATION_BAD_CERTIFICATE, "certificate", "SAID", "\"hq.example\"");
	expect_registration(REGISTRATION_BAD_CLOCK, "clock", "SAID", "set this host's clock");
	expect_registration(REGISTRATION_NO_CREDENTIAL, "no_ticket", "SAID", "prove itself");
	expect_registration(REGISTRATION_TURNED_DOWN, "wrong_login", "\"anna\"", "password_file");
	expect_registration(REGISTRATION_LOCAL, "local", "SAID", "register");
	explain_registration(&(struct registration_verdict){.failure = REGISTRATION_TURNED_DOWN,
				     .method = REGISTRATION_KERBEROS,
				     .through_gateway = true},
		&gateway, 88, &config, &verdict);
	assert_string_equal(verdict.code, "no_ticket");
	assert_non_null(strstr(verdict.sentence, "through 203.0.113.5"));
	assert_null(strstr(verdict.sentence, "IKE alone"));
}

/* The gateway says no more than that; its offer had its clock. */
static void test_ticket_that_is_refused(void **state)
{
	struct registration_verdict registration = {.failure = REGISTRATION_TURNED_DOWN,
		.method = REGISTRATION_KERBEROS,
		.code = REGISTRATION_AUTHENTICATION_FAILED,
		.clock_ahead = -600};

	(void)state;
	explain_registration(&registration, &gateway, 2012, &config, &verdict);
	assert_string_equal(verdict.code, "clock");
	assert_non_null(strstr(verdict.sentence, "10 minutes apart"));
	registration.clock_ahead = 200;
	explain_registration(&registration, &gateway, 2012, &config, &verdict);
	assert_string_equal(verdict.code, "not_accepted");
	assert_non_null(strstr(verdict.sentence, "keytab"));
}

/* With nothing that IKE could use the sentence ends the matter; with something it tells of both ways. */
static void test_registration_and_ike(void **state)
{
	struct registration_verdict registration = {.failure = REGISTRATION_PORT_CLOSED};

	(void)state;
	expect_registration(REGISTRATION_PORT_CLOSED, "refused", "RST", "IKE alone wants a certificate");
	config.alone = true;
	explain_try_begin(&made, 88, false);
	EXPECT("silent", "UDP port 88");
	explain_alone(&registration, &gateway, 88, &config, &verdict);
	assert_string_equal(verdict.code, "refused");
	assert_non_null(strstr(verdict.sentence, "TCP port 88 (RST)"));
	assert_non_null(strstr(verdict.sentence, "nor is IKE alone answered"));
	explain_note(&made, EXPLAIN_DENIED, "no");
	EXPECT("denied", "no");
	explain_alone(&registration, &gateway, 88, &config, &verdict);
	assert_string_equal(verdict.code, "denied");
	assert_non_null(strstr(verdict.sentence, "TCP port 88 (RST)"));
	explain_round_begin(&made);
	explain_try_begin(&made, 88, false);
	EXPECT("silent", "UDP port 88");
	explain_registered(&made, &verdict);
	assert_string_equal(verdict.code, "no_udp");
	assert_non_null(strstr(verdict.sentence, "map the same ports for UDP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_silence_names_every_port, setup),
		cmocka_unit_test_setup(test_icmp, setup),
		cmocka_unit_test_setup(test_tcp, setup),
		cmocka_unit_test_setup(test_most_telling, setup),
		cmocka_unit_test_setup(test_answers, setup),
		cmocka_unit_test_setup(test_long_texts, setup),
		cmocka_unit_test_setup(test_no_try, setup),
		cmocka_unit_test_setup(test_registration, setup),
		cmocka_unit_test_setup(test_ticket_that_is_refused, setup),
		cmocka_unit_test_setup(test_registration_and_ike, setup),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
