/* SPDX-License-Identifier: Apache-2.0 */
#include "tun/child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SPI_TOP = 1u << 31,
	SLOT_BITS = 6, /* TUN_CHILDREN_MAX */
	GENERATIONS = 1 << (31 - SLOT_BITS),
	SOFT_PERCENT = 80, /* of a limit */
};
_Static_assert(TUN_CHILDREN_MAX == 1 << SLOT_BITS, "an SPI says its slot");

void tun_children_init(struct tun_children *children, uint32_t seed)
{
	*children = (struct tun_children){.generation = seed % GENERATIONS};
}

static void child_wipe(struct tun_child *child)
{
	if (child->in)
		esp_key_wipe(child->in);
	if (child->out)
		esp_key_wipe(child->out);
	free(child->in);
	free(child->out);
	free(child->replay);
	*child = (struct tun_child){.spi_in = 0};
}

void tun_children_clear(struct tun_children *children)
{
	for (size_t i = 0; i < TUN_CHILDREN_MAX; i++)
		child_wipe(&children->slots[i]);
	children->n_current = 0;
}

int tun_child_reserve(struct tun_children *children, uint32_t *spi_in)
{
	for (uint32_t i = 0; i < TUN_CHILDREN_MAX; i++) {
		struct tun_child *child = &children->slots[i];

		if (child->spi_in != 0)
			continue;
		children->generation = (children->generation + 1) % GENERATIONS;
		*spi_in = SPI_TOP | children->generation << SLOT_BITS | i;
		*child = (struct tun_child){.spi_in = *spi_in};
		return 0;
	}
	return -ENOSPC;
}

void tun_child_release(struct tun_children *children, uint32_t spi_in)
{
	struct tun_child *child = &children->slots[spi_in % TUN_CHILDREN_MAX];

	if (child->spi_in == spi_in && !child->installed)
		*child = (struct tun_child){.spi_in = 0};
}

static uint64_t soft_of(uint64_t hard)
{
	return hard / 100 * SOFT_PERCENT + hard % 100 * SOFT_PERCENT / 100;
}

/* RFC 4303 section 3.3.3: the last number must never be followed by another one. */
static void child_limits(struct tun_child *child, const struct tun_child_terms *terms)
{
	child->hard_packets = terms->extended ? UINT64_MAX - 1 : UINT32_MAX - 1;
	child->soft_packets = soft_of(child->hard_packets);
	child->hard_bytes = terms->limit_bytes ? terms->limit_bytes : UINT64_MAX;
	child->soft_bytes = terms->limit_bytes ? soft_of(terms->limit_bytes) : UINT64_MAX;
}

static int child_keys(struct tun_child *child, struct esp_engine *engine, const struct tun_child_terms *terms)
{
	const struct esp_suite *suite = esp_suite_get(terms->suite);
	size_t replay_len = replay_size(terms->window), keymat_len;
	int rc;

	if (!suite || replay_len == 0)
		return -EINVAL;
	keymat_len = esp_suite_keymat_len(suite);
	child->in = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
	child->out = aligned_alloc(ESP_KEY_ALIGN, esp_key_size());
	child->replay = malloc(replay_len);
	if (!child->in || !child->out || !child->replay)
		return -ENOMEM;
	rc = replay_init(child->replay, terms->window);
	if (rc == 0)
		rc = esp_key_expand(engine, terms->suite, terms->extended, terms->keymat_in, keymat_len, child->in);
	if (rc == 0)
		rc = esp_key_expand(engine, terms->suite, terms->extended, terms->keymat_out, keymat_len, child->out);
	return rc;
}

int tun_child_install(
	struct tun_children *children, struct esp_engine *engine, uint32_t spi_in, const struct tun_child_terms *terms)
{
	struct tun_child *child = &children->slots[spi_in % TUN_CHILDREN_MAX];
	int rc;

	if (child->spi_in != spi_in || child->installed)
		return -ENOENT;
	rc = child_keys(child, engine, terms);
	if (rc < 0) {
		child_wipe(child);
		return rc;
	}
	child_limits(child, terms);
	child->id = terms->id;
	child->spi_out = terms->spi_out;
	child->suite = terms->suite;
	child->local_network = terms->local_network;
	child->remote_network = terms->remote_network;
	child->local = ip_network_of(&terms->local_network);
	child->remote = ip_network_of(&terms->remote_network);
	child->ipv6 = terms->local_network.address.family == ADDRESS_IPV6;
	child->installed = true;
	return 0;
}

static struct tun_child *child_of(struct tun_children *children, uint64_t id, uint32_t spi_in)
{
	struct tun_child *child = tun_child_find(children, spi_in);

	return child && child->id == id ? child : NULL;
}

static bool same_networks(const struct tun_child *a, const struct tun_child *b)
{
	return prefix_equal(&a->local_network, &b->local_network) &&
	       prefix_equal(&a->remote_network, &b->remote_network);
}

/* Whether packets that both could carry are rather the first one's. */
static bool is_narrower(const struct tun_child *a, const struct tun_child *b)
{
	if (a->remote_network.len != b->remote_network.len)
		return a->remote_network.len > b->remote_network.len;
	return a->local_network.len > b->local_network.len;
}

static void current_drop(struct tun_children *children, struct tun_child *child)
{
	for (size_t i = 0; i < children->n_current; i++) {
		if (children->current[i] != child)
			continue;
		children->n_current--;
		memmove(&children->current[i], &children->current[i + 1],
			(children->n_current - i) * sizeof(children->current[0]));
		break;
	}
	child->current = false;
}

static void current_add(struct tun_children *children, struct tun_child *child)
{
	size_t at = 0;

	for (size_t i = 0; i < children->n_current; i++)
		if (same_networks(children->current[i], child)) {
			current_drop(children, children->current[i]);
			break;
		}
	while (at < children->n_current && is_narrower(children->current[at], child))
		at++;
	memmove(&children->current[at + 1], &children->current[at],
		(children->n_current - at) * sizeof(children->current[0]));
	children->current[at] = child;
	children->n_current++;
	child->current = true;
}

bool tun_child_activate(struct tun_children *children, uint64_t id, uint32_t spi_in)
{
	struct tun_child *child = child_of(children, id, spi_in);

	if (!child)
		return false;
	if (!child->current)
		current_add(children, child);
	child->activations = ++children->activations;
	return true;
}

/* The one for the same networks that was current last; NULL. */
static struct tun_child *child_before(struct tun_children *children, const struct tun_child *gone)
{
	struct tun_child *before = NULL;

	for (size_t i = 0; i < TUN_CHILDREN_MAX; i++) {
		struct tun_child *child = &children->slots[i];

		if (child != gone && child->installed && child->activations > 0 && same_networks(child, gone) &&
			(!before || child->activations > before->activations))
			before = child;
	}
	return before;
}

bool tun_child_remove(struct tun_children *children, uint64_t id, uint32_t spi_in)
{
	struct tun_child *child = child_of(children, id, spi_in), *before;

	if (!child)
		return false;
	before = child->current ? child_before(children, child) : NULL;
	current_drop(children, child);
	if (before)
		current_add(children, before);
	child_wipe(child);
	return true;
}

struct tun_child *tun_child_select(
	struct tun_children *children, bool ipv6, const union ip_address *source, const union ip_address *destination)
{
	for (size_t i = 0; i < children->n_current; i++) {
		struct tun_child *child = children->current[i];

		/* Families are compared before networks: ip.h. */
		if (child->ipv6 == ipv6 && ip_network_has(&child->remote, destination) &&
			ip_network_has(&child->local, source))
			return child;
	}
	return NULL;
}

uint64_t tun_child_take_number(struct tun_child *child, uint32_t len, bool *soft)
{
	uint64_t bytes = child->traffic.bytes_out + len;

	*soft = false;
	if (child->sequence >= child->hard_packets || bytes > child->hard_bytes)
		return 0;
	child->sequence++;
	if (!child->renewing && (child->sequence >= child->soft_packets || bytes >= child->soft_bytes))
		*soft = child->renewing = true;
	return child->sequence;
}
