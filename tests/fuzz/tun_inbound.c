/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arbitrary datagrams at a client's common UDP port: IKE, keepalives, ESP for SAs that are there and for others,
 * several in one message as UDP_GRO makes them. One SA has no encryption and an ICV that is made right here, so that
 * what is decrypted are a stranger's bytes, too. Each message has memory of its own, exactly as long.
 *
 * Input: a byte of flags (1: the ICV is made right), the length of a segment in two bytes (0: all), the message.
 */
#include "tun/buffers.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD_LEN = 3, ICV_LEN = 12, KEY_LEN = 20 };

static struct tun_path path;
static const uint8_t keymat[ESP_KEYMAT_MAX] = {3, 1, 4};
static uint32_t spi;

static void on_message(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	volatile uint8_t sum = 0;

	(void)context;
	(void)local;
	(void)remote;
	(void)floated;
	for (size_t i = 0; i < message_len; i++)
		sum = (uint8_t)(sum + message[i]);
}

static void on_notice(void *context, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len)
{
	on_message(context, NULL, remote, true, datagram, datagram_len);
}

static void on_soft_limit(void *context, uint32_t spi_in)
{
	(void)context;
	(void)spi_in;
}

static void start(void)
{
	const struct tunnel_settings tunnel = {.dscp = TUNNEL_DSCP_COPY, .mss_clamp = 1};
	const struct tun_handler handler = {.message = on_message, .notice = on_notice, .soft_limit = on_soft_limit};

	if (tun_path_init(&path, &tunnel, &handler, 1) < 0)
		abort();
	path.device.fd = open("/dev/null", O_WRONLY);
	path.inner_mtu = 1400;
}

/* A fresh pair for each input: windows and counters don't carry over. */
static void install(void)
{
	struct tun_child_terms terms = {.id = 1,
		.spi_out = 1,
		.suite = ESP_NULL_SHA1_96,
		.window = 64,
		.limit_bytes = 10000,
		.keymat_in = keymat,
		.keymat_out = keymat};

	prefix_parse("10.2.0.0/16", &terms.local_network);
	prefix_parse("10.1.0.0/16", &terms.remote_network);
	if (tun_child_reserve(&path.children, &spi) < 0 ||
		tun_child_install(&path.children, path.engine, spi, &terms) < 0 ||
		!tun_child_activate(&path.children, 1, spi))
		abort();
}

/* Whatever a segment is, it is for the SA that there is, and authentic. */
static void make_right(uint8_t *esp, size_t len)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (len < ESP_HDR_LEN + ICV_LEN)
		return;
	for (int i = 0; i < 4; i++)
		esp[i] = (uint8_t)(spi >> (24 - 8 * i));
	HMAC(EVP_sha1(), keymat, KEY_LEN, esp, len - ICV_LEN, digest, NULL);
	memcpy(esp + len - ICV_LEN, digest, ICV_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tun_arrivals *arrivals;
	uint32_t len, segment_len;
	uint8_t *message;

	if (!path.engine)
		start();
	if (size <= HEAD_LEN || size > TUN_DATAGRAM_MAX)
		return 0;
	len = (uint32_t)size - HEAD_LEN;
	segment_len = (uint32_t)data[1] << 8 | data[2];
	if (segment_len == 0 || segment_len > len)
		segment_len = len;
	message = malloc(len);
	if (!message)
		abort();
	memcpy(message, data + HEAD_LEN, len);
	install();
	for (uint32_t at = 0; data[0] & 1 && at < len; at += segment_len)
		make_right(message + at, len - at < segment_len ? len - at : segment_len);
	arrivals = &path.buffers->arrivals;
	arrivals->items[0] =
		(struct tun_arrival){.data = message, .len = len, .segment_len = segment_len, .tos = data[0] >> 1};
	arrivals->count = 1;
	tun_inbound_take(&path);
	tun_children_clear(&path.children);
	free(message);
	return 0;
}
