/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of an attempt when there is more than fits, and which attempts are kept. */
#include "test.h"

#include "timeline.h"

#include <stdlib.h>

enum { MAX = 512 };

static struct entry message_of(uint32_t id, uint32_t at_ms)
{
	return (struct entry){
		.flags = ENTRY_MESSAGE, .what = 32, .number = 1, .len = 100, .message_id = id, .at_ms = at_ms};
}

/* Whether what was added as `id`s is what is read, with a gap where the head ends. */
static size_t read_all(const struct entries *entries, struct entry *out)
{
	size_t count = 0;
	const char *text;

	for (size_t at = 0; at < entries->len; count++)
		at = entries_read(entries, at, &out[count], &text);
	return count;
}

static void test_beginning_and_newest_stay(void **state)
{
	struct entry read[MAX / sizeof(struct entry)];
	struct entries entries = {0};
	size_t count, head;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct entry entry = message_of(i, i);

		entries_add(&entries, &entry, "", MAX);
		assert_true(entries.len <= MAX && entries.capacity <= MAX);
	}
	count = read_all(&entries, read);
	head = entries.head / sizeof(struct entry);
	assert_true(head > 5 && count - head > 5);
	for (size_t i = 0; i < head; i++)
		assert_int_equal(read[i].message_id, i);
	for (size_t i = head; i < count; i++)
		assert_int_equal(read[i].message_id, 1000 - count + i);
	assert_int_equal(entries.left_out, 1000 - count);
	entries_free(&entries);
}

/* Texts of any length, up to more than fits: never more bytes than allowed, never a half of an entry. */
static void test_texts(void **state)
{
	struct entries entries = {0};
	char text[ENTRY_TEXT_MAX];
	struct entry read;
	const char *at_text;
	uint32_t added = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (uint16_t len = 0; len <= ENTRY_TEXT_MAX; len++) {
		struct entry entry = {.what = (uint8_t)(len & 7), .text_len = len, .at_ms = added++};
		uint32_t seen = 0, last = 0;

		entries_add(&entries, &entry, text, MAX);
		for (size_t at = 0; at < entries.len; seen++) {
			at = entries_read(&entries, at, &read, &at_text);
			assert_true(at <= entries.len);
			last = read.at_ms;
			for (uint16_t i = 0; i < read.text_len; i++)
				assert_int_equal(at_text[i], 'x');
		}
		assert_int_equal(last, entry.at_ms);
		assert_int_equal(seen + entries.left_out, added);
	}
	entries_free(&entries);
}

/* A message and its answer, again and again, are two entries that say how often; something else ends that. */
static void test_repeated_pairs(void **state)
{
	struct entry read[MAX / sizeof(struct entry)];
	struct entries entries = {0};

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct entry question = message_of(7, i), answer = message_of(8, i);

		entries_add(&entries, &question, "", MAX);
		entries_add(&entries, &answer, "", MAX);
	}
	assert_int_equal(read_all(&entries, read), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read[i].times, 100);
		assert_int_equal(read[i].at_ms, 0);
		assert_int_equal(read[i].last_ms, 99);
	}
	entries_add(&entries, &(struct entry){.what = 1}, "", MAX);
	entries_add(&entries, &(struct entry){.what = 2}, "", MAX);
	read[0] = message_of(7, 200);
	entries_add(&entries, &read[0], "", MAX);
	assert_int_equal(read_all(&entries, read), 5);
	assert_int_equal(read[4].times, 1);
	entries_free(&entries);
}

static struct config config = {.timeline = {.attempts = 64, .per_peer = 2, .per_source = 3, .attempt_bytes = MAX}};
static struct config_peer peers[2] = {{.name = "a", .identity = "a.example"}, {.name = "b", .identity = "b.example"}};

struct counts {
	size_t strangers, claimed, proven, newest;
};

static bool count(void *context, const struct timeline_attempt *attempt)
{
	struct counts *counts = context;

	if (!attempt->peer)
		counts->strangers++;
	else if (attempt->proven)
		counts->proven++;
	else
		counts->claimed++;
	return true;
}

/* One attempt, over at once; `kind` is what is said of it. */
static void attempt(struct timeline *timeline, uint32_t host, int peer, uint64_t ike_sa, enum ike_event_kind kind)
{
	static uint32_t cookie;
	struct ike_event event = {
		.kind = kind,
		.ike_sa = ike_sa,
		.peer = peer < 0 ? NULL : &peers[peer],
		.local = {.address = address_ipv4(1), .port = 500},
		.remote = {.address = address_ipv4(host), .port = 500},
		.why = "because",
	};

	cookie++;
	memcpy(event.initiator_cookie, &cookie, sizeof(cookie));
	timeline_event(timeline, &event, cookie);
	if (!ike_sa)
		return;
	event.kind = IKE_EVENT_ENDED;
	timeline_event(timeline, &event, cookie);
}

static struct counts counts_of(const struct timeline *timeline)
{
	struct counts counts = {0};

	timeline_each(timeline, count, &counts);
	assert_int_equal(counts.strangers + counts.claimed + counts.proven, timeline_count(timeline));
	return counts;
}

static void test_quotas(void **state)
{
	struct timeline *timeline = timeline_new(&config);
	uint64_t ike_sa = 0;

	(void)state;
	assert_non_null(timeline);
	for (int i = 0; i < 10; i++)
		attempt(timeline, 1, -1, 0, IKE_EVENT_REFUSED);
	assert_int_equal(counts_of(timeline).strangers, 3);
	for (int i = 0; i < 10; i++) {
		attempt(timeline, 1, 0, ++ike_sa, IKE_EVENT_ESTABLISHED);
		attempt(timeline, 1, 1, ++ike_sa, IKE_EVENT_ESTABLISHED);
		attempt(timeline, 1, 0, ++ike_sa, IKE_EVENT_EXPIRED);
	}
	/* Until its identity is read each of them was a stranger's, too. */
	assert_int_equal(counts_of(timeline).strangers, 2);
	assert_int_equal(counts_of(timeline).proven, 4);
	assert_int_equal(counts_of(timeline).claimed, 2);
	for (uint32_t i = 0; i < 1000; i++)
		attempt(timeline, 100 + i, -1, 0, IKE_EVENT_REFUSED);
	assert_int_equal(counts_of(timeline).strangers, 16); /* a quarter of all */
	assert_int_equal(counts_of(timeline).proven, 4);
	assert_int_equal(counts_of(timeline).claimed, 2);
	timeline_free(timeline);
}

/* However many attempts live: none of them goes before its IKE SA does. */
static void test_living_ones_stay(void **state)
{
	struct timeline *timeline = timeline_new(&config);

	(void)state;
	for (uint64_t i = 1; i <= 500; i++) {
		struct ike_event event = {
			.kind = IKE_EVENT_ESTABLISHED,
			.ike_sa = i,
			.peer = &peers[i & 1],
			.remote = {.address = address_ipv4(7), .port = (uint16_t)i},
			.why = "",
		};

		memcpy(event.initiator_cookie, &i, sizeof(i));
		timeline_event(timeline, &event, i);
	}
	assert_int_equal(timeline_count(timeline), 500);
	timeline_note(timeline, TIMELINE_LIFETIME, 250, NULL, NULL, 600, "found");
	timeline_free(timeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beginning_and_newest_stay),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_repeated_pairs),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_living_ones_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
