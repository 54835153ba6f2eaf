/* SPDX-License-Identifier: Apache-2.0 */
/* From the common UDP port to the device: the steps of RFC 4301 section 5.2 and RFC 4303 section 3.4, on bursts. */
#include "header.h"
#include "mss.h"
#include "tun/buffers.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { BURSTS_MAX = 4 }; /* a call, so that the other direction gets its turn */

static enum tun_counter counter_of(enum esp_status status)
{
	switch (status) {
	case ESP_TOO_SHORT:
	case ESP_BAD_LENGTH: return TUN_COUNT_BAD_LENGTH;
	case ESP_BAD_ICV: return TUN_COUNT_BAD_ICV;
	case ESP_BAD_PAD: return TUN_COUNT_BAD_PAD;
	default: return TUN_COUNT_CRYPTO;
	}
}

/* Is the decrypted packet one that its SA may carry (RFC 4301 section 5.2, step 4)? TUN_COUNTER_COUNT: it is. */
static enum tun_counter inner_check(const struct tun_child *child, const struct esp_packet *esp, uint8_t outer_tos)
{
	union ip_address source, destination;

	if (esp->next_header == IPPROTO_NONE)
		return TUN_COUNT_DUMMY;
	if (esp->next_header != (child->ipv6 ? IPPROTO_IPV6 : IPPROTO_IPIP) || !header_is_valid(esp->data, esp->len) ||
		header_is_ipv6(esp->data) != child->ipv6)
		return TUN_COUNT_BAD_INNER;
	header_addresses(esp->data, &source, &destination);
	if (!ip_network_has(&child->remote, &source) || !ip_network_has(&child->local, &destination))
		return TUN_COUNT_SELECTOR_IN;
	if (!header_ecn_decapsulate(esp->data, outer_tos & ECN_MASK))
		return TUN_COUNT_ECN;
	return TUN_COUNTER_COUNT;
}

/* One packet that is authentic: the window, what is in it, and out by the device. Returns why not, or TO_TUN. */
static enum tun_counter take_inner(
	struct tun_path *path, struct tun_child *child, const struct esp_packet *esp, uint8_t outer_tos)
{
	enum tun_counter why;
	uint32_t len;

	/* Again, and now for good: its twin may have come in the same burst. */
	if (!replay_accept(child->replay, esp->sequence))
		return TUN_COUNT_REPLAYED;
	path->authentic++;
	why = inner_check(child, esp, outer_tos);
	if (why != TUN_COUNTER_COUNT)
		return why;
	if (child->traffic.bytes_in > child->hard_bytes)
		return TUN_COUNT_USED_UP;
	/* Traffic flow confidentiality padding behind the inner packet goes (RFC 4303 section 2.7). */
	len = header_total_len(esp->data);
	child->traffic.packets_in++;
	child->traffic.bytes_in += len;
	if (path->tunnel.mss_clamp && path->inner_mtu)
		mss_clamp(esp->data, len, path->inner_mtu);
	return write(path->device.fd, esp->data, len) == (ssize_t)len ? TUN_COUNT_TO_TUN : TUN_COUNT_TUN_FAILED;
}

/* Opens what was gathered, in its order, and lets it through. */
static void burst_open(struct tun_path *path, size_t *count)
{
	struct tun_buffers *buffers = path->buffers;

	esp_open(path->engine, buffers->esp, *count);
	for (size_t i = 0; i < *count; i++) {
		struct tun_child *child = buffers->children[i];
		const struct esp_packet *esp = &buffers->esp[i];
		enum tun_counter became =
			esp->status == ESP_OK ? take_inner(path, child, esp, buffers->tos[i]) : counter_of(esp->status);

		tun_path_count(path, became, 1);
		if (child->traffic.bytes_in >= child->soft_bytes && !child->renewing &&
			buffers->n_soft < ESP_BURST_MAX) {
			child->renewing = true;
			buffers->soft[buffers->n_soft++] = child->spi_in;
		}
	}
	*count = 0;
}

/* Steps before decryption: the SA by its SPI, and a first look at its window, so that replays cost nothing. */
static void burst_add(struct tun_path *path, size_t *count, uint8_t *data, uint32_t len, uint8_t tos)
{
	struct tun_buffers *buffers = path->buffers;
	struct tun_child *child;
	struct esp_packet *esp = &buffers->esp[*count];
	uint64_t sequence;

	tun_path_count(path, TUN_COUNT_ESP_IN, 1);
	if (len < ESP_HDR_LEN) {
		tun_path_count(path, TUN_COUNT_BAD_LENGTH, 1);
		return;
	}
	child = tun_child_find(&path->children, esp_read_spi(data));
	if (!child) {
		tun_path_count(path, TUN_COUNT_UNKNOWN_SPI, 1);
		return;
	}
	sequence = esp_read_sequence(data);
	if (esp_key_extended(child->in))
		sequence = replay_infer(child->replay, (uint32_t)sequence);
	if (!replay_check(child->replay, sequence)) {
		tun_path_count(path, TUN_COUNT_REPLAYED, 1);
		return;
	}
	*esp = (struct esp_packet){
		.key = child->in, .data = data, .len = len, .spi = child->spi_in, .sequence = sequence};
	buffers->children[*count] = child;
	buffers->tos[*count] = tos;
	if (++*count == ESP_BURST_MAX)
		burst_open(path, count);
}

/* One datagram: a keepalive, IKE behind its marker, a notice, or ESP. */
static void take_datagram(
	struct tun_path *path, size_t *count, const struct tun_arrival *arrival, uint8_t *data, uint32_t len)
{
	static const uint8_t marker[BUFFERS_MARKER_LEN];

	if (len == 1 && data[0] == BUFFERS_KEEPALIVE) {
		tun_path_count(path, TUN_COUNT_KEEPALIVES_IN, 1);
	} else if (len < BUFFERS_MARKER_LEN) {
		tun_path_count(path, TUN_COUNT_MALFORMED, 1);
	} else if (memcmp(data, marker, BUFFERS_MARKER_LEN) == 0) {
		/* IKE may remove the very SAs that are waited for here. */
		burst_open(path, count);
		tun_path_count(path, TUN_COUNT_IKE_IN, 1);
		path->handler.message(path->handler.context, &path->socket.local, &arrival->remote, true,
			data + BUFFERS_MARKER_LEN, len - BUFFERS_MARKER_LEN);
	} else if (!(data[0] & BUFFERS_SPI_TOP) && path->handler.notice) {
		tun_path_count(path, TUN_COUNT_NOTICES_IN, 1);
		path->handler.notice(path->handler.context, &arrival->remote, data, len);
	} else {
		burst_add(path, count, data, len, arrival->tos);
	}
}

static void tell_soft(struct tun_path *path)
{
	struct tun_buffers *buffers = path->buffers;

	for (size_t i = 0; i < buffers->n_soft; i++)
		path->handler.soft_limit(path->handler.context, buffers->soft[i]);
	buffers->n_soft = 0;
}

void tun_inbound_take(struct tun_path *path)
{
	const struct tun_arrivals *arrivals = &path->buffers->arrivals;
	size_t count = 0;

	for (size_t i = 0; i < arrivals->count; i++) {
		const struct tun_arrival *arrival = &arrivals->items[i];

		for (uint32_t at = 0; at < arrival->len; at += arrival->segment_len) {
			uint32_t left = arrival->len - at;

			take_datagram(path, &count, arrival, arrival->data + at,
				left < arrival->segment_len ? left : arrival->segment_len);
		}
	}
	burst_open(path, &count);
	tell_soft(path);
}

void tun_path_take_packets(struct tun_path *path, const struct tun_departure *packets, size_t count)
{
	size_t gathered = 0;

	for (size_t i = 0; i < count; i++)
		burst_add(path, &gathered, packets[i].data, packets[i].len, packets[i].tos);
	burst_open(path, &gathered);
	tell_soft(path);
}

void tun_path_socket_readable(struct tun_path *path)
{
	bool done = false;

	for (int bursts = 0; !done && bursts < BURSTS_MAX && path->socket.fd >= 0; bursts++) {
		done = tun_socket_receive(&path->socket, &path->buffers->arrivals);
		tun_inbound_take(path);
	}
}

void tun_path_plain_readable(struct tun_path *path)
{
	struct tun_arrivals *arrivals = &path->buffers->arrivals;

	(void)tun_socket_receive(&path->plain, arrivals);
	for (size_t i = 0; i < arrivals->count; i++) {
		const struct tun_arrival *arrival = &arrivals->items[i];

		for (uint32_t at = 0; at < arrival->len; at += arrival->segment_len) {
			uint32_t left = arrival->len - at;

			tun_path_count(path, TUN_COUNT_IKE_IN, 1);
			path->handler.message(path->handler.context, &path->plain.local, &arrival->remote, false,
				arrival->data + at, left < arrival->segment_len ? left : arrival->segment_len);
		}
	}
}
