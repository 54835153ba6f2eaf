/* SPDX-License-Identifier: Apache-2.0 */
/* IKE's UDP sockets on the loopback interface: markers, keepalives, and what is no IKE. */
#include "test.h"

#include "config/log.h"
#include "sockets.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, PORT = 45500, NAT_PORT = 45450, OTHER_NAT_PORT = 45409 };

static struct event_base *base;
static struct sockets *sockets;
static unsigned n_inputs, n_notices;
static struct endpoint last_local, last_remote;
static bool last_floated;
static uint8_t last[64];
static size_t last_len;

static void on_input(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	(void)context;
	n_inputs++;
	last_local = *local;
	last_remote = *remote;
	last_floated = floated;
	last_len = message_len < sizeof(last) ? message_len : sizeof(last);
	memcpy(last, message, last_len);
}

static void on_notice(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *datagram,
	size_t datagram_len)
{
	on_input(context, local, remote, false, datagram, datagram_len);
	n_inputs--;
	n_notices++;
}

static void on_settle(void *context)
{
	(void)context;
}

static int setup(void **state)
{
	static const struct sockets_handler handler = {.input = on_input, .notice = on_notice, .settle = on_settle};
	struct config_ike config = {.port = PORT, .nat_ports = {NAT_PORT, OTHER_NAT_PORT}, .n_nat_ports = 2};

	log_open("test", LOG_LEVEL_ERROR);
	n_inputs = n_notices = 0;
	/* One state for "all addresses", one for a listen address. */
	if (*state) {
		config.n_listen = 1;
		assert_int_equal(address_parse(*state, &config.listen[0]), 0);
	}
	base = event_base_new();
	sockets = sockets_open(base, &config, &handler);
	return base && sockets ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	sockets_close(sockets);
	event_base_free(base);
	return 0;
}

static bool has_ipv6(void)
{
	const struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;

	close(fd);
	return has;
}

/* Where the kernel has no IPv6 there is nothing to listen on. */
static int setup_ipv6(void **state)
{
	return has_ipv6() ? setup(state) : 0;
}

static int teardown_ipv6(void **state)
{
	return has_ipv6() ? teardown(state) : 0;
}

/* A peer's socket, connected to our side. */
static int peer_open_to(const struct address *address, uint16_t port)
{
	struct endpoint to = {.address = *address, .port = port};
	struct sockaddr_storage name;
	socklen_t len = endpoint_to_sockaddr(&to, &name);
	int fd = socket(name.ss_family, SOCK_DGRAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&name, len), 0);
	return fd;
}

static int peer_open(uint32_t address, uint16_t port)
{
	struct address ipv4 = address_ipv4(address);

	return peer_open_to(&ipv4, port);
}

static void pump_until(uint64_t received)
{
	for (int i = 0; i < PATIENCE_MS && sockets_counters(sockets)->received < received; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (sockets_counters(sockets)->received < received)
			poll(NULL, 0, 1);
	}
	assert_int_equal(sockets_counters(sockets)->received, received);
}

static size_t peer_receive(int fd, uint8_t *buffer, size_t size)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	ssize_t len;

	assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
	len = recv(fd, buffer, size, 0);
	assert_true(len >= 0);
	return (size_t)len;
}

static void test_plain_port(void **state)
{
	uint8_t buffer[64];
	int fd = peer_open(0x7f000003, PORT);

	(void)state;
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	pump_until(1);
	assert_int_equal(n_inputs, 1);
	assert_false(last_floated);
	assert_int_equal(last_len, 5);
	/* Of all our addresses, the one that it was sent to is known, and answers. */
	assert_int_equal(address_to_ipv4(&last_local.address), 0x7f000003);
	assert_int_equal(last_local.port, PORT);
	sockets_send(sockets, &last_local, &last_remote, (const uint8_t *)"answer", 6);
	assert_int_equal(peer_receive(fd, buffer, sizeof(buffer)), 6);
	assert_memory_equal(buffer, "answer", 6);
	close(fd);
}

static void expect_nat_port(uint16_t port, unsigned number)
{
	uint8_t buffer[64];
	int fd = peer_open(0x7f000001, port);

	assert_int_equal(send(fd, "\0\0\0\0hello", 9, 0), 9);
	pump_until(number);
	assert_int_equal(n_inputs, number);
	assert_true(last_floated);
	assert_int_equal(last_local.port, port);
	assert_int_equal(last_len, 5);
	assert_memory_equal(last, "hello", 5);
	sockets_send(sockets, &last_local, &last_remote, (const uint8_t *)"answer", 6);
	assert_int_equal(peer_receive(fd, buffer, sizeof(buffer)), 10);
	assert_memory_equal(buffer, "\0\0\0\0answer", 10);
	sockets_keepalive(sockets, &last_local, &last_remote);
	assert_int_equal(peer_receive(fd, buffer, sizeof(buffer)), 1);
	assert_int_equal(buffer[0], 0xff);
	close(fd);
}

static void test_nat_ports(void **state)
{
	(void)state;
	expect_nat_port(NAT_PORT, 1);
	expect_nat_port(OTHER_NAT_PORT, 2);
}

static void test_what_is_no_ike(void **state)
{
	int fd = peer_open(0x7f000001, NAT_PORT);

	(void)state;
	assert_int_equal(send(fd, "\xff", 1, 0), 1);
	assert_int_equal(send(fd, "\x80\0\0\1esp", 7, 0), 7);
	assert_int_equal(send(fd, "\0\0\0", 3, 0), 3);
	assert_int_equal(send(fd, "", 0, 0), 0);
	pump_until(4);
	assert_int_equal(n_inputs, 0);
	assert_int_equal(sockets_counters(sockets)->keepalives, 1);
	assert_int_equal(sockets_counters(sockets)->not_ike, 3);
	/* A marker and nothing behind it goes to the engine, which checks lengths. */
	assert_int_equal(send(fd, "\0\0\0\0", 4, 0), 4);
	pump_until(5);
	assert_int_equal(n_inputs, 1);
	assert_int_equal(last_len, 0);
	close(fd);
}

/* What the NAT port's socket sends from now on may be cut. */
static void expect_cut(bool ipv6)
{
	int value, count = 0;
	socklen_t len = sizeof(value);

	for (int fd = 3; fd < 256; fd++) {
		struct sockaddr_storage name;
		socklen_t name_len = sizeof(name);
		struct endpoint bound;

		if (getsockname(fd, (struct sockaddr *)&name, &name_len) < 0 ||
			endpoint_from_sockaddr((struct sockaddr *)&name, &bound) < 0 || bound.port != NAT_PORT)
			continue;
		if ((bound.address.family == ADDRESS_IPV6) != ipv6)
			continue;
		assert_int_equal(getsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
					 ipv6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &value, &len),
			0);
		assert_int_equal(value, ipv6 ? IPV6_PMTUDISC_DONT : IP_PMTUDISC_DONT);
		count++;
	}
	assert_int_equal(count, 1);
}

/* Notices come as they are, and go so. One that may not be cut leaves what follows it as it was. */
static void test_notices(void **state)
{
	static uint8_t longest[65536];
	uint8_t buffer[64];
	int fd = peer_open(0x7f000001, NAT_PORT);

	(void)state;
	assert_int_equal(send(fd, "SLN1 and more", 13, 0), 13);
	assert_int_equal(send(fd, "SLN2 and more", 13, 0), 13);
	pump_until(2);
	assert_int_equal(n_notices, 1);
	assert_int_equal(n_inputs, 0);
	assert_int_equal(sockets_counters(sockets)->not_ike, 1);
	assert_memory_equal(last, "SLN1 and more", 13);
	assert_int_equal(last_local.port, NAT_PORT);
	sockets_send_notice(sockets, &last_local, &last_remote, (const uint8_t *)"SLN1 whole", 10, true);
	assert_int_equal(peer_receive(fd, buffer, sizeof(buffer)), 10);
	assert_memory_equal(buffer, "SLN1 whole", 10);
	sockets_send_notice(sockets, &last_local, &last_remote, longest, 65507, true);
	expect_cut(false);
	sockets_send_notice(sockets, &last_local, &last_remote, (const uint8_t *)"SLN1 in pieces", 14, false);
	assert_int_equal(peer_receive(fd, longest, sizeof(longest)), 65507);
	assert_int_equal(peer_receive(fd, buffer, sizeof(buffer)), 14);
	close(fd);
}

static void test_listen_address(void **state)
{
	struct endpoint elsewhere = {.address = address_ipv4(0x7f000001), .port = PORT};
	int fd = peer_open(0x7f000002, PORT);

	(void)state;
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	pump_until(1);
	assert_int_equal(address_to_ipv4(&last_local.address), 0x7f000002);
	/* From an address that is not ours nothing is sent. */
	sockets_send(sockets, &elsewhere, &last_remote, (const uint8_t *)"x", 1);
	assert_int_equal(sockets_counters(sockets)->send_failed, 1);
	assert_int_equal(sockets_counters(sockets)->sent, 0);
	close(fd);
}

/* Both ports again, over IPv6; the same port of IPv4 is another socket's. */
static void test_ipv6(void **state)
{
	static const struct address loopback = {.family = ADDRESS_IPV6, .bytes[15] = 1};
	uint8_t buffer[64];
	int plain, floated, ipv4;

	if (!has_ipv6())
		skip();
	plain = peer_open_to(&loopback, PORT);
	floated = peer_open_to(&loopback, NAT_PORT);
	assert_int_equal(send(plain, "hello", 5, 0), 5);
	pump_until(1);
	assert_false(last_floated);
	assert_true(address_equal(&last_local.address, &loopback));
	assert_true(address_equal(&last_remote.address, &loopback));
	sockets_send(sockets, &last_local, &last_remote, (const uint8_t *)"answer", 6);
	assert_int_equal(peer_receive(plain, buffer, sizeof(buffer)), 6);
	assert_int_equal(send(floated, "\0\0\0\0hello", 9, 0), 9);
	pump_until(2);
	assert_true(last_floated);
	sockets_keepalive(sockets, &last_local, &last_remote);
	assert_int_equal(peer_receive(floated, buffer, sizeof(buffer)), 1);
	if (!*state) {
		ipv4 = peer_open(0x7f000001, PORT);
		assert_int_equal(send(ipv4, "hello", 5, 0), 5);
		pump_until(3);
		assert_int_equal(last_local.address.family, ADDRESS_IPV4);
		assert_int_equal(last_remote.address.family, ADDRESS_IPV4);
		close(ipv4);
	}
	assert_int_equal(n_inputs, *state ? 2 : 3);
	close(plain);
	close(floated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plain_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nat_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_ike, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(test_listen_address, setup, teardown, "127.0.0.2"),
		cmocka_unit_test_setup_teardown(test_ipv6, setup, teardown),
		cmocka_unit_test_prestate_setup_teardown(test_ipv6, setup_ipv6, teardown_ipv6, "::1"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
