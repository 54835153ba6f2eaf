/* SPDX-License-Identifier: Apache-2.0 */
/* What child SAs may be beside IPv4 tunnels: both address families, transport mode, 64-bit sequence numbers. */
#include "exchange.h"

#include "ike/ike_sa.h"
#include "ike/vendor.h"
#include "ike/natt.h"
#include "ike/quick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static void says(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("side %d said: %s", side, x.sides[side].why[kind]);
}

static void set_endpoints(const char *branch, const char *gateway)
{
	assert_int_equal(address_parse(branch, &x.sides[BRANCH].endpoint.address), 0);
	assert_int_equal(address_parse(gateway, &x.sides[GATEWAY].endpoint.address), 0);
}

/* The branch's networks in `branch`, those at the gateway in `gateway`, the same at both sides. */
static void set_networks(const char *const *branch, const char *const *gateway)
{
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];
		const char *const *local = side == BRANCH ? branch : gateway;
		const char *const *remote = side == BRANCH ? gateway : branch;

		for (peer->n_local = 0; local[peer->n_local]; peer->n_local++)
			assert_int_equal(prefix_parse(local[peer->n_local], &peer->local_networks[peer->n_local]), 0);
		for (peer->n_remote = 0; remote[peer->n_remote]; peer->n_remote++)
			assert_int_equal(
				prefix_parse(remote[peer->n_remote], &peer->remote_networks[peer->n_remote]), 0);
	}
}

#define NETWORKS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void set_transport(int side)
{
	x.sides[side].peers[0].mode = CONFIG_MODE_TRANSPORT;
}

static void expect_nothing(void)
{
	assert_int_equal(exchange_installed(&x, GATEWAY) + exchange_installed(&x, BRANCH), 0);
}

static void over_ipv6(void **state)
{
	(void)state;
	for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
		const struct ike_child *child;

		exchange_prepare(&x);
		set_endpoints("2001:db8:1::1", "2001:db8:2::1");
		exchange_open(&x);
		x.nat = (enum exchange_nat)nat;
		exchange_connect(&x);
		child = &exchange_newest(&x, GATEWAY)->terms;
		assert_int_equal(child->local.address.family, ADDRESS_IPV6);
		assert_int_equal(child->remote.address.family, ADDRESS_IPV6);
		/* NAT detection hashes all sixteen bytes: without a NAT both sides agree that there is none. */
		assert_int_equal(child->udp_encapsulation, nat != EXCHANGE_NO_NAT);
		assert_int_equal(child->peer_behind_nat, nat != EXCHANGE_NO_NAT);
		assert_false(child->we_behind_nat);
		assert_false(child->transport);
		exchange_stop(&x);
	}
}

/* Addresses as identities, networks and hosts as selectors: RFC 2407 section 4.6.2.6 and 4.6.2.7. */
static void ipv6_identities_and_selectors(void **state)
{
	const struct ike_child *child;

	(void)state;
	exchange_prepare(&x);
	set_networks(NETWORKS("2001:db8:1::/61"), NETWORKS("2001:db8:2::7"));
	strcpy(x.sides[BRANCH].config.ike.identity, "2001:db8::b");
	strcpy(x.sides[GATEWAY].peers[0].identity, "2001:db8::b");
	strcpy(x.sides[GATEWAY].config.ike.identity, "2001:db8::2");
	strcpy(x.sides[BRANCH].peers[0].identity, "2001:db8::2");
	exchange_open(&x);
	exchange_connect(&x);
	child = &exchange_newest(&x, GATEWAY)->terms;
	assert_string_equal(child->identity, "2001:db8::b");
	assert_int_equal(child->remote_network.len, 61);
	assert_int_equal(child->local_network.len, 128);
	/* IPv6 inside, IPv4 outside. */
	assert_int_equal(child->remote.address.family, ADDRESS_IPV4);
	exchange_stop(&x);
}

static void pairs_of_one_family(void **state)
{
	(void)state;
	exchange_prepare(&x);
	set_networks(
		NETWORKS("10.1.0.0/16", "2001:db8:1::/48"), NETWORKS("2001:db8:2::/48", "10.2.0.0/16", "10.3.0.0/16"));
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_active(&x, BRANCH), 3);
	assert_int_equal(exchange_active(&x, GATEWAY), 3);
	for (size_t i = 0; i < x.sides[GATEWAY].n_children; i++) {
		const struct ike_child *child = &x.sides[GATEWAY].children[i].terms;

		assert_int_equal(child->local_network.address.family, child->remote_network.address.family);
	}
	exchange_stop(&x);
}

/* What our own initiator never does: a quick mode for networks of two families. */
static int begin_mixed_quick_mode(void)
{
	struct config_peer *peer = &x.sides[BRANCH].peers[0];
	struct party *party = engine_party(x.sides[BRANCH].ike, peer, peer->identity, false);
	struct prefix remote;

	prefix_parse("2001:db8:2::/48", &remote);
	return quick_begin(ike_sa_newest(party), &peer->local_networks[0], &remote, NULL);
}

/* Each lies within what is configured, and yet no packet goes from the one to the other. */
static void selectors_of_two_families(void **state)
{
	struct config_peer *peer = &x.sides[BRANCH].peers[0];

	(void)state;
	exchange_prepare(&x);
	set_networks(NETWORKS("10.1.0.0/16", "2001:db8:1::/48"), NETWORKS("10.2.0.0/16", "2001:db8:2::/48"));
	peer->n_local = 1;
	peer->n_remote = 0; /* the gateway itself is asked for, which has an IPv6 address */
	set_endpoints("2001:db8:1::1", "2001:db8:2::1");
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	expect_nothing(); /* we don't ask for what can't be */
	assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_REFUSED], 0);
	assert_int_equal(begin_mixed_quick_mode(), 0);
	exchange_run(&x);
	says(GATEWAY, IKE_EVENT_REFUSED, "one traffic selector is IPv4, the other IPv6");
	says(BRANCH, IKE_EVENT_REFUSED, "INVALID-ID-INFORMATION");
	expect_nothing();
	exchange_stop(&x);
}

static void extended_numbers(void **state)
{
	(void)state;
	for (int branch = 0; branch < 2; branch++)
		for (int gateway = 0; gateway < 2; gateway++) {
			exchange_prepare(&x);
			x.sides[BRANCH].peers[0].esn = branch;
			x.sides[GATEWAY].peers[0].esn = gateway;
			exchange_open(&x);
			exchange_connect(&x);
			assert_int_equal(exchange_newest(&x, GATEWAY)->terms.extended, branch && gateway);
			/* And so is its successor. */
			assert_int_equal(
				ike_child_rekey(x.sides[GATEWAY].ike, exchange_newest(&x, GATEWAY)->terms.spi_in), 0);
			exchange_run(&x);
			exchange_check_pair(&x);
			assert_int_equal(exchange_newest(&x, GATEWAY)->terms.extended, branch && gateway);
			exchange_stop(&x);
		}
}

/* The suite counts for more than the length of the numbers. */
static void suite_before_numbers(void **state)
{
	(void)state;
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		x.sides[side].peers[0].esn = true;
		x.sides[side].peers[0].n_esp = 2;
	}
	x.sides[BRANCH].peers[0].esp[0] = ESP_AES128_CBC_SHA256_128;
	x.sides[BRANCH].peers[0].esp[1] = ESP_AES256_GCM;
	x.sides[GATEWAY].peers[0].esp[0] = ESP_AES256_GCM;
	x.sides[GATEWAY].peers[0].esp[1] = ESP_AES128_CBC_SHA256_128;
	exchange_open(&x);
	exchange_connect(&x);
	assert_int_equal(exchange_newest(&x, GATEWAY)->terms.suite, ESP_AES256_GCM);
	assert_true(exchange_newest(&x, GATEWAY)->terms.extended);
	exchange_stop(&x);
}

static void hosts_in_transport_mode(void **state)
{
	(void)state;
	exchange_prepare(&x);
	set_networks(NETWORKS("192.0.2.1"), NETWORKS("198.51.100.1"));
	set_transport(BRANCH);
	set_transport(GATEWAY);
	exchange_open(&x);
	exchange_connect(&x);
	assert_true(exchange_newest(&x, GATEWAY)->terms.transport);
	assert_false(exchange_newest(&x, GATEWAY)->terms.udp_encapsulation);
	exchange_stop(&x);
}

/* The branch knows itself by another address than the gateway sees; its packets are about the former. */
static void transport_through_nat(void **state)
{
	const struct ike_child *child;

	(void)state;
	exchange_prepare(&x);
	set_networks(NETWORKS("192.0.2.1"), NETWORKS("198.51.100.1"));
	set_transport(BRANCH);
	set_transport(GATEWAY);
	exchange_open(&x);
	x.nat = EXCHANGE_NAT;
	exchange_connect(&x);
	child = &exchange_newest(&x, GATEWAY)->terms;
	assert_true(child->transport);
	assert_true(child->udp_encapsulation);
	assert_int_equal(address_to_ipv4(&child->remote_network.address), 0xc0000201);
	assert_int_equal(address_to_ipv4(&child->remote.address), 0xcb007104);
	exchange_stop(&x);
}

static void modes_that_differ(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		exchange_prepare(&x);
		set_networks(NETWORKS("192.0.2.1"), NETWORKS("198.51.100.1"));
		set_transport(side);
		exchange_open(&x);
		exchange_begin(&x);
		exchange_run(&x);
		says(GATEWAY, IKE_EVENT_REFUSED,
			side == GATEWAY ? "with or without PFS without 64-bit sequence numbers, transport"
					: "offered aes256gcm in transport mode; acceptable aes256gcm");
		says(BRANCH, IKE_EVENT_REFUSED, "NO-PROPOSAL-CHOSEN");
		expect_nothing();
		exchange_stop(&x);
	}
}

/* Not behind a NAT, and yet it speaks for another host: that would be a tunnel. */
static void transport_for_others(void **state)
{
	(void)state;
	exchange_prepare(&x);
	set_networks(NETWORKS("192.0.2.77"), NETWORKS("198.51.100.1"));
	set_transport(BRANCH);
	set_transport(GATEWAY);
	exchange_open(&x);
	exchange_begin(&x);
	exchange_run(&x);
	says(GATEWAY, IKE_EVENT_REFUSED, "transport mode is between the two hosts themselves");
	says(BRANCH, IKE_EVENT_REFUSED, "INVALID-ID-INFORMATION");
	expect_nothing();
	exchange_stop(&x);
}

/* RFC 3947 section 5.2, in both numberings. */
static void original_addresses(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		0x15, 0, 0, 12, 1, 0, 0, 0, 192, 0, 2, 1,
		0, 0, 0, 24, 5, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
	/* clang-format on */
	const struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1};
	struct address initiator, responder;
	struct builder builder;
	uint8_t data[128];

	(void)state;
	address_parse("192.0.2.1", &initiator);
	address_parse("2001:db8::9", &responder);
	for (int draft = 0; draft < 2; draft++) {
		uint8_t type = draft ? ISAKMP_NAT_OA_DRAFT : ISAKMP_NAT_OA;

		builder_begin(&builder, data, sizeof(data), &hdr);
		natt_write_original(&builder, draft ? NATT_DRAFT : NATT_RFC3947, &initiator, &responder);
		assert_int_equal(builder_finish(&builder), 0);
		assert_int_equal(builder.len, sizeof(hdr) + sizeof(expected));
		assert_int_equal(((struct isakmp_hdr *)data)->next_payload, type);
		assert_int_equal(data[sizeof(hdr)], type);
		assert_memory_equal(data + sizeof(hdr) + 1, expected + 1, sizeof(expected) - 1);
	}
}

/* Makes a vendor ID of a message one that nobody knows; it is under no hash. */
static void spoil_vendor(struct exchange_message *message, enum vendor vendor)
{
	struct bytes body = vendor_body(vendor);
	uint8_t *at = memmem(message->data, message->len, body.data, body.len);

	assert_non_null(at);
	at[0] ^= 0xff;
}

/* A peer that knows the drafts of RFC 3947 alone: other payload numbers, other numbers of the modes. */
static void nat_traversal_by_drafts(void **state)
{
	static const enum vendor drafts[] = {VENDOR_NATT_DRAFT_03, VENDOR_NATT_DRAFT_02_N, VENDOR_NATT_DRAFT_02};

	(void)state;
	for (size_t known = 0; known < 3; known++)
		for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
			const struct ike_sa *sa;

			exchange_start(&x);
			x.nat = (enum exchange_nat)nat;
			exchange_begin(&x);
			spoil_vendor(&x.queue[0], VENDOR_NATT_RFC3947);
			for (size_t i = 0; i < 3; i++)
				if (i != known)
					spoil_vendor(&x.queue[0], drafts[i]);
			exchange_run(&x);
			exchange_check_pair(&x);
			for (int side = 0; side < 2; side++) {
				sa = TAILQ_FIRST(&x.sides[side].ike->sas);
				assert_int_equal(sa->natt, NATT_DRAFT);
				assert_int_equal(sa->floated, nat != EXCHANGE_NO_NAT);
				assert_int_equal(exchange_newest(&x, side)->terms.udp_encapsulation, nat != EXCHANGE_NO_NAT);
			}
			exchange_stop(&x);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_ipv6),
		cmocka_unit_test(ipv6_identities_and_selectors),
		cmocka_unit_test(pairs_of_one_family),
		cmocka_unit_test(selectors_of_two_families),
		cmocka_unit_test(extended_numbers),
		cmocka_unit_test(suite_before_numbers),
		cmocka_unit_test(hosts_in_transport_mode),
		cmocka_unit_test(transport_through_nat),
		cmocka_unit_test(modes_that_differ),
		cmocka_unit_test(transport_for_others),
		cmocka_unit_test(original_addresses),
		cmocka_unit_test(nat_traversal_by_drafts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
