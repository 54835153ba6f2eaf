/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which queue of a port a packet comes in by. Receive-side scaling spreads by addresses and ports, so that all that one
 * tunnel brings lands on one queue, and seldom on that of the worker that owns its SA. Where the device can, rules of
 * rte_flow look at the SPI instead: an SA's owner is its record's index modulo the number of workers, and with a power
 * of two of them that is the low bits of the SPI. What no rule catches is spread as before, and a worker hands over
 * what is another's.
 */
#pragma once

#include <stdint.h>

#include <rte_flow.h>

struct config_ike;
struct port;

enum { STEER_ITEMS_MAX = 5 };

/* One rule in the device's terms, with what its pointers point to: not to be copied. */
struct steer_rule {
	struct rte_flow_item items[STEER_ITEMS_MAX];
	struct rte_flow_item_udp udp, udp_mask;
	struct rte_flow_item_esp esp, esp_mask;
	struct rte_flow_action_queue queue;
	struct rte_flow_action actions[2];
};

/* ESP over IPv4 or IPv6, to UDP port `nat_port` or bare (0), of SAs that `worker` of `n_workers`, a power of two, owns.
 */
void steer_rule_fill(struct steer_rule *rule, bool ipv6, uint16_t nat_port, uint16_t worker, uint16_t n_workers);

/* Asks the started device of a port for all rules, or for none of them. Logs what came of it. */
void steer_port(const struct port *port, const struct config_ike *ike, uint16_t n_workers);
