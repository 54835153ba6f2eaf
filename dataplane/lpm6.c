/* SPDX-License-Identifier: Apache-2.0 */
#include "lpm6.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_LEN = 64, PLACES_SPARE = 1024 }; /* of keys that are deleted, until workers have been quiescent */

static int key_compare(const void *a, const void *b, size_t len)
{
	const struct lpm6_key *x = a, *y = b;

	(void)len;
	return !ip_equal(&x->address, &y->address) || x->len != y->len;
}

static struct rte_hash *hash_make(const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	struct rte_hash_parameters parameters = {
		.name = name,
		.entries = capacity + RTE_MAX(capacity / 8, (uint32_t)PLACES_SPARE),
		.key_len = sizeof(struct lpm6_key),
		.hash_func = rte_hash_crc,
		.socket_id = SOCKET_ID_ANY,
		.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct rte_hash_rcu_config rcu = {.v = qsbr, .mode = RTE_HASH_QSBR_MODE_DQ};
	struct rte_hash *hash = rte_hash_create(&parameters);

	if (!hash || rte_hash_rcu_qsbr_add(hash, &rcu) != 0) {
		rte_hash_free(hash);
		return NULL;
	}
	rte_hash_set_cmp_func(hash, key_compare);
	return hash;
}

int lpm6_init(struct lpm6 *lpm, const char *name, uint32_t capacity, struct rte_rcu_qsbr *qsbr)
{
	struct rte_rib6_conf conf = {.max_nodes = (int)(2 * capacity)}; /* a branch for each prefix */
	char full[NAME_LEN];

	memset(lpm, 0, sizeof(*lpm));
	lpm->qsbr = qsbr;
	snprintf(full, sizeof(full), "%s-6", name);
	lpm->rib = rte_rib6_create(full, SOCKET_ID_ANY, &conf);
	lpm->hash = hash_make(full, capacity, qsbr);
	if (lpm->rib && lpm->hash)
		return 0;
	lpm6_free(lpm);
	return -ENOMEM;
}

void lpm6_free(struct lpm6 *lpm)
{
	rte_hash_free(lpm->hash);
	if (lpm->rib)
		rte_rib6_free(lpm->rib);
	memset(lpm, 0, sizeof(*lpm));
}

static uint64_t len_bit(uint8_t len)
{
	return UINT64_C(1) << (len % 64);
}

/* A length is in use before its first prefix comes, and until its last one has gone. */
static void len_count(struct lpm6 *lpm, uint8_t len, int add)
{
	_Atomic uint64_t *word = &lpm->lens[len / 64];
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

	lpm->counts[len] += (uint32_t)add;
	now = lpm->counts[len] > 0 ? now | len_bit(len) : now & ~len_bit(len);
	atomic_store_explicit(word, now, memory_order_release);
}

static uint32_t node_value(const struct rte_rib6_node *node)
{
	uint64_t value;

	return node && rte_rib6_get_nh(node, &value) == 0 ? (uint32_t)value : LPM_NONE;
}

static struct lpm6_key key_make(const union ip_address *address, uint8_t len)
{
	return (struct lpm6_key){.address = *address, .len = len};
}

/* Of an address whose bits behind `len` may be anything. */
static struct lpm6_key key_of(const union ip_address *address, unsigned int len)
{
	uint64_t first = len == 0 ? 0 : UINT64_MAX << (len < 64 ? 64 - len : 0);
	uint64_t second = len <= 64 ? 0 : UINT64_MAX << (LPM6_LEN_MAX - len);

	return (struct lpm6_key){
		.address.words = {address->words[0] & rte_cpu_to_be_64(first),
			address->words[1] & rte_cpu_to_be_64(second)},
		.len = len,
	};
}

static int hash_set(struct lpm6 *lpm, const struct lpm6_key *key, uint32_t value)
{
	void *data = (void *)(uintptr_t)value;

	if (rte_hash_add_key_data(lpm->hash, key, data) == 0)
		return 0;
	/* Every place is taken, or has been until a moment ago: then it is free when workers have been quiescent. */
	rte_rcu_qsbr_synchronize(lpm->qsbr, RTE_QSBR_THRID_INVALID);
	return rte_hash_add_key_data(lpm->hash, key, data) == 0 ? 0 : -ENOSPC;
}

int lpm6_set(struct lpm6 *lpm, const union ip_address *address, uint8_t len, uint32_t value)
{
	struct rte_rib6_node *node = rte_rib6_lookup_exact(lpm->rib, address->bytes, len);
	struct lpm6_key key = key_make(address, len);
	bool is_new = !node;

	if (is_new)
		node = rte_rib6_insert(lpm->rib, address->bytes, len);
	if (!node)
		return -ENOSPC;
	if (is_new)
		len_count(lpm, len, 1);
	if (hash_set(lpm, &key, value) < 0) { /* a key that is there already has its place */
		len_count(lpm, len, -1);
		rte_rib6_remove(lpm->rib, address->bytes, len);
		return -ENOSPC;
	}
	rte_rib6_set_nh(node, value);
	return 0;
}

void lpm6_delete(struct lpm6 *lpm, const union ip_address *address, uint8_t len)
{
	struct lpm6_key key = key_make(address, len);

	if (rte_hash_del_key(lpm->hash, &key) < 0)
		return;
	len_count(lpm, len, -1);
	rte_rib6_remove(lpm->rib, address->bytes, len);
}

uint32_t lpm6_get(const struct lpm6 *lpm, const union ip_address *address, uint8_t len)
{
	return node_value(rte_rib6_lookup_exact(lpm->rib, address->bytes, len));
}

uint32_t lpm6_around(const struct lpm6 *lpm, const union ip_address *address, uint8_t len)
{
	struct rte_rib6_node *node = rte_rib6_lookup(lpm->rib, address->bytes);
	uint8_t found;

	for (; node; node = rte_rib6_lookup_parent(node))
		if (rte_rib6_get_depth(node, &found) == 0 && found < len)
			return node_value(node);
	return LPM_NONE;
}

void lpm6_inside(const struct lpm6 *lpm, const union ip_address *address, uint8_t len,
	void (*visit)(void *context, uint32_t value), void *context)
{
	struct rte_rib6_node *node = NULL;

	while ((node = rte_rib6_get_nxt(lpm->rib, address->bytes, len, node, RTE_RIB6_GET_NXT_COVER)))
		visit(context, node_value(node));
}

uint32_t lpm6_find(const struct lpm6 *lpm, const union ip_address *address)
{
	for (int word = LPM6_WORDS - 1; word >= 0; word--) {
		uint64_t lens = atomic_load_explicit(&lpm->lens[word], memory_order_acquire);

		while (lens) {
			unsigned int bit = 63 - (unsigned int)__builtin_clzll(lens);
			struct lpm6_key key = key_of(address, (unsigned int)word * 64 + bit);
			void *value;

			if (rte_hash_lookup_data(lpm->hash, &key, &value) >= 0)
				return (uint32_t)(uintptr_t)value;
			lens ^= UINT64_C(1) << bit;
		}
	}
	return LPM_NONE;
}
