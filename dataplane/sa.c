/* SPDX-License-Identifier: Apache-2.0 */
#include "sa.h"

#include "encap.h"

#include <rte_jhash.h>
#include <rte_malloc.h>

#include <errno.h>
#include <string.h>

enum {
	NUMBERS_SHIFT_LINE = 6,
	NUMBERS_SHIFT_CLOSE = 4,
};
_Static_assert(sizeof(struct sa_numbers) == 1 << NUMBERS_SHIFT_CLOSE, "they lie close together");

static void *store_alloc(size_t count, size_t len)
{
	return rte_zmalloc("sa", count * len, RTE_CACHE_LINE_SIZE);
}

int sa_store_init(struct sa_store *store, uint32_t n_sessions, uint32_t n_children, uint16_t n_workers,
	uint32_t replay_window)
{
	memset(store, 0, sizeof(*store));
	store->n_sessions = n_sessions;
	store->n_children = n_children;
	store->n_workers = n_workers;
	store->replay_window = replay_window;
	/* An odd number of lines: so keys are spread over all of a cache's sets. */
	store->key_len = RTE_ALIGN_CEIL(esp_key_size(), ESP_KEY_ALIGN) | ESP_KEY_ALIGN;
	store->replay_len = RTE_ALIGN_CEIL(replay_size(replay_window), RTE_CACHE_LINE_SIZE);
	store->in = store_alloc(n_children, sizeof(*store->in));
	store->out = store_alloc(n_children, sizeof(*store->out));
	store->numbers_shift = n_workers > 1 ? NUMBERS_SHIFT_LINE : NUMBERS_SHIFT_CLOSE;
	store->numbers = store_alloc(n_children, (size_t)1 << store->numbers_shift);
	store->limits = store_alloc(n_children, sizeof(*store->limits));
	store->sessions = store_alloc(n_sessions, sizeof(*store->sessions));
	for (int i = 0; i < 2; i++)
		store->outers[i] = store_alloc(n_sessions, sizeof(*store->outers[i]));
	store->children = store_alloc(n_children, sizeof(*store->children));
	store->out_spi_mask = rte_align32pow2(n_children) - 1;
	store->out_spis = store_alloc(store->out_spi_mask + (size_t)1, sizeof(*store->out_spis));
	for (int direction = 0; direction < SA_KEY_DIRECTIONS; direction++)
		store->keys[direction] = store_alloc(n_children, store->key_len);
	store->replays = store_alloc(n_children, store->replay_len);
	if (!store->in || !store->out || !store->numbers || !store->limits || !store->sessions || !store->outers[0] ||
		!store->outers[1] || !store->children || !store->out_spis ||
		!store->keys[SA_KEY_IN] || !store->keys[SA_KEY_OUT] || !store->replays) {
		sa_store_free(store);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i <= store->out_spi_mask; i++)
		store->out_spis[i] = TABLES_NONE;
	return 0;
}

void sa_store_free(struct sa_store *store)
{
	for (int direction = 0; direction < SA_KEY_DIRECTIONS; direction++) {
		if (store->keys[direction])
			explicit_bzero(store->keys[direction], store->n_children * store->key_len);
		rte_free(store->keys[direction]);
	}
	rte_free(store->in);
	rte_free(store->out);
	rte_free(store->numbers);
	rte_free(store->limits);
	rte_free(store->sessions);
	for (int i = 0; i < 2; i++)
		rte_free(store->outers[i]);
	rte_free(store->children);
	rte_free(store->out_spis);
	rte_free(store->replays);
	memset(store, 0, sizeof(*store));
}

static bool prefix_is_sound(const struct prefix *prefix)
{
	return (prefix->address.family == ADDRESS_IPV4 && prefix->len <= 32) ||
	       (prefix->address.family == ADDRESS_IPV6 && prefix->len <= 128);
}

bool sa_endpoints_fit(const struct endpoint *local, const struct endpoint *remote)
{
	return local->address.family == remote->address.family &&
	       (local->address.family == ADDRESS_IPV4 || local->address.family == ADDRESS_IPV6);
}

/* RFC 4303 section 3.1.1, as far as we go: from one IPv4 host to another. */
static bool transport_is_sound(const struct tables_child *record)
{
	return record->local_network.address.family == ADDRESS_IPV4 && record->local_network.len == 32 &&
	       record->remote_network.len == 32;
}

/* The record comes from another process: nothing in it is believed unseen. */
static int record_check(const struct sa_store *store, uint32_t index, const struct tables_child *record,
	const struct tables_session *session, const struct tables_change *change)
{
	if (record->id == 0 || record->id != change->id || session->id == 0 || record->session >= store->n_sessions)
		return -EINVAL;
	if (record->spi_in != tables_spi(index, record->generation) || record->spi_out < 256)
		return -EINVAL; /* RFC 4303 section 2.1 reserves 0 to 255 */
	if (!prefix_is_sound(&record->local_network) || !prefix_is_sound(&record->remote_network) ||
		record->local_network.address.family != record->remote_network.address.family ||
		!sa_endpoints_fit(&change->install.local, &change->install.remote))
		return -EAFNOSUPPORT;
	if (record->tunnel.fragment > TUNNEL_FRAGMENT_AFTER || record->tunnel.df > TUNNEL_DF_COPY ||
		record->tunnel.dscp > TUNNEL_DSCP_COPY || record->tunnel.mss_clamp > 1)
		return -EINVAL;
	if (record->replay_window > store->replay_window || change->install.keymat_len > ESP_KEYMAT_MAX)
		return -EINVAL;
	if (record->mode > TABLES_TRANSPORT || record->extended > 1)
		return -EINVAL;
	if (record->mode == TABLES_TRANSPORT && !transport_is_sound(record))
		return -EINVAL;
	/* RFC 4303 section 3.3.3: without extended numbers 2^32 - 1 is the last one. */
	if (record->hard_packets == 0 || (!record->extended && record->hard_packets > UINT32_MAX))
		return -EINVAL;
	return 0;
}

void sa_outer_fill(struct sa_outer *outer, const struct endpoint *local, const struct endpoint *remote,
	uint32_t encapsulation)
{
	outer->local = ip_of_address(&local->address);
	outer->remote = ip_of_address(&remote->address);
	outer->local_port = local->port;
	outer->remote_port = remote->port;
	outer->udp = encapsulation == TABLES_ENCAPSULATION_UDP;
	outer->stream = encapsulation == TABLES_ENCAPSULATION_STREAM;
	outer->ipv6 = !ip_is_ipv4(&outer->remote);
	outer->connection = TABLES_NONE;
	route_forget(&outer->route);
	encap_prepare(outer);
}

/* Makes the session of a first child; finds that of a further one. */
static int session_open(struct sa_store *store, uint32_t index, uint64_t id, const struct tables_change *change)
{
	struct sa_session *session = &store->sessions[index];

	if (session->id != 0)
		return session->id == id && !session->leaving ? 0 : -EBUSY;
	session->id = id;
	session->first_child = TABLES_NONE;
	session->path_mtu = 0;
	session->followed_at = 0;
	session->outer = &store->outers[0][index];
	sa_outer_fill(session->outer, &change->install.local, &change->install.remote, change->install.encapsulation);
	return 0;
}

/* Both SAs of a child send to, and expect from, where its session's peer is. */
static void outer_point(struct sa_store *store, uint32_t index)
{
	struct sa_outer *outer = store->sessions[store->children[index].session].outer;

	atomic_store_explicit(&store->in[index].outer, outer, memory_order_release);
	atomic_store_explicit(&store->out[index].outer, outer, memory_order_release);
}

void sa_session_move(struct sa_store *store, struct rte_rcu_qsbr *qsbr, uint32_t index, const struct endpoint *local,
	const struct endpoint *remote, uint32_t encapsulation, uint32_t connection)
{
	struct sa_session *session = &store->sessions[index];
	struct sa_outer *next = &store->outers[session->outer == &store->outers[0][index]][index];

	/* Workers may still read the one before last; two moves within one of their turns are rare. */
	rte_rcu_qsbr_check(qsbr, session->outer_retired, true);
	sa_outer_fill(next, local, remote, encapsulation);
	next->connection = connection;
	session->outer = next;
	for (uint32_t child = session->first_child; child != TABLES_NONE; child = store->children[child].next)
		outer_point(store, child);
	session->outer_retired = rte_rcu_qsbr_start(qsbr);
}

/* Peers choose these numbers: any may come, and any more than once. */
static uint32_t *out_place(const struct sa_store *store, uint32_t spi)
{
	return &store->out_spis[rte_jhash_1word(spi, 0) & store->out_spi_mask];
}

uint32_t sa_first_out(const struct sa_store *store, uint32_t spi)
{
	return *out_place(store, spi);
}

static uint64_t limit_or_none(uint64_t limit)
{
	return limit ? limit : UINT64_MAX;
}

static void in_fill(struct sa_store *store, uint32_t index, const struct tables_child *record)
{
	struct sa_in *in = &store->in[index];

	memset(in, 0, sizeof(*in));
	in->index = index;
	in->session = record->session;
	in->extended = record->extended;
	in->transport = record->mode == TABLES_TRANSPORT;
	in->ipv6 = record->remote_network.address.family == ADDRESS_IPV6;
	in->inner_source = ip_network_of(&record->remote_network);
	in->inner_destination = ip_network_of(&record->local_network);
	in->soft_bytes = limit_or_none(record->soft_bytes);
	in->hard_bytes = limit_or_none(record->hard_bytes);
	in->bytes_told = RTE_MIN(in->soft_bytes, sa_beyond(in->hard_bytes));
	in->key = sa_key(store, index, SA_KEY_IN);
	in->owner = (uint16_t)(index % store->n_workers);
	in->replay = (struct replay *)(store->replays + index * store->replay_len);
}

static void out_fill(struct sa_store *store, uint32_t index, const struct tables_child *record)
{
	struct sa_out *out = &store->out[index];
	struct sa_limits *limits = &store->limits[index];

	*limits = (struct sa_limits){
		.soft_packets = RTE_MIN(record->soft_packets, record->hard_packets),
		.hard_packets = record->hard_packets,
		.soft_bytes = limit_or_none(record->soft_bytes),
		.hard_bytes = limit_or_none(record->hard_bytes),
	};
	memset(sa_numbers(store, index), 0, sizeof(struct sa_numbers));
	memset(out, 0, sizeof(*out));
	out->spi = record->spi_out;
	out->packets_told = limits->soft_packets;
	out->limits_bytes = record->soft_bytes || record->hard_bytes;
	out->tunnel = record->tunnel;
	out->transport = record->mode == TABLES_TRANSPORT;
}

int sa_install(struct sa_store *store, struct esp_engine *engine, uint32_t index, const struct tables_child *record,
	const struct tables_session *session, const struct tables_change *change)
{
	struct sa_child *child = &store->children[index];
	int rc = child->id == 0 ? record_check(store, index, record, session, change) : -EBUSY;

	if (rc < 0)
		return rc;
	in_fill(store, index, record);
	out_fill(store, index, record);
	rc = replay_init(store->in[index].replay, record->replay_window);
	if (rc == 0)
		rc = esp_key_expand(engine, record->suite, record->extended, change->install.keymat_in, change->install.keymat_len,
			sa_key(store, index, SA_KEY_IN));
	if (rc == 0)
		rc = esp_key_expand(engine, record->suite, record->extended, change->install.keymat_out, change->install.keymat_len,
			sa_key(store, index, SA_KEY_OUT));
	if (rc == 0)
		rc = session_open(store, record->session, session->id, change);
	if (rc < 0) {
		sa_empty(store, index);
		return rc;
	}
	*child = (struct sa_child){
		.id = record->id,
		.spi_in = record->spi_in,
		.session = record->session,
		.next = store->sessions[record->session].first_child,
		.next_out = sa_first_out(store, record->spi_out),
		.policy = TABLES_NONE,
		.local = ip_network_of(&record->local_network),
		.remote = ip_network_of(&record->remote_network),
	};
	store->sessions[record->session].first_child = index;
	*out_place(store, record->spi_out) = index;
	outer_point(store, index);
	return 0;
}

void sa_show(struct sa_store *store, uint32_t index)
{
	atomic_store_explicit(&store->in[index].spi, store->children[index].spi_in, memory_order_release);
}

void sa_hide(struct sa_store *store, uint32_t index)
{
	struct sa_child *child = &store->children[index];
	uint32_t *link = &store->sessions[child->session].first_child;

	atomic_store_explicit(&store->in[index].spi, 0, memory_order_release);
	while (*link != index && *link != TABLES_NONE)
		link = &store->children[*link].next;
	if (*link == index)
		*link = child->next;
	link = out_place(store, store->out[index].spi);
	while (*link != index && *link != TABLES_NONE)
		link = &store->children[*link].next_out;
	if (*link == index)
		*link = child->next_out;
	child->leaving = true;
}

void sa_empty(struct sa_store *store, uint32_t index)
{
	esp_key_wipe(sa_key(store, index, SA_KEY_IN));
	esp_key_wipe(sa_key(store, index, SA_KEY_OUT));
	memset(&store->children[index], 0, sizeof(store->children[index]));
}
