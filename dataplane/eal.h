/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment (EAL), started from the configuration: cores, memory, devices. */
#pragma once

#include "config/config.h"

/* 0 or negative errno, the reason having been logged. lcore 0 is the main thread, 1 and up are the workers. */
int eal_start(const struct config *config);
void eal_stop(void);
