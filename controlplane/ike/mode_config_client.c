/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/mode_config.h"
#include "ike/quick.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { IPV4_LEN = 4 };

static bool config_take_address(const struct attribute *attribute, struct address *out)
{
	if (attribute->value.len != IPV4_LEN)
		return false;
	*out = address_ipv4(bytes_get32(attribute->value.data));
	return true;
}

/* One network of a split list; a mask with holes is none. */
static bool config_take_network(const uint8_t *at, struct prefix *out)
{
	struct address address = address_ipv4(bytes_get32(at));
	uint32_t mask = bytes_get32(at + IPV4_LEN);
	uint8_t len = 0;

	while (len < 32 && mask & UINT32_C(1) << (31 - len))
		len++;
	if (len < 32 && mask << len)
		return false;
	*out = prefix_make(&address, len);
	return true;
}

static void config_take_networks(const struct attribute *attribute, struct ike_assignment *out)
{
	for (size_t at = 0; at + UNITY_NETWORK_LEN <= attribute->value.len; at += UNITY_NETWORK_LEN)
		if (out->n_networks < CONFIG_NETWORKS_MAX &&
			config_take_network(attribute->value.data + at, &out->networks[out->n_networks]))
			out->n_networks++;
}

/* False when there is no address in it. */
static bool config_take(const struct attributes *attributes, struct ike_assignment *out)
{
	*out = (struct ike_assignment){.n_dns = 0};
	for (size_t i = 0; i < attributes->count; i++) {
		const struct attribute *attribute = &attributes->items[i];

		switch (attribute->type) {
		case CFG_INTERNAL_IP4_ADDRESS: config_take_address(attribute, &out->address); break;
		case CFG_INTERNAL_IP4_DNS:
			if (out->n_dns < CONFIG_DNS_MAX && config_take_address(attribute, &out->dns[out->n_dns]))
				out->n_dns++;
			break;
		case UNITY_SPLIT_INCLUDE: config_take_networks(attribute, out); break;
		default: break;
		}
	}
	return out->address.family == ADDRESS_IPV4;
}

/* What came is this SA's from now on, and quick mode may begin. */
static void config_adopt(struct ike_sa *sa, const struct ike_assignment *assignment)
{
	struct ike *ike = sa->ike;
	char address[ADDRESS_TEXT_LEN];
	bool first = !sa->assignment;

	if (first)
		sa->assignment = malloc(sizeof(*sa->assignment));
	if (!sa->assignment)
		return;
	*sa->assignment = *assignment;
	report_sa(sa, IKE_EVENT_ASSIGNED, "virtual address %s", address_format(&assignment->address, address));
	if (ike->host.assigned)
		ike->host.assigned(ike->host.context, sa->peer, assignment);
	if (first)
		quick_begin_next_pair(sa);
}

void mode_config_pull(struct ike_sa *sa)
{
	static const uint16_t wanted[] = {
		CFG_INTERNAL_IP4_ADDRESS, CFG_INTERNAL_IP4_NETMASK, CFG_INTERNAL_IP4_DNS, UNITY_SPLIT_INCLUDE};
	struct transaction *transaction;
	struct builder builder;

	if (sa->peer->assign == CONFIG_ASSIGN_PUSH)
		return;
	transaction = transaction_begin(sa, ISAKMP_CFG_REQUEST, &builder);
	if (!transaction) {
		report_sa(sa, IKE_EVENT_REFUSED, "a virtual address could not be asked for: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		attributes_put(&builder, wanted[i], NULL, 0);
	transaction_send(transaction, &builder);
}

enum v1_verdict mode_config_receive_reply(struct v1_message *message, const struct attributes *attributes)
{
	struct ike_assignment assignment;

	if (config_take(attributes, &assignment))
		config_adopt(message->sa, &assignment);
	else
		report_sa(message->sa, IKE_EVENT_REFUSED,
			"the gateway gave no virtual address: its pool may be exhausted, or there is none for us");
	return V1_TAKEN;
}

/* HDR*, HASH, ATTR(ACK): what was taken, by type alone. */
enum v1_verdict mode_config_receive_set(struct v1_message *message, const struct attributes *attributes)
{
	struct ike_assignment assignment;
	struct ike_sa *sa = message->sa;
	struct builder builder;
	bool wanted = sa->initiator && sa->peer->virtual_address;

	transaction_answer(message->transaction, ISAKMP_CFG_ACK, &builder);
	for (size_t i = 0; wanted && i < attributes->count; i++)
		attributes_put(&builder, attributes->items[i].type, NULL, 0);
	if (transaction_send(message->transaction, &builder) < 0)
		return V1_ENDED;
	if (wanted && config_take(attributes, &assignment))
		config_adopt(sa, &assignment);
	return V1_TAKEN;
}
