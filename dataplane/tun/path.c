/* SPDX-License-Identifier: Apache-2.0 */
#include "tun/path.h"

#include "tun/buffers.h"

#include <errno.h>
#include <stdlib.h>

enum { IPV4_LEN = 20, IPV6_LEN = 40, UDP_LEN = 8, MTU_FLOOR = 576, MTU_FLOOR_IPV6 = 1280, STREAM_PACKET_MAX = UINT16_MAX - 2 };

const char *tun_counter_name(enum tun_counter counter)
{
	static const char *const names[TUN_COUNTER_COUNT] = {
#define X(id, name, help) [TUN_COUNT_##id] = name,
		TUN_COUNTERS(X)
#undef X
	};

	return counter < TUN_COUNTER_COUNT ? names[counter] : "unknown";
}

int tun_path_init(
	struct tun_path *path, const struct tunnel_settings *tunnel, const struct tun_handler *handler, uint32_t seed)
{
	*path = (struct tun_path){
		.device.fd = -1,
		.socket.fd = -1,
		.plain.fd = -1,
		.tunnel = *tunnel,
		.handler = *handler,
	};
	tun_children_init(&path->children, seed);
	path->engine = esp_engine_new();
	if (!path->engine)
		return -errno;
	path->buffers = calloc(1, sizeof(*path->buffers));
	return path->buffers ? 0 : -ENOMEM;
}

void tun_path_free(struct tun_path *path)
{
	tun_children_clear(&path->children);
	tun_device_close(&path->device);
	tun_socket_close(&path->socket);
	tun_socket_close(&path->plain);
	if (path->engine)
		esp_engine_free(path->engine);
	path->engine = NULL;
	if (path->buffers)
		explicit_bzero(path->buffers, sizeof(*path->buffers));
	free(path->buffers);
	path->buffers = NULL;
}

int tun_path_send_message(const struct tun_path *path, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	static const uint8_t marker[BUFFERS_MARKER_LEN];

	if (local->port == path->socket.local.port)
		return tun_socket_send_parts(&path->socket, remote, marker, sizeof(marker), message, message_len);
	if (local->port == path->plain.local.port)
		return tun_socket_send_parts(&path->plain, remote, NULL, 0, message, message_len);
	return -EADDRNOTAVAIL;
}

int tun_path_send_keepalive(const struct tun_path *path, const struct endpoint *remote)
{
	static const uint8_t keepalive = BUFFERS_KEEPALIVE;

	return tun_socket_send_parts(&path->socket, remote, NULL, 0, &keepalive, sizeof(keepalive));
}

int tun_path_send_notice(
	const struct tun_path *path, const struct endpoint *remote, const uint8_t *datagram, size_t len, bool whole)
{
	int rc;

	if (!whole)
		return tun_socket_send_parts(&path->socket, remote, NULL, 0, datagram, len);
	tun_socket_set_whole(&path->socket, true);
	rc = tun_socket_send_parts(&path->socket, remote, NULL, 0, datagram, len);
	tun_socket_set_whole(&path->socket, false);
	return rc;
}

uint32_t tun_path_outer_len(const struct tun_path *path)
{
	return (path->remote.address.family == ADDRESS_IPV6 ? IPV6_LEN : IPV4_LEN) + UDP_LEN;
}

/* The longest inner packet whose outer one fits, by any of the pairs that carry now; 0: there is none. */
static uint32_t fitting(const struct tun_path *path, bool *has_ipv6)
{
	uint32_t least = UINT32_MAX, outer_len = tun_path_outer_len(path);
	uint32_t room = path->outer_mtu > outer_len ? path->outer_mtu - outer_len : 0;

	*has_ipv6 = false;
	for (size_t i = 0; i < path->children.n_current; i++) {
		const struct tun_child *child = path->children.current[i];
		uint32_t payload =
			esp_payload_max(esp_suite_get(child->suite), path->stream ? (uint32_t)STREAM_PACKET_MAX : room);

		least = payload < least ? payload : least;
		*has_ipv6 = *has_ipv6 || child->ipv6;
	}
	return least == UINT32_MAX ? 0 : least;
}

int tun_path_fit(struct tun_path *path, uint32_t whole)
{
	bool has_ipv6;
	uint32_t inner = fitting(path, &has_ipv6), mtu = whole;
	/* What the kernel takes as a device's MTU at least, for either family; what does not fit is cut once more. */
	uint32_t floor = has_ipv6 ? MTU_FLOOR_IPV6 : MTU_FLOOR;
	int rc;

	if (path->children.n_current == 0)
		return 0;
	path->inner_mtu = inner < floor ? floor : inner;
	if (path->tunnel.fragment == TUNNEL_FRAGMENT_BEFORE && path->inner_mtu < mtu)
		mtu = path->inner_mtu;
	rc = tun_device_set_mtu(&path->device, mtu);
	return rc < 0 ? rc : (int)mtu;
}
