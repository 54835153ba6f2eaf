/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include "header.h"

enum { PORTS_LEN = 4 }; /* source and destination: TCP's and UDP's headers begin alike (RFC 9293, RFC 768) */

void rules_fill(struct rule_list *list, const struct config *config)
{
	list->count = config->n_rules;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct config_rule *from = &config->rules[i];

		list->rules[i] = (struct rule){
			.source = ip_network_of(&from->source),
			.destination = ip_network_of(&from->destination),
			.protocol = from->protocol,
			.first_port = from->port.first,
			.last_port = from->port.last,
			.action = (uint16_t)from->action,
		};
	}
}

/* Destination port of TCP or UDP; 0 where the packet holds none. */
static uint16_t port_of(const struct rte_ipv4_hdr *ip, uint32_t len)
{
	uint16_t header_len = rte_ipv4_hdr_len(ip);
	const uint8_t *port = (const uint8_t *)ip + header_len + 2;

	if ((ip->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK)) ||
		len < (uint32_t)header_len + PORTS_LEN)
		return 0;
	return (uint16_t)(port[0] << 8 | port[1]);
}

static bool rule_matches(
	const struct rule *rule, const struct rte_ipv4_hdr *ip, const union ip_address *source,
	const union ip_address *destination, uint16_t port)
{
	if (!ip_network_has(&rule->source, source) || !ip_network_has(&rule->destination, destination))
		return false;
	if (rule->protocol != CONFIG_PROTOCOL_ANY && rule->protocol != ip->next_proto_id)
		return false;
	return rule->first_port == 0 || (port >= rule->first_port && port <= rule->last_port);
}

const struct rule *rules_find(const struct rule_list *list, const void *header, uint32_t len)
{
	const struct rte_ipv4_hdr *ip = header;
	union ip_address source = ip_from_be32(ip->src_addr), destination = ip_from_be32(ip->dst_addr);
	uint16_t port = port_of(ip, len);

	if (header_is_ipv6(header))
		return NULL;
	for (uint32_t i = 0; i < list->count; i++)
		if (rule_matches(&list->rules[i], ip, &source, &destination, port))
			return &list->rules[i];
	return NULL;
}
