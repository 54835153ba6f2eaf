/* SPDX-License-Identifier: Apache-2.0 */
/* The group `registration`, its members, and the peers that are for those who register. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define TLS	  "certificate = \"hq.pem\"; key = \"hq.key\"; authorities = [\"ca.pem\"];"
#define GROUP(in) "registration = { ports = [2012, 4009]; " in " };\n"
#define PLAIN	  "local_networks = [\"10.0.0.0/8\"]; ikev1 = true; auth = [\"registration\"];"
#define TEMPLATE(more)                                                                                                 \
	"peers = (\n{ name = \"members\"; " PLAIN more " },\n"                                                         \
	"{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "}\n);\n"
#define POOL "pools = ( { name = \"p\"; network = \"10.99.0.0/24\"; first = \"10.99.0.100\"; } );\n"
/* Line 7 is the group's, line 9 the template's where there is no pool. */
#define WHOLE(group, more) DATAPLANE("") IKE(TLS) GROUP(group) TEMPLATE(more)

static void test_read(void **state)
{
	const struct config_registration *registration;
	struct config *config;

	(void)state;
	config = fixture_expect_acceptance(
		WHOLE("methods = [\"certificate\", \"password\"]; timeout = 10; members = ( { identity = \"alice\"; "
		      "networks = [\"192.168.7.0/24\", \"2001:db8::/64\"]; address = \"10.99.0.5\"; group = \"staff\"; "
		      "methods = [\"password\"]; }, { identity = \"bob\"; subject = \"CN=bob\"; } );",
			"methods = [\"password\"]; user_group = \"staff\";"));
	registration = &config->registration;
	assert_int_equal(registration->n_ports, 2);
	assert_int_equal(registration->ports[1], 4009);
	assert_int_equal(registration->n_methods, 2);
	assert_int_equal(registration->methods[0], CONFIG_METHOD_CERTIFICATE);
	assert_int_equal(registration->n_transports, 1);
	assert_int_equal(registration->transports[0], CONFIG_TRANSPORT_UDP);
	assert_int_equal(registration->timeout, 10);
	assert_int_equal(registration->key_timeout, 120);
	assert_int_equal(registration->n_members, 2);
	assert_string_equal(registration->members[0].identity, "alice");
	assert_int_equal(registration->members[0].n_networks, 2);
	assert_string_equal(registration->members[1].subject, "CN=bob");
	/* To IKE the key is a pre-shared one, and there is no name that would find the entry. */
	assert_true(config->peers[0].registration);
	assert_true(config->peers[0].aggressive);
	assert_int_equal(config->peers[0].n_auth, 1);
	assert_int_equal(config->peers[0].auth[0], IKE_AUTH_PSK);
	assert_string_equal(config->peers[0].identity, "");
	assert_int_equal(config->peers[0].methods[0], CONFIG_METHOD_PASSWORD);
	assert_false(config->peers[1].registration);
	config_free(config);
}

static void test_group(void **state)
{
	(void)state;
	fixture_expect_refusal(DATAPLANE("") IKE("") GROUP("") TEMPLATE(""),
		"t.cfg:7: registration.ports: is not possible without a certificate, by which clients know the gateway "
		"before they say anything; expected ike.certificate and ike.key\n");
	fixture_expect_refusal(DATAPLANE("") IKE(TLS) GROUP("") PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "}"),
		"t.cfg:7: registration.ports: is of no use: no peer is for those who register; expected one with auth "
		"= "
		"[\"registration\"]\n");
	fixture_expect_refusal(DATAPLANE("") IKE("certificate = \"hq.pem\"; key = \"hq.key\";")
				       GROUP("methods = [\"certificate\"];") TEMPLATE(""),
		"t.cfg:7: registration.methods[0]: \"certificate\" is not possible without somebody to trust; expected "
		"ike.authorities\n");
	fixture_expect_refusal(WHOLE("key_timeout = 26;", ""),
		"t.cfg:7: registration.key_timeout: the key may end (key_timeout, 26 s) before UDP is given up "
		"(udp_wait "
		"and dial_tries, 26 s); expected a longer key_timeout\n");
	fixture_expect_refusal(WHOLE("udp_wait = 120;", ""),
		"t.cfg:7: registration.udp_wait: the key may end (key_timeout, 120 s) before UDP is given up (udp_wait "
		"and dial_tries, 126 s); expected a longer key_timeout\n");
}

static void test_template(void **state)
{
	(void)state;
	fixture_expect_refusal(DATAPLANE("") IKE("") TEMPLATE(""),
		"t.cfg:8: peers[0].auth: \"registration\" is of no use: nobody can register; expected "
		"registration.ports\n");
	fixture_expect_refusal(WHOLE("", "secret = \"" SECRET "\";"),
		"t.cfg:9: peers[0].secret: is of no use: the key comes from the registration; expected none\n");
	fixture_expect_refusal(WHOLE("", "identity = \"all\"; remote_networks = [\"10.1.0.0/16\"];"),
		"t.cfg:9: peers[0].identity: is of no use with \"registration\": it comes from the registration; "
		"expected "
		"none\n"
		"t.cfg:9: peers[0].remote_networks: is of no use with \"registration\": those of members stand in "
		"registration.members; expected none\n");
	fixture_expect_refusal(WHOLE("", "methods = [\"certificate\"];"),
		"t.cfg:9: peers[0].methods[0]: \"certificate\" is off; expected one of registration.methods\n");
	fixture_expect_refusal(
		FILE_PEERS("{ name = \"b1\";" PEER_KEY PEER_MODE PEER_NETS "methods = [\"password\"]; }"),
		"t.cfg:8: peers[0].identity: is missing; expected what the peer sends as its own, such as "
		"\"branch1.example\"\n"
		"t.cfg:8: peers[0].methods: is of no use: this peer does not register; expected auth = "
		"[\"registration\"] "
		"beside it\n");
}

static void test_members(void **state)
{
	(void)state;
	fixture_expect_refusal(WHOLE("members = ( { identity = \"a\"; subject = \"CN=a\"; },\n"
				     "{ identity = \"a\"; subject = \"CN=a\"; address = \"2001:db8::1\"; } );",
				       ""),
		"t.cfg:8: registration.members[1].address: \"2001:db8::1\" is not an IPv4 address; expected one such "
		"as "
		"10.99.0.5\n"
		"t.cfg:8: registration.members[1].identity: \"a\" is not new: members[0] has it; expected each once\n"
		"t.cfg:8: registration.members[1].subject: \"CN=a\" is not new: members[0] has it; expected each "
		"once\n");
}

/* Both parties are named, whoever they are. */
static void test_overlap(void **state)
{
	struct config *config;

	(void)state;
	fixture_expect_refusal(WHOLE("members = ( { identity = \"a\"; networks = [\"192.168.0.0/16\"]; } );", ""),
		"t.cfg:7: registration.members[0].networks[0]: \"192.168.0.0/16\" of member \"a\" is not free: it "
		"overlaps \"192.168.1.0/24\" of peer \"b1\"; expected each network behind one member\n");
	fixture_expect_refusal(WHOLE("members = ( { identity = \"a\"; networks = [\"172.16.0.0/16\"]; },\n"
				     "{ identity = \"b\"; address = \"172.16.3.4\"; } );",
				       ""),
		"t.cfg:8: registration.members[1].address: \"172.16.3.4/32\" of member \"b\" is not free: it overlaps "
		"\"172.16.0.0/16\" of member \"a\"; expected each network behind one member\n");
	fixture_expect_refusal(DATAPLANE("") IKE(TLS)
				       POOL GROUP("members = ( { identity = \"a\"; address = \"10.99.0.100\"; } );")
					       TEMPLATE("pool = \"p\";"),
		"t.cfg:8: registration.members[0].address: \"10.99.0.100/32\" of member \"a\" is not free: it overlaps "
		"\"10.99.0.0/24\" of pool \"p\"; expected networks of their own\n");
	config = fixture_expect_acceptance(DATAPLANE("") IKE(TLS) POOL GROUP(
		"members = ( { identity = \"a\"; address = \"10.99.0.99\"; networks = [\"10.98.0.0/24\"]; } );")
			TEMPLATE("pool = \"p\";"));
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_overlap),
	};

	return cmocka_run_group_tests_name("registration", tests, fixture_setup, fixture_teardown);
}
