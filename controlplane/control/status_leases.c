/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "clock.h"
#include "pool.h"

struct leases_walk {
	const struct pools *pools;
	json_t *list;
};

static void put_lease(void *context, const struct pool_lease *lease)
{
	struct leases_walk *walk = context;

	json_array_append_new(
		walk->list, json_pack("{s:o, s:o, s:s, s:s, s:b, s:I}", "address", status_address(&lease->address),
				    "identity", status_text(lease->identity, CONFIG_IDENTITY_LEN), "peer", lease->peer,
				    "pool", lease->pool->name, "connected", pools_connected(walk->pools, lease),
				    "used_at", (json_int_t)lease->used_at));
}

json_t *status_leases(const struct gateway *gateway)
{
	struct leases_walk walk = {.pools = clients_pools(gateway->clients), .list = json_array()};

	if (walk.pools && walk.list)
		pools_each(walk.pools, put_lease, &walk);
	return json_pack("{s:I, s:o}", "now", (json_int_t)clock_unix(), "leases", walk.list);
}
