/* SPDX-License-Identifier: Apache-2.0 */
/* The sample that Sluice comes with: it is valid, says what the laboratory's head office is, and its comments tell the
 * truth about the defaults. Its path is the program's argument. */
#include "config/log.h"
#include "config/settings.h"
#include "fixture.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *sample_path;

static void refuse_nothing(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void check_prefix(const struct prefix *prefix, const char *expected)
{
	char text[PREFIX_TEXT_LEN];

	assert_string_equal(prefix_format(prefix, text), expected);
}

static void check_proposals(const struct config_peer *peer)
{
	static const char *const ike[] = {
		"aes256-sha256-modp2048", "aes256-sha256-ecp256", "aes128-sha256-modp2048", "aes128-sha256-ecp256"};
	static const uint8_t esp[] = {ESP_AES256_GCM, ESP_AES128_GCM, ESP_AES256_CBC_SHA256_128,
		ESP_AES128_CBC_SHA256_128, ESP_AES256_CBC_SHA1_96, ESP_AES128_CBC_SHA1_96};
	char text[IKE_PROPOSAL_TEXT_LEN];

	assert_int_equal(peer->n_ike, 4);
	for (int i = 0; i < 4; i++)
		assert_string_equal(ike_proposal_format(&peer->ike[i], text), ike[i]);
	assert_int_equal(peer->n_esp, sizeof(esp));
	assert_memory_equal(peer->esp, esp, sizeof(esp));
}

static void check_tunnel(const struct tunnel_settings *tunnel)
{
	assert_int_equal(tunnel->fragment, TUNNEL_FRAGMENT_BEFORE);
	assert_int_equal(tunnel->df, TUNNEL_DF_CLEAR);
	assert_int_equal(tunnel->dscp, TUNNEL_DSCP_COPY);
	assert_int_equal(tunnel->mss_clamp, 1);
}

static void check_peer(const struct config_peer *peer)
{
	assert_string_equal(peer->name, "branch1");
	assert_string_equal(peer->identity, "branch1.example");
	assert_int_equal(peer->secret_len, strlen("SAMPLE-replace-me-SAMPLE-replace-me"));
	assert_memory_equal(peer->secret, "SAMPLE-replace-me-SAMPLE-replace-me", peer->secret_len);
	assert_true(peer->ikev1);
	assert_true(peer->aggressive);
	assert_int_equal(peer->n_auth, 1);
	assert_int_equal(peer->auth[0], IKE_AUTH_PSK);
	check_proposals(peer);
	assert_int_equal(peer->pfs, IKE_GROUP_NONE);
	assert_int_equal(peer->n_local, 1);
	check_prefix(&peer->local_networks[0], "192.168.2.0/24");
	assert_int_equal(peer->n_remote, 1);
	check_prefix(&peer->remote_networks[0], "192.168.1.0/24");
	assert_int_equal(peer->mode, CONFIG_MODE_TUNNEL);
	assert_false(peer->force_udp);
	assert_true(peer->esn);
	assert_int_equal(peer->lifetime, 3600);
	assert_int_equal(peer->lifetime_bytes, 0);
	check_tunnel(&peer->tunnel);
}

static void check_port(const struct config_port *port)
{
	assert_string_equal(port->name, "hq0");
	assert_string_equal(port->device, "net_af_xdp0,iface=eth0");
	assert_int_equal(port->exception, CONFIG_EXCEPTION_TAP);
	assert_int_equal(port->mtu, 1500);
	assert_int_equal(port->rx_descriptors, 512);
	assert_int_equal(port->tx_descriptors, 512);
	assert_false(port->promiscuous);
}

static void check_dataplane(const struct config_dataplane *dataplane)
{
	assert_int_equal(dataplane->main_core, 0);
	assert_int_equal(dataplane->n_workers, 1);
	assert_int_equal(dataplane->worker_cores[0], 1);
	assert_int_equal(dataplane->poll, CONFIG_POLL_ADAPTIVE);
	assert_int_equal(dataplane->crypto_gcm, CONFIG_CRYPTO_AUTO);
	assert_int_equal(dataplane->crypto_others, CONFIG_CRYPTO_AUTO);
	assert_int_equal(dataplane->huge_pages, CONFIG_HUGE_PAGES_AUTO);
	assert_int_equal(dataplane->memory, 512);
	assert_int_equal(dataplane->packet_buffers, 16384);
	assert_int_equal(dataplane->max_sessions, 4096);
	assert_int_equal(dataplane->max_children, 8192);
	assert_int_equal(dataplane->max_routes, 16384);
	assert_int_equal(dataplane->replay_window, 1024);
	assert_int_equal(dataplane->exception_rate, 20000);
	assert_int_equal(dataplane->stream_rate, 250000);
	assert_int_equal(dataplane->fragments_pending, 1024);
	assert_int_equal(dataplane->fragments_per_source, 64);
	assert_int_equal(dataplane->fragments_timeout, 2000);
	assert_int_equal(dataplane->n_ports, 1);
	check_port(&dataplane->ports[0]);
}

static void check_ike(const struct config_ike *ike)
{
	assert_int_equal(ike->n_listen, 0);
	assert_int_equal(ike->port, 500);
	assert_int_equal(ike->n_nat_ports, 1);
	assert_int_equal(ike->nat_ports[0], 4500);
	assert_int_equal(ike->n_tcp_ports, 0);
	assert_int_equal(ike->tcp_delay, 50);
	assert_true(ike->tcp_takeover);
	assert_string_equal(ike->identity, "hq.example");
	assert_false(ike->legacy);
	assert_int_equal(ike->half_open_max, 1000);
	assert_int_equal(ike->half_open_per_source, 10);
	assert_int_equal(ike->half_open_timeout, 30);
	assert_int_equal(ike->lifetime, 14400);
	assert_int_equal(ike->keepalive, 20);
	assert_int_equal(ike->fragment_size, 1280);
	assert_int_equal(ike->dpd_delay, 30);
	assert_int_equal(ike->dpd_timeout, 120);
}

static void check_timeline(const struct config_timeline *timeline)
{
	assert_int_equal(timeline->attempts, 4096);
	assert_int_equal(timeline->per_peer, 4);
	assert_int_equal(timeline->per_source, 4);
	assert_int_equal(timeline->attempt_bytes, 1024);
}

static void check_config(const struct config *config)
{
	assert_string_equal(config->runtime_dir, "/run/sluice");
	assert_string_equal(config->user, "sluice");
	assert_string_equal(config->control_group, "");
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	check_dataplane(&config->dataplane);
	check_ike(&config->ike);
	check_timeline(&config->timeline);
	assert_int_equal(config->n_rules, 0);
	check_tunnel(&config->tunnel);
	assert_int_equal(config->n_peers, 1);
	check_peer(&config->peers[0]);
}

static void test_sample(void **state)
{
	struct config *config = config_load(sample_path, refuse_nothing, NULL);

	(void)state;
	assert_non_null(config);
	check_config(config);
	config_free(config);
}

/* Puts every setting that stands behind a "#" in force; a comment has a space there. Returns how many. */
static int uncomment(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	char line[512];
	int settings = 0;

	assert_non_null(in);
	assert_non_null(out);
	while (fgets(line, sizeof(line), in)) {
		char *text = line + strspn(line, " ");

		if (text[0] == '#' && islower((unsigned char)text[1])) {
			text[0] = ' ';
			settings++;
		}
		fputs(line, out);
	}
	fclose(in);
	assert_int_equal(fclose(out), 0);
	return settings;
}

static void test_defaults_as_documented(void **state)
{
	struct config *sample = config_load(sample_path, refuse_nothing, NULL);
	struct config *spelled;

	(void)state;
	assert_int_equal(uncomment(sample_path, fixture_path("spelled.cfg")), 93);
	spelled = fixture_load("spelled.cfg");
	assert_string_equal(fixture_said(), "");
	assert_non_null(spelled);
	check_config(spelled);
	/* Down to the last byte; the pointers apart. */
	assert_memory_equal(spelled->peers, sample->peers, sizeof(*sample->peers));
	assert_memory_equal(&spelled->dataplane, &sample->dataplane, sizeof(sample->dataplane));
	assert_memory_equal(&spelled->ike, &sample->ike, sizeof(sample->ike));
	config_free(sample);
	config_free(spelled);
}

static void check_described(const struct setting *members, const char *sample)
{
	char written[64];

	for (; members->name; members++) {
		snprintf(written, sizeof(written), "%s = ", members->name);
		if (!strstr(sample, written))
			fail_msg("the sample does not show %s", members->name);
		if (members->members)
			check_described(members->members, sample);
	}
}

static void test_every_setting_described(void **state)
{
	static char sample[32768];
	FILE *file = fopen(sample_path, "r");

	(void)state;
	assert_non_null(file);
	assert_in_range(fread(sample, 1, sizeof(sample) - 1, file), 1, sizeof(sample) - 2);
	fclose(file);
	check_described(settings_root, sample);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_defaults_as_documented),
		cmocka_unit_test(test_every_setting_described),
	};

	if (argc < 2)
		return EXIT_FAILURE;
	sample_path = argv[1];
	return cmocka_run_group_tests_name("sample", tests, fixture_setup, fixture_teardown);
}
