/* SPDX-License-Identifier: Apache-2.0 */
#include "tun/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Interfaces are asked through any socket. 0 or negative errno. */
static int device_ask(const struct tun_device *device, unsigned long request, struct ifreq *ask)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	snprintf(ask->ifr_name, sizeof(ask->ifr_name), "%s", device->name);
	rc = ioctl(fd, request, ask) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int device_up(const struct tun_device *device)
{
	struct ifreq ask = {0};
	int rc = device_ask(device, SIOCGIFFLAGS, &ask);

	if (rc < 0)
		return rc;
	ask.ifr_flags |= IFF_UP;
	return device_ask(device, SIOCSIFFLAGS, &ask);
}

int tun_device_open(struct tun_device *device, const char *name)
{
	struct ifreq ask = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int rc;

	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", name);
	*device = (struct tun_device){.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
	if (device->fd < 0)
		return -errno;
	if (ioctl(device->fd, TUNSETIFF, &ask) < 0) {
		rc = -errno;
		goto close;
	}
	memcpy(device->name, ask.ifr_name, sizeof(device->name));
	rc = device_up(device);
	device->ifindex = (int)if_nametoindex(device->name);
	if (rc == 0 && device->ifindex == 0)
		rc = -errno;
	if (rc == 0)
		return 0;
close:
	tun_device_close(device);
	return rc;
}

void tun_device_close(struct tun_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	*device = (struct tun_device){.fd = -1};
}

int tun_device_set_mtu(const struct tun_device *device, uint32_t mtu)
{
	struct ifreq ask = {.ifr_mtu = (int)mtu};

	return device_ask(device, SIOCSIFMTU, &ask);
}
