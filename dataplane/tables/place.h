/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the data of a session goes now, as the data plane publishes it in the shared tables: it follows the peer's
 * packets by itself, and a control plane that was away reads here what it missed. One writer, any reader, no lock: the
 * writer counts before and after, and who reads in between reads again.
 */
#pragma once

#include "tables/address.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct place {
	struct endpoint local, remote;
	uint32_t encapsulation; /* enum tables_encapsulation */
};

struct tables_place {
	_Atomic uint32_t version; /* 0: nothing yet; odd: being written */
	_Atomic uint32_t words[sizeof(struct place) / sizeof(uint32_t)];
};

/* The data plane's main thread. */
void place_write(struct tables_place *shared, const struct endpoint *local, const struct endpoint *remote,
	uint32_t encapsulation);

/* False when nothing was written yet, or not whole after many tries: `place` is as it was then. */
bool place_read(const struct tables_place *shared, struct place *place);

/* The slot's owner, while nobody writes or reads there. */
void place_clear(struct tables_place *shared);
