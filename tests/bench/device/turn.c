/* SPDX-License-Identifier: Apache-2.0 */
#include "turn.h"

#include "tables/layout.h"

#include <rte_malloc.h>

#include <errno.h>

static bool session_comes_here(const struct turn *turn, uint32_t session, uint16_t number)
{
	const struct source_device *device = turn->device;
	uint32_t where = tables_spi_index(turn->traffic->spis_in[session]);

	if (device->arguments->mode == MODE_OUT)
		return true;
	if (device->arguments->steer == STEER_HASH)
		where = session * 0x9e3779b1u >> 16; /* the golden ratio's */
	return where % device->n_queues == number;
}

/* The queues begin at different places, so that no two are at the same session all the time. */
int turn_make(struct turn *turn, const struct source_device *device, uint16_t number)
{
	const struct traffic *traffic = traffic_current();
	uint32_t total = traffic->n_sessions;
	uint32_t first = (uint32_t)((uint64_t)total * number / device->n_queues);

	*turn = (struct turn){.device = device, .traffic = traffic, .left = device->arguments->train};
	turn->sessions = rte_zmalloc("sessions", total * sizeof(*turn->sessions), RTE_CACHE_LINE_SIZE);
	if (!turn->sessions)
		return -ENOMEM;
	for (uint32_t i = 0; i < total; i++) {
		uint32_t session = (first + i) % total;

		if (session_comes_here(turn, session, number))
			turn->sessions[turn->n_sessions++].session = session;
	}
	return 0;
}

void turn_free(struct turn *turn)
{
	rte_free(turn->sessions);
	turn->sessions = NULL;
}
