/* SPDX-License-Identifier: Apache-2.0 */
#include "steer.h"

#include "config/log.h"
#include "port.h"

#include <rte_byteorder.h>
#include <rte_common.h>

#include <stdbool.h>
#include <string.h>

void steer_rule_fill(struct steer_rule *rule, bool ipv6, uint16_t nat_port, uint16_t worker, uint16_t n_workers)
{
	struct rte_flow_item *item = rule->items;

	memset(rule, 0, sizeof(*rule));
	*item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
	*item++ = (struct rte_flow_item){.type = ipv6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4};
	if (nat_port) {
		rule->udp.hdr.dst_port = rte_cpu_to_be_16(nat_port);
		rule->udp_mask.hdr.dst_port = UINT16_MAX;
		*item++ = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &rule->udp, .mask = &rule->udp_mask};
	}
	rule->esp.hdr.spi = rte_cpu_to_be_32(worker);
	rule->esp_mask.hdr.spi = rte_cpu_to_be_32(n_workers - 1u);
	*item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ESP, .spec = &rule->esp, .mask = &rule->esp_mask};
	item->type = RTE_FLOW_ITEM_TYPE_END;
	rule->queue.index = worker;
	rule->actions[0] = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &rule->queue};
	rule->actions[1].type = RTE_FLOW_ACTION_TYPE_END;
}

/* All or none: half of the rules would send some workers' packets by them and others' by chance. */
static int rules_create(
	const struct port *port, const struct config_ike *ike, uint16_t n_workers, struct rte_flow_error *error)
{
	static const struct rte_flow_attr ingress = {.ingress = 1};
	struct steer_rule rule;

	for (uint16_t worker = 0; worker < n_workers; worker++)
		for (int kind = 0; kind < 2 * (1 + ike->n_nat_ports); kind++) {
			steer_rule_fill(&rule, kind & 1, kind < 2 ? 0 : ike->nat_ports[kind / 2 - 1], worker, n_workers);
			if (!rte_flow_create(port->device, &ingress, rule.items, rule.actions, error)) {
				struct rte_flow_error ignored;

				rte_flow_flush(port->device, &ignored);
				return -1;
			}
		}
	return 0;
}

void steer_port(const struct port *port, const struct config_ike *ike, uint16_t n_workers)
{
	struct rte_flow_error error = {.message = NULL};

	if (n_workers == 1)
		return;
	if (!rte_is_power_of_2(n_workers))
		log_info("event=port_spread port=%s by=rss reason=\"SPIs are spread over a power of two of workers, "
			 "not %u\"",
			port->config->name, n_workers);
	else if (rules_create(port, ike, n_workers, &error) < 0)
		log_info("event=port_spread port=%s by=rss reason=\"the device does not sort by SPI (%s)\"",
			port->config->name, error.message ? error.message : "no reason given");
	else
		log_info("event=port_spread port=%s by=spi", port->config->name);
}
