/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool plan_read_method(struct plan *plan, const char *name)
{
	for (unsigned i = 0; registration_method_names[i]; i++) {
		if (strcmp(registration_method_names[i], name) == 0) {
			plan->method = (enum registration_method)i;
			return true;
		}
	}
	return false;
}

bool plan_read(struct plan *plan, int argc, char **argv)
{
	*plan = (struct plan){.user = "alice", .password = "open sesame"};
	if ((argc != 5 && argc != 8) || !plan_read_method(plan, argv[2]))
		return false;
	plan->directory = argv[1];
	plan->count = strtoul(argv[3], NULL, 10);
	plan->at_once = strtoul(argv[4], NULL, 10);
	if (argc == 8) {
		plan->gateway.port = (uint16_t)strtoul(argv[6], NULL, 10);
		plan->rate = (unsigned)strtoul(argv[7], NULL, 10);
		if (address_parse(argv[5], &plan->gateway.address) < 0)
			return false;
	}
	return (plan->count > 0 || plan->rate > 0) && plan->at_once > 0;
}

void plan_file(const struct plan *plan, char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", plan->directory, name);
}

void plan_report(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "%s\n", sentence);
}
