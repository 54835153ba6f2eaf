/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_message(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	struct world_end *end = context;

	(void)local;
	(void)remote;
	(void)floated;
	end->messages++;
	end->message_len = message_len < sizeof(end->message) ? message_len : sizeof(end->message);
	memcpy(end->message, message, end->message_len);
}

static void on_notice(void *context, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len)
{
	struct world_end *end = context;

	assert_int_not_equal(remote->port, 0);
	end->notices++;
	end->message_len = datagram_len < sizeof(end->message) ? datagram_len : sizeof(end->message);
	memcpy(end->message, datagram, end->message_len);
}

static void on_soft_limit(void *context, uint32_t spi_in)
{
	struct world_end *end = context;

	assert_int_equal(spi_in, end->spi_in);
	end->soft_limits++;
}

static void end_start(struct world_end *end)
{
	const struct tunnel_settings tunnel = {.dscp = TUNNEL_DSCP_COPY, .mss_clamp = 1};
	struct tun_handler handler = {
		.context = end, .message = on_message, .notice = on_notice, .soft_limit = on_soft_limit};
	struct endpoint local = {.port = 0};
	int pair[2];

	*end = (struct world_end){.device = -1};
	assert_int_equal(tun_path_init(&end->path, &tunnel, &handler, 5), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	end->path.device.fd = pair[0];
	end->device = pair[1];
	address_parse("127.0.0.1", &local.address);
	assert_int_equal(tun_socket_open(&end->path.socket, &local), 0);
	end->path.outer_mtu = 1500;
	assert_int_equal(tun_child_reserve(&end->path.children, &end->spi_in), 0);
}

static void end_install(struct world_end *end, const struct world_end *other, struct tun_child_terms terms)
{
	uint8_t keymat_in[ESP_KEYMAT_MAX], keymat_out[ESP_KEYMAT_MAX];

	/* Each direction has a key of its own: its first byte is that of the SPI that it belongs to. */
	memset(keymat_in, (int)end->spi_in & 0xff, sizeof(keymat_in));
	memset(keymat_out, (int)other->spi_in & 0xff, sizeof(keymat_out));
	terms.id = 1;
	terms.spi_out = other->spi_in;
	terms.window = 64;
	terms.keymat_in = keymat_in;
	terms.keymat_out = keymat_out;
	assert_int_equal(tun_child_install(&end->path.children, end->path.engine, end->spi_in, &terms), 0);
	assert_true(tun_child_activate(&end->path.children, 1, end->spi_in));
	end->path.remote = other->path.socket.local;
}

void world_start(struct world *world, uint32_t suite, bool extended)
{
	struct tun_child_terms client = {.suite = suite, .extended = extended}, gateway;
	uint32_t spare;

	prefix_parse("10.1.0.0/16", &client.local_network);
	prefix_parse("10.2.0.0/16", &client.remote_network);
	gateway = client;
	gateway.local_network = client.remote_network;
	gateway.remote_network = client.local_network;
	end_start(&world->client);
	end_start(&world->gateway);
	/* Another slot, so that the SPIs differ. */
	assert_int_equal(tun_child_reserve(&world->gateway.path.children, &spare), 0);
	tun_child_release(&world->gateway.path.children, world->gateway.spi_in);
	world->gateway.spi_in = spare;
	end_install(&world->client, &world->gateway, client);
	end_install(&world->gateway, &world->client, gateway);
}

static void end_stop(struct world_end *end)
{
	tun_path_free(&end->path);
	close(end->device);
}

void world_stop(struct world *world)
{
	end_stop(&world->client);
	end_stop(&world->gateway);
}

static uint16_t checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < WORLD_IPV4_LEN; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint8_t *world_packet(uint8_t *packet, uint16_t len, const char *source, const char *destination, uint8_t tos)
{
	uint16_t sum;

	memset(packet, 0, WORLD_IPV4_LEN);
	for (size_t i = WORLD_IPV4_LEN; i < len; i++)
		packet[i] = (uint8_t)i;
	packet[0] = 0x45;
	packet[1] = tos;
	packet[2] = (uint8_t)(len >> 8);
	packet[3] = (uint8_t)len;
	packet[8] = 64;
	packet[9] = IPPROTO_UDP;
	inet_pton(AF_INET, source, packet + 12);
	inet_pton(AF_INET, destination, packet + 16);
	sum = checksum(packet);
	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	return packet;
}

void world_send(struct world_end *end, const uint8_t *packet, size_t len)
{
	assert_int_equal(write(end->device, packet, len), len);
	tun_path_device_readable(&end->path);
}

void world_receive(struct world_end *end)
{
	struct pollfd fd = {.fd = end->path.socket.fd, .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	tun_path_socket_readable(&end->path);
}

size_t world_delivered(struct world_end *end, uint8_t packet[WORLD_PACKET_MAX])
{
	ssize_t len = read(end->device, packet, WORLD_PACKET_MAX);

	return len > 0 ? (size_t)len : 0;
}

uint64_t world_count(const struct world_end *end, enum tun_counter counter)
{
	return end->path.counters[counter];
}
