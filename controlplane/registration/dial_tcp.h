/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP connection that is being made, without waiting for it. */
#pragma once

#include "tables/address.h"

/* Dials, from the address `local`, any port. The descriptor, to be watched until it is writable; or negative errno. */
int dial_tcp_open(const struct endpoint *gateway, const struct address *local);

/* When it is writable: 0, it stands; or the errno that it has failed with. */
int dial_tcp_error(int fd);

/* Our end. 0 or negative errno. */
int dial_tcp_local(int fd, struct endpoint *local);
