/* SPDX-License-Identifier: Apache-2.0 */
/* Every setting: its name, type, default, range and place in struct config. sluice.cfg says what each one is for. */
#include "config/settings_table.h"

/* clang-format off */
const char *const settings_level_choices[] = {"error", "warning", "info", "debug", NULL};
const char *const settings_fragment_choices[] = {
	[TUNNEL_FRAGMENT_BEFORE] = "before", [TUNNEL_FRAGMENT_AFTER] = "after", NULL};
static const char *const poll_choices[] = {"adaptive", "busy", NULL};
const char *const config_crypto_names[] = {[CONFIG_CRYPTO_AUTO] = "auto",
	[CONFIG_CRYPTO_SSE] = "sse",
	[CONFIG_CRYPTO_AVX] = "avx",
	[CONFIG_CRYPTO_AVX2] = "avx2",
	[CONFIG_CRYPTO_AVX512] = "avx512",
	[CONFIG_CRYPTO_VAES] = "vaes",
	NULL};
static const char *const crypto_others_choices[] = {"auto", "sse", "avx", "avx2", "avx512", NULL};
static const char *const huge_pages_choices[] = {"auto", "require", "never", NULL};
static const char *const exception_choices[] = {"net_tap", "virtio_user", NULL};
static const char *const mode_choices[] = {
	[CONFIG_MODE_TUNNEL] = "tunnel", [CONFIG_MODE_TRANSPORT] = "transport", NULL};
static const char *const assign_choices[] = {
	[CONFIG_ASSIGN_PULL] = "pull", [CONFIG_ASSIGN_PUSH] = "push", NULL};
static const char *const action_choices[] = {"bypass", "discard", NULL};

static const char *const df_choices[] = {
	[TUNNEL_DF_CLEAR] = "clear", [TUNNEL_DF_SET] = "set", [TUNNEL_DF_COPY] = "copy", NULL};

static const struct setting log_settings[] = {
	{"level", SETTING_CHOICE, "\"info\"", "a log level", .choices = settings_level_choices, FIELD(config, log_level)},
	{0},
};

static const struct setting fragments_settings[] = {
	{"pending", SETTING_INTEGER, "1024", "a number of packets",
		RANGE(1, 65536), FIELD(config_dataplane, fragments_pending)},
	{"per_source", SETTING_INTEGER, "64", "a number of packets",
		RANGE(1, 65536), FIELD(config_dataplane, fragments_per_source)},
	{"timeout", SETTING_INTEGER, "2000", "a time in milliseconds",
		RANGE(100, 120000), FIELD(config_dataplane, fragments_timeout)},
	{0},
};

static const struct setting port_settings[] = {
	{"name", SETTING_INTERFACE, NULL, "an interface name",
		"1 to 15 characters without spaces, '/', ':' and '%'", FIELD(config_port, name)},
	{"device", SETTING_TEXT, NULL, "a device", "a PCI address or a DPDK device string",
		.min = 1, FIELD(config_port, device)},
	{"exception", SETTING_CHOICE, "\"net_tap\"", "a kind of exception port",
		.choices = exception_choices, FIELD(config_port, exception)},
	{"mtu", SETTING_INTEGER, "1500", "an MTU in bytes", RANGE(576, 9216), FIELD(config_port, mtu)},
	{"rx_descriptors", SETTING_POWER_OF_TWO, "512", "a ring size",
		RANGE(64, 4096), FIELD(config_port, rx_descriptors)},
	{"tx_descriptors", SETTING_POWER_OF_TWO, "512", "a ring size",
		RANGE(64, 4096), FIELD(config_port, tx_descriptors)},
	{"promiscuous", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_port, promiscuous)},
	{0},
};

static const struct setting crypto_settings[] = {
	{"gcm", SETTING_CHOICE, "\"auto\"", "a set of instructions",
		.choices = config_crypto_names, FIELD(config_dataplane, crypto_gcm)},
	{"others", SETTING_CHOICE, "\"auto\"", "a set of instructions",
		.choices = crypto_others_choices, FIELD(config_dataplane, crypto_others)},
	{0},
};

static const struct setting dataplane_settings[] = {
	{"main_core", SETTING_INTEGER, "0", "a core", RANGE(0, 1023), FIELD(config_dataplane, main_core)},
	{"worker_cores", SETTING_INTEGER, "[1]", "a core",
		RANGE(0, 1023), .count_min = 1, ARRAY(config_dataplane, worker_cores, n_workers)},
	{"poll", SETTING_CHOICE, "\"adaptive\"", "a way to poll", .choices = poll_choices, FIELD(config_dataplane, poll)},
	{"huge_pages", SETTING_CHOICE, "\"auto\"", "a use of huge pages",
		.choices = huge_pages_choices, FIELD(config_dataplane, huge_pages)},
	{"memory", SETTING_INTEGER, "512", "a size in MiB", RANGE(64, 1048576), FIELD(config_dataplane, memory)},
	{"packet_buffers", SETTING_INTEGER, "16384", "a number of buffers",
		RANGE(1024, 16777216), FIELD(config_dataplane, packet_buffers)},
	{"max_sessions", SETTING_INTEGER, "4096", "a number of sessions",
		RANGE(1, 1048576), FIELD(config_dataplane, max_sessions)},
	{"max_children", SETTING_INTEGER, "8192", "a number of child SAs",
		RANGE(1, 1048576), FIELD(config_dataplane, max_children)},
	{"max_routes", SETTING_INTEGER, "16384", "a number of routes", RANGE(64, 4194304),
		FIELD(config_dataplane, max_routes)},
	{"replay_window", SETTING_POWER_OF_TWO, "1024", "a window in packets",
		RANGE(64, 65536), FIELD(config_dataplane, replay_window)},
	{"exception_rate", SETTING_INTEGER, "20000", "a rate in packets a second",
		RANGE(1, 100000000), FIELD(config_dataplane, exception_rate)},
	{"stream_rate", SETTING_INTEGER, "250000", "a rate in packets a second",
		RANGE(1, 100000000), FIELD(config_dataplane, stream_rate)},
	{"crypto", SETTING_GROUP, "", "a group", "{ ... }", .members = crypto_settings},
	{"fragments", SETTING_GROUP, "", "a group", "{ ... }", .members = fragments_settings},
	{"ports", SETTING_GROUPS, NULL, "a list of ports", "1 to 16 groups: ( { ... }, { ... } )",
		.members = port_settings, .count_min = 1, ARRAY(config_dataplane, ports, n_ports)},
	{0},
};

static const struct setting ike_settings[] = {
	{"listen", SETTING_ADDRESS, "", "an address", "an address of this host such as 192.0.2.1 or 2001:db8::1",
		ARRAY(config_ike, listen, n_listen)},
	{"port", SETTING_INTEGER, "500", "a port", RANGE(1, 65535), FIELD(config_ike, port)},
	{"nat_ports", SETTING_INTEGER, "[4500]", "a port",
		RANGE(1, 65535), .count_min = 1, ARRAY(config_ike, nat_ports, n_nat_ports)},
	{"tcp_ports", SETTING_INTEGER, "[]", "a port", RANGE(1, 65535), ARRAY(config_ike, tcp_ports, n_tcp_ports)},
	{"tcp_delay", SETTING_INTEGER, "50", "a time in milliseconds", RANGE(5, 5000), FIELD(config_ike, tcp_delay)},
	{"tcp_takeover", SETTING_BOOLEAN, "true", "a boolean", "true or false", FIELD(config_ike, tcp_takeover)},
	{"identity", SETTING_TEXT, NULL, "an identity", "the name that this host shows its peers, such as \"hq.example\"",
		.min = 1, FIELD(config_ike, identity)},
	{"certificate", SETTING_FILE, "", "a file", "the path of a PEM file", FIELD(config_ike, certificate)},
	{"key", SETTING_FILE, "", "a file", "the path of a PEM file", FIELD(config_ike, key)},
	{"authorities", SETTING_FILE, "", "a file", "the path of a PEM file", ARRAY(config_ike, authorities, n_authorities)},
	{"crls", SETTING_FILE, "", "a file", "the path of a PEM file", ARRAY(config_ike, crls, n_crls)},
	{"require_crl", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_ike, require_crl)},
	{"legacy", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_ike, legacy)},
	{"half_open_max", SETTING_INTEGER, "1000", "a number of exchanges",
		RANGE(1, 1048576), FIELD(config_ike, half_open_max)},
	{"half_open_per_source", SETTING_INTEGER, "10", "a number of exchanges",
		RANGE(1, 1048576), FIELD(config_ike, half_open_per_source)},
	{"half_open_timeout", SETTING_INTEGER, "30", "a time in seconds",
		RANGE(1, 600), FIELD(config_ike, half_open_timeout)},
	{"lifetime", SETTING_INTEGER, "14400", "a time in seconds", RANGE(120, 604800), FIELD(config_ike, lifetime)},
	{"keepalive", SETTING_INTEGER, "20", "a time in seconds", RANGE(0, 3600), FIELD(config_ike, keepalive)},
	{"fragment_size", SETTING_INTEGER, "1280", "a size in bytes", RANGE(0, 9216), FIELD(config_ike, fragment_size)},
	{"dpd_delay", SETTING_INTEGER, "30", "a time in seconds", RANGE(0, 3600), FIELD(config_ike, dpd_delay)},
	{"dpd_timeout", SETTING_INTEGER, "120", "a time in seconds", RANGE(10, 7200), FIELD(config_ike, dpd_timeout)},
	{0},
};

static const struct setting timeline_settings[] = {
	{"attempts", SETTING_INTEGER, "4096", "a number of attempts",
		RANGE(16, 1048576), FIELD(config_timeline, attempts)},
	{"per_peer", SETTING_INTEGER, "4", "a number of attempts", RANGE(1, 1024), FIELD(config_timeline, per_peer)},
	{"per_source", SETTING_INTEGER, "4", "a number of attempts", RANGE(1, 1024), FIELD(config_timeline, per_source)},
	{"attempt_bytes", SETTING_INTEGER, "1024", "a size in bytes",
		RANGE(512, 32768), FIELD(config_timeline, attempt_bytes)},
	{0},
};

static const struct setting users_settings[] = {
	{"file", SETTING_PATH, "\"/etc/sluice/users\"", "an absolute path", "a file such as \"/etc/sluice/users\"",
		FIELD(config, users.file)},
	{"guesses_per_user", SETTING_INTEGER, "10", "a number of passwords",
		RANGE(1, 1000000), FIELD(config, users.guesses_per_user)},
	{"guesses_per_address", SETTING_INTEGER, "100", "a number of passwords",
		RANGE(1, 1000000), FIELD(config, users.guesses_per_address)},
	{"guess_window", SETTING_INTEGER, "600", "a time in seconds",
		RANGE(1, 86400), FIELD(config, users.guess_window)},
	{"tries", SETTING_INTEGER, "3", "a number of passwords", RANGE(1, 10), FIELD(config, users.tries)},
	{"timeout", SETTING_INTEGER, "60", "a time in seconds", RANGE(5, 600), FIELD(config, users.timeout)},
	{0},
};

static const struct setting pool_settings[] = {
	{"name", SETTING_NAME, NULL, "a name", "1 to 63 letters, digits and any of . _ - @",
		.min = 1, FIELD(config_pool, name)},
	{"network", SETTING_NETWORK, NULL, "a network", "an IPv4 network such as 10.99.0.0/24",
		FIELD(config_pool, network)},
	{"first", SETTING_ADDRESS, "", "an address", "an IPv4 address of the network", FIELD(config_pool, first)},
	{"last", SETTING_ADDRESS, "", "an address", "an IPv4 address of the network", FIELD(config_pool, last)},
	{"dns", SETTING_ADDRESS, "", "an address", "an IPv4 address such as 192.0.2.53",
		ARRAY(config_pool, dns, n_dns)},
	{0},
};

static const struct setting rule_settings[] = {
	{"action", SETTING_CHOICE, NULL, "an action", .choices = action_choices, FIELD(config_rule, action)},
	{"source", SETTING_NETWORK, NULL, "a network", NETWORK_EXPECTED, FIELD(config_rule, source)},
	{"destination", SETTING_NETWORK, NULL, "a network", NETWORK_EXPECTED, FIELD(config_rule, destination)},
	{"protocol", SETTING_PROTOCOL, "\"any\"", "a protocol",
		"\"tcp\", \"udp\", \"icmp\", \"icmp6\", \"any\" or a number, 0 to 255",
		FIELD(config_rule, protocol)},
	{"port", SETTING_PORT_RANGE, "", "a port or a range of ports", "1 to 65535, or two of these as \"1024-2047\"",
		FIELD(config_rule, port)},
	{0},
};

/* In the group `tunnel` with their defaults, in each peer without: see settings_inherit. */
#define TUNNEL_SETTINGS(type, member, fragment_default, df_default, dscp_default, clamp_default)                       \
	{"fragment", SETTING_CHOICE, fragment_default, "a place to cut packets", .choices = settings_fragment_choices,          \
		FIELD(type, member.fragment)},                                                                         \
	{"df", SETTING_CHOICE, df_default, "a way to fill the DF bit", .choices = df_choices, FIELD(type, member.df)}, \
	{"dscp", SETTING_DSCP, dscp_default, "a DSCP", "\"copy\" or 0 to 63", RANGE(0, TUNNEL_DSCP_MAX),               \
		FIELD(type, member.dscp)},                                                                             \
	{"mss_clamp", SETTING_BOOLEAN, clamp_default, "a boolean", "true or false", FIELD(type, member.mss_clamp)}

static const struct setting tunnel_settings[] = {
	TUNNEL_SETTINGS(config, tunnel, "\"before\"", "\"clear\"", "\"copy\"", "true"),
	{0},
};

static const struct setting peer_settings[] = {
	{"name", SETTING_NAME, NULL, "a name", "1 to 63 letters, digits and any of . _ - @",
		.min = 1, FIELD(config_peer, name)},
	{"identity", SETTING_TEXT, "", "an identity", "what the peer sends as its own, such as \"branch1.example\"",
		.min = 1, FIELD(config_peer, identity)},
	{"address", SETTING_ADDRESS, "", "an address", "the peer's address such as 192.0.2.1 or 2001:db8::1",
		FIELD(config_peer, address)},
	{"secret", SETTING_SECRET, "", "a pre-shared key", "a text in quotes, or \"0x\" and hexadecimal digits",
		COUNTED(config_peer, secret, secret_len)},
	{"secret_file", SETTING_SECRET_FILE, "", "a file with a pre-shared key", "a path in quotes",
		COUNTED(config_peer, secret, secret_len)},
	{"methods", SETTING_CHOICE, "", "a method of registration", .choices = config_method_names,
		ARRAY(config_peer, methods, n_methods)},
	{"user_group", SETTING_NAME, "\"\"", "a group of users", "a group's name, or \"\"",
		FIELD(config_peer, user_group)},
	{"pool", SETTING_NAME, "\"\"", "a pool", "the name of one of the pools, or \"\"", FIELD(config_peer, pool)},
	{"assign", SETTING_CHOICE, "\"pull\"", "a way to assign addresses",
		.choices = assign_choices, FIELD(config_peer, assign)},
	{"ikev1", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_peer, ikev1)},
	{"aggressive", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_peer, aggressive)},
	{"auth", SETTING_AUTH, "[\"psk\"]", "an authentication method", AUTH_EXPECTED,
		.count_min = 1, ARRAY(config_peer, auth, n_auth)},
	{"ike", SETTING_PROPOSAL, IKE_DEFAULT, "an IKE proposal", IKE_EXPECTED,
		.count_min = 1, ARRAY(config_peer, ike, n_ike)},
	{"esp", SETTING_SUITE, ESP_DEFAULT, "an ESP suite", SUITE_EXPECTED,
		.count_min = 1, ARRAY(config_peer, esp, n_esp)},
	{"pfs", SETTING_PFS, "\"none\"", "a group", PFS_EXPECTED, FIELD(config_peer, pfs)},
	{"local_networks", SETTING_NETWORK, NULL, "a network", NETWORK_EXPECTED,
		.count_min = 1, ARRAY(config_peer, local_networks, n_local)},
	{"remote_networks", SETTING_NETWORK, "", "a network", NETWORK_EXPECTED,
		.count_min = 1, ARRAY(config_peer, remote_networks, n_remote)},
	{"mode", SETTING_CHOICE, "\"tunnel\"", "a mode", .choices = mode_choices, FIELD(config_peer, mode)},
	{"force_udp", SETTING_BOOLEAN, "false", "a boolean", "true or false", FIELD(config_peer, force_udp)},
	{"esn", SETTING_BOOLEAN, "true", "a boolean", "true or false", FIELD(config_peer, esn)},
	{"lifetime", SETTING_INTEGER, "3600", "a time in seconds", RANGE(120, 604800), FIELD(config_peer, lifetime)},
	{"lifetime_bytes", SETTING_INTEGER, "0", "a number of bytes",
		RANGE(0, INT64_MAX), FIELD(config_peer, lifetime_bytes)},
	TUNNEL_SETTINGS(config_peer, tunnel, "", "", "", ""),
	{0},
};

const struct setting settings_root[] = {
	{"runtime_dir", SETTING_PATH, "\"/run/sluice\"", "an absolute path", "a directory such as \"/run/sluice\"",
		FIELD(config, runtime_dir)},
	{"state_dir", SETTING_PATH, "\"/var/lib/sluice\"", "an absolute path", "a directory such as \"/var/lib/sluice\"",
		FIELD(config, state_dir)},
	{"user", SETTING_NAME, "\"sluice\"", "a user", "a user's name, or \"\"", FIELD(config, user)},
	{"control_group", SETTING_NAME, "\"\"", "a user group", "a user group's name, or \"\"", FIELD(config, control_group)},
	{"log", SETTING_GROUP, "", "a group", "{ ... }", .members = log_settings},
	{"dataplane", SETTING_GROUP, NULL, "a group", "a group with at least ports",
		.members = dataplane_settings, FIELD(config, dataplane)},
	{"ike", SETTING_GROUP, NULL, "a group", "a group with at least identity",
		.members = ike_settings, FIELD(config, ike)},
	{"timeline", SETTING_GROUP, "", "a group", "{ ... }", .members = timeline_settings, FIELD(config, timeline)},
	{"users", SETTING_GROUP, "", "a group", "{ ... }", .members = users_settings},
	{"registration", SETTING_GROUP, "", "a group", "{ ... }", .members = settings_registration,
		FIELD(config, registration)},
	{"pools", SETTING_GROUPS, "", "a list of pools", "at most 64 groups: ( { ... }, { ... } )",
		.members = pool_settings, ARRAY(config, pools, n_pools)},
	{"rules", SETTING_GROUPS, "", "a list of rules", "at most 256 groups: ( { ... }, { ... } )",
		.members = rule_settings, ARRAY(config, rules, n_rules)},
	{"tunnel", SETTING_GROUP, "", "a group", "{ ... }", .members = tunnel_settings},
	{"peers", SETTING_PEERS, "", "a list of peers", "at most 100000 groups: ( { ... }, { ... } )",
		.members = peer_settings, .offset = offsetof(struct config, peers), .size = sizeof(struct config_peer),
		.capacity = CONFIG_DEFAULT_PEERS_MAX, .count_offset = offsetof(struct config, n_peers)},
	{0},
};
/* clang-format on */
