/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP connections for sessions that are installed (RFC 9329): what the control plane tells the data plane of those that
 * it takes out of the kernel, for connections of the plan, which no kernel has made.
 */
#pragma once

#include "attached.h"

#include <signal.h>

struct connected_settings {
	const uint32_t *sessions; /* record of each session of the plan */
	uint32_t count;
	bool timestamps; /* RFC 7323 */
	const volatile sig_atomic_t *stop;
};

/* Gives each its connection, and returns when workers run all of them. 0 or negative errno, after a sentence. */
int connected_install(struct attached *attached, const struct connected_settings *settings);
