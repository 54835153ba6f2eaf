/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Own code rather than DPDK's ip_frag: the crypto wants one flat buffer where that gives a chain, an operator wants to
 * know why a packet was refused, and one source must not take all places.
 */
#include "reassemble.h"

#include "dataplane.h"
#include "exits.h"
#include "header.h"

#include <rte_cycles.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>

enum {
	IPV6_OFFSET_MASK = 0xfff8,
	IPV6_MORE = 1,
	IPV6_FRONT_LEN = sizeof(struct rte_ipv6_hdr) + RTE_IPV6_FRAG_HDR_SIZE
};

struct piece {
	struct rte_mbuf *mbuf;
	uint32_t offset, len; /* of the payload */
};

struct key {
	union ip_address source, destination;
	uint32_t id;
	uint32_t protocol; /* IPv6: 0, since its fragments need not agree about it (RFC 8200 section 4.5) */
};

/* A packet of which pieces are here, sorted by offset. */
struct pending {
	struct key key;
	uint64_t since;	      /* TSC */
	uint32_t have, total; /* bytes of payload; total 0: the last piece has not come */
	uint16_t n_pieces;
	struct piece pieces[REASSEMBLE_PIECES_MAX];
	LIST_ENTRY(pending) bucket;
	TAILQ_ENTRY(pending) age; /* the oldest first; or the free list */
};

LIST_HEAD(pending_bucket, pending);
TAILQ_HEAD(pending_list, pending);

struct reassembly {
	struct reassembly_limits limits;
	uint64_t timeout; /* TSC */
	uint32_t held;	  /* pieces */
	uint32_t bucket_mask, seed;
	struct pending *pool;
	struct pending_bucket *buckets;
	uint16_t *sources; /* packets held, by hash of the source: who shares a place shares its allowance */
	struct pending_list in_use, unused;
};

struct reassembly *reassembly_new(const struct reassembly_limits *limits)
{
	struct reassembly *r = rte_zmalloc("reassembly", sizeof(*r), 0);
	uint32_t buckets = rte_align32pow2(limits->pending * 2);

	if (!r)
		goto no_memory;
	r->limits = *limits;
	r->timeout = rte_get_tsc_hz() / 1000 * limits->timeout_ms;
	r->bucket_mask = buckets - 1;
	r->seed = (uint32_t)rte_rand();
	r->pool = rte_calloc("reassembly", limits->pending, sizeof(*r->pool), 0);
	r->buckets = rte_calloc("reassembly", buckets, sizeof(*r->buckets), 0);
	r->sources = rte_calloc("reassembly", buckets, sizeof(*r->sources), 0);
	if (!r->pool || !r->buckets || !r->sources)
		goto no_memory;
	TAILQ_INIT(&r->in_use);
	TAILQ_INIT(&r->unused);
	for (uint32_t i = 0; i < limits->pending; i++)
		TAILQ_INSERT_TAIL(&r->unused, &r->pool[i], age);
	return r;
no_memory:
	if (r) {
		rte_free(r->pool);
		rte_free(r->buckets);
		rte_free(r->sources);
		rte_free(r);
	}
	errno = ENOMEM;
	return NULL;
}

static const struct rte_ipv6_fragment_ext *extension_of(const void *header)
{
	return (const struct rte_ipv6_fragment_ext *)((const struct rte_ipv6_hdr *)header + 1);
}

static struct key key_of(const void *header)
{
	const struct rte_ipv4_hdr *ipv4 = header;
	struct key key = {.protocol = 0};

	header_addresses(header, &key.source, &key.destination);
	if (header_is_ipv6(header)) {
		key.id = extension_of(header)->id;
	} else {
		key.id = ipv4->packet_id;
		key.protocol = ipv4->next_proto_id;
	}
	return key;
}

static uint32_t key_hash(const struct key *key, uint32_t seed)
{
	return rte_jhash_32b((const uint32_t *)key, sizeof(*key) / 4, seed);
}

/* What a source can't choose at will counts: of an IPv6 address the upper half (RFC 4291 section 2.5.1). */
static uint16_t *source_count(struct reassembly *r, const union ip_address *source)
{
	uint64_t word = ip_is_ipv4(source) ? source->words[1] : source->words[0];

	return &r->sources[rte_jhash_2words((uint32_t)word, (uint32_t)(word >> 32), r->seed) & r->bucket_mask];
}

/* Forgets a packet; its pieces are the caller's. */
static void pending_close(struct reassembly *r, struct pending *pending)
{
	--*source_count(r, &pending->key.source);
	r->held -= pending->n_pieces;
	LIST_REMOVE(pending, bucket);
	TAILQ_REMOVE(&r->in_use, pending, age);
	TAILQ_INSERT_HEAD(&r->unused, pending, age);
}

static void pending_drop(struct worker *worker, struct reassembly *r, struct pending *pending, enum reason reason)
{
	for (uint16_t i = 0; i < pending->n_pieces; i++)
		exit_drop(worker, pending->pieces[i].mbuf, reason);
	pending_close(r, pending);
}

void reassembly_free(struct reassembly *r, struct worker *worker)
{
	if (!r)
		return;
	while (!TAILQ_EMPTY(&r->in_use))
		pending_drop(worker, r, TAILQ_FIRST(&r->in_use), REASON_DROP_FRAGMENT_TIMEOUT);
	rte_free(r->pool);
	rte_free(r->buckets);
	rte_free(r->sources);
	rte_free(r);
}

uint32_t reassembly_held(const struct reassembly *r)
{
	return r->held;
}

uint16_t reassemble_owner(const struct rte_mbuf *fragment, uint16_t n_workers)
{
	struct key key = key_of(rte_pktmbuf_mtod(fragment, const void *));

	/* The same on every worker, so without the tables' seeds. */
	return (uint16_t)(key_hash(&key, 0) % n_workers);
}

/* The packet that a piece belongs to, made where it is the first of it. NULL: over the source's allowance. */
static struct pending *pending_open(struct worker *worker, struct reassembly *r, const struct key *key)
{
	struct pending_bucket *bucket = &r->buckets[key_hash(key, r->seed) & r->bucket_mask];
	struct pending *pending;

	LIST_FOREACH(pending, bucket, bucket)
		if (memcmp(&pending->key, key, sizeof(*key)) == 0)
			return pending;
	if (*source_count(r, &key->source) >= r->limits.per_source)
		return NULL;
	/* All places taken: the oldest is the least likely to be completed still. */
	if (TAILQ_EMPTY(&r->unused))
		pending_drop(worker, r, TAILQ_FIRST(&r->in_use), REASON_DROP_FRAGMENT_LIMIT);
	pending = TAILQ_FIRST(&r->unused);
	TAILQ_REMOVE(&r->unused, pending, age);
	pending->key = *key;
	pending->since = worker->now;
	pending->have = pending->total = 0;
	pending->n_pieces = 0;
	LIST_INSERT_HEAD(bucket, pending, bucket);
	TAILQ_INSERT_TAIL(&r->in_use, pending, age);
	++*source_count(r, &key->source);
	return pending;
}

enum insertion { INSERTED, DUPLICATE, OVERLAP, TOO_MANY };

static enum insertion piece_insert(struct pending *pending, const struct piece *piece, bool last)
{
	uint32_t end = piece->offset + piece->len;
	uint16_t at = pending->n_pieces;

	while (at > 0 && pending->pieces[at - 1].offset >= piece->offset)
		at--;
	/* Pieces at and behind `at` begin at or behind this one. */
	if (at < pending->n_pieces && pending->pieces[at].offset == piece->offset &&
		pending->pieces[at].len == piece->len)
		return DUPLICATE;
	if (at > 0 && pending->pieces[at - 1].offset + pending->pieces[at - 1].len > piece->offset)
		return OVERLAP;
	if (at < pending->n_pieces && pending->pieces[at].offset < end)
		return OVERLAP;
	/* Behind the end that the last piece gave, or a second, different end. */
	if (pending->total && (end > pending->total || last))
		return OVERLAP;
	if (last && at < pending->n_pieces)
		return OVERLAP;
	if (pending->n_pieces == REASSEMBLE_PIECES_MAX)
		return TOO_MANY;
	memmove(&pending->pieces[at + 1], &pending->pieces[at], (pending->n_pieces - at) * sizeof(*piece));
	pending->pieces[at] = *piece;
	pending->n_pieces++;
	pending->have += piece->len;
	if (last)
		pending->total = end;
	return INSERTED;
}

/* A buffer that begins with the first piece and has room for the rest. */
static struct rte_mbuf *base_make(struct worker *worker, struct rte_mbuf *first, uint32_t rest_len)
{
	struct rte_mbuf *base;
	char *data;

	if (rte_pktmbuf_tailroom(first) >= rest_len)
		return first;
	base = rte_pktmbuf_alloc(worker->dataplane->jumbos);
	if (!base)
		return NULL;
	data = rte_pktmbuf_append(base, rte_pktmbuf_data_len(first));
	if (!data || rte_pktmbuf_tailroom(base) < rest_len) {
		rte_pktmbuf_free(base);
		return NULL;
	}
	memcpy(data, rte_pktmbuf_mtod(first, void *), rte_pktmbuf_data_len(first));
	*packet_of(base) = *packet_of(first);
	rte_pktmbuf_free(first);
	return base;
}

/* What the header of the first piece becomes; RFC 3168 section 5.3: one piece that met congestion marks the whole. */
static void ipv4_finish(struct rte_mbuf *whole, uint8_t congestion)
{
	struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod(whole, struct rte_ipv4_hdr *);

	ip->total_length = rte_cpu_to_be_16(rte_pktmbuf_data_len(whole));
	ip->fragment_offset = 0;
	ip->type_of_service |= congestion;
	ipv4_checksum_set(ip);
}

/* The fragment header goes: the IPv6 header moves to where it ended. */
static void ipv6_finish(struct rte_mbuf *whole, uint8_t congestion)
{
	const void *header = rte_pktmbuf_mtod(whole, const void *);
	uint8_t next_header = extension_of(header)->next_header;
	struct rte_ipv6_hdr *ip;

	packet_begin_move(whole, RTE_IPV6_FRAG_HDR_SIZE);
	ip = rte_pktmbuf_mtod(whole, struct rte_ipv6_hdr *);
	memmove(ip, header, sizeof(*ip));
	ip->proto = next_header;
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(rte_pktmbuf_data_len(whole) - sizeof(*ip)));
	header_ipv6_mark(ip, congestion);
}

/* All pieces are here and touch each other. */
static struct rte_mbuf *pending_join(struct worker *worker, struct reassembly *r, struct pending *pending)
{
	struct rte_mbuf *base = base_make(worker, pending->pieces[0].mbuf, pending->total - pending->pieces[0].len);
	uint8_t congestion = 0;

	if (!base) {
		pending_drop(worker, r, pending, REASON_DROP_NO_BUFFER);
		return NULL;
	}
	for (uint16_t i = 1; i < pending->n_pieces; i++) {
		struct rte_mbuf *piece = pending->pieces[i].mbuf;
		const uint8_t *data = rte_pktmbuf_mtod(piece, const uint8_t *);
		uint32_t header_len = rte_pktmbuf_data_len(piece) - pending->pieces[i].len;

		congestion |= (header_tos(data) & ECN_MASK) == ECN_CE ? ECN_CE : 0;
		memcpy(rte_pktmbuf_append(base, (uint16_t)pending->pieces[i].len), data + header_len,
			pending->pieces[i].len);
		exit_drop(worker, piece, REASON_OUT_MERGED);
	}
	pending_close(r, pending);
	if (header_is_ipv6(rte_pktmbuf_mtod(base, const void *)))
		ipv6_finish(base, congestion);
	else
		ipv4_finish(base, congestion);
	worker_count(worker, REASON_NOTE_REASSEMBLED, 1);
	return base;
}

/* Where the fragment lies in its packet; true: it is the last piece. */
static bool piece_read(struct rte_mbuf *fragment, struct piece *piece)
{
	const void *header = rte_pktmbuf_mtod(fragment, const void *);
	bool ipv6 = header_is_ipv6(header);
	uint16_t field = rte_be_to_cpu_16(
		ipv6 ? extension_of(header)->frag_data : ((const struct rte_ipv4_hdr *)header)->fragment_offset);

	piece->mbuf = fragment;
	piece->offset = ipv6 ? field & IPV6_OFFSET_MASK : (field & IPV4_OFFSET_MASK) * 8u;
	piece->len = rte_pktmbuf_data_len(fragment) - (ipv6 ? (uint32_t)IPV6_FRONT_LEN : rte_ipv4_hdr_len(header));
	return !(field & (ipv6 ? (uint16_t)IPV6_MORE : (uint16_t)IPV4_MF));
}

struct rte_mbuf *reassemble_take(struct worker *worker, struct rte_mbuf *fragment)
{
	struct reassembly *r = worker->reassembly;
	const void *header = rte_pktmbuf_mtod(fragment, const void *);
	uint32_t header_len = header_is_ipv6(header) ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	struct key key = key_of(header);
	struct pending *pending;
	struct piece piece;
	bool last = piece_read(fragment, &piece);

	/* RFC 791, RFC 8200: only the last piece may end at any byte; no packet of ours is longer than 65,535. */
	if (piece.len == 0 || (!last && piece.len % 8) || piece.offset + piece.len + header_len > UINT16_MAX) {
		exit_drop(worker, fragment, REASON_DROP_FRAGMENT_BAD);
		return NULL;
	}
	/* Alone, and without regard to others with the same number (RFC 6946 section 4). */
	if (last && piece.offset == 0 && header_is_ipv6(header)) {
		ipv6_finish(fragment, 0);
		return fragment;
	}
	pending = pending_open(worker, r, &key);
	if (!pending) {
		exit_drop(worker, fragment, REASON_DROP_FRAGMENT_LIMIT);
		return NULL;
	}
	switch (piece_insert(pending, &piece, last)) {
	case INSERTED: r->held++; break;
	case DUPLICATE: exit_drop(worker, fragment, REASON_DROP_FRAGMENT_OVERLAP); return NULL;
	case OVERLAP:
		exit_drop(worker, fragment, REASON_DROP_FRAGMENT_OVERLAP);
		pending_drop(worker, r, pending, REASON_DROP_FRAGMENT_OVERLAP);
		return NULL;
	case TOO_MANY:
		exit_drop(worker, fragment, REASON_DROP_FRAGMENT_LIMIT);
		pending_drop(worker, r, pending, REASON_DROP_FRAGMENT_LIMIT);
		return NULL;
	}
	/* Without overlaps the sum of the lengths reaches the total only when nothing is missing. */
	return pending->total && pending->have == pending->total ? pending_join(worker, r, pending) : NULL;
}

void reassemble_expire(struct worker *worker)
{
	struct reassembly *r = worker->reassembly;
	struct pending *oldest;

	while ((oldest = TAILQ_FIRST(&r->in_use)) && worker->now - oldest->since > r->timeout)
		pending_drop(worker, r, oldest, REASON_DROP_FRAGMENT_TIMEOUT);
}
