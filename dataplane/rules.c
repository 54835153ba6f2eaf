/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include "ipv4.h"
#include "ipv6.h"

#include <netinet/in.h>

enum { PORTS_LEN = 4 }; /* source and destination: TCP's and UDP's headers begin alike (RFC 9293, RFC 768) */

void rules_fill(struct rule_list *list, const struct config *config)
{
	list->count = config->n_rules;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct config_rule *from = &config->rules[i];

		list->rules[i] = (struct rule){
			.source = ip_network_of(&from->source),
			.destination = ip_network_of(&from->destination),
			.ipv6 = from->source.address.family == ADDRESS_IPV6,
			.protocol = from->protocol,
			.first_port = from->port.first,
			.last_port = from->port.last,
			.action = (uint16_t)from->action,
		};
	}
}

/* What rules ask about a packet. */
struct asked {
	union ip_address source, destination;
	bool ipv6;
	bool is_clear; /* the protocol is known */
	uint8_t protocol;
	uint16_t port; /* destination port of TCP or UDP; 0 where the packet holds none */
};

static uint16_t port_read(const uint8_t *upper)
{
	return (uint16_t)(upper[2] << 8 | upper[3]);
}

static void ask_ipv4(struct asked *asked, const struct rte_ipv4_hdr *ip)
{
	uint16_t header_len = rte_ipv4_hdr_len(ip);

	*asked = (struct asked){
		.source = ip_from_be32(ip->src_addr),
		.destination = ip_from_be32(ip->dst_addr),
		.is_clear = true,
		.protocol = ip->next_proto_id,
	};
	if (!(ip->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK)) &&
		rte_be_to_cpu_16(ip->total_length) >= header_len + PORTS_LEN)
		asked->port = port_read((const uint8_t *)ip + header_len);
}

static void ask_ipv6(struct asked *asked, const struct rte_ipv6_hdr *ip, uint32_t len)
{
	struct ipv6_upper upper = {0};

	*asked = (struct asked){
		.source = ip_from_bytes(ip->src_addr),
		.destination = ip_from_bytes(ip->dst_addr),
		.ipv6 = true,
		.is_clear = ipv6_upper(ip, len, &upper),
	};
	if (!asked->is_clear)
		return;
	asked->protocol = upper.protocol;
	if (upper.is_first && sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len) >= upper.offset + (size_t)PORTS_LEN)
		asked->port = port_read((const uint8_t *)ip + upper.offset);
}

static bool rule_matches(const struct rule *rule, const struct asked *asked)
{
	if (rule->ipv6 != asked->ipv6 || !ip_network_has(&rule->source, &asked->source) ||
		!ip_network_has(&rule->destination, &asked->destination))
		return false;
	if (!asked->is_clear)
		return rule->action == CONFIG_ACTION_DISCARD || rule->protocol == CONFIG_PROTOCOL_ANY;
	if (rule->protocol != CONFIG_PROTOCOL_ANY && rule->protocol != asked->protocol)
		return false;
	return rule->first_port == 0 || (asked->port >= rule->first_port && asked->port <= rule->last_port);
}

const struct rule *rules_find(const struct rule_list *list, const void *header, uint32_t len)
{
	struct asked asked;

	if (*(const uint8_t *)header >> 4 == 6)
		ask_ipv6(&asked, header, len);
	else
		ask_ipv4(&asked, header);
	for (uint32_t i = 0; i < list->count; i++)
		if (rule_matches(&list->rules[i], &asked))
			return &list->rules[i];
	return NULL;
}
