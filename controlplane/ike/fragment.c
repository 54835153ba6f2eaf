/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/fragment.h"

#include "ike/ike_sa.h"
#include "ike/report.h"
#include "ike/trace.h"
#include "ike/vendor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAGMENT_LAST = 1,   /* flag */
	FRAGMENT_OVER_4 = 32, /* IPv4 and UDP headers, and the non-ESP marker */
	FRAGMENT_OVER_6 = 52,
};

/* Behind the generic header; the data follows. */
struct fragment_hdr {
	uint8_t id[2];
	uint8_t number; /* from 1 */
	uint8_t flags;
};

enum { FRAGMENT_OVERHEAD = sizeof(struct isakmp_hdr) + sizeof(struct payload_hdr) + sizeof(struct fragment_hdr) };

/* One piece as it came; `bytes` is the message's. */
struct fragment {
	uint16_t id;
	uint8_t number;
	bool last;
	struct bytes data;
};

/*
 * A message that lacks pieces. They belong together when cookies, fragment ID and the sender's endpoint agree: those of
 * one message leave one after the other on one connection, so not even a NAT pool tells them apart, and who knows the
 * cookies but sits elsewhere can't mix his own among them.
 */
struct reassembly {
	TAILQ_ENTRY(reassembly) in_share;
	struct hashmap_node by_cookies;
	struct deadline due;
	uint8_t cookies[2 * IKE_COOKIE_LEN];
	struct endpoint remote;
	enum fragment_share share;
	uint16_t id;
	uint8_t count, highest, last; /* pieces here; the highest number; that of the last piece, 0: not known yet */
	uint8_t *data;                /* pieces in the order of their arrival */
	size_t len;
	struct {
		uint16_t at, len; /* len 0: not here */
	} pieces[FRAGMENT_NUMBER_MAX + 1];
};

/* Behind the hash in the vendor ID: pieces are taken in main mode, and in aggressive mode. Windows has none and means both. */
enum { VENDOR_HASH_LEN = 16, VENDOR_CAPABILITIES = 0xc0 };

void fragment_write_vendor(const struct ike *ike, struct builder *builder)
{
	if (ike->config->ike.fragment_size == 0)
		return;
	builder_add(builder, ISAKMP_VENDOR_ID, vendor_body(VENDOR_FRAGMENTATION).data,
		vendor_body(VENDOR_FRAGMENTATION).len);
}

bool fragment_offered(const struct payload_list *payloads)
{
	const struct payload *at = NULL;

	while ((at = payload_find(payloads, ISAKMP_VENDOR_ID, at))) {
		struct bytes body = at++->body;

		if (vendor_find(body) == VENDOR_FRAGMENTATION &&
			(body.len == VENDOR_HASH_LEN || body.data[VENDOR_HASH_LEN] & VENDOR_CAPABILITIES))
			return true;
	}
	return false;
}

int fragments_open(struct ike *ike)
{
	uint64_t seed;
	int rc = engine_random(ike, &seed, sizeof(seed));

	for (int share = 0; share < FRAGMENT_SHARES; share++)
		TAILQ_INIT(&ike->fragments.waiting[share]);
	return rc < 0 ? rc : hashmap_init(&ike->fragments.by_cookies, seed);
}

static void fragment_forget(struct ike *ike, struct reassembly *reassembly)
{
	struct fragments *fragments = &ike->fragments;

	deadline_cancel(&ike->deadlines, &reassembly->due);
	deadline_retire(&ike->deadlines, 1);
	hashmap_remove(&fragments->by_cookies, &reassembly->by_cookies);
	TAILQ_REMOVE(&fragments->waiting[reassembly->share], reassembly, in_share);
	fragments->count[reassembly->share]--;
	fragments->bytes[reassembly->share] -= reassembly->len;
	free(reassembly->data);
	free(reassembly);
}

/* Forgets one that will never be whole. */
static void fragment_give_up(struct ike *ike, struct reassembly *reassembly)
{
	engine_count(ike, IKE_COUNT_FRAGMENTS_LOST);
	fragment_forget(ike, reassembly);
}

static void fragment_due(void *engine, struct deadline *deadline)
{
	struct reassembly *reassembly = hashmap_owner(deadline, struct reassembly, due);
	struct isakmp_hdr hdr = {.version = ISAKMP_VERSION_1};
	struct ike_sa *sa;

	memcpy(&hdr, reassembly->cookies, sizeof(reassembly->cookies));
	sa = ike_sa_find(engine, &hdr);
	if (sa)
		ike_sa_hint(sa, "a message came in pieces, and not all of them came");
	fragment_give_up(engine, reassembly);
}

void fragments_close(struct ike *ike)
{
	for (int share = 0; ike->fragments.by_cookies.buckets && share < FRAGMENT_SHARES; share++)
		while (!TAILQ_EMPTY(&ike->fragments.waiting[share]))
			fragment_forget(ike, TAILQ_FIRST(&ike->fragments.waiting[share]));
	hashmap_free(&ike->fragments.by_cookies);
}

/* Room for `more` bytes in a share; the oldest others make it. */
static void fragment_make_room(struct ike *ike, const struct reassembly *keep, enum fragment_share share, size_t more)
{
	struct fragments *fragments = &ike->fragments;
	struct reassembly *at = TAILQ_FIRST(&fragments->waiting[share]), *next;

	for (; at && (fragments->bytes[share] + more > FRAGMENT_BYTES_MAX ||
			     (!keep && fragments->count[share] >= FRAGMENT_WAITING_MAX));
		at = next) {
		next = TAILQ_NEXT(at, in_share);
		if (at != keep)
			fragment_give_up(ike, at);
	}
}

static uint64_t fragment_hash(const struct ike *ike, const struct v1_message *message)
{
	return hashmap_hash(&ike->fragments.by_cookies, message->hdr->initiator_cookie, 2 * IKE_COOKIE_LEN);
}

/* The one that a piece belongs to; NULL when it is the first. *same: how many wait under its cookies, *oldest of them. */
static struct reassembly *fragment_find(
	const struct v1_message *message, uint16_t id, unsigned *same, struct reassembly **oldest)
{
	struct hashmap_node *node =
		hashmap_first(&message->ike->fragments.by_cookies, fragment_hash(message->ike, message));

	*same = 0;
	for (; node; node = hashmap_next(node)) {
		struct reassembly *reassembly = hashmap_owner(node, struct reassembly, by_cookies);

		if (memcmp(reassembly->cookies, message->hdr->initiator_cookie, sizeof(reassembly->cookies)) != 0)
			continue;
		if (reassembly->id == id && endpoint_equal(&reassembly->remote, &message->remote))
			return reassembly;
		if (*same == 0 || reassembly->due.due_ms < (*oldest)->due.due_ms)
			*oldest = reassembly;
		++*same;
	}
	return NULL;
}

static struct reassembly *fragment_begin(const struct v1_message *message, uint16_t id)
{
	bool proved = message->sa && message->sa->state == V1_ESTABLISHED;
	enum fragment_share share = proved ? FRAGMENT_OF_PEER : FRAGMENT_OF_STRANGER;
	struct ike *ike = message->ike;
	struct reassembly *reassembly;

	fragment_make_room(ike, NULL, share, 0);
	reassembly = calloc(1, sizeof(*reassembly));
	if (!reassembly || deadline_enroll(&ike->deadlines, 1) < 0) {
		free(reassembly);
		return NULL;
	}
	memcpy(reassembly->cookies, message->hdr->initiator_cookie, sizeof(reassembly->cookies));
	reassembly->remote = message->remote;
	reassembly->share = share;
	reassembly->id = id;
	reassembly->due.fire = fragment_due;
	deadline_set(&ike->deadlines, &reassembly->due, engine_now(ike) + FRAGMENT_TIMEOUT_MS);
	hashmap_add(&ike->fragments.by_cookies, &reassembly->by_cookies, fragment_hash(ike, message));
	TAILQ_INSERT_TAIL(&ike->fragments.waiting[share], reassembly, in_share);
	ike->fragments.count[share]++;
	return reassembly;
}

/* Reads the piece that a message consists of. NULL, or what is wrong. */
static const char *fragment_read(const struct v1_message *message, struct fragment *out)
{
	struct bytes body = bytes_of(message->hdr + 1, message->datagram.len - sizeof(*message->hdr));
	const struct payload_hdr *generic = (const struct payload_hdr *)body.data;
	const struct fragment_hdr *hdr = (const struct fragment_hdr *)(generic + 1);
	size_t before = sizeof(*generic) + sizeof(*hdr);

	if (message->encrypted)
		return "a piece of a message is encrypted; only the whole is";
	if (body.len <= before || bytes_get16(generic->length) != body.len)
		return "a piece of a message has no data, or another length than it says";
	if (generic->next_payload != ISAKMP_NONE)
		return "a piece of a message is followed by another payload";
	if (hdr->number == 0 || hdr->number > FRAGMENT_NUMBER_MAX)
		return "the number of a message's piece is 0 or above 128";
	*out = (struct fragment){
		.id = bytes_get16(hdr->id),
		.number = hdr->number,
		.last = hdr->flags & FRAGMENT_LAST,
		.data = bytes_of(body.data + before, body.len - before),
	};
	return NULL;
}

/* Puts a piece to the others. One that is there already came twice. 0 or negative errno: there can be no whole. */
static int fragment_put(struct ike *ike, struct reassembly *reassembly, const struct fragment *piece)
{
	size_t len = reassembly->len + piece->data.len;
	uint8_t *wider;

	if (reassembly->pieces[piece->number].len)
		return 0;
	if (len > FRAGMENT_MESSAGE_MAX || (reassembly->last && (piece->last || piece->number > reassembly->last)) ||
		(piece->last && piece->number < reassembly->highest))
		return -EBADMSG;
	fragment_make_room(ike, reassembly, reassembly->share, piece->data.len);
	wider = realloc(reassembly->data, len);
	if (!wider)
		return -ENOMEM;
	memcpy(wider + reassembly->len, piece->data.data, piece->data.len);
	reassembly->data = wider;
	reassembly->pieces[piece->number].at = (uint16_t)reassembly->len;
	reassembly->pieces[piece->number].len = (uint16_t)piece->data.len;
	reassembly->len = len;
	ike->fragments.bytes[reassembly->share] += piece->data.len;
	reassembly->count++;
	if (piece->number > reassembly->highest)
		reassembly->highest = piece->number;
	if (piece->last)
		reassembly->last = piece->number;
	return 0;
}

/* All pieces in their order. NULL when there is no memory. The caller frees it. */
static uint8_t *fragment_join(const struct reassembly *reassembly)
{
	uint8_t *whole = malloc(reassembly->len), *to = whole;

	for (unsigned number = 1; whole && number <= reassembly->last; number++) {
		memcpy(to, reassembly->data + reassembly->pieces[number].at, reassembly->pieces[number].len);
		to += reassembly->pieces[number].len;
	}
	return whole;
}

static void fragment_drop(struct v1_message *piece, enum ike_counter counter, const char *why)
{
	const struct config_peer *peer = piece->sa ? piece->sa->peer : NULL;

	trace_received(piece, false);
	engine_count(piece->ike, counter);
	report_message(piece, IKE_EVENT_BAD_MESSAGE, peer, peer ? peer->identity : NULL, "%s", why);
}

/* The whole message takes the way of any other. It must be what its pieces said: of the same exchange, and no piece. */
static void fragment_deliver(struct v1_message *piece, uint8_t *whole, size_t whole_len)
{
	struct v1_message message = {
		.ike = piece->ike,
		.local = piece->local,
		.remote = piece->remote,
		.floated = piece->floated,
		.datagram = bytes_of(whole, whole_len),
	};
	const char *why = "a message in pieces has another header than its pieces";

	message.hdr = payload_header(message.datagram, &why);
	if (message.hdr && message.hdr->version == ISAKMP_VERSION_1 &&
		message.hdr->next_payload != ISAKMP_FRAGMENT &&
		memcmp(message.hdr->initiator_cookie, piece->hdr->initiator_cookie, 2 * IKE_COOKIE_LEN) == 0) {
		engine_count(piece->ike, IKE_COUNT_REASSEMBLED);
		v1_input(&message);
		return;
	}
	fragment_drop(piece, IKE_COUNT_MALFORMED, why);
}

void fragment_input(struct v1_message *message)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	struct reassembly *reassembly, *oldest = NULL;
	struct ike *ike = message->ike;
	struct fragment piece;
	unsigned same;
	const char *why;
	uint8_t *whole;

	message->sa = ike_sa_find(ike, message->hdr);
	message->encrypted = message->hdr->flags & ISAKMP_FLAG_ENCRYPTED;
	if (!message->sa && memcmp(message->hdr->responder_cookie, no_cookie, IKE_COOKIE_LEN) != 0) {
		fragment_drop(message, IKE_COUNT_UNKNOWN_COOKIES, "a piece of a message with cookies that are not known");
		return;
	}
	why = ike->config->ike.fragment_size == 0 ? "a piece of a message came; ike.fragment_size is 0"
						  : fragment_read(message, &piece);
	if (why) {
		fragment_drop(message, IKE_COUNT_MALFORMED, why);
		return;
	}
	engine_count(ike, IKE_COUNT_FRAGMENTS);
	reassembly = fragment_find(message, piece.id, &same, &oldest);
	if (!reassembly && same == FRAGMENT_PER_COOKIES)
		fragment_give_up(ike, oldest);
	if (!reassembly)
		reassembly = fragment_begin(message, piece.id);
	if (!reassembly)
		return;
	if (fragment_put(ike, reassembly, &piece) < 0) {
		fragment_give_up(ike, reassembly);
		return;
	}
	if (reassembly->count != reassembly->last)
		return;
	whole = fragment_join(reassembly);
	same = (unsigned)reassembly->len;
	fragment_forget(ike, reassembly);
	if (whole)
		fragment_deliver(message, whole, same);
	free(whole);
}

/* The same message gets the same ID each time, so what is sent again fills the gaps of the first time. */
static uint16_t fragment_id(const uint8_t *message, size_t message_len)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < message_len; i++)
		sum = (sum ^ message[i]) * 16777619u;
	sum ^= sum >> 16;
	return (uint16_t)sum ? (uint16_t)sum : 1;
}

bool fragment_send(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len)
{
	size_t over = remote->address.family == ADDRESS_IPV6 ? FRAGMENT_OVER_6 : FRAGMENT_OVER_4;
	const struct isakmp_hdr *hdr = (const struct isakmp_hdr *)message;
	size_t size = ike->config->ike.fragment_size, room = size - over - FRAGMENT_OVERHEAD;
	uint8_t piece[FRAGMENT_OVERHEAD + ENGINE_MESSAGE_MAX];
	struct isakmp_hdr piece_hdr = *hdr;
	const struct ike_sa *sa;
	uint16_t id;

	if (size == 0 || message_len + over <= size || message_len > room * UINT8_MAX)
		return false;
	sa = ike_sa_find(ike, hdr);
	if (!sa || !sa->fragments)
		return false;
	id = fragment_id(message, message_len);
	piece_hdr.flags = 0;
	for (size_t done = 0, number = 1; done < message_len; number++) {
		size_t take = message_len - done < room ? message_len - done : room;
		struct builder builder;

		builder_begin(&builder, piece, sizeof(piece), &piece_hdr);
		builder_open(&builder, ISAKMP_FRAGMENT);
		builder_put16(&builder, id);
		builder_put8(&builder, (uint8_t)number);
		builder_put8(&builder, done + take == message_len ? FRAGMENT_LAST : 0);
		builder_put(&builder, message + done, take);
		builder_close(&builder);
		if (builder_finish(&builder) < 0)
			return false;
		ike->host.send(ike->host.context, local, remote, builder.data, builder.len);
		done += take;
	}
	return true;
}
