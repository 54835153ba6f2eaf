/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway's administrator is told of attempts that two engines make: each verdict, and both sides' values. */
#include "exchange.h"

#include "ike/ike_sa.h"
#include "ike/notify.h"
#include "timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

/* What is remembered of the newest attempt; the texts outlive it. */
static struct told {
	size_t attempts;
	struct timeline_attempt newest;
	char verdict[1024], identity[128];
	struct entry entries[64];
	char texts[64][ENTRY_TEXT_MAX + 1];
	size_t n_entries;
} told;

static bool tell(void *context, const struct timeline_attempt *attempt)
{
	size_t at = 0;

	(void)context;
	if (told.attempts++ > 0)
		return true;
	told.newest = *attempt;
	snprintf(told.verdict, sizeof(told.verdict), "%s", attempt->verdict ? attempt->verdict : "");
	snprintf(told.identity, sizeof(told.identity), "%s", attempt->identity ? attempt->identity : "");
	while (at < attempt->entries->len && told.n_entries < 64) {
		const char *text;
		struct entry *entry = &told.entries[told.n_entries];

		at = entries_read(attempt->entries, at, entry, &text);
		snprintf(told.texts[told.n_entries++], ENTRY_TEXT_MAX + 1, "%.*s", (int)entry->text_len, text);
	}
	return true;
}

static void ask(int side)
{
	memset(&told, 0, sizeof(told));
	timeline_each(x.sides[side].timeline, tell, NULL);
	assert_true(told.attempts > 0);
}

static void says(int side, enum timeline_outcome outcome, const char *part)
{
	ask(side);
	if (!strstr(told.verdict, part))
		fail_msg("\"%s\" does not say \"%s\"", told.verdict, part);
	assert_int_equal(told.newest.outcome, outcome);
}

static void take_event(struct exchange_side *side, const struct ike_event *event)
{
	timeline_event(side->timeline, event, x.now_ms);
}

static void take_message(struct exchange_side *side, const struct ike_message *message)
{
	timeline_message(side->timeline, message, x.now_ms);
}

static void begin(void (*change)(void))
{
	exchange_prepare(&x);
	if (change)
		change();
	for (int side = 0; side < 2; side++) {
		x.sides[side].config.timeline = (struct config_timeline){64, 4, 4, 1024};
		x.sides[side].timeline = timeline_new(&x.sides[side].config);
		assert_non_null(x.sides[side].timeline);
		x.sides[side].on_event = take_event;
		x.sides[side].on_message = take_message;
	}
	exchange_open(&x);
	exchange_begin(&x);
}

static void end(void)
{
	exchange_stop(&x);
	for (int side = 0; side < 2; side++)
		timeline_free(x.sides[side].timeline);
}

static void is_message(size_t at, uint8_t exchange, uint8_t number, bool sent)
{
	assert_true(at < told.n_entries);
	assert_true(told.entries[at].flags & ENTRY_MESSAGE);
	assert_int_equal(told.entries[at].what, exchange);
	assert_int_equal(told.entries[at].number, number);
	assert_int_equal(!!(told.entries[at].flags & ENTRY_SENT), sent);
	assert_true(told.entries[at].len > 28);
}

/* Only the messages; returns how many. */
static size_t keep_messages(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < told.n_entries; i++)
		if (told.entries[i].flags & ENTRY_MESSAGE)
			told.entries[kept++] = told.entries[i];
	return told.n_entries = kept;
}

static void every_message_is_told(void **state)
{
	(void)state;
	begin(NULL);
	exchange_run(&x);
	exchange_check_pair(&x);
	for (int side = 0; side < 2; side++) {
		ask(side);
		assert_int_equal(told.attempts, 1);
		assert_int_equal(told.newest.outcome, TIMELINE_ESTABLISHED);
		assert_true(told.newest.proven);
		assert_string_equal(told.identity, x.sides[side].peers[0].identity);
		assert_int_equal(keep_messages(), 6);
		for (uint8_t i = 0; i < 6; i++)
			is_message(i, i < 3 ? ISAKMP_AGGRESSIVE : ISAKMP_QUICK, i % 3 + 1,
				(i % 3 % 2 == 0) == (side == BRANCH));
		assert_int_equal(told.entries[0].message_id, 0);
		assert_int_not_equal(told.entries[3].message_id, 0);
		assert_int_equal(told.entries[3].message_id, told.entries[5].message_id);
	}
	end();
}

static void retransmissions_are_counted(void **state)
{
	(void)state;
	begin(NULL);
	exchange_deliver(&x);
	exchange_pass_silent(&x, 8000);
	exchange_run(&x);
	ask(BRANCH);
	assert_int_equal(keep_messages(), 1);
	assert_int_equal(told.entries[0].times, 4); /* at 0, 1, 3 and 7 s */
	assert_int_equal(told.entries[0].last_ms, 7000);
	end();
}

static void peer_silent(void **state)
{
	(void)state;
	begin(NULL);
	exchange_pass_silent(&x, 60000);
	says(BRANCH, TIMELINE_FAILED,
		"message 1 was not answered; nothing came from there at all (it went to "
		"198.51.100.1:500 5 times)");
	exchange_begin(&x);
	exchange_deliver(&x);
	exchange_pass_silent(&x, 60000);
	says(GATEWAY, TIMELINE_FAILED, "message 2 was not answered");
	end();
}

static void stranger(void)
{
	strcpy(x.sides[BRANCH].config.ike.identity, "stranger.example.org");
}

static void identity_unknown(void **state)
{
	(void)state;
	begin(stranger);
	exchange_run(&x);
	says(GATEWAY, TIMELINE_FAILED,
		"the identity is not that of a configured peer: it calls itself "
		"\"stranger.example.org\"");
	assert_null(told.newest.peer);
	assert_string_equal(told.identity, "stranger.example.org");
	end();
}

static void other_proposal(void)
{
	x.sides[BRANCH].peers[0].ike[0] =
		(struct ike_proposal){IKE_CIPHER_AES_CBC, 128, IKE_HASH_SHA256, IKE_GROUP_MODP2048};
}

static void no_common_proposal(void **state)
{
	(void)state;
	begin(other_proposal);
	exchange_run(&x);
	says(GATEWAY, TIMELINE_FAILED,
		"offered aes128-sha256-modp2048 with psk; acceptable aes256-sha256-ecp256 with psk");
	assert_ptr_equal(told.newest.peer, &x.sides[GATEWAY].peers[0]);
	assert_false(told.newest.proven);
	end();
}

static void other_key(void)
{
	x.sides[GATEWAY].peers[0].secret[0] ^= 1;
}

static void wrong_key(void **state)
{
	(void)state;
	begin(other_key);
	exchange_run(&x);
	says(BRANCH, TIMELINE_OPEN, "HASH_R is wrong"); /* at once, and */
	exchange_pass(&x, 60000);
	says(BRANCH, TIMELINE_FAILED, "HASH_R is wrong");
	end();
}

/* The NAT does not pass message 3, which goes to another port; the peer's own word is not heard either. */
static void nat_port_blocked(void **state)
{
	(void)state;
	begin(NULL);
	x.nat = EXCHANGE_NAT;
	exchange_deliver(&x);
	exchange_deliver(&x);
	assert_int_equal(x.queue[0].destination.port, 4500);
	exchange_pass_silent(&x, 60000);
	says(GATEWAY, TIMELINE_FAILED,
		"there is a NAT on the way (what came before came from port 20500), so message 3 "
		"comes to UDP 4500, and nothing came there");
	says(GATEWAY, TIMELINE_FAILED, "may not pass UDP 4500 to 198.51.100.1");
	end();
}

/* A peer with the same key does not like what it got, and says so. One with another key says something, too. */
static void peer_gave_up(void **state)
{
	(void)state;
	for (int other = 0; other < 2; other++) {
		struct ike_sa *sa;

		begin(NULL);
		exchange_deliver(&x);
		exchange_deliver(&x);
		while (x.queued)
			exchange_lose(&x);
		sa = TAILQ_FIRST(&x.sides[BRANCH].ike->sas);
		if (other)
			sa->keys.skeyid_a[0] ^= 1;
		if (other)
			sa->keys.key[0] ^= 1;
		memcpy(sa->iv, TAILQ_FIRST(&x.sides[GATEWAY].ike->sas)->iv, sizeof(sa->iv)); /* before message 3 */
		notify_send(sa, ISAKMP_PROTO_ISAKMP, 24, bytes_of(NULL, 0), bytes_of(NULL, 0));
		exchange_deliver(&x);
		exchange_pass_silent(&x, 400);
		if (other)
			says(GATEWAY, TIMELINE_OPEN,
				"instead of message 3 came a notice that can't be decrypted: the "
				"pre-shared keys differ");
		else
			says(GATEWAY, TIMELINE_FAILED,
				"the peer gave up after message 2, and said why: AUTHENTICATION-FAILED (24)");
		exchange_pass_silent(&x, 60000);
		if (other)
			says(GATEWAY, TIMELINE_FAILED,
				"message 2 was not answered; instead of message 3 came a notice");
		end();
	}
}

static void other_networks(void)
{
	prefix_parse("10.1.0.0/17", &x.sides[GATEWAY].peers[0].remote_networks[0]);
}

static void selectors_refused(void **state)
{
	(void)state;
	begin(other_networks);
	exchange_run(&x);
	says(GATEWAY, TIMELINE_ESTABLISHED,
		"traffic selectors 10.1.0.0/16 to 10.2.0.0/16 are not within this "
		"peer's local and remote networks; configured are 10.1.0.0/17 to "
		"10.2.0.0/16");
	says(BRANCH, TIMELINE_ESTABLISHED, "INVALID-ID-INFORMATION");
	end();
}

static void address_pool(void **state)
{
	(void)state;
	begin(NULL);
	x.nat = EXCHANGE_NAT_POOL;
	exchange_run(&x);
	says(GATEWAY, TIMELINE_ESTABLISHED, "message 3 came from 203.0.113.9:24500, message 1 from 203.0.113.4:20500");
	assert_int_equal(told.newest.n_places, 2);
	end();
}

static void unknown_cookie(void **state)
{
	(void)state;
	begin(NULL);
	exchange_run(&x);
	exchange_check_pair(&x);
	ike_free(x.sides[GATEWAY].ike);
	timeline_free(x.sides[GATEWAY].timeline); /* the gateway was restarted */
	x.sides[GATEWAY].timeline = timeline_new(&x.sides[GATEWAY].config);
	x.sides[GATEWAY].ike = NULL;
	exchange_reopen(&x, GATEWAY);
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	exchange_run(&x);
	says(GATEWAY, TIMELINE_FAILED, "its cookies are of no IKE SA that is here");
	end();
}

/* What comes after the end belongs to the story that ended. */
static void deleted_then_heard(void **state)
{
	struct exchange_message late;

	(void)state;
	begin(NULL);
	exchange_run(&x);
	assert_int_equal(ike_child_rekey(x.sides[BRANCH].ike, exchange_newest(&x, BRANCH)->terms.spi_in), 0);
	late = exchange_take(&x);
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], NULL), 1);
	exchange_hand_over(&x, &late);
	exchange_free(&late);
	says(GATEWAY, TIMELINE_ENDED, "deleted by us");
	assert_int_equal(told.attempts, 1);
	assert_int_equal(told.entries[told.n_entries - 1].what, IKE_EVENT_UNKNOWN_COOKIES);
	end();
}

static void vendors_are_named(void **state)
{
	(void)state;
	begin(NULL);
	exchange_run(&x);
	ask(GATEWAY);
	assert_int_equal(told.entries[1].what, IKE_EVENT_VENDORS);
	assert_string_equal(told.texts[1],
		"NAT-T (RFC 3947), NAT-T (draft 03), NAT-T (draft 02), DPD (RFC 3706), IKE fragmentation");
	end();
}

static size_t proven;

static bool count_proven(void *context, const struct timeline_attempt *attempt)
{
	(void)context;
	proven += attempt->proven;
	return true;
}

/* A flood from strangers, each with an identity that is configured or not, does not push the branch's story out. */
static void flood_pushes_nothing_out(void **state)
{
	static const struct exchange_side *gateway = &x.sides[GATEWAY];
	struct ike_event event = {.kind = IKE_EVENT_REFUSED, .local = x.sides[GATEWAY].endpoint, .why = "no"};

	(void)state;
	begin(NULL);
	exchange_run(&x);
	assert_int_equal(ike_peer_delete(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], NULL), 1);
	exchange_run(&x);
	for (uint32_t i = 0; i < 10000; i++) {
		event.remote.address = address_ipv4(0x0a000000 + i % 500);
		event.remote.port = 500;
		event.peer = i % 2 ? &gateway->peers[0] : NULL;
		memcpy(event.initiator_cookie, &i, sizeof(i));
		timeline_event(gateway->timeline, &event, x.now_ms);
	}
	assert_true(timeline_count(gateway->timeline) <= 64);
	proven = 0;
	timeline_each(gateway->timeline, count_proven, NULL);
	assert_int_equal(proven, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_is_told),
		cmocka_unit_test(retransmissions_are_counted),
		cmocka_unit_test(peer_silent),
		cmocka_unit_test(identity_unknown),
		cmocka_unit_test(no_common_proposal),
		cmocka_unit_test(wrong_key),
		cmocka_unit_test(nat_port_blocked),
		cmocka_unit_test(peer_gave_up),
		cmocka_unit_test(selectors_refused),
		cmocka_unit_test(address_pool),
		cmocka_unit_test(unknown_cookie),
		cmocka_unit_test(deleted_then_heard),
		cmocka_unit_test(vendors_are_named),
		cmocka_unit_test(flood_pushes_nothing_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
