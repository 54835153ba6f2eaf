/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/redial.h"

void redial_init(struct redial *redial)
{
	*redial = (struct redial){.due_ms = UINT64_MAX};
}

void redial_begin(struct redial *redial, uint64_t now_ms)
{
	if (redial->state != REDIAL_IDLE)
		return;
	*redial = (struct redial){.state = REDIAL_PAUSING, .began_ms = now_ms, .due_ms = now_ms};
}

enum redial_step redial_run(
	struct redial *redial, const struct dial_settings *settings, uint64_t now_ms, uint32_t jitter)
{
	if (redial->state == REDIAL_IDLE || now_ms < redial->due_ms)
		return REDIAL_NOTHING;
	if (redial->state == REDIAL_DIALING) {
		redial_failed(redial, settings, now_ms, jitter);
		return REDIAL_LATE;
	}
	if (now_ms - redial->began_ms >= REDIAL_FOR_MS) {
		redial_end(redial);
		return REDIAL_GIVE_UP;
	}
	redial->state = REDIAL_DIALING;
	redial->tries++;
	redial->due_ms = now_ms + settings->patience_ms;
	return REDIAL_DIAL;
}

void redial_failed(struct redial *redial, const struct dial_settings *settings, uint64_t now_ms, uint32_t jitter)
{
	uint64_t end_ms = redial->began_ms + REDIAL_FOR_MS;

	if (redial->state != REDIAL_DIALING)
		return;
	redial->state = REDIAL_PAUSING;
	redial->due_ms = now_ms + dial_pause_ms(settings, redial->tries, jitter);
	if (redial->due_ms > end_ms)
		redial->due_ms = end_ms > now_ms ? end_ms : now_ms;
}

void redial_hurry(struct redial *redial, uint64_t now_ms)
{
	if (redial->state == REDIAL_PAUSING)
		redial->due_ms = now_ms;
}

void redial_end(struct redial *redial)
{
	redial_init(redial);
}
