/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few things that a connection asks of the kernel's routing, each one question and its answer over rtnetlink: a
 * route or an address set or taken away, and the way to an address that does not lead through our own device. What
 * changes in the network is told by another socket, readable when something did (netlink.h has the whole story for the
 * gateway).
 */
#pragma once

#include "connect/routes.h"

struct kernel;

/* NULL with errno. */
struct kernel *kernel_open(void);
void kernel_close(struct kernel *kernel);

/* For routes_exchange: `context` is the kernel. Setting what is there, and taking away what is not, are no errors. */
int kernel_route_add(void *context, const struct route *route);
int kernel_route_remove(void *context, const struct route *route);

/*
 * The next hop of the main table towards `to`, by a route of others and another device than `except`. 0; -ENETUNREACH;
 * negative errno.
 */
int kernel_route_find(struct kernel *kernel, const struct address *to, int except, struct address *via, int *ifindex);

/* Readable when an address, a link or a route has changed. kernel_changed reads it empty. */
int kernel_changes_fd(const struct kernel *kernel);
void kernel_changed(struct kernel *kernel);
