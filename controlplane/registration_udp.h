/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether UDP gets through to those who have registered: their notices (registration/notices.h) on the gateway's
 * sockets and clock. What is found out goes to registrations_udp_news.
 */
#pragma once

#include "registration/registry.h"

struct gateway;

/* The gateway must stay. NULL with errno. */
struct notices *registration_udp_new(struct gateway *gateway);

/* The registration's UDP is to come from now on; notices_end is called before it ends. */
void registration_udp_begin(struct notices *notices, struct registration *registration);
