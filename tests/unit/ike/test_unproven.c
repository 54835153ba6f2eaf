/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to an address that nothing has proved yet: how long message 2 is and how often it goes, and what a peer is
 * told whose proof is not accepted.
 */
#include "exchange.h"
#include "ike/credentials.h"
#include "ike/ike_sa.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SHA256_LEN = 32, FACTOR = 3 };

static struct exchange x;

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

static void prepare(uint16_t method, bool aggressive, const char *branch, const char *gateway)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];

		peer->aggressive = aggressive;
		peer->auth[0] = method;
		if (method != IKE_AUTH_PSK)
			pki_use(&x.sides[side].config.ike, side == BRANCH ? branch : gateway, "authority");
	}
}

static void open_sides(void)
{
	for (int side = 0; side < 2; side++)
		assert_int_equal(credentials_load(&x.sides[side].config, &x.sides[side].credentials, report, NULL), 0);
	exchange_open(&x);
}

static void stop(void)
{
	exchange_stop(&x);
	for (int side = 0; side < 2; side++)
		credentials_free(x.sides[side].credentials);
}

static int setup(void **state)
{
	(void)state;
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .key = "rsa2048", .authority = true});
	pki_make(&(struct pki_certificate){.name = "stranger", .authority = true});
	pki_make(&(struct pki_certificate){
		.name = "between", .issuer = "authority", .key = "rsa2048", .authority = true});
	pki_make(&(struct pki_certificate){
		.name = "hq", .issuer = "between", .key = "rsa2048", .names = "DNS:hq.example.org"});
	pki_append("hq", "between");
	pki_make(&(struct pki_certificate){
		.name = "branch", .issuer = "authority", .key = "rsa2048", .names = "email:branch@example.org"});
	pki_make(&(struct pki_certificate){.name = "false",
		.issuer = "stranger",
		.key = "rsa2048",
		.names = "email:branch@example.org,DNS:hq.example.org"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

/* All payloads of a message in the clear. */
static struct payload_list parse(const struct exchange_message *message)
{
	struct payload_list list;
	const char *why;

	assert_int_equal(
		payload_parse(ISAKMP_VERSION_1, message->data[16],
			bytes_of(message->data + sizeof(struct isakmp_hdr), message->len - sizeof(struct isakmp_hdr)),
			&list, &why),
		0);
	return list;
}

/* Bytes and messages of the gateway's so far. */
static size_t sent_by_gateway(size_t *count)
{
	size_t len = 0;

	*count = 0;
	for (size_t i = 0; i < x.logged; i++)
		if (x.log[i].from == GATEWAY) {
			len += x.log[i].len;
			++*count;
		}
	return len;
}

static void lose_all(void)
{
	while (x.queued)
		exchange_lose(&x);
}

/* Takes the vendor IDs off message 1, which are its last payloads. */
static void strip_vendors(struct exchange_message *message)
{
	uint8_t *next = &message->data[16];
	size_t at = sizeof(struct isakmp_hdr);

	while (*next != ISAKMP_VENDOR_ID) {
		next = message->data + at;
		at += bytes_get16(message->data + at + 2);
	}
	*next = ISAKMP_NONE;
	message->len = at;
	bytes_put32(message->data + 24, (uint32_t)at);
}

/* Message 2 is longer than message 1 by what that has no counterpart of, HASH_R and NAT-D, and by nothing else. */
static void message_2_is_no_longer_than_it_has_to_be(void **state)
{
	(void)state;
	for (int silent = 0; silent < 2; silent++)
		for (int aggressive = 0; aggressive < 2; aggressive++) {
			size_t hash = sizeof(struct payload_hdr) + SHA256_LEN, more = aggressive ? hash : 0;
			struct exchange_message first;
			struct payload_list asked, answered;
			const struct payload *at = NULL;

			prepare(IKE_AUTH_PSK, aggressive, NULL, NULL);
			strcpy(x.sides[GATEWAY].peers[0].pool, "clients"); /* it has more to say of itself */
			open_sides();
			exchange_begin(&x);
			first = exchange_take(&x);
			if (silent)
				strip_vendors(&first);
			else if (aggressive)
				more += 2 * hash; /* NAT-D, twice */
			exchange_hand_over(&x, &first);
			assert_int_equal(x.queued, 1);
			asked = parse(&first);
			answered = parse(&x.queue[0]);
			assert_in_range(x.queue[0].len, 1, first.len + more);
			while ((at = payload_find(&answered, ISAKMP_VENDOR_ID, at))) {
				const struct payload *same = NULL;

				while ((same = payload_find(&asked, ISAKMP_VENDOR_ID, same)) &&
					memcmp(same->body.data, at->body.data, same->body.len) != 0)
					same++;
				assert_non_null(same);
				at++;
			}
			exchange_free(&first);
			stop();
		}
}

/* The same message 1 again and again: what goes back stays within three times what came, once it has gone once. */
static void message_2_is_not_multiplied(void **state)
{
	(void)state;
	for (int certificates = 0; certificates < 2; certificates++)
		for (int aggressive = 0; aggressive < 2; aggressive++) {
			struct exchange_message first;
			size_t once, count, sent;

			prepare(certificates ? IKE_AUTH_RSA : IKE_AUTH_PSK, aggressive, "branch", "hq");
			x.sides[BRANCH].config.ike.fragment_size = 0;
			open_sides();
			exchange_begin(&x);
			first = exchange_take(&x);
			exchange_hand_over(&x, &first);
			once = sent_by_gateway(&count);
			assert_int_equal(count, 1);
			for (size_t again = 1; again <= 20; again++) {
				exchange_hand_over(&x, &first);
				lose_all();
				sent = sent_by_gateway(&count);
				assert_in_range(count, 1, 1 + ENGINE_REPEATS);
				if (sent > once)
					assert_in_range(sent, 1, FACTOR * (again + 1) * first.len);
				/* A peer whose answer was lost gets it after some tries. */
				if (again == 1 && !(certificates && aggressive))
					assert_int_equal(count, 2);
			}
			assert_true(count > 1);
			print_message("%s, %s: message 1 has %zu bytes, message 2 %zu\n",
				certificates ? "certificates" : "pre-shared key", aggressive ? "aggressive" : "main",
				first.len, once);
			/* And never by itself. */
			exchange_pass_silent(&x, 60000);
			sent_by_gateway(&sent);
			assert_int_equal(sent, count);
			exchange_free(&first);
			stop();
		}
}

/* How many informational messages a side has sent. */
static size_t notices(int from, size_t *longest)
{
	size_t count = 0;

	*longest = 0;
	for (size_t i = 0; i < x.logged; i++)
		if (x.log[i].from == from && x.log[i].data[18] == ISAKMP_INFORMATIONAL) {
			*longest = x.log[i].len > *longest ? x.log[i].len : *longest;
			count++;
		}
	return count;
}

static void expect(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("\"%s\" does not say \"%s\"", x.sides[side].why[kind], part);
}

/* One side refuses and says so once; the other knows. */
static void run_refused(int by, enum ike_event_kind told, const char *part)
{
	size_t longest;

	open_sides();
	exchange_begin(&x);
	exchange_pass(&x, 200000);
	assert_int_equal(notices(by, &longest), 1);
	assert_in_range(longest, 1, 128);
	expect(!by, told, part);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(x.sides[side].n_children, 0);
		assert_int_equal(exchange_sas(&x, side), 0);
	}
	stop();
}

static void unknown_identity_is_told(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		size_t longest;

		prepare(IKE_AUTH_PSK, true, NULL, NULL);
		if (known)
			x.sides[GATEWAY].peers[0].aggressive = false;
		else
			strcpy(x.sides[BRANCH].config.ike.identity, "stranger.example.org");
		open_sides();
		exchange_begin(&x);
		exchange_run(&x);
		assert_int_equal(notices(GATEWAY, &longest), 1);
		assert_int_equal(longest, 40);
		assert_int_equal(exchange_sas(&x, BRANCH), 1); /* anybody could have said so */
		exchange_pass_silent(&x, 60000);
		expect(BRANCH, IKE_EVENT_EXPIRED, "a refusal came (not authenticated): INVALID-ID-INFORMATION (18)");
		stop();
	}
}

static void refused_certificate_is_told(void **state)
{
	(void)state;
	for (int aggressive = 0; aggressive < 2; aggressive++) {
		prepare(IKE_AUTH_RSA, aggressive, "false", "hq");
		run_refused(GATEWAY, IKE_EVENT_REFUSED, "AUTHENTICATION-FAILED (24)");
		/* As initiator in aggressive mode we have not come to keys: the gateway can't believe it. */
		prepare(IKE_AUTH_RSA, aggressive, "branch", "false");
		run_refused(BRANCH, aggressive ? IKE_EVENT_EXPIRED : IKE_EVENT_REFUSED, "AUTHENTICATION-FAILED (24)");
	}
}

/* Which of the checks failed is nothing that a stranger may learn: an identity that is not known is told the same. */
static void refused_identity_is_told(void **state)
{
	(void)state;
	prepare(IKE_AUTH_RSA, false, "branch", "hq");
	strcpy(x.sides[BRANCH].config.ike.identity, "stranger.example.org");
	run_refused(GATEWAY, IKE_EVENT_REFUSED, "AUTHENTICATION-FAILED (24)");
}

static void wrong_key_is_told(void **state)
{
	(void)state;
	for (int aggressive = 0; aggressive < 2; aggressive++) {
		prepare(IKE_AUTH_PSK, aggressive, NULL, NULL);
		x.sides[BRANCH].peers[0].secret[0] ^= 1;
		run_refused(aggressive ? BRANCH : GATEWAY, IKE_EVENT_EXPIRED,
			"a refusal came (not authenticated): AUTHENTICATION-FAILED (24)");
	}
}

/* A refusal in the clear that a stranger wrote changes nothing. */
static void forged_refusal_changes_nothing(void **state)
{
	struct exchange_message second, forged;

	(void)state;
	for (int to = 0; to < 2; to++) {
		prepare(IKE_AUTH_PSK, true, NULL, NULL);
		open_sides();
		exchange_begin(&x);
		exchange_deliver(&x);
		second = exchange_take(&x);
		forged = (struct exchange_message){!to, second.destination, second.source, calloc(1, 40), 40};
		if (to == BRANCH) {
			forged.source = second.source;
			forged.destination = second.destination;
		}
		memcpy(forged.data, second.data, 16);
		memcpy(forged.data + 16, (uint8_t[]){ISAKMP_NOTIFICATION, ISAKMP_VERSION_1, ISAKMP_INFORMATIONAL}, 3);
		bytes_put32(forged.data + 24, 40);
		bytes_put16(forged.data + 30, 12);
		bytes_put32(forged.data + 32, ISAKMP_DOI_IPSEC);
		forged.data[36] = ISAKMP_PROTO_ISAKMP;
		bytes_put16(forged.data + 38, ISAKMP_AUTHENTICATION_FAILED);
		exchange_hand_over(&x, &forged);
		assert_int_equal(x.queued, 0);
		exchange_hand_over(&x, &second);
		exchange_run(&x);
		exchange_check_pair(&x);
		exchange_free(&second);
		exchange_free(&forged);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_2_is_no_longer_than_it_has_to_be),
		cmocka_unit_test(message_2_is_not_multiplied),
		cmocka_unit_test(unknown_identity_is_told),
		cmocka_unit_test(refused_certificate_is_told),
		cmocka_unit_test(refused_identity_is_told),
		cmocka_unit_test(wrong_key_is_told),
		cmocka_unit_test(forged_refusal_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
