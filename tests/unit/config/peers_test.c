/* SPDX-License-Identifier: Apache-2.0 */
/* What ports, cores and peers mean together; networks; legacy algorithms; and that many peers are no trouble. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A second peer, whole but for its networks. */
#define OTHER(remote)                                                                                                  \
	"{ name = \"b2\"; identity = \"b2.example\";" PEER_KEY PEER_MODE                                               \
	"local_networks = [\"10.0.0.0/8\"]; remote_networks = [" remote "]; }"
#define FIRST(remote)                                                                                                  \
	"{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; remote_networks = [" remote "]; }"
#define NETWORKS(remote)                                                                                               \
	FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"];\n"                              \
		   "remote_networks = [" remote "]; }")
#define CERTIFICATE "certificate = \"hq.pem\"; key = \"hq.key\";"
#define NET(text)   "\"" text "\""

static void expect_acceptance(const char *text)
{
	config_free(fixture_expect_acceptance(text));
}

/* clang-format off */
static void test_ports_and_cores(void **state)
{
	(void)state;
	fixture_expect_refusal("dataplane = { ports = (\n{ name = \"a\"; device = \"d\"; },\n"
		"{ name = \"b\"; device = \"d\"; },\n{ name = \"a\"; device = \"d\"; } ); };" IKE(""),
		"t.cfg:4: dataplane.ports[2].name: \"a\" is not new: ports[0] has it; expected a name of its own\n");
	fixture_expect_refusal("dataplane = { ports = ( { name = \"sixteen-letters-\"; device = \"d\"; } ); };" IKE(""),
		"t.cfg:1: dataplane.ports[0].name: \"sixteen-letters-\" is not an interface name; expected 1 to 15 characters "
		"without spaces, '/', ':' and '%'\n");
	fixture_expect_refusal("dataplane = { ports = ( { name = \"a/b\"; device = \"d\"; } ); };" IKE(""),
		"t.cfg:1: dataplane.ports[0].name: \"a/b\" is not an interface name; expected 1 to 15 characters without spaces, "
		"'/', ':' and '%'\n");
	fixture_expect_refusal(FILE_DATAPLANE("main_core = 3; poll = \"busy\";\nworker_cores = [2, 3];"),
		"t.cfg:3: dataplane.worker_cores[1]: 3 is not free: it is both main_core and a worker's; expected a core for "
		"each where poll is \"busy\"\n");
	fixture_expect_refusal(FILE_DATAPLANE("main_core = 1; poll = \"busy\";"),
		"t.cfg:2: dataplane.main_core: 1 is not free: it is both main_core and a worker's; expected a core for each "
		"where poll is \"busy\"\n");
	struct config *shared = fixture_load_text(FILE_DATAPLANE("main_core = 1;"));

	assert_non_null(shared);
	config_free(shared);
	fixture_expect_refusal(FILE_IKE("port = 4500;"),
		"t.cfg:5: ike.port: 4500 is not free: it is both port and one of nat_ports; expected a port for each (RFC 3948 section "
		"2.2)\n");
	fixture_expect_refusal(FILE_IKE("nat_ports = [4500, 500];"),
		"t.cfg:5: ike.nat_ports: 500 is not free: it is both port and one of nat_ports; expected a port for each (RFC 3948 "
		"section 2.2)\n");
	fixture_expect_refusal(FILE_IKE("nat_ports = [4500, 4009, 4500];"),
		"t.cfg:5: ike.nat_ports[2]: 4500 is not new in the list; expected each value once\n");
	fixture_expect_refusal(
		FILE_IKE("nat_ports = [];"), "t.cfg:5: ike.nat_ports: a list of 0 is not of a length that fits; expected 1 to 8\n");
}

static void test_names(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "},\n{ name = \"b1\"; identity = \"x\";"
		PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; remote_networks = [\"10.1.0.0/16\"]; }"),
		"t.cfg:9: peers[1].name: \"b1\" is not new: peers[0] (line 8) has it; expected each peer's own\n");
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "},\n{ name = \"x\"; identity = "
		"\"b1.example\";" PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; remote_networks = [\"10.1.0.0/16\"]; }"),
		"t.cfg:9: peers[1].identity: \"b1.example\" is not new: peers[0] (line 8) has it; expected each peer's own\n");
	fixture_expect_refusal(FILE_PEERS("{ name = \"a b\"; identity = \"x\";" PEER_KEY PEER_MODE PEER_NETS "}"),
		"t.cfg:8: peers[0].name: \"a b\" is not a name; expected 1 to 63 letters, digits and any of . _ - @\n");
}

static void test_networks(void **state)
{
	(void)state;
	fixture_expect_refusal(NETWORKS(NET("192.168.1.0/33")), "t.cfg:9: peers[0].remote_networks[0]: \"192.168.1.0/33\" is "
		"not a network; expected a network such as 192.0.2.0/24 or 2001:db8::/32\n");
	fixture_expect_refusal(NETWORKS(NET("192.168.1.5/24")), "t.cfg:9: peers[0].remote_networks[0]: \"192.168.1.5/24\" is "
		"not the start of its network; expected \"192.168.1.0/24\"\n");
	fixture_expect_refusal(NETWORKS(NET("2001:db8::1/32")), "t.cfg:9: peers[0].remote_networks[0]: \"2001:db8::1/32\" is "
		"not the start of its network; expected \"2001:db8::/32\"\n");
	fixture_expect_refusal(NETWORKS(NET("2001:db8::/129")), "t.cfg:9: peers[0].remote_networks[0]: \"2001:db8::/129\" is "
		"not a network; expected a network such as 192.0.2.0/24 or 2001:db8::/32\n");
	fixture_expect_refusal(NETWORKS(""), "t.cfg:9: peers[0].remote_networks: a list of 0 is not of a length that fits; "
		"expected 1 to 16\n");
	fixture_expect_refusal(NETWORKS(NET("10.1.0.0/16") "," NET("10.1.0.0/16")), "t.cfg:9: peers[0].remote_networks[1]: "
		"\"10.1.0.0/16\" is not new in the list; expected each value once\n");
	fixture_expect_refusal(NETWORKS(NET("10.1.0.0/16") "," NET("2001:db8::/32")), "t.cfg:9: peers[0].remote_networks[1]: "
		"\"2001:db8::/32\" is of no use: there is no IPv6 network in local_networks; expected one beside it\n");
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"2001:db8::/32\", \"10.0.0.0/8\"];"
		"\nremote_networks = [\"2001:db8:1::/48\"]; }"), "t.cfg:8: peers[0].local_networks[1]: \"10.0.0.0/8\" is of no "
		"use: there is no IPv4 network in remote_networks; expected one beside it\n");
	expect_acceptance(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"2001:db8::/32\", \"10.0.0.0/8\"];"
		"remote_networks = [\"::/0\", \"0.0.0.0/0\", \"2001:db8:1::5\"]; }"));
	expect_acceptance(NETWORKS(NET("0.0.0.0/0")));
	expect_acceptance(NETWORKS(NET("10.1.0.0/16") "," NET("10.1.2.0/24") "," NET("10.1.2.3")));
}

static void test_overlap(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_PEERS(FIRST(NET("192.168.0.0/16")) ",\n" OTHER(NET("10.9.0.0/16") ","
		NET("192.168.7.0/24"))),
		"t.cfg:9: peers[1].remote_networks[1]: \"192.168.7.0/24\" of peer \"b2\" is not free: it overlaps "
		"\"192.168.0.0/16\" of peer \"b1\"; expected each network behind one peer\n");
	/* The later peer is the one to blame, whichever network is the larger. */
	fixture_expect_refusal(FILE_PEERS(FIRST(NET("192.168.7.0/24")) ",\n" OTHER(NET("192.168.0.0/16"))),
		"t.cfg:9: peers[1].remote_networks[0]: \"192.168.0.0/16\" of peer \"b2\" is not free: it overlaps "
		"\"192.168.7.0/24\" of peer \"b1\"; expected each network behind one peer\n");
	/* A sibling in between hides nothing. */
	fixture_expect_refusal(FILE_PEERS(FIRST(NET("10.0.0.0/8") "," NET("10.1.0.0/16")) ",\n" OTHER(NET("10.2.0.0/16"))),
		"t.cfg:9: peers[1].remote_networks[0]: \"10.2.0.0/16\" of peer \"b2\" is not free: it overlaps \"10.0.0.0/8\" of "
		"peer \"b1\"; expected each network behind one peer\n");
	expect_acceptance(FILE_PEERS(FIRST(NET("10.0.0.0/16") "," NET("10.2.0.0/16")) "," OTHER(NET("10.1.0.0/16") ","
		NET("10.3.0.0/16"))));
}

/* Networks of the two families never overlap, whatever their bytes; those of one do at any length. */
static void test_overlap_ipv6(void **state)
{
#define DUAL(who, remote) \
	"{" who PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\", \"2001:db8::/32\"]; remote_networks = [" remote "]; }"
#define B2 "name = \"b2\"; identity = \"b2.example\";"
	(void)state;
	expect_acceptance(FILE_PEERS(DUAL(PEER_WHO, NET("0.0.0.0/0") "," NET("2001:db8:1::/48")) ","
		"{" B2 PEER_KEY PEER_MODE "local_networks = [\"2001:db8::/32\"]; remote_networks = [\"2001:db8:2::/48\", "
		"\"c0a8:100::/24\"]; }"));
	fixture_expect_refusal(FILE_PEERS(DUAL(PEER_WHO, NET("0.0.0.0/0") "," NET("2001:db8:1::/48")) ",\n"
		DUAL(B2, NET("2001:db8:1::1"))),
		"t.cfg:9: peers[1].local_networks[0]: \"10.0.0.0/8\" is of no use: there is no IPv4 network in remote_networks; "
		"expected one beside it\n"
		"t.cfg:9: peers[1].remote_networks[0]: \"2001:db8:1::1/128\" of peer \"b2\" is not free: it overlaps "
		"\"2001:db8:1::/48\" of peer \"b1\"; expected each network behind one peer\n");
#undef DUAL
#undef B2
}

static void test_transport(void **state)
{
#define HOSTS(local, remote) \
	FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE "mode = \"transport\"; esn = false;\nlocal_networks = [" local "];\n" \
		"remote_networks = [" remote "]; }")
	struct config *config = fixture_load_text(HOSTS(NET("192.0.2.1"), NET("192.0.2.7/32")));

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->peers[0].mode, CONFIG_MODE_TRANSPORT);
	assert_false(config->peers[0].esn);
	config_free(config);
	fixture_expect_refusal(HOSTS(NET("192.0.2.0/24"), NET("192.0.2.7")), "t.cfg:9: peers[0].local_networks[0]: "
		"\"192.0.2.0/24\" is not a host's IPv4 address; expected one such as 192.0.2.1/32 beside mode = \"transport\", "
		"or mode = \"tunnel\"\n");
	fixture_expect_refusal(HOSTS(NET("2001:db8::1"), NET("2001:db8::2")), "t.cfg:9: peers[0].local_networks[0]: "
		"\"2001:db8::1/128\" is not a host's IPv4 address; expected one such as 192.0.2.1/32 beside mode = "
		"\"transport\", or mode = \"tunnel\"\n"
		"t.cfg:10: peers[0].remote_networks[0]: \"2001:db8::2/128\" is not a host's IPv4 address; expected one such as "
		"192.0.2.1/32 beside mode = \"transport\", or mode = \"tunnel\"\n");
	fixture_expect_refusal(FILE_PEER("mode = \"tunel\";"), "t.cfg:8: peers[0].mode: \"tunel\" is not a mode; expected "
		"\"tunnel\" or \"transport\"\n");
#undef HOSTS
}

/* Addresses as identities are compared in one form; two forms of one are the same identity. */
static void test_identity_forms(void **state)
{
	struct config *config = fixture_load_text(FILE_PEERS("{ name = \"x\"; identity = \"2001:DB8:0:0::0001\";"
		PEER_KEY PEER_MODE PEER_NETS "}"));

	(void)state;
	assert_non_null(config);
	assert_string_equal(config->peers[0].identity, "2001:db8::1");
	config_free(config);
	fixture_expect_refusal(FILE_PEERS("{ name = \"x\"; identity = \"2001:db8::1\";" PEER_KEY PEER_MODE PEER_NETS "},\n"
		"{ name = \"y\"; identity = \"2001:DB8::0:1\";" PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; "
		"remote_networks = [\"10.1.0.0/16\"]; }"),
		"t.cfg:9: peers[1].identity: \"2001:DB8::0:1\" is not new: peers[0] (line 8) has it; expected each peer's own\n");
}

static void test_algorithms(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_PEER("ike = [\"aes256-sha256-modp2048\", \"aes256-sha1-modp2048\"];"),
		"t.cfg:8: peers[0].ike[1]: \"aes256-sha1-modp2048\" is not allowed: sha1 is legacy (RFC 8247); expected another "
		"algorithm, or ike.legacy = true\n");
	fixture_expect_refusal(FILE_PEER("pfs = \"modp1024\";"),
		"t.cfg:8: peers[0].pfs: \"modp1024\" is not allowed: modp1024 is legacy (RFC 8247); expected another algorithm, "
		"or ike.legacy = true\n");
	fixture_expect_refusal(FILE_PEER("ike = [\"aes256-sha256\"];"),
		"t.cfg:8: peers[0].ike[0]: \"aes256-sha256\" is not an IKE proposal; expected CIPHER-HASH-GROUP with aes128 "
		"aes192 aes256 3des - md5 sha1 sha256 sha384 sha512 - modp1024 modp1536 modp2048 modp3072 modp4096 ecp256 ecp384 ecp521 curve25519\n");
	fixture_expect_refusal(FILE_PEER("esp = [\"rot13\"];"),
		"t.cfg:8: peers[0].esp[0]: \"rot13\" is not an ESP suite; expected aesNgcm, chacha20poly1305, "
		"aesN-HASH, aesNctr-HASH or null-HASH (which does NOT encrypt), where N is 128, 192 or 256 and HASH sha1, "
		"sha256, sha384 or sha512\n");
	fixture_expect_refusal(FILE_PEER("esp = [\"aes256gcm\", \"chacha20poly1305\"];"),
		"t.cfg:8: peers[0].esp[1]: \"chacha20poly1305\" is not for IKEv1, which has no number for it; expected another "
		"suite\n");
	expect_acceptance(DATAPLANE("") IKE("legacy = true;") PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS
		"ike = [\"3des-md5-modp1024\", \"aes128-sha1-modp1536\"]; pfs = \"modp1024\"; }"));
}
/* clang-format on */

static void test_versions(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_NETS "\nikev1 = false;\naggressive = 1; }"),
		"t.cfg:10: peers[0].aggressive: 1 is not a boolean; expected true or false\n"
		"t.cfg:9: peers[0].ikev1: false is not a way to connect; expected true: IKEv1 is the only version so "
		"far, "
		"and RFC 9395 asks that it is switched on knowingly\n");
	expect_acceptance(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_NETS "ikev1 = true; }"));
	expect_acceptance(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_NETS "ikev1 = true; address = \"192.0.2.1\"; }"));
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_NETS "ikev1 = true; address = \"hq\"; }"),
		"t.cfg:8: peers[0].address: \"hq\" is not an address; expected the peer's address such as 192.0.2.1 or "
		"2001:db8::1\n");
}

static void test_methods(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_PEER("auth = [\"psk\", \"hybrid-rsa\"];"),
		"t.cfg:8: peers[0].auth[1]: \"hybrid-rsa\" is not possible without a certificate; expected "
		"ike.certificate and ike.key\n"
		"t.cfg:8: peers[0].auth[0]: \"psk\" is not a method for users, and others of the list are: whoever has "
		"the "
		"group's key could go without; expected methods of one kind\n"
		"t.cfg:8: peers[0].pool: is missing; expected a pool, since each user needs an address\n");
	fixture_expect_refusal(FILE_PEER("auth = [\"dss\"];"),
		"t.cfg:8: peers[0].auth[0]: \"dss\" is not an authentication method; expected psk, rsa, ecdsa256, "
		"ecdsa384, "
		"ecdsa521, xauth-psk, xauth-rsa, hybrid-rsa or registration\n");
	fixture_expect_refusal(FILE_PEER("auth = [];"),
		"t.cfg:8: peers[0].auth: a list of 0 is not of a length that fits; expected 1 to 8\n");
	fixture_expect_refusal(FILE_PEER("auth = [\"rsa\"];"),
		"t.cfg:8: peers[0].auth[0]: \"rsa\" is not possible without certificates; expected ike.certificate, "
		"ike.key "
		"and ike.authorities\n");
	fixture_expect_refusal(DATAPLANE("") IKE(CERTIFICATE)
				       PEERS("{" PEER_WHO PEER_MODE PEER_NETS "auth = [\"rsa\"]; }"),
		"t.cfg:8: peers[0].auth[0]: \"rsa\" is not possible without somebody to trust; expected "
		"ike.authorities\n");
	expect_acceptance(FILE_PEER("auth = [\"psk\"];"));
	/* Who never uses the key needs none. */
	expect_acceptance(DATAPLANE("") IKE(CERTIFICATE "authorities = [\"ca.pem\"];")
			PEERS("{" PEER_WHO PEER_MODE PEER_NETS "auth = [\"rsa\", \"ecdsa256\"]; }"));
	fixture_expect_refusal(DATAPLANE("") IKE(CERTIFICATE "authorities = [\"ca.pem\"];")
				       PEERS("{" PEER_WHO PEER_MODE PEER_NETS "auth = [\"rsa\", \"psk\"]; }"),
		"t.cfg:8: peers[0].secret: is missing; expected secret or secret_file\n");
}

/* The files themselves are looked at when they are read (controlplane/ike/credentials.h). */
static void test_certificates(void **state)
{
	struct config *config;
	char path[CONFIG_FILE_LEN];

	(void)state;
	fixture_expect_refusal(FILE_IKE("certificate = \"hq.pem\"; authorities = [\"/ca.pem\"];"),
		"t.cfg:4: ike.key: is missing; expected the file with the key of ike.certificate\n");
	fixture_expect_refusal(FILE_IKE("key = \"hq.key\";"),
		"t.cfg:4: ike.certificate: is missing; expected the file with the certificate of ike.key\n");
	fixture_expect_refusal(FILE_IKE("require_crl = true;"),
		"t.cfg:4: ike.authorities: is missing; expected those that the revocation lists are of\n");
	config = fixture_load_text(FILE_IKE(CERTIFICATE "authorities = [\"/ca.pem\", \"b.pem\"]; crls = [\"c.crl\"];"));
	assert_non_null(config);
	snprintf(path, sizeof(path), "%s", fixture_path("hq.pem"));
	assert_string_equal(config->ike.certificate, path);
	assert_string_equal(config->ike.authorities[0], "/ca.pem");
	assert_int_equal(config->ike.n_authorities, 2);
	assert_int_equal(config->ike.n_crls, 1);
	config_free(config);
}

enum { MANY = 20000 };

/* Writes peers p0 to pN with networks of 256 addresses each; `twice` gets the first one's identity and network. */
static void write_many(const char *name, unsigned int twice)
{
	FILE *file = fopen(fixture_path(name), "w");

	assert_non_null(file);
	fputs(FILE_IKE("") "peers = (", file);
	for (unsigned int i = 0; i < MANY; i++) {
		unsigned int who = i == twice ? 0 : i;

		fprintf(file,
			"%s\n{ name = \"p%u\"; identity = \"p%u.example\"; secret = \"%u-" SECRET "\"; " PEER_MODE
			" local_networks = [\"0.0.0.0/0\"]; remote_networks = [\"10.%u.%u.0/24\"]; }",
			i ? "," : "", i, who, i, who / 256, who % 256);
	}
	fputs(");\n", file);
	assert_int_equal(fclose(file), 0);
}

static void test_many(void **state)
{
	char identity[64];
	struct config *config;

	(void)state;
	write_many("many.cfg", MANY);
	config = fixture_load("many.cfg");
	assert_string_equal(fixture_said(), "");
	assert_non_null(config);
	assert_int_equal(config->n_peers, MANY);
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(identity, sizeof(identity), "p%u.example", i);
		assert_string_equal(config->peers[i].identity, identity);
	}
	config_free(config);
	write_many("many.cfg", MANY - 1);
	assert_null(fixture_load("many.cfg"));
	assert_string_equal(fixture_said(),
		"many.cfg:20007: peers[19999].identity: \"p0.example\" is not new: peers[0] (line 8) has it; expected "
		"each peer's own\n"
		"many.cfg:20007: peers[19999].remote_networks[0]: \"10.0.0.0/24\" of peer \"p19999\" is not free: it "
		"overlaps \"10.0.0.0/24\" of peer \"p0\"; expected each network behind one peer\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_and_cores),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_overlap_ipv6),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_identity_forms),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("peers", tests, fixture_setup, fixture_teardown);
}
