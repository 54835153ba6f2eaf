/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's addresses, routes and neighbours, as the control plane mirrors them into the tables: one change of them. */
#pragma once

struct dataplane;
struct tables_change;

/* Never answered; one that can't be taken up is logged. */
void net_change_apply(struct dataplane *dataplane, const struct tables_change *change);
