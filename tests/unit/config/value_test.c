/* SPDX-License-Identifier: Apache-2.0 */
/* Values other than the defaults arrive where they belong, at both ends of their ranges. */
#include "config/log.h"
#include "fixture.h"

#include <string.h>

static void test_dataplane(void **state)
{
	struct config *config = fixture_load_text(
		"dataplane = { main_core = 1023; worker_cores = (0, 7); poll = \"busy\"; huge_pages = \"never\";\n"
		"crypto = { gcm = \"vaes\"; others = \"avx512\"; };\n"
		"memory = 64; packet_buffers = 1024; max_sessions = 1; max_children = 1048576; replay_window = 65536;\n"
		"exception_rate = 1; stream_rate = 2; fragments = { pending = 2; per_source = 1; timeout = 120000; };\n"
		"ports = ( { name = \"a\"; device = \"net_null0\"; } ); };\n" IKE(
			"") "log = { level = \"debug\"; }; user = \"\";\n"
			    "control_group = \"netops\"; runtime_dir = \"/tmp/x\";\n");
	const struct config_dataplane *dataplane = &config->dataplane;

	(void)state;
	assert_string_equal(fixture_said(), "");
	assert_string_equal(config->runtime_dir, "/tmp/x");
	assert_string_equal(config->user, "");
	assert_string_equal(config->control_group, "netops");
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(dataplane->main_core, 1023);
	assert_int_equal(dataplane->n_workers, 2);
	assert_int_equal(dataplane->worker_cores[0], 0);
	assert_int_equal(dataplane->worker_cores[1], 7);
	assert_int_equal(dataplane->poll, CONFIG_POLL_BUSY);
	assert_int_equal(dataplane->crypto_gcm, CONFIG_CRYPTO_VAES);
	assert_int_equal(dataplane->crypto_others, CONFIG_CRYPTO_AVX512);
	assert_int_equal(dataplane->huge_pages, CONFIG_HUGE_PAGES_NEVER);
	assert_int_equal(dataplane->memory, 64);
	assert_int_equal(dataplane->packet_buffers, 1024);
	assert_int_equal(dataplane->max_sessions, 1);
	assert_int_equal(dataplane->max_children, 1048576);
	assert_int_equal(dataplane->replay_window, 65536);
	assert_int_equal(dataplane->exception_rate, 1);
	assert_int_equal(dataplane->stream_rate, 2);
	assert_int_equal(dataplane->fragments_pending, 2);
	assert_int_equal(dataplane->fragments_per_source, 1);
	assert_int_equal(dataplane->fragments_timeout, 120000);
	config_free(config);
}

static void test_ports(void **state)
{
	struct config *config = fixture_load_text(
		"dataplane = { ports = ( { name = \"fifteen-letters\"; device = \"0000:03:00.0\"; mtu = 9216;\n"
		"exception = \"virtio_user\"; rx_descriptors = 4096; tx_descriptors = 64; promiscuous = true; },\n"
		"{ name = \"b\"; device = \"net_memif0\"; } ); };\n" IKE(""));
	const struct config_port *ports = config->dataplane.ports;

	(void)state;
	assert_int_equal(config->dataplane.n_ports, 2);
	assert_string_equal(ports[0].name, "fifteen-letters");
	assert_string_equal(ports[0].device, "0000:03:00.0");
	assert_int_equal(ports[0].exception, CONFIG_EXCEPTION_VIRTIO_USER);
	assert_int_equal(ports[0].mtu, 9216);
	assert_int_equal(ports[0].rx_descriptors, 4096);
	assert_int_equal(ports[0].tx_descriptors, 64);
	assert_true(ports[0].promiscuous);
	assert_string_equal(ports[1].name, "b");
	assert_int_equal(ports[1].mtu, 1500);
	assert_int_equal(ports[1].rx_descriptors, 512);
	assert_false(ports[1].promiscuous);
	config_free(config);
}

static void test_ike(void **state)
{
	struct config *config = fixture_load_text(FILE_IKE("listen = [\"2001:db8::1\", \"192.0.2.2\"]; port = 65535; "
							   "nat_ports = [1, 4009]; tcp_ports = [4500, 2012]; tcp_delay = 5; tcp_takeover = false; "
							   "legacy = true; half_open_max = 2; "
							   "half_open_per_source = 1; half_open_timeout = 600; "
							   "lifetime = 120; keepalive = 0; fragment_size = 0; dpd_delay = 0; dpd_timeout = 7200;"));
	const struct config_ike *ike = &config->ike;

	(void)state;
	assert_int_equal(ike->n_listen, 2);
	assert_int_equal(ike->listen[0].family, ADDRESS_IPV6);
	assert_int_equal(address_to_ipv4(&ike->listen[1]), 0xc0000202);
	assert_int_equal(ike->port, 65535);
	assert_int_equal(ike->n_nat_ports, 2);
	assert_int_equal(ike->n_tcp_ports, 2);
	assert_int_equal(ike->tcp_ports[1], 2012);
	assert_int_equal(ike->tcp_delay, 5);
	assert_false(ike->tcp_takeover);
	assert_int_equal(ike->nat_ports[0], 1);
	assert_int_equal(ike->nat_ports[1], 4009);
	assert_true(ike->legacy);
	assert_int_equal(ike->half_open_max, 2);
	assert_int_equal(ike->half_open_per_source, 1);
	assert_int_equal(ike->half_open_timeout, 600);
	assert_int_equal(ike->lifetime, 120);
	assert_int_equal(ike->keepalive, 0);
	assert_int_equal(ike->fragment_size, 0);
	assert_int_equal(ike->dpd_delay, 0);
	assert_int_equal(ike->dpd_timeout, 7200);
	assert_int_equal(config->n_peers, 0);
	config_free(config);
}

static void test_timeline(void **state)
{
	struct config *config = fixture_load_text(
		FILE_IKE("") "timeline = { attempts = 16; per_peer = 1; per_source = 1024; attempt_bytes = 512; };");

	(void)state;
	assert_int_equal(config->timeline.attempts, 16);
	assert_int_equal(config->timeline.per_peer, 1);
	assert_int_equal(config->timeline.per_source, 1024);
	assert_int_equal(config->timeline.attempt_bytes, 512);
	config_free(config);
}

/* A list in the file takes the place of the default, whole. */
static void test_peer(void **state)
{
	static const struct ike_proposal nothing;
	struct config *config = fixture_load_text(
		FILE_PEER("ike = [\"aes192-sha384-ecp384\"]; esp = [\"aes128-sha1\", \"aes256gcm\"]; pfs = \"ecp256\"; "
			  "lifetime = 604800; lifetime_bytes = 9223372036854775807L;"));
	const struct config_peer *peer = &config->peers[0];

	(void)state;
	assert_int_equal(peer->n_ike, 1);
	assert_int_equal(peer->ike[0].key_bits, 192);
	assert_int_equal(peer->ike[0].group, IKE_GROUP_ECP384);
	assert_memory_equal(&peer->ike[1], &nothing, sizeof(nothing));
	assert_int_equal(peer->n_esp, 2);
	assert_int_equal(peer->esp[0], ESP_AES128_CBC_SHA1_96);
	assert_int_equal(peer->esp[1], ESP_AES256_GCM);
	assert_int_equal(peer->pfs, IKE_GROUP_ECP256);
	assert_int_equal(peer->lifetime, 604800);
	assert_int_equal(peer->lifetime_bytes, INT64_MAX);
	config_free(config);
}

#define RULE(action, more) "{ action = \"" action "\"; source = \"10.0.0.0/8\"; destination = \"0.0.0.0/0\"; " more "}"

static void test_rules(void **state)
{
	struct config *config = fixture_load_text(FILE_IKE("") "rules = (" RULE("bypass", "") "," RULE(
		"discard", "protocol = \"tcp\"; port = 65535;") "," RULE("discard",
		"protocol = \"udp\"; port = \"1-65535\";") "," RULE("bypass", "protocol = \"icmp\";") "," RULE("bypass",
		"protocol = 17; port = \"53\";") "," RULE("bypass", "protocol = 0;") "," RULE("bypass",
		"protocol = 255;") ", { action = \"bypass\"; source = \"2001:db8::/32\"; destination = \"::/0\"; "
		"protocol = \"icmp6\"; });");
	static const struct {
		enum config_action action;
		uint16_t protocol, first, last;
	} expected[] = {
		{CONFIG_ACTION_BYPASS, CONFIG_PROTOCOL_ANY, 0, 0},
		{CONFIG_ACTION_DISCARD, IPPROTO_TCP, 65535, 65535},
		{CONFIG_ACTION_DISCARD, IPPROTO_UDP, 1, 65535},
		{CONFIG_ACTION_BYPASS, IPPROTO_ICMP, 0, 0},
		{CONFIG_ACTION_BYPASS, IPPROTO_UDP, 53, 53},
		{CONFIG_ACTION_BYPASS, 0, 0, 0},
		{CONFIG_ACTION_BYPASS, 255, 0, 0},
		{CONFIG_ACTION_BYPASS, IPPROTO_ICMPV6, 0, 0},
	};
	enum { IPV6_RULE = 7 };

	(void)state;
	assert_string_equal(fixture_said(), "");
	assert_int_equal(config->n_rules, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];

		assert_int_equal(rule->action, expected[i].action);
		assert_int_equal(rule->source.address.family, i == IPV6_RULE ? ADDRESS_IPV6 : ADDRESS_IPV4);
		assert_int_equal(address_to_ipv4(&rule->source.address), i == IPV6_RULE ? 0 : 0x0a000000);
		assert_int_equal(rule->source.len, i == IPV6_RULE ? 32 : 8);
		assert_int_equal(rule->destination.len, 0);
		assert_int_equal(rule->protocol, expected[i].protocol);
		assert_int_equal(rule->port.first, expected[i].first);
		assert_int_equal(rule->port.last, expected[i].last);
	}
	config_free(config);
}

/* What a peer does not say is the group's, wherever that stands in the file. */
static void test_tunnel(void **state)
{
	struct config *config = fixture_load_text(
		FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "dscp = 0; mss_clamp = true; }")
		"tunnel = { fragment = \"after\"; df = \"copy\"; dscp = 63; mss_clamp = false; };");
	struct config *other = fixture_load_text(
		FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "fragment = \"after\"; df = \"set\"; }"));

	(void)state;
	assert_string_equal(fixture_said(), "");
	assert_int_equal(config->tunnel.fragment, TUNNEL_FRAGMENT_AFTER);
	assert_int_equal(config->tunnel.df, TUNNEL_DF_COPY);
	assert_int_equal(config->tunnel.dscp, 63);
	assert_int_equal(config->tunnel.mss_clamp, 0);
	assert_int_equal(config->peers[0].tunnel.fragment, TUNNEL_FRAGMENT_AFTER);
	assert_int_equal(config->peers[0].tunnel.df, TUNNEL_DF_COPY);
	assert_int_equal(config->peers[0].tunnel.dscp, 0);
	assert_int_equal(config->peers[0].tunnel.mss_clamp, 1);
	assert_int_equal(other->peers[0].tunnel.fragment, TUNNEL_FRAGMENT_AFTER);
	assert_int_equal(other->peers[0].tunnel.df, TUNNEL_DF_SET);
	assert_int_equal(other->peers[0].tunnel.dscp, TUNNEL_DSCP_COPY);
	assert_int_equal(other->peers[0].tunnel.mss_clamp, 1);
	config_free(config);
	config_free(other);
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "dscp = 64; }"),
		"t.cfg:8: peers[0].dscp: 64 is not a DSCP; expected \"copy\" or 0 to 63\n");
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "dscp = \"ef\"; }"),
		"t.cfg:8: peers[0].dscp: \"ef\" is not a DSCP; expected \"copy\" or 0 to 63\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dataplane),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_ike),
		cmocka_unit_test(test_timeline),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_tunnel),
	};

	return cmocka_run_group_tests_name("value", tests, fixture_setup, fixture_teardown);
}
