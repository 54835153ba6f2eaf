/* SPDX-License-Identifier: Apache-2.0 */
#include "lpm4.h"

#include <errno.h>

enum {
	TBL8_MIN = 256,
	TBL8_MAX = 1 << 16,
};

int lpm4_init(struct lpm4 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	struct rte_lpm_config config = {
		.max_rules = capacity,
		.number_tbl8s = RTE_MIN(TBL8_MIN + capacity / 4, (uint32_t)TBL8_MAX),
	};
	struct rte_lpm_rcu_config rcu = {.v = qsbr, .mode = RTE_LPM_QSBR_MODE_DQ};

	atomic_init(&lpm->all, LPM4_NONE);
	lpm->lpm = rte_lpm_create(name, SOCKET_ID_ANY, &config);
	if (lpm->lpm && rte_lpm_rcu_qsbr_add(lpm->lpm, &rcu) == 0)
		return 0;
	lpm4_free(lpm);
	return -ENOMEM;
}

void lpm4_free(struct lpm4 *lpm)
{
	rte_lpm_free(lpm->lpm);
	lpm->lpm = NULL;
}

int lpm4_set(struct lpm4 *lpm, uint32_t address, uint8_t len, uint32_t value)
{
	if (len > 0)
		return rte_lpm_add(lpm->lpm, address, len, value) == 0 ? 0 : -ENOSPC;
	atomic_store_explicit(&lpm->all, value, memory_order_release);
	return 0;
}

void lpm4_delete(struct lpm4 *lpm, uint32_t address, uint8_t len)
{
	if (len > 0)
		rte_lpm_delete(lpm->lpm, address, len);
	else
		atomic_store_explicit(&lpm->all, LPM4_NONE, memory_order_release);
}

uint32_t lpm4_get(const struct lpm4 *lpm, uint32_t address, uint8_t len)
{
	uint32_t value;

	if (len == 0)
		return atomic_load_explicit(&lpm->all, memory_order_relaxed);
	return rte_lpm_is_rule_present(lpm->lpm, address, len, &value) == 1 ? value : LPM4_NONE;
}
