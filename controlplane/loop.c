/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

/* libevent gives new events the one in the middle. */
enum { PRIORITIES = 3, BACKGROUND = PRIORITIES - 1 };

struct event_base *loop_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config && event_config_set_max_dispatch_interval(config, NULL, LOOP_BACKGROUND_AT_ONCE, BACKGROUND) == 0)
		base = event_base_new_with_config(config);
	if (config)
		event_config_free(config);
	if (base && event_base_priority_init(base, PRIORITIES) < 0) {
		event_base_free(base);
		base = NULL;
	}
	return base;
}

void loop_background(struct event *event)
{
	if (event_base_get_npriorities(event_get_base(event)) == PRIORITIES)
		(void)event_priority_set(event, BACKGROUND);
}
