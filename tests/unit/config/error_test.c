/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a value by itself, with names and with the notation: one sentence each, word for word. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct refusal {
	const char *text, *lines;
};

static void expect_refusals(const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fixture_expect_refusal(refusals[i].text, refusals[i].lines);
}

#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		static const struct refusal refusals[] = {__VA_ARGS__};                                                \
		expect_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));                                     \
	} while (0)

/* clang-format off */
static void test_file(void **state)
{
	(void)state;
	assert_null(fixture_load("absent.cfg"));
	assert_int_equal(errno, EINVAL);
	assert_string_equal(fixture_said(), "absent.cfg: cannot be read: No such file or directory\n");
	assert_int_equal(mkdir(fixture_path("directory"), 0700), 0);
	assert_null(fixture_load("directory"));
	assert_string_equal(fixture_said(), "directory: cannot be read: it is not a regular file\n");
}

static void test_notation(void **state)
{
	(void)state;
	EXPECT(
		{"ike = {\n\tport = ;\n};\n", "t.cfg:2: syntax error, on this line or just before it; "
			"expected NAME = VALUE; with every text in quotes\n"},
		{FILE_IKE("port = 1; port = 2;"), "t.cfg:5: duplicate setting name, on this line or just before it; "
			"expected NAME = VALUE; with every text in quotes\n"},
		{FILE_DATAPLANE("worker_cores = [1, \"2\"];"), "t.cfg:2: mismatched element type in array, on this line or "
			"just before it; expected NAME = VALUE; with every text in quotes\n"},
		{"# nothing\n@include \"absent.cfg\"\n", "t.cfg:2: cannot open include file, on this line or just before it; "
			"expected NAME = VALUE; with every text in quotes\n"},
	);
}

/* libconfig would read 4294967796 as 500. */
static void test_cut_numbers(void **state)
{
	struct config *config;

	(void)state;
	EXPECT(
		{FILE_IKE("port = 4294967796;"), "t.cfg:5: 4294967796 is not a number of 31 bits; "
			"expected at most 2147483647, or an L behind it: 4294967796L\n"},
		{FILE_IKE("port = 0x1000001f4;"), "t.cfg:5: 0x1000001f4 is not a number of 31 bits; "
			"expected at most 2147483647, or an L behind it: 0x1000001f4L\n"},
		{FILE_IKE("port = 99999999999999999999L;"), "t.cfg:5: 99999999999999999999L is not a number in reach; "
			"expected at most 9223372036854775807\n"},
		{FILE_IKE("/* \n */ port = 9999999999;"), "t.cfg:6: 9999999999 is not a number of 31 bits; "
			"expected at most 2147483647, or an L behind it: 9999999999L\n"},
		{FILE_IKE("port = 9999999999L;"), "t.cfg:5: ike.port: 9999999999 is not a port; expected 1 to 65535\n"},
		{FILE_IKE("fragment_size = 575;"), "t.cfg:5: ike.fragment_size: 575 is not a size in bytes; expected 576 to "
			"9216, or 0 for messages that are never cut\n"},
	);
	config = fixture_load_text("# 4294967796\n// 4294967796\n/* 4294967796 * / */"
		FILE_PEER("lifetime_bytes = 4294967796L;") "user = \"u4294967796\"; control_group = \"4294967796\";");
	assert_string_equal(fixture_said(), "");
	assert_int_equal(config->peers[0].lifetime_bytes, INT64_C(4294967796));
	config_free(config);
}

static void test_names(void **state)
{
	(void)state;
	EXPECT(
		{FILE_IKE("prot = 501;"), "t.cfg:5: ike.prot: is not a setting here; did you mean port?\n"},
		{FILE_DATAPLANE("fragments = { time_out = 1; };"),
			"t.cfg:2: dataplane.fragments.time_out: is not a setting here; did you mean timeout?\n"},
		{FILE_PEER("secert = \"" SECRET "\";"),
			"t.cfg:8: peers[0].secert: is not a setting here; did you mean secret?\n"},
		{FILE_IKE("color = \"" SECRET "\";"), "t.cfg:5: ike.color: is not a setting here; expected one of listen port "
			"nat_ports tcp_ports tcp_delay tcp_takeover identity "
			"certificate key authorities crls require_crl legacy half_open_max half_open_per_source half_open_timeout lifetime keepalive "
			"fragment_size dpd_delay dpd_timeout\n"},
		{FILE_IKE("a_name_much_longer_than_any_setting_that_there_is = 1;") "logg = {};",
			"t.cfg:5: ike.a_name_much_longer_than_any_setting_that_there_is: is not a setting here; expected one of "
			"listen port nat_ports tcp_ports tcp_delay tcp_takeover identity "
			"certificate key authorities crls require_crl legacy half_open_max half_open_per_source half_open_timeout lifetime "
			"keepalive fragment_size dpd_delay dpd_timeout\n"
			"t.cfg:7: logg: is not a setting here; did you mean log?\n"},
	);
}

static void test_missing(void **state)
{
	(void)state;
	EXPECT(
		{"", "t.cfg: dataplane: is missing; expected a group with at least ports\n"
			"t.cfg: ike: is missing; expected a group with at least identity\n"},
		{"\ndataplane = {};\nike = {};\n",
			"t.cfg:2: dataplane.ports: is missing; expected 1 to 16 groups: ( { ... }, { ... } )\n"
			"t.cfg:3: ike.identity: is missing; expected the name that this host shows its peers, such as "
			"\"hq.example\"\n"},
		{"dataplane = {\n ports = (\n {} ); };" IKE(""),
			"t.cfg:3: dataplane.ports[0].name: is missing; expected 1 to 15 characters without spaces, '/', ':' and '%'\n"
			"t.cfg:3: dataplane.ports[0].device: is missing; expected a PCI address or a DPDK device string\n"},
		{FILE_PEERS("{" PEER_MODE "}"),
			"t.cfg:8: peers[0].name: is missing; expected 1 to 63 letters, digits and any of . _ - @\n"
			"t.cfg:8: peers[0].local_networks: is missing; expected a network such as 192.0.2.0/24 or 2001:db8::/32\n"
			"t.cfg:8: peers[0].identity: is missing; expected what the peer sends as its own, such as "
			"\"branch1.example\"\n"
			"t.cfg:8: peers[0].secret: is missing; expected secret or secret_file\n"
			"t.cfg:8: peers[0].remote_networks: is missing; expected networks, or a pool\n"},
	);
}

static void test_numbers(void **state)
{
	(void)state;
	EXPECT(
		{FILE_IKE("port = 70000;"), "t.cfg:5: ike.port: 70000 is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = 0;"), "t.cfg:5: ike.port: 0 is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = -1;"), "t.cfg:5: ike.port: -1 is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = \"500\";"), "t.cfg:5: ike.port: \"500\" is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = 500.0;"), "t.cfg:5: ike.port: 500.000 is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = true;"), "t.cfg:5: ike.port: true is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = [500];"), "t.cfg:5: ike.port: an array is not a port; expected 1 to 65535\n"},
		{FILE_IKE("port = {};"), "t.cfg:5: ike.port: a group is not a port; expected 1 to 65535\n"},
		{FILE_IKE("") "timeline = { attempts = 15; };", "t.cfg:7: timeline.attempts: 15 is not a number of attempts; "
			"expected 16 to 1048576\n"},
		{FILE_IKE("") "timeline = { attempt_bytes = 511; };", "t.cfg:7: timeline.attempt_bytes: 511 is not a size in "
			"bytes; expected 512 to 32768\n"},
		{FILE_IKE("legacy = 1;"), "t.cfg:5: ike.legacy: 1 is not a boolean; expected true or false\n"},
		{FILE_DATAPLANE("replay_window = 1000;"), "t.cfg:2: dataplane.replay_window: 1000 is not a window in packets; "
			"expected a power of two, 64 to 65536\n"},
		{FILE_DATAPLANE("replay_window = 32;"), "t.cfg:2: dataplane.replay_window: 32 is not a window in packets; "
			"expected a power of two, 64 to 65536\n"},
		{FILE_DATAPLANE("replay_window = 131072;"), "t.cfg:2: dataplane.replay_window: 131072 is not a window in packets; "
			"expected a power of two, 64 to 65536\n"},
		{FILE_PEER("lifetime_bytes = -1;"), "t.cfg:8: peers[0].lifetime_bytes: -1 is not a number of bytes; "
			"expected 0 to 9223372036854775807\n"},
	);
}

#define RULE(more) FILE_IKE("") "rules = ( { source = \"10.0.0.0/8\"; destination = \"0.0.0.0/0\";\n" more " } );"
#define PORT_EXPECTED " is not a port or a range of ports; expected 1 to 65535, or two of these as \"1024-2047\"\n"

static void test_rules(void **state)
{
	(void)state;
	EXPECT(
		{FILE_IKE("") "rules = ( { } );",
			"t.cfg:7: rules[0].action: is missing; expected \"bypass\" or \"discard\"\n"
			"t.cfg:7: rules[0].source: is missing; expected a network such as 192.0.2.0/24 or 2001:db8::/32\n"
			"t.cfg:7: rules[0].destination: is missing; expected a network such as 192.0.2.0/24 or 2001:db8::/32\n"},
		{RULE("action = \"protect\";"),
			"t.cfg:8: rules[0].action: \"protect\" is not an action; expected \"bypass\" or \"discard\"\n"},
		{RULE("action = \"bypass\"; protocol = 256;"), "t.cfg:8: rules[0].protocol: 256 is not a protocol; expected "
			"\"tcp\", \"udp\", \"icmp\", \"icmp6\", \"any\" or a number, 0 to 255\n"},
		{RULE("action = \"bypass\"; protocol = \"esp\";"), "t.cfg:8: rules[0].protocol: \"esp\" is not a protocol; "
			"expected \"tcp\", \"udp\", \"icmp\", \"icmp6\", \"any\" or a number, 0 to 255\n"},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = 0;"), "t.cfg:8: rules[0].port: 0" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = 65536;"), "t.cfg:8: rules[0].port: 65536" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"\";"), "t.cfg:8: rules[0].port: \"\"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"0-9\";"),
			"t.cfg:8: rules[0].port: \"0-9\"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"9-8\";"),
			"t.cfg:8: rules[0].port: \"9-8\"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"9-\";"),
			"t.cfg:8: rules[0].port: \"9-\"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"1-99999999999999999999\";"),
			"t.cfg:8: rules[0].port: \"1-99999999999999999999\"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; protocol = \"tcp\"; port = \"1-2 \";"),
			"t.cfg:8: rules[0].port: \"1-2 \"" PORT_EXPECTED},
		{RULE("action = \"bypass\"; port = 22;"), "t.cfg:8: rules[0].port: is of no use: only tcp and udp have ports; "
			"expected protocol = \"tcp\" or \"udp\" beside it\n"},
		{FILE_IKE("") "rules = (\n{ action = \"bypass\"; source = \"10.0.0.0/8\";\ndestination = \"2001:db8::/32\"; } );",
			"t.cfg:9: rules[0].destination: is not of the source's kind: one is IPv4, the other IPv6; expected both of one "
			"kind\n"},
	);
}

static void test_texts(void **state)
{
	(void)state;
	EXPECT(
		{FILE_DATAPLANE("poll = \"lazy\";"),
			"t.cfg:2: dataplane.poll: \"lazy\" is not a way to poll; expected \"adaptive\" or \"busy\"\n"},
		{FILE_DATAPLANE("crypto = { gcm = \"neon\"; };"),
			"t.cfg:2: dataplane.crypto.gcm: \"neon\" is not a set of instructions; expected \"auto\", \"sse\", "
			"\"avx\", \"avx2\", \"avx512\" or \"vaes\"\n"},
		{FILE_DATAPLANE("crypto = { others = \"vaes\"; };"),
			"t.cfg:2: dataplane.crypto.others: \"vaes\" is not a set of instructions; expected \"auto\", \"sse\", "
			"\"avx\", \"avx2\" or \"avx512\"\n"},
		{FILE_IKE("") "log = { level = \"loud\"; };", "t.cfg:7: log.level: \"loud\" is not a log level; "
			"expected \"error\", \"warning\", \"info\" or \"debug\"\n"},
		{FILE_IKE("") "log = 7;", "t.cfg:7: log: 7 is not a group; expected { ... }\n"},
		{FILE_IKE("") "user = \"a b\";", "t.cfg:7: user: \"a b\" is not a user; expected a user's name, or \"\"\n"},
		{FILE_IKE("") "runtime_dir = \"run\";", "t.cfg:7: runtime_dir: \"run\" is not an absolute path; "
			"expected a directory such as \"/run/sluice\"\n"},
		{FILE_IKE("") "runtime_dir = \"/2345678901234567890123456789012345678901234567890123456789012345678901234567890\";",
			"t.cfg:7: runtime_dir: a text of 80 characters is not short enough; expected at most 75\n"},
		{DATAPLANE("") "ike = { identity = \"\"; };", "t.cfg:4: ike.identity: \"\" is not an identity; "
			"expected the name that this host shows its peers, such as \"hq.example\"\n"},
		{DATAPLANE("") "ike = { identity = \"a\\nb\"; };", "t.cfg:4: ike.identity: \"a?b\" is not an identity; "
			"expected the name that this host shows its peers, such as \"hq.example\"\n"},
		{FILE_IKE("port = \"1234567890123456789012345678901234567890123456789012345678901234567890\";"),
			"t.cfg:5: ike.port: \"1234567890123456789012345678901234567890123456789012345678901234...\" is not a port; "
			"expected 1 to 65535\n"},
	);
}

static void test_lists(void **state)
{
	(void)state;
	EXPECT(
		{FILE_DATAPLANE("worker_cores = 1;"),
			"t.cfg:2: dataplane.worker_cores: 1 is not a list; expected [ ... ] with 0 to 1023\n"},
		{FILE_DATAPLANE("worker_cores = [];"), "t.cfg:2: dataplane.worker_cores: a list of 0 is not of a length that "
			"fits; expected 1 to 64\n"},
		{FILE_DATAPLANE("worker_cores = [1, 5000, 2];"),
			"t.cfg:2: dataplane.worker_cores[1]: 5000 is not a core; expected 0 to 1023\n"},
		{FILE_DATAPLANE("worker_cores = [1, 2, 1];"),
			"t.cfg:2: dataplane.worker_cores[2]: 1 is not new in the list; expected each value once\n"},
		{FILE_IKE("listen = [\"192.0.2.1\", \"192.0.2.256\"];"), "t.cfg:5: ike.listen[1]: \"192.0.2.256\" is not an "
			"address; expected an address of this host such as 192.0.2.1 or "
			"2001:db8::1\n"},
		{"dataplane = { ports = { name = \"hq0\"; }; };" IKE(""), "t.cfg:1: dataplane.ports: a group is not a list of "
			"ports; expected 1 to 16 groups: ( { ... }, { ... } )\n"},
		{"dataplane = { ports = (); };" IKE(""),
			"t.cfg:1: dataplane.ports: a list of 0 is not of a length that fits; expected 1 to 16\n"},
		{FILE_PEERS("1"), "t.cfg:8: peers[0]: 1 is not a group; expected { ... }\n"},
	);
}

/* One reading names everything, in the order of the file. */
static void test_all_at_once(void **state)
{
	(void)state;
	EXPECT(
		{DATAPLANE("memory = 1; worker_core = [2];") IKE("port = 0;\n\nnatport = 4501;") PEERS("{" PEER_WHO PEER_KEY
				PEER_MODE PEER_NETS "},\n{" PEER_WHO PEER_KEY PEER_NETS "aggressive = false; pfs = 2; }"),
			"t.cfg:2: dataplane.memory: 1 is not a size in MiB; expected 64 to 1048576\n"
			"t.cfg:2: dataplane.worker_core: is not a setting here; did you mean worker_cores?\n"
			"t.cfg:5: ike.port: 0 is not a port; expected 1 to 65535\n"
			"t.cfg:7: ike.natport: is not a setting here; did you mean nat_ports?\n"
			"t.cfg:11: peers[1].pfs: 2 is not a group; expected one of none modp1024 modp1536 modp2048 "
			"modp3072 modp4096 ecp256 ecp384 ecp521 curve25519\n"
			"t.cfg:11: peers[1].ikev1: is missing; expected true: IKEv1 is the only version so far, and RFC 9395 asks "
			"that it is switched on knowingly\n"
			"t.cfg:11: peers[1].name: \"b1\" is not new: peers[0] (line 10) has it; expected each peer's own\n"
			"t.cfg:11: peers[1].identity: \"b1.example\" is not new: peers[0] (line 10) has it; expected each peer's own\n"
			"t.cfg:11: peers[1].remote_networks[0]: \"192.168.1.0/24\" of peer \"b1\" is not free: it overlaps "
			"\"192.168.1.0/24\" of peer \"b1\"; expected each network behind one peer\n"},
	);
}
/* clang-format on */

/* Errors of an included file carry its name. */
static void test_included(void **state)
{
	struct config *config;

	(void)state;
	fixture_write("peers.cfg", "\n" PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "pfs = 14; }"));
	fixture_expect_refusal(FILE_IKE("") "@include \"peers.cfg\"\n",
		"peers.cfg:3: peers[0].pfs: 14 is not a group; expected one of none modp1024 modp1536 modp2048 "
		"modp3072 modp4096 ecp256 ecp384 ecp521 curve25519\n");
	fixture_write("peers.cfg", "\n\n" PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "lifetime = 4294967796; }"));
	fixture_expect_refusal(FILE_IKE("") "@include \"peers.cfg\"\n",
		"peers.cfg:4: 4294967796 is not a number of 31 bits; expected at most 2147483647, or an L behind it: "
		"4294967796L\n");
	fixture_write("peers.cfg", PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "}"));
	config = fixture_load_text(FILE_IKE("") "@include \"peers.cfg\"\n");
	assert_string_equal(fixture_said(), "");
	assert_string_equal(config->peers[0].name, "b1");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_notation),
		cmocka_unit_test(test_cut_numbers),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_included),
	};

	return cmocka_run_group_tests_name("error", tests, fixture_setup, fixture_teardown);
}
