/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <stdbool.h>

static struct traffic traffic;
static bool is_open;

const struct traffic *traffic_current(void)
{
	return is_open ? &traffic : NULL;
}

int traffic_open(const struct arguments *arguments)
{
	int count = plan_read(arguments->sessions, traffic.spis_in);

	if (count < 0)
		return count;
	traffic.arguments = arguments;
	traffic.n_sessions = (uint32_t)count;
	traffic.suite = esp_suite_get(arguments->suite);
	plan_keymat(traffic.keymat, esp_suite_keymat_len(traffic.suite));
	if (arguments->fault == FAULT_KEY)
		traffic.keymat[0] ^= 1;
	is_open = true;
	return 0;
}
