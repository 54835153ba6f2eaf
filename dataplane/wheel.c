/* SPDX-License-Identifier: Apache-2.0 */
#include "wheel.h"

#include "connection.h"

enum { SLOT_MASK = WHEEL_SLOTS - 1, HORIZON = (WHEEL_SLOTS - 1) << WHEEL_SLOT_BITS /* ticks */ };

void wheel_init(struct wheel *wheel, uint64_t now)
{
	wheel->tick = now >> WHEEL_TICK_BITS;
	wheel->count = 0;
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++) {
		LIST_INIT(&wheel->fine[i]);
		LIST_INIT(&wheel->coarse[i]);
	}
}

/* A tick that has been looked at is over: at the earliest it is the next one's turn. */
static void insert(struct wheel *wheel, struct connection *connection)
{
	uint64_t tick = connection->due >> WHEEL_TICK_BITS;

	if (tick <= wheel->tick)
		tick = wheel->tick + 1;
	else if (tick - wheel->tick > HORIZON)
		tick = wheel->tick + HORIZON;
	if (tick - wheel->tick < WHEEL_SLOTS)
		LIST_INSERT_HEAD(&wheel->fine[tick & SLOT_MASK], connection, timed);
	else
		LIST_INSERT_HEAD(&wheel->coarse[tick >> WHEEL_SLOT_BITS & SLOT_MASK], connection, timed);
}

void wheel_remove(struct wheel *wheel, struct connection *connection)
{
	if (!connection->scheduled)
		return;
	LIST_REMOVE(connection, timed);
	connection->scheduled = false;
	wheel->count--;
}

void wheel_schedule(struct wheel *wheel, struct connection *connection, uint64_t deadline)
{
	if (deadline == UINT64_MAX || (connection->scheduled && connection->due <= deadline))
		return;
	wheel_remove(wheel, connection);
	connection->due = deadline;
	connection->scheduled = true;
	wheel->count++;
	insert(wheel, connection);
}

/* A turn of the fine ring begins: what is due within it comes out of the coarse one. What stays there goes elsewhere.
 */
static void cascade(struct wheel *wheel)
{
	struct wheel_slot *slot = &wheel->coarse[wheel->tick >> WHEEL_SLOT_BITS & SLOT_MASK];
	struct connection *connection;

	while ((connection = LIST_FIRST(slot)) != NULL) {
		LIST_REMOVE(connection, timed);
		insert(wheel, connection);
	}
}

struct connection *wheel_next(struct wheel *wheel, uint64_t now)
{
	uint64_t end = now >> WHEEL_TICK_BITS;

	if (wheel->count == 0 && wheel->tick < end)
		wheel->tick = end;
	while (wheel->tick < end) {
		struct connection *connection = LIST_FIRST(&wheel->fine[wheel->tick & SLOT_MASK]);

		if (connection) {
			wheel_remove(wheel, connection);
			return connection;
		}
		wheel->tick++;
		if ((wheel->tick & SLOT_MASK) == 0)
			cascade(wheel);
	}
	return NULL;
}
