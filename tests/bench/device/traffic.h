/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent and expected in a measurement, known to both devices of the process: made by the one that sends, when
 * the sessions are published, and read by the one that takes, to check samples.
 */
#pragma once

#include "arguments.h"
#include "plan.h"
#include "tables/suite.h"

struct traffic {
	const struct arguments *arguments; /* of the sender */
	const struct esp_suite *suite;
	uint8_t keymat[ESP_KEYMAT_MAX];
	uint32_t n_sessions;
	uint32_t spis_in[PLAN_SESSIONS_MAX];
};

/* The traffic of this process; NULL before there is any. */
const struct traffic *traffic_current(void);

/* Reads the published sessions. -ENOENT while there are none; other negative errno where they make no sense. */
int traffic_open(const struct arguments *arguments);
