/* SPDX-License-Identifier: Apache-2.0 */
/* Inside dataplane/tun: where the packets of a burst lie, each with room around it for what ESP adds. */
#pragma once

#include "tun/path.h"

enum {
	BUFFERS_HEADROOM = 64,	   /* ESP header and the longest IV */
	BUFFERS_TAILROOM = 256,	   /* padding, trailer and the longest ICV */
	BUFFERS_PACKET_MAX = 9216, /* the device's MTU is never more */
	BUFFERS_MARKER_LEN = 4,	   /* RFC 3948 section 2.2: zeros where ESP has its SPI */
	BUFFERS_KEEPALIVE = 0xff,
	BUFFERS_SPI_TOP = 0x80, /* in the first byte: of every SPI of ours (child.c) */
};

struct tun_buffers {
	struct tun_arrivals arrivals;
	struct esp_packet esp[ESP_BURST_MAX];
	struct tun_child *children[ESP_BURST_MAX];
	uint8_t tos[ESP_BURST_MAX];
	struct tun_departure departures[ESP_BURST_MAX];
	uint32_t soft[ESP_BURST_MAX]; /* inbound SPIs of children that want a successor */
	size_t n_soft;
	uint8_t packets[ESP_BURST_MAX][BUFFERS_HEADROOM + BUFFERS_PACKET_MAX + BUFFERS_TAILROOM];
};

/* inbound.c: works on what has arrived by the common port, a burst in buffers->arrivals. */
void tun_inbound_take(struct tun_path *path);
