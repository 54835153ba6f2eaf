/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, users, and peers that serve many clients. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define POOL(text) "pools = ( { name = \"p\"; " text " } );\n"
#define CLIENTS(more)                                                                                                  \
	PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; auth = [\"xauth-psk\"];\n" more "}")
#define FILE_POOLS(pools, peers) DATAPLANE("") IKE("") pools peers

static void assert_span(const char *pool, const char *first, const char *last)
{
	char text[1024], address[ADDRESS_TEXT_LEN];
	struct config *config;

	snprintf(text, sizeof(text), DATAPLANE("") IKE("") "pools = ( { name = \"p\"; %s } );\n", pool);
	config = fixture_expect_acceptance(text);
	assert_int_equal(config->n_pools, 1);
	assert_string_equal(address_format(&config->pools[0].first, address), first);
	assert_string_equal(address_format(&config->pools[0].last, address), last);
	config_free(config);
}

static void test_pools(void **state)
{
	(void)state;
	assert_span("network = \"10.99.0.0/24\";", "10.99.0.1", "10.99.0.254");
	assert_span("network = \"10.99.0.0/31\";", "10.99.0.0", "10.99.0.1");
	assert_span("network = \"10.99.0.7/32\";", "10.99.0.7", "10.99.0.7");
	assert_span("network = \"10.96.0.0/12\";", "10.96.0.1", "10.111.255.254");
	assert_span("network = \"10.99.0.0/24\"; first = \"10.99.0.10\"; last = \"10.99.0.20\";", "10.99.0.10",
		"10.99.0.20");
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"10.0.0.0/11\";"), ""),
		"t.cfg:7: pools[0].network: \"10.0.0.0/11\" is not a pool's network; expected an IPv4 one of /12 to "
		"/32\n");
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"2001:db8::/64\";"), ""),
		"t.cfg:7: pools[0].network: \"2001:db8::/64\" is not a pool's network; expected an IPv4 one of /12 to "
		"/32\n");
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"10.99.0.0/24\";\nfirst = \"10.98.0.1\";"), ""),
		"t.cfg:8: pools[0].first: \"10.98.0.1\" is not within network \"10.99.0.0/24\"; expected one of its "
		"addresses\n");
	fixture_expect_refusal(
		FILE_POOLS(POOL("network = \"10.99.0.0/24\"; first = \"10.99.0.9\";\nlast = \"10.99.0.8\";"), ""),
		"t.cfg:8: pools[0].last: the pool has no address: its last one is before its first; expected first <= "
		"last\n");
	fixture_expect_refusal(FILE_POOLS("pools = ( { name = \"p\"; network = \"10.99.0.0/24\"; },\n"
					  "{ name = \"p\"; network = \"10.99.0.128/25\"; } );\n",
				       ""),
		"t.cfg:8: pools[1].name: \"p\" is not new: pools[0] has it; expected a name of its own\n"
		"t.cfg:8: pools[1].network: \"10.99.0.128/25\" is not free: it overlaps \"10.99.0.0/24\" of pool "
		"\"p\"; expected "
		"networks of their own\n");
}

static void test_peers_with_users(void **state)
{
	struct config *config;

	(void)state;
	config = fixture_expect_acceptance(
		FILE_POOLS(POOL("network = \"10.99.0.0/24\";"), CLIENTS("pool = \"p\"; user_group = \"staff\";")));
	assert_true(config->peers[0].users);
	assert_int_equal(config->peers[0].n_remote, 0);
	assert_int_equal(config->peers[0].assign, CONFIG_ASSIGN_PULL);
	assert_int_equal(config->users.guesses_per_user, 10);
	assert_string_equal(config->users.file, "/etc/sluice/users");
	config_free(config);
	config = fixture_expect_acceptance(FILE_POOLS(POOL("network = \"10.99.0.0/24\";"),
		PEERS("{" PEER_WHO PEER_KEY PEER_MODE
		      "local_networks = [\"10.0.0.0/8\"]; pool = \"p\"; assign = \"push\";}")));
	assert_false(config->peers[0].users);
	assert_int_equal(config->peers[0].assign, CONFIG_ASSIGN_PUSH);
	config_free(config);
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"10.99.0.0/24\";"), CLIENTS("pool = \"q\";")),
		"t.cfg:10: peers[0].pool: \"q\" is not one of the pools; expected the name of one\n");
	fixture_expect_refusal(FILE_POOLS("\n", CLIENTS("remote_networks = [\"192.168.1.0/24\"];")),
		"t.cfg:9: peers[0].pool: is missing; expected a pool, since each user needs an address\n");
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"10.99.0.0/24\";"),
				       CLIENTS("pool = \"p\"; remote_networks = [\"192.168.1.0/24\"];")),
		"t.cfg:10: peers[0].remote_networks: is of no use beside pool: what is behind a client is its virtual "
		"address; "
		"expected one of both\n");
	fixture_expect_refusal(FILE_PEERS("{" PEER_WHO PEER_KEY PEER_MODE PEER_NETS "\nuser_group = \"staff\"; }"),
		"t.cfg:9: peers[0].user_group: is of no use: nobody logs in with these methods; expected auth = "
		"[\"xauth-psk\"] beside it\n");
	fixture_expect_refusal(
		FILE_POOLS(POOL("network = \"10.99.0.0/24\";"),
			PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"]; pool = \"p\";\n"
			      "auth = [\"xauth-psk\", \"psk\"]; }")),
		"t.cfg:10: peers[0].auth[1]: \"psk\" is not a method for users, and others of the list are: whoever "
		"has the "
		"group's key could go without; expected methods of one kind\n");
}

/* Who logs in behind certificates needs no secret: of hybrid clients none is trusted, so nobody vouches for them. */
static void test_certificates_of_clients(void **state)
{
#define HQ "certificate = \"hq.pem\"; key = \"hq.key\";"
#define CERTIFIED(auth)                                                                                                \
	POOL("network = \"10.99.0.0/24\";")                                                                            \
	PEERS("{" PEER_WHO PEER_MODE "local_networks = [\"10.0.0.0/8\"]; pool = \"p\";\nauth = [" auth "]; }")

	(void)state;
	config_free(fixture_expect_acceptance(DATAPLANE("") IKE(HQ) CERTIFIED("\"hybrid-rsa\"")));
	config_free(fixture_expect_acceptance(
		DATAPLANE("") IKE(HQ "authorities = [\"ca.pem\"];") CERTIFIED("\"hybrid-rsa\", \"xauth-rsa\"")));
	fixture_expect_refusal(DATAPLANE("") IKE(HQ) CERTIFIED("\"xauth-rsa\""),
		"t.cfg:10: peers[0].auth[0]: \"xauth-rsa\" is not possible without somebody to trust; expected "
		"ike.authorities\n");
	fixture_expect_refusal(DATAPLANE("") IKE("") CERTIFIED("\"hybrid-rsa\""),
		"t.cfg:10: peers[0].auth[0]: \"hybrid-rsa\" is not possible without a certificate; expected "
		"ike.certificate and ike.key\n");
}

static void test_pools_and_networks(void **state)
{
	(void)state;
	fixture_expect_refusal(FILE_POOLS(POOL("network = \"192.168.1.128/25\";"),
				       PEERS("{" PEER_WHO PEER_KEY PEER_MODE "local_networks = [\"10.0.0.0/8\"];\n"
					     "remote_networks = [\"192.168.1.0/24\"]; }")),
		"t.cfg:10: peers[0].remote_networks[0]: \"192.168.1.0/24\" of peer \"b1\" is not free: it overlaps "
		"\"192.168.1.128/25\" of pool \"p\"; expected networks of their own\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_certificates_of_clients),
		cmocka_unit_test(test_peers_with_users),
		cmocka_unit_test(test_pools_and_networks),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
