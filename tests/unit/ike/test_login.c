/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users who log in where certificates prove the sides, both or the gateway alone (hybrid), in either exchange of phase
 * 1: nothing is had without a login, and nobody but the gateway hears a password.
 */
#include "exchange.h"
#include "ike/credentials.h"
#include "ike/ike_sa.h"
#include "ike/mode_config.h"
#include "ike/quick.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static const uint16_t methods[] = {IKE_AUTH_XAUTH_INIT_PSK, IKE_AUTH_XAUTH_INIT_RSA, IKE_AUTH_HYBRID_INIT_RSA};
enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

/* A client and a gateway; `gateway` names the latter's certificate. A client of hybrid authentication has none. */
static void prepare(uint16_t method, bool aggressive, const char *gateway)
{
	exchange_prepare(&x);
	for (int i = 0; i < 2; i++) {
		struct exchange_side *side = &x.sides[i];
		struct config_peer *peer = &side->peers[0];

		peer->aggressive = aggressive;
		peer->auth[0] = method;
		if (!ike_auth_shares_key(method)) {
			pki_use(&side->config.ike, i == BRANCH ? "client" : gateway, "authority");
			peer->secret_len = 0;
		}
		if (i == BRANCH && method == IKE_AUTH_HYBRID_INIT_RSA)
			side->config.ike.certificate[0] = side->config.ike.key[0] = '\0';
		peer->users = i == GATEWAY;
	}
	if (method == IKE_AUTH_HYBRID_INIT_RSA)
		x.sides[GATEWAY].config.ike.n_authorities = 0;
	strcpy(x.sides[GATEWAY].peers[0].pool, "clients");
	x.sides[GATEWAY].peers[0].n_remote = 0;
	x.sides[BRANCH].peers[0].virtual_address = true;
	x.sides[BRANCH].peers[0].n_local = x.sides[BRANCH].peers[0].n_remote = 0;
	x.sides[BRANCH].user = EXCHANGE_USER;
	x.sides[BRANCH].password = EXCHANGE_PASSWORD;
}

static void open_sides(void)
{
	for (int side = 0; side < 2; side++)
		assert_int_equal(credentials_load(&x.sides[side].config, &x.sides[side].credentials, report, NULL), 0);
	exchange_open(&x);
}

static void start(uint16_t method, bool aggressive)
{
	prepare(method, aggressive, "hq");
	open_sides();
}

static void stop(void)
{
	exchange_stop(&x);
	for (int side = 0; side < 2; side++)
		credentials_free(x.sides[side].credentials);
}

static struct ike_sa *newest_sa(int side)
{
	return TAILQ_LAST(&x.sides[side].ike->sas, ike_sa_list);
}

static void assert_connected(void)
{
	struct exchange_child *child = exchange_newest(&x, GATEWAY);
	char network[PREFIX_TEXT_LEN];

	exchange_check_pair(&x);
	assert_string_equal(prefix_format(&child->terms.remote_network, network), "10.99.0.7/32");
	assert_true(ike_peer_is_known(x.sides[GATEWAY].ike, &x.sides[GATEWAY].peers[0], EXCHANGE_USER));
	assert_int_equal(x.sides[BRANCH].asked, 1);
	assert_int_equal(x.sides[GATEWAY].leases, 1);
}

static void assert_nothing_was_had(void)
{
	assert_int_equal(x.sides[GATEWAY].n_children, 0);
	assert_int_equal(x.sides[GATEWAY].leases, 0);
	assert_int_equal(exchange_established(&x, GATEWAY), 0);
}

static int setup(void **state)
{
	(void)state;
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .authority = true});
	pki_make(&(struct pki_certificate){.name = "stranger", .authority = true});
	pki_make(&(struct pki_certificate){
		.name = "client", .issuer = "authority", .key = "rsa2048", .names = "email:branch@example.org"});
	pki_make(&(struct pki_certificate){
		.name = "hq", .issuer = "authority", .key = "rsa2048", .names = "DNS:hq.example.org"});
	pki_make(&(struct pki_certificate){
		.name = "false-hq", .issuer = "stranger", .key = "rsa2048", .names = "DNS:hq.example.org"});
	pki_make(&(struct pki_certificate){
		.name = "neighbour", .issuer = "authority", .key = "rsa2048", .names = "DNS:other.example.org"});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

static void each_method_and_mode(void **state)
{
	(void)state;
	for (int i = 0; i < METHODS; i++)
		for (int aggressive = 0; aggressive < 2; aggressive++)
			for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
				start(methods[i], aggressive);
				x.nat = (enum exchange_nat)nat;
				exchange_begin(&x);
				exchange_run(&x);
				assert_connected();
				for (size_t k = 0; k < x.logged; k++)
					assert_null(memmem(x.log[k].data, x.log[k].len, EXCHANGE_PASSWORD,
						strlen(EXCHANGE_PASSWORD)));
				stop();
			}
}

static void wrong_password(void **state)
{
	(void)state;
	for (int i = 0; i < METHODS; i++)
		for (int aggressive = 0; aggressive < 2; aggressive++) {
			start(methods[i], aggressive);
			x.sides[BRANCH].password = "open barley";
			exchange_begin(&x);
			exchange_run(&x);
			assert_int_equal(x.sides[BRANCH].asked, 3);
			assert_nothing_was_had();
			assert_int_equal(exchange_sas(&x, GATEWAY), 0);
			assert_int_equal(exchange_sas(&x, BRANCH), 0);
			assert_non_null(
				strstr(x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "user \"alice\" was not let in"));
			stop();
		}
}

/* Phase 1 of a hybrid client proves nobody: whoever goes on as if it had gets neither an address nor a child SA. */
static void login_is_skipped(void **state)
{
	struct prefix own, other;
	struct ike_sa *sa;

	(void)state;
	prefix_parse("10.99.0.7/32", &own);
	prefix_parse("10.2.0.0/16", &other);
	for (int i = 0; i < METHODS; i++)
		for (int aggressive = 0; aggressive < 2; aggressive++) {
			start(methods[i], aggressive);
			exchange_begin(&x);
			while (x.queued &&
				!(newest_sa(BRANCH)->state == V1_XAUTH && newest_sa(GATEWAY)->state == V1_XAUTH))
				exchange_deliver(&x);
			sa = newest_sa(BRANCH);
			assert_int_equal(sa->state, V1_XAUTH);
			while (x.queued) /* what it is asked it does not hear */
				exchange_lose(&x);
			sa->user_known = true;
			sa->state = V1_ESTABLISHED;
			ike_sa_establish(sa);
			mode_config_pull(sa);
			assert_int_equal(quick_begin(sa, &own, &other, NULL), 0);
			/* Nothing of what the gateway says comes back. */
			for (int round = 0; round < 70; round++) {
				exchange_pass_silent(&x, 1000);
				if (round < 10)
					quick_begin(sa, &own, &other, NULL);
				while (x.queued) {
					struct exchange_message message = exchange_take(&x);

					if (message.from == BRANCH)
						exchange_hand_over(&x, &message);
					exchange_free(&message);
				}
				assert_nothing_was_had();
			}
			assert_int_equal(x.sides[GATEWAY].login_waits, 0);
			assert_int_equal(exchange_sas(&x, GATEWAY), 0);
			stop();
		}
}

/* A gateway that is not the one that is meant, in each way, is told no name and no password. */
static void gateway_is_an_impostor(void **state)
{
	static const struct {
		const char *certificate, *claims;
		const char *says;
	} rows[] = {
		{"false-hq", "hq.example.org", "certificate refused: unable to get local issuer certificate"},
		{"neighbour", "hq.example.org", "certificate refused: the identity is neither"},
		{"neighbour", "other.example.org", "the identity that answered is not the configured one"},
		{"thief", "hq.example.org", "SIG_R is wrong"},
	};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		for (int i = 1; i < METHODS; i++)
			for (int aggressive = 0; aggressive < 2; aggressive++) {
				struct exchange_side *gateway = &x.sides[GATEWAY];
				bool thief = strcmp(rows[row].certificate, "thief") == 0;
				const char *why;

				prepare(methods[i], aggressive, thief ? "neighbour" : rows[row].certificate);
				strcpy(gateway->config.ike.identity, rows[row].claims);
				open_sides();
				if (thief) { /* the true certificate, but not its key */
					X509_free(gateway->credentials->certificate);
					gateway->credentials->certificate = pki_read("hq");
				}
				exchange_begin(&x);
				exchange_pass(&x, 200000);
				assert_int_equal(x.sides[BRANCH].asked, 0);
				assert_false(gateway->login_waits);
				assert_string_equal(gateway->login_user, "");
				assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_ESTABLISHED], 0);
				/* In main mode a whole message 6 is the end of it; all else may be somebody else's. */
				why = x.sides[BRANCH]
					      .why[aggressive || thief ? IKE_EVENT_BAD_MESSAGE : IKE_EVENT_REFUSED];
				if (!strstr(why, rows[row].says))
					fail_msg("\"%s\" does not say \"%s\"", why, rows[row].says);
				assert_nothing_was_had();
				assert_int_equal(exchange_sas(&x, GATEWAY), 0);
				stop();
			}
}

/* Whether a message in the clear has a payload of this type. */
static bool has_payload(const struct exchange_message *message, uint8_t type)
{
	uint8_t next = ((const struct isakmp_hdr *)message->data)->next_payload;
	size_t at = sizeof(struct isakmp_hdr);

	while (next != ISAKMP_NONE && next != type) {
		const struct payload_hdr *hdr = (const struct payload_hdr *)(message->data + at);

		next = hdr->next_payload;
		at += bytes_get16(hdr->length);
	}
	return next == type;
}

/* Who is to sign is asked for a certificate: the gateway always, the client not in hybrid authentication. */
static void certificates_asked_for(void **state)
{
	(void)state;
	for (int i = 1; i < METHODS; i++) {
		prepare(methods[i], true, "hq");
		x.sides[BRANCH].config.ike.fragment_size = 0;
		open_sides();
		exchange_begin(&x);
		exchange_run(&x);
		assert_connected();
		assert_true(has_payload(&x.log[0], ISAKMP_CERT_REQUEST));
		assert_true(has_payload(&x.log[1], ISAKMP_CERT));
		assert_int_equal(has_payload(&x.log[1], ISAKMP_CERT_REQUEST), methods[i] == IKE_AUTH_XAUTH_INIT_RSA);
		stop();
	}
	/* A client whose certificate is another's gets no further than phase 1 with certificates on both sides. */
	prepare(IKE_AUTH_XAUTH_INIT_RSA, false, "hq");
	pki_use(&x.sides[BRANCH].config.ike, "neighbour", "authority");
	open_sides();
	exchange_begin(&x);
	exchange_pass(&x, 200000);
	assert_nothing_was_had();
	assert_int_equal(x.sides[BRANCH].asked, 0);
	assert_non_null(
		strstr(x.sides[GATEWAY].why[IKE_EVENT_REFUSED], "certificate refused: the identity is neither"));
	stop();
}

/* HASH_I of a hybrid client is wrong when a bit of it is: in the second of the blocks that it is encrypted in. */
static void hash_is_altered(void **state)
{
	enum { within_hash = sizeof(struct isakmp_hdr) + 16 + 1 };
	struct exchange_message third;

	(void)state;
	start(IKE_AUTH_HYBRID_INIT_RSA, true);
	exchange_begin(&x);
	exchange_deliver(&x);
	while (x.queued && x.queue[0].from == GATEWAY) /* message 2, perhaps in pieces */
		exchange_deliver(&x);
	third = exchange_take(&x);
	assert_int_equal(third.from, BRANCH);
	third.data[within_hash] ^= 1;
	exchange_hand_over(&x, &third);
	assert_int_equal(newest_sa(GATEWAY)->state, V1_AGGRESSIVE_SENT_2);
	assert_string_equal(x.sides[GATEWAY].why[IKE_EVENT_BAD_MESSAGE],
		"HASH_I is wrong: who sent it has not the keys of this exchange");
	third.data[within_hash] ^= 1;
	exchange_hand_over(&x, &third);
	assert_int_equal(newest_sa(GATEWAY)->state, V1_XAUTH);
	exchange_free(&third);
	exchange_run(&x);
	assert_connected();
	stop();
}

/* Whichever message is lost. */
static void each_message_lost(void **state)
{
	(void)state;
	for (int lost = 0; lost < 16; lost++) {
		int delivered = 0;

		start(methods[1 + lost % 2], lost / 2 % 2);
		exchange_begin(&x);
		while (x.queued || x.sides[GATEWAY].login_waits) {
			if (!x.queued)
				exchange_answer_login(&x);
			else if (delivered++ == lost)
				exchange_lose(&x);
			else
				exchange_deliver(&x);
		}
		for (int i = 0; i < 20; i++)
			exchange_pass(&x, 1000);
		if (!exchange_installed(&x, GATEWAY))
			fail_msg("nothing came of it without message %d: %s; %s", lost + 1,
				x.sides[GATEWAY].why[IKE_EVENT_BAD_MESSAGE],
				x.sides[BRANCH].why[IKE_EVENT_BAD_MESSAGE]);
		assert_connected();
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method_and_mode),
		cmocka_unit_test(wrong_password),
		cmocka_unit_test(login_is_skipped),
		cmocka_unit_test(gateway_is_an_impostor),
		cmocka_unit_test(certificates_asked_for),
		cmocka_unit_test(hash_is_altered),
		cmocka_unit_test(each_message_lost),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
