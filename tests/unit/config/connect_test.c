/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-connect's settings: the sample, the command line alone and over a file, and what is refused how. The sample's
 * path is the program's argument. */
#include "config/connect.h"
#include "config/connect_settings.h"
#include "config/log.h"
#include "fixture.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST(array) array, sizeof(array) / sizeof((array)[0])

static const char *sample_path;
static char said[4096];

static void hear(void *context, const char *sentence)
{
	(void)context;
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", sentence);
}

static struct connect_config *load(const char *path, const struct connect_option *options, size_t n)
{
	said[0] = '\0';
	return connect_config_load(path, options, n, hear, NULL);
}

static void check_networks(const struct prefix *networks, size_t count, const char *expected)
{
	char text[256] = "", one[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < count; i++) {
		strcat(text, i ? " " : "");
		strcat(text, prefix_format(&networks[i], one));
	}
	assert_string_equal(text, expected);
}

static void check_sample(const struct connect_config *config)
{
	assert_string_equal(config->gateway, "198.51.100.88");
	assert_string_equal(config->peer.identity, "hq.example");
	assert_string_equal(config->base.ike.identity, "branch1.example");
	assert_int_equal(config->n_ports, 2);
	assert_int_equal(config->ports[0], 500);
	assert_int_equal(config->ports[1], 4500);
	assert_int_equal(config->transport, CONNECT_TRANSPORT_AUTO);
	assert_int_equal(config->base.ike.tcp_delay, 50);
	assert_int_equal(config->peer.secret_len, 35);
	check_networks(config->peer.local_networks, config->peer.n_local, "192.168.1.0/24");
	check_networks(config->peer.remote_networks, config->peer.n_remote, "192.168.2.0/24");
	assert_int_equal(config->peer.n_ike, 4);
	assert_int_equal(config->peer.n_esp, 6);
	assert_int_equal(config->peer.pfs, IKE_GROUP_NONE);
	assert_true(config->peer.esn && config->peer.force_udp && config->peer.ikev1 && config->peer.aggressive);
	assert_int_equal(config->peer.n_auth, 1);
	assert_int_equal(config->peer.auth[0], IKE_AUTH_PSK);
	assert_false(config->base.ike.legacy || config->base.ike.require_crl);
	assert_int_equal(config->peer.lifetime, 3600);
	assert_int_equal(config->base.ike.lifetime, 14400);
	assert_int_equal(config->patience, 4);
	assert_int_equal(config->exchanges, 1);
	assert_int_equal(config->retry_max, 60);
	assert_int_equal(config->base.ike.keepalive, 20);
	assert_int_equal(config->dpd, 10);
	assert_string_equal(config->interface, "sluice0");
	assert_int_equal(config->peer.tunnel.fragment, TUNNEL_FRAGMENT_AFTER);
	assert_int_equal(config->peer.tunnel.mss_clamp, 1);
	assert_int_equal(config->peer.tunnel.dscp, TUNNEL_DSCP_COPY);
	assert_int_equal(config->mtu, 1500);
	assert_int_equal(config->n_dns, 0);
	assert_string_equal(config->dns_file, "");
	assert_string_equal(config->base.runtime_dir, "/run/sluice");
	assert_string_equal(config->base.user, "");
	assert_int_equal(config->base.log_level, LOG_LEVEL_INFO);
	assert_ptr_equal(config->base.peers, &config->peer);
	assert_int_equal(config->base.n_peers, 1);
}

/* What stands behind a "#" is the default: put in force it changes nothing. */
static void test_sample(void **state)
{
	struct connect_config *config = load(sample_path, NULL, 0), *spelled;
	FILE *in = fopen(sample_path, "r"), *out = fopen(fixture_path("spelled.cfg"), "w");
	char line[512];
	int settings = 0;

	(void)state;
	assert_string_equal(said, "");
	check_sample(config);
	while (fgets(line, sizeof(line), in)) {
		bool is_setting = line[0] == '#' && islower((unsigned char)line[1]);

		settings += is_setting;
		fputs(is_setting ? line + 1 : line, out);
	}
	fclose(in);
	fclose(out);
	assert_int_equal(settings, 38);
	spelled = load(fixture_path("spelled.cfg"), NULL, 0);
	assert_string_equal(said, "");
	check_sample(spelled);
	config->base.peers = spelled->base.peers = NULL;
	assert_memory_equal(config, spelled, sizeof(*config));
	connect_config_free(config);
	connect_config_free(spelled);
}

static void test_every_setting_described(void **state)
{
	static char sample[32768];
	FILE *file = fopen(sample_path, "r");
	char written[64];

	(void)state;
	assert_in_range(fread(sample, 1, sizeof(sample) - 1, file), 1, sizeof(sample) - 2);
	fclose(file);
	for (const struct setting *setting = connect_settings; setting->name; setting++) {
		snprintf(written, sizeof(written), "%s = ", setting->name);
		if (!strstr(sample, written))
			fail_msg("the sample does not show %s", setting->name);
	}
}

static void test_command_line_alone(void **state)
{
	struct connect_option options[] = {
		{"gateway", "203.0.113.5"},
		{"identity", "x@example.org"},
		{"secret_file", NULL},
		{"remote_networks", "192.168.2.0/24"},
		{"local_networks", "192.168.1.0/24,192.168.3.0/24"},
		{"remote_networks", "192.168.7.0/24"},
		{"ports", "88,4009"},
		{"esn", "false"},
		{"dscp", "46"},
		{"retry_max", "300"},
		{"interface", "vpn"},
		{"ike", "aes128-sha256-ecp256"},
	};
	struct connect_config *config;

	(void)state;
	fixture_write("key", SECRET "\n");
	options[2].value = fixture_path("key");
	config = load(NULL, LIST(options));
	assert_string_equal(said, "");
	assert_string_equal(config->gateway, "203.0.113.5");
	assert_string_equal(config->peer.identity, "203.0.113.5"); /* not said: as the gateway is called */
	assert_string_equal(config->base.ike.identity, "x@example.org");
	assert_int_equal(config->peer.secret_len, strlen(SECRET));
	check_networks(config->peer.local_networks, config->peer.n_local, "192.168.1.0/24 192.168.3.0/24");
	check_networks(config->peer.remote_networks, config->peer.n_remote, "192.168.2.0/24 192.168.7.0/24");
	assert_int_equal(config->n_ports, 2);
	assert_int_equal(config->ports[0], 88);
	assert_int_equal(config->ports[1], 4009);
	assert_false(config->peer.esn);
	assert_int_equal(config->peer.tunnel.dscp, 46);
	assert_int_equal(config->retry_max, 300);
	assert_string_equal(config->interface, "vpn");
	assert_int_equal(config->peer.n_ike, 1);
	connect_config_free(config);
}

/* Where it registers it needs no more than what it registers with; and with some of that IKE can do it alone. */
static void test_registration(void **state)
{
	struct connect_option options[] = {
		{"gateway", "vpn.example"},
		{"authorities", "authority.pem"},
		{"methods", "kerberos,password"},
		{"login", "anna"},
		{"password_file", NULL},
	};
	struct connect_config *config;

	(void)state;
	fixture_write("password", "sesame\n");
	options[4].value = fixture_path("password");
	config = load(NULL, LIST(options));
	assert_string_equal(said, "");
	assert_int_equal(config->n_methods, 2);
	assert_int_equal(config->methods[0], CONFIG_METHOD_KERBEROS);
	assert_int_equal(config->n_registration, 2);
	assert_int_equal(config->registration[0], 2012);
	assert_true(config->alone);
	assert_int_equal(config->peer.n_auth, 1);
	assert_int_equal(config->peer.auth[0], IKE_AUTH_HYBRID_INIT_RSA);
	assert_string_equal(config->base.ike.identity, "anna");
	assert_true(config->peer.virtual_address);
	connect_config_free(config);

	/* Kerberos is of no use to IKE. */
	options[2].value = "kerberos";
	config = load(NULL, options, 3);
	assert_string_equal(said, "");
	assert_false(config->alone);
	connect_config_free(config);

	/* The sample's secret is. */
	config = load(sample_path, options, 3);
	assert_string_equal(said, "");
	assert_true(config->alone);
	assert_int_equal(config->peer.auth[0], IKE_AUTH_PSK);
	connect_config_free(config);
}

static void test_registration_lacks_something(void **state)
{
	static const struct connect_option options[] = {
		{"gateway", "vpn.example"}, {"methods", "certificate,password,saml"}};

	(void)state;
	assert_null(load(NULL, LIST(options)));
	assert_string_equal(said, "command line: methods[2]: \"saml\" is not a method of registration; expected "
				  "\"kerberos\", \"certificate\" or \"password\"\n"
				  "command line: authorities: is missing; expected those who vouch for the gateway: it proves "
				  "itself before anything is shown to it (methods)\n"
				  "command line: certificate: is missing; expected ours, for methods = [\"certificate\"]\n"
				  "command line: key: is missing; expected that of our certificate, for methods = "
				  "[\"certificate\"]\n"
				  "command line: login: is missing; expected the user who registers\n"
				  "command line: password_file: is missing; expected the file with the user's password\n");
}

/* RFC 9329 section 2 names the port where nobody else does. */
static void test_tcp(void **state)
{
	struct connect_option options[] = {{"transport", "tcp"}, {"tcp_delay", "20"}, {"ports", "88"}};
	struct connect_config *config;

	(void)state;
	config = load(sample_path, options, 2);
	assert_string_equal(said, "");
	assert_int_equal(config->transport, CONNECT_TRANSPORT_TCP);
	assert_int_equal(config->base.ike.tcp_delay, 20);
	assert_int_equal(config->n_ports, 1);
	assert_int_equal(config->ports[0], 4500);
	connect_config_free(config);
	config = load(sample_path, LIST(options));
	assert_int_equal(config->n_ports, 1);
	assert_int_equal(config->ports[0], 88);
	connect_config_free(config);
}

static void test_option_over_file(void **state)
{
	struct connect_option options[] = {
		{"remote_networks", "10.0.0.0/8"},
		{"gateway", "vpn.example"},
		{"gateway_identity", "other.example"},
		{"secret_file", NULL},
	};
	struct connect_config *config;

	(void)state;
	fixture_write("key", SECRET);
	options[3].value = fixture_path("key");
	config = load(sample_path, LIST(options));
	assert_string_equal(said, "");
	check_networks(config->peer.remote_networks, config->peer.n_remote, "10.0.0.0/8");
	check_networks(config->peer.local_networks, config->peer.n_local, "192.168.1.0/24");
	assert_string_equal(config->gateway, "vpn.example");
	assert_string_equal(config->peer.identity, "other.example");
	assert_int_equal(config->peer.secret_len, strlen(SECRET));
	connect_config_free(config);
}

static void test_errors_name_their_place(void **state)
{
	static const struct connect_option wrong[] = {{"mtu", "100"}, {"ports", "500,x"}, {"esn", "maybe"}};
	char expected[1024];

	(void)state;
	assert_null(load(sample_path, LIST(wrong)));
	assert_string_equal(said, "command line: mtu: 100 is not an MTU in bytes; expected 576 to 9216\n"
				  "command line: ports[1]: \"x\" is not a port; expected 1 to 65535\n"
				  "command line: esn: \"maybe\" is not a boolean; expected true or false\n");
	fixture_write("t.cfg",
		"gateway = \"a\";\nidentity = \"b\";\nsecret = \"" SECRET "\";\nlocal_networks = [\"10.0.0.0/8\"];\n"
		"remote_networks = [\"192.168.2.1/24\"];\npatience = 0;\ndns_file = \"/etc/resolv.conf\";\n");
	assert_null(load(fixture_path("t.cfg"), NULL, 0));
	snprintf(expected, sizeof(expected),
		"%1$s:5: remote_networks[0]: \"192.168.2.1/24\" is not the start of its network; expected "
		"\"192.168.2.0/24\"\n"
		"%1$s:6: patience: 0 is not a time in seconds; expected 1 to 60\n"
		"%1$s:7: dns_file: is of no use without name servers; expected dns beside it\n",
		fixture_path("t.cfg"));
	assert_string_equal(said, expected);
}

/* Signatures want certificates and no secret; files of the command line are relative to where it was given. */
static void test_certificates(void **state)
{
	static const struct connect_option options[] = {{"gateway", "203.0.113.5"}, {"identity", "x"},
		{"local_networks", "10.1.0.0/16"}, {"remote_networks", "10.2.0.0/16"}, {"auth", "ecdsa256,rsa"},
		{"certificate", "x.pem"}, {"key", "/keys/x.key"}, {"authorities", "a.pem,/b.pem"}};
	struct connect_config *config;

	(void)state;
	assert_int_equal(chdir("/tmp"), 0);
	config = load(NULL, LIST(options));
	assert_string_equal(said, "");
	assert_int_equal(config->peer.n_auth, 2);
	assert_int_equal(config->peer.auth[0], IKE_AUTH_ECDSA_256);
	assert_string_equal(config->base.ike.certificate, "/tmp/x.pem");
	assert_string_equal(config->base.ike.key, "/keys/x.key");
	assert_int_equal(config->base.ike.n_authorities, 2);
	assert_string_equal(config->base.ike.authorities[0], "/tmp/a.pem");
	assert_string_equal(config->base.ike.authorities[1], "/b.pem");
	connect_config_free(config);
	assert_null(load(NULL, options, 5));
	assert_string_equal(said,
		"command line: auth[0]: \"ecdsa256\" is not possible without certificates; expected certificate, key "
		"and "
		"authorities\n"
		"command line: auth[1]: \"rsa\" is not possible without certificates; expected certificate, key and "
		"authorities\n");
}

/* Users log in with name and password; who has no networks of its own gets an address from the gateway. */
static void test_login(void **state)
{
	char path[256];
	struct connect_option options[] = {{"gateway", "203.0.113.5"}, {"identity", "x"}, {"authorities", "/ca.pem"},
		{"auth", "hybrid-rsa"}, {"login", "alice"}, {"password_file", path}, {"remote_networks", "10.2.0.0/16"},
		{"local_networks", "10.1.0.0/16"}};
	struct connect_config *config;

	(void)state;
	fixture_write("password", "x y\n");
	snprintf(path, sizeof(path), "%s", fixture_path("password"));
	for (size_t count = 6; count <= 8; count++) {
		config = load(NULL, options, count);
		assert_string_equal(said, "");
		assert_string_equal(config->login, "alice");
		assert_string_equal(config->password, "x y");
		assert_int_equal(config->password_len, 3);
		assert_int_equal(config->peer.virtual_address, count < 8);
		assert_int_equal(config->peer.n_remote, count > 6);
		connect_config_free(config);
	}
}

static void test_login_is_refused(void **state)
{
	char path[256], expected[512];
	struct connect_option options[] = {{"gateway", "203.0.113.5"}, {"identity", "x"}, {"authorities", "/ca.pem"},
		{"auth", "xauth-rsa"}, {"remote_networks", "2001:db8::/32"}, {"password_file", path}};

	(void)state;
	assert_null(load(NULL, options, 5));
	assert_string_equal(said,
		"command line: auth[0]: \"xauth-rsa\" is not possible without certificates; expected certificate, key and "
		"authorities\n"
		"command line: login: is missing; expected the user who is to log in\n"
		"command line: password_file: is missing; expected the file with the user's password\n"
		"command line: remote_networks[0]: \"2001:db8::/32\" is of no use without local_networks: the address that "
		"a gateway gives is IPv4; expected IPv4 networks\n");
	options[3].value = "hybrid-rsa";
	options[4] = (struct connect_option){"login", "alice"};
	fixture_write("password", "\n");
	snprintf(path, sizeof(path), "%s", fixture_path("password"));
	assert_null(load(NULL, LIST(options)));
	assert_string_equal(said, "command line: password_file: (0 characters) is not of a length that fits; expected 1 to "
				  "255 characters\n");
	fixture_write("password", "open\nsesame\n");
	snprintf(path, sizeof(path), "%s", fixture_path("password"));
	snprintf(expected, sizeof(expected),
		"command line: password_file: \"%s\" is not a single line; expected the password alone\n", path);
	assert_null(load(NULL, LIST(options)));
	assert_string_equal(said, expected);
	options[3].value = "psk";
	assert_null(load(NULL, options, 5));
	assert_non_null(strstr(said, "command line: login: is of no use: nobody logs in with these methods"));
	options[4] = (struct connect_option){"local_networks", "10.1.0.0/16"};
	assert_null(load(NULL, options, 5));
	assert_non_null(strstr(said, "command line: remote_networks: is missing; expected networks, or none of both"));
}

static void test_what_is_missing(void **state)
{
	static const struct connect_option few[] = {{"gateway", "203.0.113.5"}};

	(void)state;
	assert_null(load(NULL, LIST(few)));
	assert_string_equal(said,
		"command line: identity: is missing; expected the name that this host shows the gateway, such as "
		"\"branch1.example\"\n"
		"command line: secret: is missing; expected secret or secret_file\n");
}

/* Whoever lists processes reads the command line: no secret there, and every other setting. */
static void test_options_without_secret(void **state)
{
	size_t count = 0;
	bool is_switch;

	(void)state;
	for (const char *name; (name = connect_option_name(count, &is_switch)); count++) {
		assert_string_not_equal(name, "secret");
		assert_int_equal(is_switch, strcmp(name, "esn") == 0 || strcmp(name, "legacy") == 0 ||
						    strcmp(name, "mss_clamp") == 0 || strcmp(name, "aggressive") == 0 ||
						    strcmp(name, "require_crl") == 0);
	}
	assert_int_equal(count, 52);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_every_setting_described),
		cmocka_unit_test(test_command_line_alone),
		cmocka_unit_test(test_registration),
		cmocka_unit_test(test_registration_lacks_something),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_option_over_file),
		cmocka_unit_test(test_errors_name_their_place),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_login_is_refused),
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_options_without_secret),
	};

	if (argc < 2)
		return EXIT_FAILURE;
	sample_path = argv[1];
	return cmocka_run_group_tests_name("connect", tests, fixture_setup, fixture_teardown);
}
