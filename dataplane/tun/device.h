/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TUN device: what the kernel routes to it comes out of a descriptor, one IP packet a read, and what is written there
 * comes out of the device as if it had arrived by it. It is gone, with all routes by it, when the descriptor is closed
 * or the process ends. Wants CAP_NET_ADMIN.
 */
#pragma once

#include <net/if.h>
#include <stdint.h>

struct tun_device {
	int fd; /* -1: none; never blocks */
	int ifindex;
	char name[IFNAMSIZ];
};

/* Makes the device `name`, up. 0; -EBUSY where another process has it; another negative errno. */
int tun_device_open(struct tun_device *device, const char *name);
void tun_device_close(struct tun_device *device);

/* The longest packet that the kernel shall give it, bytes. 0 or negative errno. */
int tun_device_set_mtu(const struct tun_device *device, uint32_t mtu);
