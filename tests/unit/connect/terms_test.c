/* SPDX-License-Identifier: Apache-2.0 */
/* What a registration brings takes the place of what was configured, and what was configured comes back. */
#include "connect/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct connect_config config;
static struct connection connection;
static struct registration_accepted accepted;
static struct registration_keys keys;

static void network(const char *text, struct prefix *out)
{
	assert_int_equal(prefix_parse(text, out), 0);
}

static int setup(void **state)
{
	(void)state;
	config = (struct connect_config){
		.ports = {500, 88, 4500}, .n_ports = 3, .registration = {88, 2012}, .n_registration = 2, .dpd = 10};
	strcpy(config.peer.identity, "hq.example");
	strcpy(config.base.ike.identity, "branch1.example");
	strcpy((char *)config.peer.secret, "a configured secret");
	config.peer.secret_len = 19;
	config.peer.auth[0] = IKE_AUTH_HYBRID_INIT_RSA;
	config.peer.n_auth = 1;
	config.peer.virtual_address = true;
	connection = (struct connection){.config = &config, .gateway.port = 88};
	assert_int_equal(connection_terms_keep(&connection), 0);
	config.base.ike.port = 1500; /* of sockets that were opened since */
	config.base.ike.nat_ports[0] = 14500;

	accepted = (struct registration_accepted){.identity = "anna",
		.gateway_identity = "gateway.example",
		.ports = {4009, 88, 4500},
		.n_ports = 3,
		.n_dns = 1,
		.n_gateway_networks = 1,
		.n_client_networks = 2,
		.timers = {.keepalive = 7, .dpd = 8}};
	network("192.168.2.0/24", &accepted.gateway_networks[0]);
	network("10.99.0.5/32", &accepted.client_networks[0]);
	network("192.168.1.0/24", &accepted.client_networks[1]);
	accepted.virtual_address = accepted.client_networks[0].address;
	memset(keys.pre_shared, 0x5a, sizeof(keys.pre_shared));
	strcpy(keys.identity, "00112233445566778899aabbccddeeff@registered");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	connection_terms_wipe(&connection);
	return 0;
}

static void check_ports(enum connection_phase phase, const uint16_t *expected, size_t n)
{
	const uint16_t *ports;
	size_t count;

	connection_enter(&connection, phase);
	ports = connection_ports(&connection, &count);
	assert_int_equal(count, n);
	assert_int_equal(connection.dial.settings.n_ports, n);
	assert_memory_equal(ports, expected, n * sizeof(*ports));
}

static void test_taken(void **state)
{
	const struct config_peer *peer = &config.peer;

	(void)state;
	connection_terms_take(&connection, &accepted, &keys);
	assert_int_equal(peer->secret_len, sizeof(keys.pre_shared));
	assert_true(peer->secret_once);
	assert_memory_equal(peer->secret, keys.pre_shared, sizeof(keys.pre_shared));
	assert_int_equal(peer->n_auth, 1);
	assert_int_equal(peer->auth[0], IKE_AUTH_PSK);
	assert_true(peer->aggressive);
	assert_false(peer->virtual_address); /* it is there already */
	assert_string_equal(peer->identity, "gateway.example");
	assert_string_equal(config.base.ike.identity, keys.identity);
	assert_string_equal(connection.registered_as, "anna");
	assert_int_equal(peer->n_local, 2);
	assert_true(prefix_equal(&peer->local_networks[1], &accepted.client_networks[1]));
	assert_int_equal(peer->n_remote, 1);
	assert_true(connection.assigned);
	assert_true(address_equal(&connection.assignment.address, &accepted.virtual_address));
	assert_int_equal(connection.assignment.n_dns, 1);
	assert_int_equal(config.base.ike.keepalive, 7);
	assert_int_equal(config.dpd, 8);
	assert_int_equal(config.base.ike.nat_ports[0], 14500);
}

/* The port that was dialed is tried first, and none twice. */
static void test_ports(void **state)
{
	(void)state;
	check_ports(CONNECTION_REGISTERING, (const uint16_t[]){88, 2012}, 2);
	connection_terms_take(&connection, &accepted, &keys);
	check_ports(CONNECTION_REGISTERED, (const uint16_t[]){88, 4009, 4500}, 3);
	connection_terms_go_alone(&connection);
	check_ports(CONNECTION_ALONE, (const uint16_t[]){88, 2012, 500, 4500}, 4);
}

/* A second registration finds nothing of the first, nor does IKE alone. */
static void test_forgotten(void **state)
{
	(void)state;
	connection_terms_take(&connection, &accepted, &keys);
	accepted.n_client_networks = 1;
	accepted.virtual_address.family = ADDRESS_NONE;
	accepted.n_dns = 0;
	connection_terms_take(&connection, &accepted, &keys);
	assert_int_equal(config.peer.n_local, 1);
	assert_int_equal(connection.assignment.address.family, ADDRESS_NONE);
	connection_terms_go_alone(&connection);
	assert_string_equal((char *)config.peer.secret, "a configured secret");
	assert_int_equal(config.peer.secret_len, 19);
	assert_false(config.peer.secret_once);
	assert_int_equal(config.peer.auth[0], IKE_AUTH_HYBRID_INIT_RSA);
	assert_string_equal(config.peer.identity, "hq.example");
	assert_string_equal(config.base.ike.identity, "branch1.example");
	assert_int_equal(config.peer.n_local, 0);
	assert_true(config.peer.virtual_address);
	assert_int_equal(config.dpd, 10);
	assert_int_equal(config.base.ike.port, 1500);
	assert_int_equal(config.base.ike.nat_ports[0], 14500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
	};

	return cmocka_run_group_tests_name("terms", tests, NULL, NULL);
}
