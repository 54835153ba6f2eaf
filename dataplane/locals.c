/* SPDX-License-Identifier: Apache-2.0 */
#include "locals.h"

#include <rte_malloc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 8, SLOTS_EACH = 8, RETIRED_MAX = 255, NAME_LEN = 64 };

static void set_free(void *context, void *set, unsigned int count)
{
	(void)context;
	(void)count;
	rte_free(*(void **)set);
}

static void set_insert(struct locals_set *set, const union ip_address *address)
{
	uint32_t slot = locals_hash(address) & set->mask;

	while (!ip_is_none(&set->slots[slot]) && !ip_equal(&set->slots[slot], address))
		slot = (slot + 1) & set->mask;
	set->slots[slot] = *address;
}

static struct locals_set *set_make(const struct local_address *list, uint32_t count)
{
	uint32_t n_slots = RTE_MAX(rte_align32pow2(SLOTS_EACH * count), (uint32_t)SLOTS_MIN);
	struct locals_set *set =
		rte_zmalloc("locals", sizeof(*set) + n_slots * sizeof(set->slots[0]), RTE_CACHE_LINE_SIZE);

	if (!set)
		return NULL;
	set->mask = n_slots - 1;
	for (uint32_t i = 0; i < count; i++)
		set_insert(set, &list[i].address);
	return set;
}

static void set_retire(struct locals *locals, const struct locals_set *set)
{
	/* Full: so many changes within one turn of a worker, which is waited for. */
	while (rte_rcu_qsbr_dq_enqueue(locals->retired, &set) != 0)
		rte_pause();
}

/* Makes the list as it is now what workers see. 0 or -ENOMEM. */
static int publish(struct locals *locals)
{
	const struct locals_set *before = atomic_load_explicit(&locals->set, memory_order_relaxed);
	struct locals_set *set = set_make(locals->list, locals->count);

	if (!set)
		return -ENOMEM;
	atomic_store_explicit(&locals->set, set, memory_order_release);
	if (before)
		set_retire(locals, before);
	return 0;
}

int locals_init(struct locals *locals, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	char full[NAME_LEN];
	struct rte_rcu_qsbr_dq_parameters parameters = {
		.name = full,
		.size = RETIRED_MAX,
		.esize = sizeof(void *),
		.max_reclaim_size = RETIRED_MAX,
		.free_fn = set_free,
		.v = qsbr,
	};

	memset(locals, 0, sizeof(*locals));
	snprintf(full, sizeof(full), "%s-locals", name);
	locals->capacity = capacity;
	locals->list = calloc(capacity, sizeof(*locals->list));
	locals->retired = rte_rcu_qsbr_dq_create(&parameters);
	if (locals->list && locals->retired && publish(locals) == 0)
		return 0;
	locals_free(locals);
	return -ENOMEM;
}

void locals_free(struct locals *locals)
{
	rte_rcu_qsbr_dq_delete(locals->retired);
	rte_free((void *)(uintptr_t)atomic_load_explicit(&locals->set, memory_order_relaxed));
	free(locals->list);
	memset(locals, 0, sizeof(*locals));
}

static struct local_address *entry_find(const struct locals *locals, const union ip_address *address, uint16_t port)
{
	for (uint32_t i = 0; i < locals->count; i++)
		if (locals->list[i].port == port && ip_equal(&locals->list[i].address, address))
			return &locals->list[i];
	return NULL;
}

int locals_add(struct locals *locals, const union ip_address *address, uint16_t port)
{
	int rc;

	if (entry_find(locals, address, port))
		return 0;
	if (locals->count == locals->capacity)
		return -ENOSPC;
	locals->list[locals->count++] = (struct local_address){.address = *address, .port = port};
	rc = publish(locals);
	if (rc < 0)
		locals->count--;
	return rc;
}

int locals_remove(struct locals *locals, const union ip_address *address, uint16_t port)
{
	struct local_address *entry = entry_find(locals, address, port);

	if (!entry)
		return 0;
	*entry = locals->list[--locals->count];
	return publish(locals);
}

union ip_address locals_lowest(const struct locals *locals, uint16_t port, bool ipv6)
{
	union ip_address lowest = {.words = {0, 0}};

	for (uint32_t i = 0; i < locals->count; i++) {
		const union ip_address *address = &locals->list[i].address;

		if (locals->list[i].port == port && ip_is_ipv4(address) != ipv6 && !ip_is_link_local(address) &&
			(ip_is_none(&lowest) || memcmp(address, &lowest, sizeof(lowest)) < 0))
			lowest = *address;
	}
	return lowest;
}
