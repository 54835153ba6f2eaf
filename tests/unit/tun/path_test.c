/* SPDX-License-Identifier: Apache-2.0 */
/* Packets from one device to the other, and everything that stops one, each by its counter. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct world world;
static uint8_t packet[WORLD_PACKET_MAX], delivered[WORLD_PACKET_MAX];

static int teardown(void **state)
{
	(void)state;
	world_stop(&world);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	world_start(&world, ESP_AES128_GCM, false);
	return 0;
}

static void send_to_gateway(uint16_t len, uint8_t tos)
{
	world_send(&world.client, world_packet(packet, len, "10.1.0.1", "10.2.0.1", tos), len);
}

static void expect_delivered(struct world_end *end, const uint8_t *expected, size_t len)
{
	assert_int_equal(world_delivered(end, delivered), len);
	assert_memory_equal(delivered, expected, len);
}

/* Every suite, with 32-bit and with extended numbers, both ways. */
static void test_suites(void **state)
{
	(void)state;
	for (uint32_t suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++)
		for (int extended = 0; extended < 2; extended++) {
			world_start(&world, suite, extended);
			send_to_gateway(1400, 0);
			world_receive(&world.gateway);
			expect_delivered(&world.gateway, packet, 1400);
			world_send(&world.gateway, world_packet(packet, 84, "10.2.0.1", "10.1.0.1", 0), 84);
			world_receive(&world.client);
			expect_delivered(&world.client, packet, 84);
			assert_int_equal(world.client.path.authentic, 1);
			world_stop(&world);
		}
}

/* More than one burst, in order; the counters of both ends agree. */
static void test_burst(void **state)
{
	enum { PACKETS = 150 };
	unsigned next = 0;

	(void)state;
	for (unsigned i = 0; i < PACKETS; i++) {
		world_packet(packet, 500, "10.1.0.1", "10.2.0.1", 0);
		packet[100] = (uint8_t)i;
		assert_int_equal(write(world.client.device, packet, 500), 500);
	}
	while (world_count(&world.client, TUN_COUNT_FROM_TUN) < PACKETS)
		tun_path_device_readable(&world.client.path);
	assert_int_equal(world_count(&world.client, TUN_COUNT_ESP_OUT), PACKETS);
	while (next < PACKETS) {
		world_receive(&world.gateway);
		while (world_delivered(&world.gateway, delivered) > 0)
			assert_int_equal(delivered[100], (uint8_t)next++);
	}
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_ESP_IN), PACKETS);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_TO_TUN), PACKETS);
}

/* What the client's path gave to be sent in a stream, each packet in memory of its own. */
static struct {
	uint8_t bytes[WORLD_PACKET_MAX];
	uint32_t len;
} streamed[200];
static size_t n_streamed;

static size_t on_streamed(void *context, const struct tun_departure *packets, size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		memcpy(streamed[n_streamed].bytes, packets[i].data, packets[i].len);
		streamed[n_streamed++].len = packets[i].len;
	}
	return count;
}

/* In a TCP connection: in order, more than a burst, any length uncut, and nothing by the socket. */
static void test_stream(void **state)
{
	enum { PACKETS = 150 };
	struct tun_departure arrivals[PACKETS];
	unsigned next = 0;

	(void)state;
	n_streamed = 0;
	world.client.path.stream = world.gateway.path.stream = true;
	world.client.path.handler.stream = on_streamed;
	for (unsigned i = 0; i < PACKETS; i++) {
		world_packet(packet, 1500, "10.1.0.1", "10.2.0.1", 0);
		packet[100] = (uint8_t)i;
		assert_int_equal(write(world.client.device, packet, 1500), 1500);
		if (i % 64 == 63)
			tun_path_device_readable(&world.client.path);
	}
	while (world_count(&world.client, TUN_COUNT_FROM_TUN) < PACKETS)
		tun_path_device_readable(&world.client.path);
	assert_int_equal(n_streamed, PACKETS);
	for (unsigned i = 0; i < PACKETS; i++)
		arrivals[i] = (struct tun_departure){.data = streamed[i].bytes, .len = streamed[i].len};
	/* As many as the pair of sockets holds. */
	for (unsigned i = 0; i < PACKETS; i += PACKETS / 3) {
		tun_path_take_packets(&world.gateway.path, arrivals + i, PACKETS / 3);
		while (world_delivered(&world.gateway, delivered) > 0)
			assert_int_equal(delivered[100], (uint8_t)next++);
	}
	assert_int_equal(next, PACKETS);
	/* Again, and cut short: as from any network. */
	tun_path_take_packets(&world.gateway.path, arrivals, 1);
	arrivals[0].len = 7;
	tun_path_take_packets(&world.gateway.path, arrivals, 1);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_UNKNOWN_SPI) + world_count(&world.gateway, TUN_COUNT_BAD_LENGTH) +
				 world_count(&world.gateway, TUN_COUNT_REPLAYED),
		2);
	assert_int_equal(world.gateway.path.authentic, PACKETS);
}

static void test_no_sa_for_it(void **state)
{
	static const struct {
		const char *source, *destination;
	} flows[] = {{"10.3.0.1", "10.2.0.1"}, {"10.1.0.1", "10.3.0.1"}, {"10.2.0.1", "10.1.0.1"}};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		world_send(&world.client, world_packet(packet, 100, flows[i].source, flows[i].destination, 0), 100);
	world_send(&world.client, packet, 19); /* no IP packet at all */
	packet[0] = 0x60;
	world_send(&world.client, packet, 100); /* no IPv6 packet either: its length is wrong */
	assert_int_equal(world_count(&world.client, TUN_COUNT_SELECTOR_OUT), 5);
	assert_int_equal(world_count(&world.client, TUN_COUNT_ESP_OUT), 0);
}

/* The gateway is authentic, and yet may not send what its SA is not for (RFC 4301 section 5.2). */
static void test_decrypted_outside_networks(void **state)
{
	struct tun_child *child = world.client.path.children.current[0];
	struct prefix any;

	(void)state;
	prefix_parse("0.0.0.0/0", &any);
	child->local = child->remote = ip_network_of(&any);
	world_send(&world.client, world_packet(packet, 100, "10.9.0.1", "10.2.0.1", 0), 100);
	world_receive(&world.gateway);
	world_send(&world.client, world_packet(packet, 100, "10.1.0.1", "10.9.0.1", 0), 100);
	world_receive(&world.gateway);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_SELECTOR_IN), 2);
	assert_int_equal(world_delivered(&world.gateway, delivered), 0);
}

/* The ESP packet that is under way to the gateway, taken off the wire. */
static size_t intercept(uint8_t *esp)
{
	struct pollfd fd = {.fd = world.gateway.path.socket.fd, .events = POLLIN};
	ssize_t len;

	assert_int_equal(poll(&fd, 1, 10000), 1);
	len = recv(world.gateway.path.socket.fd, esp, WORLD_PACKET_MAX, 0);
	assert_true(len > 0);
	return (size_t)len;
}

/* Anybody's datagram to the gateway, with an outer type of service. */
static void forge(const uint8_t *data, size_t len, uint8_t tos)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), value = tos;
	struct sockaddr_in name = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(world.gateway.path.socket.local.port)};

	setsockopt(fd, IPPROTO_IP, IP_TOS, &value, sizeof(value));
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&name, sizeof(name)), len);
	close(fd);
	world_receive(&world.gateway);
}

static void test_replay(void **state)
{
	uint8_t esp[WORLD_PACKET_MAX];
	size_t len;

	(void)state;
	send_to_gateway(100, 0);
	len = intercept(esp);
	forge(esp, len, 0);
	expect_delivered(&world.gateway, packet, 100);
	forge(esp, len, 0);
	assert_int_equal(world_delivered(&world.gateway, delivered), 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_REPLAYED), 1);
	assert_int_equal(world.gateway.path.authentic, 1);
}

static void test_forged(void **state)
{
	uint8_t esp[WORLD_PACKET_MAX];
	size_t len;

	(void)state;
	send_to_gateway(100, 0);
	len = intercept(esp);
	esp[len - 1] ^= 1;
	forge(esp, len, 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_BAD_ICV), 1);
	esp[len - 1] ^= 1;
	esp[0] ^= 1; /* an SPI that nobody has */
	forge(esp, len, 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_UNKNOWN_SPI), 1);
	esp[0] ^= 1;
	forge(esp, 20, 0);
	forge(esp, 7, 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_BAD_LENGTH), 2);
	forge(esp, 3, 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_MALFORMED), 1);
	/* None of it has moved the window: the true one still comes. */
	forge(esp, len, 0);
	expect_delivered(&world.gateway, packet, 100);
}

/* The port is shared: zeros in front are IKE, one byte of ones is nothing. */
static void test_ike_and_keepalives(void **state)
{
	(void)state;
	forge((const uint8_t *)"\0\0\0\0hello", 9, 0);
	assert_int_equal(world.gateway.messages, 1);
	assert_int_equal(world.gateway.message_len, 5);
	assert_memory_equal(world.gateway.message, "hello", 5);
	forge((const uint8_t *)"\xff", 1, 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_KEEPALIVES_IN), 1);
	assert_int_equal(tun_path_send_message(&world.client.path, &world.client.path.socket.local,
				 &world.gateway.path.socket.local, (const uint8_t *)"again", 5),
		0);
	assert_int_equal(tun_path_send_keepalive(&world.client.path, &world.gateway.path.socket.local), 0);
	while (world_count(&world.gateway, TUN_COUNT_KEEPALIVES_IN) < 2)
		world_receive(&world.gateway);
	assert_int_equal(world.gateway.messages, 2);
	assert_memory_equal(world.gateway.message, "again", 5);
	assert_int_equal(world.gateway.messages, world_count(&world.gateway, TUN_COUNT_IKE_IN));
}

/* What is neither IKE nor may be ESP of ours is a notice. One that may not be cut leaves ESP as it was. */
static void test_notices(void **state)
{
	static uint8_t longest[65507] = {'S'};
	struct tun_path *path = &world.client.path;
	int value = -1;
	socklen_t len = sizeof(value);

	(void)state;
	forge((const uint8_t *)"SLN1 notice", 11, 0);
	assert_int_equal(world.gateway.notices, 1);
	assert_int_equal(world.gateway.message_len, 11);
	assert_memory_equal(world.gateway.message, "SLN1 notice", 11);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_NOTICES_IN), 1);
	forge((const uint8_t *)"\xd3LN1 notice", 11, 0);
	assert_int_equal(world.gateway.notices, 1);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_UNKNOWN_SPI), 1);
	assert_int_equal(tun_path_send_notice(path, &world.gateway.path.socket.local, longest, sizeof(longest), true), 0);
	assert_int_equal(getsockopt(path->socket.fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
	assert_int_equal(value, IP_PMTUDISC_DONT);
	assert_int_equal(
		tun_path_send_notice(path, &world.gateway.path.socket.local, (const uint8_t *)"SLN1", 4, false), 0);
	while (world.gateway.notices < 3)
		world_receive(&world.gateway);
	assert_int_equal(world.gateway.message_len, 4);
}

/* RFC 6040: congestion on the way is told inside, or else the packet goes; RFC 2983: DSCP outside as inside. */
static void test_ecn(void **state)
{
	uint8_t esp[WORLD_PACKET_MAX];
	size_t len;

	(void)state;
	send_to_gateway(100, 0xb8 | 2); /* EF, ECT(0) */
	len = intercept(esp);
	forge(esp, len, 3);
	assert_int_equal(world_delivered(&world.gateway, delivered), 100);
	assert_int_equal(delivered[1], 0xb8 | 3);
	send_to_gateway(100, 0xb8);
	len = intercept(esp);
	forge(esp, len, 3);
	assert_int_equal(world_delivered(&world.gateway, delivered), 0);
	assert_int_equal(world_count(&world.gateway, TUN_COUNT_ECN), 1);
}

static void test_rekey_loses_nothing(void **state)
{
	uint32_t old = world.client.spi_in;
	uint8_t keymat[ESP_KEYMAT_MAX] = {9};
	struct tun_child *current = world.client.path.children.current[0];
	struct tun_child_terms terms = {.id = 2,
		.suite = ESP_AES256_GCM,
		.window = 64,
		.keymat_in = keymat,
		.keymat_out = keymat,
		.local_network = current->local_network,
		.remote_network = current->remote_network};
	uint32_t spi;

	(void)state;
	/* Under way while the client takes up the next pair: the old one still opens it. */
	world_send(&world.gateway, world_packet(packet, 100, "10.2.0.1", "10.1.0.1", 0), 100);
	assert_int_equal(tun_child_reserve(&world.client.path.children, &spi), 0);
	assert_int_equal(tun_child_install(&world.client.path.children, world.client.path.engine, spi, &terms), 0);
	assert_true(tun_child_activate(&world.client.path.children, 2, spi));
	world_receive(&world.client);
	expect_delivered(&world.client, packet, 100);
	assert_true(tun_child_remove(&world.client.path.children, 1, old));
	world_send(&world.gateway, world_packet(packet, 100, "10.2.0.1", "10.1.0.1", 0), 100);
	world_receive(&world.client);
	assert_int_equal(world_count(&world.client, TUN_COUNT_UNKNOWN_SPI), 1);
}

static void test_limits(void **state)
{
	struct tun_child *client = world.client.path.children.current[0];
	struct tun_child *gateway = world.gateway.path.children.current[0];

	(void)state;
	client->soft_bytes = 150;
	client->hard_bytes = 250;
	gateway->soft_bytes = 150;
	for (int i = 0; i < 3; i++)
		send_to_gateway(100, 0);
	assert_int_equal(world_count(&world.client, TUN_COUNT_USED_UP), 1);
	assert_int_equal(world.client.soft_limits, 1);
	while (world_count(&world.gateway, TUN_COUNT_ESP_IN) < 2)
		world_receive(&world.gateway);
	assert_int_equal(world.gateway.soft_limits, 1);
}

/* What the longest inner packet is whose outer one needs no cutting. */
static void test_fit(void **state)
{
	(void)state;
	/* There is no device whose MTU could be set here. */
	assert_true(tun_path_fit(&world.client.path, 1500) < 0);
	assert_int_equal(world.client.path.inner_mtu, esp_payload_max(esp_suite_get(ESP_AES128_GCM), 1500 - 20 - 8));
	world.client.path.outer_mtu = 300;
	(void)tun_path_fit(&world.client.path, 1500);
	assert_int_equal(world.client.path.inner_mtu, 576);
	tun_child_remove(&world.client.path.children, 1, world.client.spi_in);
	assert_int_equal(tun_path_fit(&world.client.path, 1500), 0);
}

int main(void)
{
#define PATH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suites),
		PATH_TEST(test_burst),
		PATH_TEST(test_stream),
		PATH_TEST(test_no_sa_for_it),
		PATH_TEST(test_decrypted_outside_networks),
		PATH_TEST(test_replay),
		PATH_TEST(test_forged),
		PATH_TEST(test_ike_and_keepalives),
		PATH_TEST(test_notices),
		PATH_TEST(test_ecn),
		PATH_TEST(test_rekey_loses_nothing),
		PATH_TEST(test_limits),
		PATH_TEST(test_fit),
	};

	return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
