/* SPDX-License-Identifier: Apache-2.0 */
#include "net_changes.h"

#include "config/log.h"
#include "dataplane.h"

#include <rte_cycles.h>

#include <errno.h>
#include <string.h>

/* What follows from the kernel's addresses beside the lookup itself. */
static void addresses_changed(struct dataplane *dataplane, uint32_t kind)
{
	if (kind == TABLES_ADDRESS_ADD || kind == TABLES_ADDRESS_REMOVE || kind == TABLES_NET_SWEEP)
		for (uint16_t i = 0; i < 2 * dataplane->n_ports; i++) {
			union ip_address address = route_local_address(&dataplane->routes, i / 2, i % 2);

			port_set_address(&dataplane->ports[i / 2], i % 2, &address, dataplane->qsbr);
		}
}

static void tell_refused(struct dataplane *dataplane, const struct tables_change *change, int rc)
{
	struct log_limit *limit = &dataplane->net_refused;
	char prefix[PREFIX_TEXT_LEN];

	if (!log_limit_pass(limit, rte_rdtsc() / (rte_get_tsc_hz() / 1000)))
		return;
	log_error("event=net_change_refused prefix=%s suppressed=%u reason=\"%s\"",
		prefix_format(&change->net.prefix, prefix), limit->suppressed,
		rc == -ENOSPC ? "the kernel has more addresses, routes and neighbours than dataplane.max_routes: raise it"
			      : strerror(-rc));
	limit->suppressed = 0;
}

void net_change_apply(struct dataplane *dataplane, const struct tables_change *change)
{
	int rc = route_change(&dataplane->routes, change, dataplane->n_ports);

	if (rc == 0)
		addresses_changed(dataplane, change->kind);
	else if (rc != -ENOENT)
		tell_refused(dataplane, change, rc);
}
