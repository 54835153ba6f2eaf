/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for a device's queues: each SPI that the tables give out matches the rule of its owner, and no other. */
#include "steer.h"

#include "tables/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NAT_PORT = 4500, INDICES = 1000 };

static const struct rte_flow_item *item_find(const struct steer_rule *rule, enum rte_flow_item_type type)
{
	const struct rte_flow_item *item = rule->items;

	while (item->type != RTE_FLOW_ITEM_TYPE_END && item->type != type)
		item++;
	return item->type == type ? item : NULL;
}

static bool rule_matches(const struct steer_rule *rule, uint32_t spi)
{
	const struct rte_flow_item *item = item_find(rule, RTE_FLOW_ITEM_TYPE_ESP);
	const struct rte_flow_item_esp *spec = item->spec, *mask = item->mask;

	return ((rte_cpu_to_be_32(spi) ^ spec->hdr.spi) & mask->hdr.spi) == 0;
}

static void test_owner(void **state)
{
	struct steer_rule rule;

	(void)state;
	for (uint16_t n_workers = 2; n_workers <= 16; n_workers = (uint16_t)(n_workers * 2))
		for (uint16_t worker = 0; worker < n_workers; worker++) {
			steer_rule_fill(&rule, false, 0, worker, n_workers);
			for (uint32_t index = 0; index < INDICES; index++)
				assert_int_equal(rule_matches(&rule, tables_spi(index, index * 7)),
					index % n_workers == worker);
			assert_int_equal(((const struct rte_flow_action_queue *)rule.actions[0].conf)->index, worker);
		}
}

static void test_kinds(void **state)
{
	const struct rte_flow_item_udp *udp;
	struct steer_rule rule;

	(void)state;
	steer_rule_fill(&rule, false, 0, 1, 2);
	assert_non_null(item_find(&rule, RTE_FLOW_ITEM_TYPE_IPV4));
	assert_null(item_find(&rule, RTE_FLOW_ITEM_TYPE_UDP));
	steer_rule_fill(&rule, true, NAT_PORT, 1, 2);
	assert_non_null(item_find(&rule, RTE_FLOW_ITEM_TYPE_IPV6));
	udp = item_find(&rule, RTE_FLOW_ITEM_TYPE_UDP)->spec;
	assert_int_equal(rte_be_to_cpu_16(udp->hdr.dst_port), NAT_PORT);
	assert_int_equal(rule.actions[1].type, RTE_FLOW_ACTION_TYPE_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
