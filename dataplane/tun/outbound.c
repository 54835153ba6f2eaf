/* SPDX-License-Identifier: Apache-2.0 */
/* From the device to the common UDP port: the steps of RFC 4301 section 5.1 and RFC 4303 section 3.3, on bursts. */
#include "encap_fields.h"
#include "mss.h"
#include "tun/buffers.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum { BURSTS_MAX = 4 }; /* a call, so that the other direction gets its turn */

/* The SA for a packet of the device's, and what encryption needs. False: it is counted and gone. */
static bool admit(struct tun_path *path, size_t at, uint8_t *data, uint32_t len)
{
	struct tun_buffers *buffers = path->buffers;
	union ip_address source, destination;
	struct tun_child *child = NULL;
	uint64_t sequence;
	bool soft;

	if (header_is_valid(data, len)) {
		header_addresses(data, &source, &destination);
		child = tun_child_select(&path->children, header_is_ipv6(data), &source, &destination);
	}
	if (!child) {
		tun_path_count(path, TUN_COUNT_SELECTOR_OUT, 1);
		return false;
	}
	sequence = tun_child_take_number(child, len, &soft);
	if (soft)
		buffers->soft[buffers->n_soft++] = child->spi_in;
	if (sequence == 0) {
		tun_path_count(path, TUN_COUNT_USED_UP, 1);
		return false;
	}
	child->traffic.packets_out++;
	child->traffic.bytes_out += len;
	if (path->tunnel.mss_clamp && path->inner_mtu)
		mss_clamp(data, len, path->inner_mtu);
	buffers->tos[at] = encap_fields_of(&path->tunnel, data).tos;
	buffers->esp[at] = (struct esp_packet){
		.key = child->out,
		.data = data,
		.len = len,
		.headroom = BUFFERS_HEADROOM,
		.tailroom = BUFFERS_TAILROOM,
		.spi = child->spi_out,
		.sequence = sequence,
		.next_header = header_is_ipv6(data) ? IPPROTO_IPV6 : IPPROTO_IPIP,
	};
	return true;
}

/* Reads up to a burst. *more: the device may have more. Returns how many were admitted. */
static size_t burst_read(struct tun_path *path, bool *more)
{
	struct tun_buffers *buffers = path->buffers;
	size_t count = 0;

	*more = true;
	for (size_t reads = 0; reads < ESP_BURST_MAX; reads++) {
		uint8_t *data = buffers->packets[count] + BUFFERS_HEADROOM;
		ssize_t len = read(path->device.fd, data, BUFFERS_PACKET_MAX);

		if (len < 0) {
			*more = errno == EINTR;
			break;
		}
		tun_path_count(path, TUN_COUNT_FROM_TUN, 1);
		count += admit(path, count, data, (uint32_t)len);
	}
	return count;
}

/* Returns how many are out of our hands. */
static size_t hand_over(struct tun_path *path, size_t count)
{
	struct tun_departure *departures = path->buffers->departures;
	uint32_t outer_len = tun_path_outer_len(path);

	if (!path->stream)
		return tun_socket_send(&path->socket, &path->remote, departures, count,
			path->outer_mtu > outer_len ? path->outer_mtu - outer_len : 0);
	return path->handler.stream(path->handler.context, departures, count);
}

static void burst_send(struct tun_path *path, size_t count)
{
	struct tun_buffers *buffers = path->buffers;
	size_t sealed = 0, sent;

	esp_seal(path->engine, buffers->esp, count);
	for (size_t i = 0; i < count; i++) {
		const struct esp_packet *esp = &buffers->esp[i];

		if (esp->status != ESP_OK) {
			tun_path_count(path, TUN_COUNT_CRYPTO, 1);
			continue;
		}
		buffers->departures[sealed++] =
			(struct tun_departure){.data = esp->data, .len = esp->len, .tos = buffers->tos[i]};
	}
	sent = hand_over(path, sealed);
	tun_path_count(path, TUN_COUNT_ESP_OUT, sent);
	tun_path_count(path, TUN_COUNT_SEND_FAILED, sealed - sent);
}

void tun_path_device_readable(struct tun_path *path)
{
	struct tun_buffers *buffers = path->buffers;
	bool more = true;

	for (int bursts = 0; more && bursts < BURSTS_MAX; bursts++) {
		size_t count = burst_read(path, &more);

		if (count > 0)
			burst_send(path, count);
		for (size_t i = 0; i < buffers->n_soft; i++)
			path->handler.soft_limit(path->handler.context, buffers->soft[i]);
		buffers->n_soft = 0;
	}
}
