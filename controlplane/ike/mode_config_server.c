/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/mode_config.h"
#include "ike/report.h"

#include <string.h>

enum { IPV4_LEN = 4 };

static void config_put_address(struct builder *builder, uint16_t type, const struct address *address)
{
	if (address->family == ADDRESS_IPV4)
		attributes_put(builder, type, address->bytes, IPV4_LEN);
}

/* Address, mask and six bytes for protocol and ports; the networks stand one after another. */
static void config_put_networks(struct builder *builder, const struct config_peer *peer)
{
	uint8_t networks[CONFIG_NETWORKS_MAX * UNITY_NETWORK_LEN] = {0};
	size_t len = 0;

	for (size_t i = 0; i < peer->n_local; i++) {
		const struct prefix *network = &peer->local_networks[i];

		/* Everything is what a client sends into the tunnel unless it is told otherwise. */
		if (network->address.family != ADDRESS_IPV4 || network->len == 0)
			continue;
		memcpy(networks + len, network->address.bytes, IPV4_LEN);
		bytes_put32(networks + len + IPV4_LEN, UINT32_MAX << (32 - network->len));
		len += UNITY_NETWORK_LEN;
	}
	if (len > 0)
		attributes_put(builder, UNITY_SPLIT_INCLUDE, networks, len);
}

/* What is asked for; a push is as if all had been. */
static bool config_is_wanted(const struct attributes *asked, uint16_t type)
{
	return !asked || attributes_find(asked, type, NULL);
}

static void config_put(struct builder *builder, const struct ike_sa *sa, const struct ike_assignment *assignment,
	const struct attributes *asked)
{
	static const uint8_t host_mask[IPV4_LEN] = {255, 255, 255, 255};
	static const char version[] = "Sluice";

	if (config_is_wanted(asked, CFG_INTERNAL_IP4_ADDRESS))
		config_put_address(builder, CFG_INTERNAL_IP4_ADDRESS, &assignment->address);
	if (config_is_wanted(asked, CFG_INTERNAL_IP4_NETMASK))
		attributes_put(builder, CFG_INTERNAL_IP4_NETMASK, host_mask, sizeof(host_mask));
	for (size_t i = 0; config_is_wanted(asked, CFG_INTERNAL_IP4_DNS) && i < assignment->n_dns; i++)
		config_put_address(builder, CFG_INTERNAL_IP4_DNS, &assignment->dns[i]);
	/* Clients that know it ask for nothing: they expect it in the reply. */
	config_put_networks(builder, sa->peer);
	if (asked && config_is_wanted(asked, CFG_APPLICATION_VERSION))
		attributes_put(builder, CFG_APPLICATION_VERSION, version, sizeof(version) - 1);
}

/* The party's address from the host. False when there is none, which is told. */
static bool config_lease(struct ike_sa *sa, struct ike_assignment *out)
{
	struct ike *ike = sa->ike;
	char why[IKE_WHY_LEN], address[ADDRESS_TEXT_LEN];

	*out = (struct ike_assignment){.n_dns = 0};
	if (ike->host.lease(ike->host.context, sa->peer, ike_sa_identity(sa), out, why) < 0) {
		engine_count(ike, IKE_COUNT_REFUSED);
		report_sa(sa, IKE_EVENT_REFUSED, "no virtual address: %s", why);
		return false;
	}
	sa->party->address = out->address;
	report_sa(sa, IKE_EVENT_ASSIGNED, "virtual address %s", address_format(&out->address, address));
	return true;
}

enum v1_verdict mode_config_receive_request(struct v1_message *message, const struct attributes *attributes)
{
	struct ike_assignment assignment;
	struct ike_sa *sa = message->sa;
	struct builder builder;
	bool leased;

	if (sa->peer->registration) {
		report_message(message, IKE_EVENT_REFUSED, sa->peer, ike_sa_identity(sa),
			"the peer asks for a virtual address; who has registered got it there");
		leased = false;
	} else if (!sa->peer->pool[0]) {
		report_message(message, IKE_EVENT_REFUSED, sa->peer, ike_sa_identity(sa),
			"the peer asks for a virtual address; its configuration has no pool (setting pool)");
		leased = false;
	} else {
		leased = config_lease(sa, &assignment);
	}
	/* Who can't be given one is told by a reply without. */
	transaction_answer(message->transaction, ISAKMP_CFG_REPLY, &builder);
	if (leased)
		config_put(&builder, sa, &assignment, attributes);
	return transaction_send(message->transaction, &builder) < 0 ? V1_ENDED : V1_TAKEN;
}

void mode_config_push(struct ike_sa *sa)
{
	struct ike_assignment assignment;
	struct transaction *transaction;
	struct builder builder;

	if (!sa->peer->pool[0] || sa->peer->assign != CONFIG_ASSIGN_PUSH || !config_lease(sa, &assignment))
		return;
	transaction = transaction_begin(sa, ISAKMP_CFG_SET, &builder);
	if (!transaction)
		return;
	config_put(&builder, sa, &assignment, NULL);
	transaction_send(transaction, &builder);
}

enum v1_verdict mode_config_receive_ack(struct v1_message *message)
{
	(void)message;
	return V1_TAKEN;
}
