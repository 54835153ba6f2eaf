/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/dial.h"

enum {
	PAUSE_FIRST_MS = 1000,
	DOUBT_MS = 1500,
	STEADY_MS = 10000, /* a tunnel that stood for so long was no vain one */
};

void dial_init(struct dial *dial, const struct dial_settings *settings)
{
	*dial = (struct dial){.settings = *settings, .due_ms = UINT64_MAX};
}

void dial_start(struct dial *dial, uint64_t now_ms)
{
	dial->state = DIAL_TRYING;
	dial->tried = 0;
	dial->due_ms = now_ms;
}

uint32_t dial_pause_ms(const struct dial_settings *settings, unsigned vain, uint32_t jitter)
{
	uint32_t pause = PAUSE_FIRST_MS;

	while (vain-- > 1 && pause < settings->retry_max_ms)
		pause *= 2;
	if (pause > settings->retry_max_ms)
		pause = settings->retry_max_ms;
	/* From three quarters to five quarters of it. */
	return pause - pause / 4 + (uint32_t)((uint64_t)jitter * (pause / 2) / UINT32_MAX);
}

static void pause_begin(struct dial *dial, uint64_t now_ms, uint32_t jitter)
{
	dial->state = DIAL_WAITING;
	dial->vain++;
	dial->due_ms = now_ms + dial_pause_ms(&dial->settings, dial->vain, jitter);
}

static enum dial_step try_next(struct dial *dial, uint64_t now_ms, uint32_t jitter)
{
	if (dial->tried == dial->settings.n_ports) {
		pause_begin(dial, now_ms, jitter);
		return DIAL_GIVE_UP;
	}
	dial->port = (uint16_t)((dial->first + dial->tried++) % dial->settings.n_ports);
	dial->tries++;
	dial->due_ms = now_ms + dial->settings.patience_ms;
	return DIAL_TRY;
}

enum dial_step dial_run(struct dial *dial, uint64_t now_ms, uint32_t jitter)
{
	if (now_ms < dial->due_ms)
		return DIAL_NOTHING;
	if (dial->state == DIAL_WAITING)
		dial_start(dial, now_ms);
	if (dial->state == DIAL_TRYING)
		return try_next(dial, now_ms, jitter);
	dial->due_ms = UINT64_MAX;
	return DIAL_NOTHING;
}

void dial_answered(struct dial *dial, uint64_t now_ms)
{
	if (dial->state == DIAL_TRYING)
		dial->due_ms = now_ms + dial->settings.patience_ms;
}

void dial_failed(struct dial *dial, uint64_t now_ms, bool everywhere)
{
	if (dial->state != DIAL_TRYING)
		return;
	dial->due_ms = now_ms;
	if (everywhere)
		dial->tried = dial->settings.n_ports;
}

void dial_hold(struct dial *dial)
{
	if (dial->state == DIAL_TRYING)
		dial->due_ms = UINT64_MAX;
}

void dial_doubted(struct dial *dial, uint64_t now_ms)
{
	if (dial->state == DIAL_TRYING && now_ms + DOUBT_MS < dial->due_ms)
		dial->due_ms = now_ms + DOUBT_MS;
}

void dial_rest(struct dial *dial, uint64_t now_ms, uint32_t pause_ms)
{
	if (dial->state == DIAL_WAITING && dial->due_ms < now_ms + pause_ms)
		dial->due_ms = now_ms + pause_ms;
}

void dial_established(struct dial *dial, uint64_t now_ms)
{
	dial->state = DIAL_UP;
	dial->first = dial->port;
	dial->up_ms = now_ms;
	dial->due_ms = UINT64_MAX;
}

void dial_lost(struct dial *dial, uint64_t now_ms, uint32_t jitter)
{
	if (now_ms - dial->up_ms < STEADY_MS) {
		pause_begin(dial, now_ms, jitter);
		return;
	}
	dial->vain = 0;
	dial_start(dial, now_ms);
}

const char *dial_state_name(enum dial_state state)
{
	switch (state) {
	case DIAL_IDLE: return "idle";
	case DIAL_TRYING: return "connecting";
	case DIAL_UP: return "connected";
	case DIAL_WAITING: return "waiting";
	}
	return "unknown";
}
