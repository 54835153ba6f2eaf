/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that come and go while others forward: how many a second the data plane takes up and lets go of, and how
 * long each waits for it.
 */
#pragma once

#include "attached.h"

#include <signal.h>

struct churn_settings {
	uint32_t suite;
	uint32_t encapsulation; /* enum tables_encapsulation */
	uint32_t first_session; /* of the plan, that is not in use */
	uint32_t rate;		/* sessions a second */
	uint32_t seconds;
	uint32_t keep; /* installed at the same time */
	const volatile sig_atomic_t *stop;
};

/* Runs, and prints one line of JSON. 0 or negative errno. */
int churn_run(struct attached *attached, const struct churn_settings *settings);
