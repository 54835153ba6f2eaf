/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures under certificates between two engines: each method and mode, and each check that refuses one. */
#include "exchange.h"
#include "ike/credentials.h"
#include "ike/main_mode.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct exchange x;

static void report(void *context, const char *sentence)
{
	(void)context;
	fail_msg("%s", sentence);
}

/* Main mode with one method; the files of the two sides and whom each trusts. */
static void prepare(uint16_t method, const char *branch, const char *gateway)
{
	exchange_prepare(&x);
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];

		peer->aggressive = false;
		peer->auth[0] = method;
		peer->secret_len = 0;
		pki_use(&x.sides[side].config.ike, side == BRANCH ? branch : gateway, "authority");
	}
}

static void open_sides(void)
{
	for (int side = 0; side < 2; side++)
		assert_int_equal(credentials_load(&x.sides[side].config, &x.sides[side].credentials, report, NULL), 0);
	exchange_open(&x);
}

static void close_sides(void)
{
	exchange_stop(&x);
	for (int side = 0; side < 2; side++)
		credentials_free(x.sides[side].credentials);
}

static void connect_and_close(void)
{
	open_sides();
	exchange_connect(&x);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	close_sides();
}

static void says(int side, enum ike_event_kind kind, const char *part)
{
	if (!strstr(x.sides[side].why[kind], part))
		fail_msg("\"%s\" does not say \"%s\"", x.sides[side].why[kind], part);
}

/* The gateway refuses the branch, with this sentence. */
static void gateway_refuses(const char *part)
{
	open_sides();
	exchange_begin(&x);
	exchange_pass(&x, 200000);
	says(GATEWAY, IKE_EVENT_REFUSED, part);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(x.sides[side].events[IKE_EVENT_ESTABLISHED], 0);
		assert_int_equal(exchange_sas(&x, side), 0);
	}
	close_sides();
}

static const struct method {
	uint16_t method;
	const char *branch, *gateway;
} methods[] = {
	{IKE_AUTH_RSA, "branch-rsa", "hq-rsa"},
	{IKE_AUTH_ECDSA_256, "branch-256", "hq-256"},
	{IKE_AUTH_ECDSA_384, "branch-384", "hq-384"},
	{IKE_AUTH_ECDSA_521, "branch-521", "hq-521"},
};

static int setup(void **state)
{
	static const char *const keys[] = {"rsa2048", "P-256", "P-384", "P-521"};

	(void)state;
	pki_begin();
	pki_make(&(struct pki_certificate){.name = "authority", .key = "rsa2048", .authority = true});
	pki_make(&(struct pki_certificate){.name = "stranger", .authority = true});
	for (int i = 0; i < 4; i++) {
		pki_make(&(struct pki_certificate){.name = methods[i].branch,
			.issuer = "authority",
			.key = keys[i],
			.names = "email:branch@example.org"});
		pki_make(&(struct pki_certificate){.name = methods[i].gateway,
			.issuer = "authority",
			.key = keys[i],
			.names = "DNS:hq.example.org"});
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_end();
	return 0;
}

static void each_method(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		for (int aggressive = 0; aggressive < 2; aggressive++)
			for (int nat = EXCHANGE_NO_NAT; nat <= EXCHANGE_NAT_POOL; nat++) {
				prepare(methods[i].method, methods[i].branch, methods[i].gateway);
				x.sides[BRANCH].peers[0].aggressive = x.sides[GATEWAY].peers[0].aggressive = aggressive;
				/* Whole messages are counted, not their pieces. */
				x.sides[BRANCH].config.ike.fragment_size = 0;
				open_sides();
				x.nat = (enum exchange_nat)nat;
				exchange_connect(&x);
				assert_int_equal(x.logged, aggressive ? 6 : 9);
				close_sides();
			}
}

/* Whichever of the nine is lost. */
static void each_message_lost(void **state)
{
	(void)state;
	for (int lost = 0; lost < 9; lost++) {
		prepare(IKE_AUTH_ECDSA_256, "branch-256", "hq-256");
		open_sides();
		exchange_begin(&x);
		for (int i = 0; i < lost; i++)
			exchange_deliver(&x);
		exchange_lose(&x);
		exchange_pass(&x, 5000);
		exchange_check_pair(&x);
		assert_int_equal(exchange_sas(&x, GATEWAY), 1);
		close_sides();
	}
}

/* A key where there is one, a certificate where not: the first method of ours that the peer has too. */
static void best_method(void **state)
{
	(void)state;
	prepare(IKE_AUTH_RSA, "branch-rsa", "hq-rsa");
	for (int side = 0; side < 2; side++) {
		struct config_peer *peer = &x.sides[side].peers[0];

		peer->secret_len = 32;
		peer->auth[1] = IKE_AUTH_PSK;
		peer->n_auth = 2;
	}
	x.sides[BRANCH].peers[0].n_auth = 1;
	x.sides[BRANCH].peers[0].auth[0] = IKE_AUTH_PSK;
	connect_and_close();
}

static void each_identity(void **state)
{
	static const struct {
		const char *identity, *names;
	} rows[] = {
		{"branch.example.org", "DNS:other.example.org,DNS:branch.example.org"},
		{"192.0.2.1", "IP:192.0.2.1"},
		{"2001:db8::1", "IP:2001:db8::1"},
		{"C=DE, O=Example, CN=named", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pki_make(&(struct pki_certificate){.name = "named", .issuer = "authority", .names = rows[i].names});
		prepare(IKE_AUTH_ECDSA_256, "named", "hq-256");
		strcpy(x.sides[BRANCH].config.ike.identity, rows[i].identity);
		strcpy(x.sides[GATEWAY].peers[0].identity, rows[i].identity);
		connect_and_close();
	}
}

static void identity_of_another(void **state)
{
	static const char *const names[] = {NULL, "DNS:branch@example.org", "email:other@example.org",
		"email:branch@example.org.evil.example", "DNS:*.example.org"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pki_make(&(struct pki_certificate){.name = "other", .issuer = "authority", .names = names[i]});
		prepare(IKE_AUTH_ECDSA_256, "other", "hq-256");
		gateway_refuses(
			"certificate refused: the identity is neither its subject nor one of its alternative names");
	}
	/* No wildcards, and the common name is no host name. */
	pki_make(&(struct pki_certificate){
		.name = "branch.example.org", .issuer = "authority", .names = "DNS:*.example.org"});
	prepare(IKE_AUTH_ECDSA_256, "branch.example.org", "hq-256");
	strcpy(x.sides[BRANCH].config.ike.identity, "branch.example.org");
	strcpy(x.sides[GATEWAY].peers[0].identity, "branch.example.org");
	gateway_refuses("the identity is neither");
}

static void validity(void **state)
{
	(void)state;
	pki_make(&(struct pki_certificate){
		.name = "old", .issuer = "authority", .names = "email:branch@example.org", .from = -20, .to = -1});
	prepare(IKE_AUTH_ECDSA_256, "old", "hq-256");
	gateway_refuses("certificate refused: certificate has expired (C=DE, O=Example, CN=old)");
	pki_make(&(struct pki_certificate){
		.name = "new", .issuer = "authority", .names = "email:branch@example.org", .from = 1, .to = 20});
	prepare(IKE_AUTH_ECDSA_256, "new", "hq-256");
	gateway_refuses("certificate refused: certificate is not yet valid (C=DE, O=Example, CN=new)");
}

static void authority_unknown(void **state)
{
	(void)state;
	pki_make(&(struct pki_certificate){
		.name = "foreign", .issuer = "stranger", .names = "email:branch@example.org"});
	prepare(IKE_AUTH_ECDSA_256, "foreign", "hq-256");
	gateway_refuses("certificate refused: unable to get local issuer certificate");
	/* Sending the authority along does not make it one of ours. */
	pki_append("foreign", "stranger");
	prepare(IKE_AUTH_ECDSA_256, "foreign", "hq-256");
	gateway_refuses("certificate refused: self-signed certificate in certificate chain");
	pki_make(&(struct pki_certificate){.name = "selfmade", .names = "email:branch@example.org"});
	prepare(IKE_AUTH_ECDSA_256, "selfmade", "hq-256");
	gateway_refuses("certificate refused: self-signed certificate");
}

/* An authority between: sent along it is used, whoever has no authority's certificate does not make one. */
static void chains(void **state)
{
	(void)state;
	pki_make(&(struct pki_certificate){.name = "between", .issuer = "authority", .authority = true});
	pki_make(&(struct pki_certificate){.name = "below", .issuer = "between", .names = "email:branch@example.org"});
	prepare(IKE_AUTH_ECDSA_256, "below", "hq-256");
	gateway_refuses("certificate refused: unable to get local issuer certificate");
	pki_append("below", "between");
	prepare(IKE_AUTH_ECDSA_256, "below", "hq-256");
	connect_and_close();
	pki_make(&(struct pki_certificate){
		.name = "forged", .issuer = "branch-256", .names = "email:branch@example.org"});
	pki_append("forged", "branch-256");
	prepare(IKE_AUTH_ECDSA_256, "forged", "hq-256");
	gateway_refuses("certificate refused: invalid CA certificate");
}

static void revocation(void **state)
{
	static const char *const nobody[] = {NULL}, *const branch[] = {"branch-256", NULL};

	(void)state;
	for (int required = 0; required < 2; required++) {
		for (int which = 0; which < 4; which++) {
			struct config_ike *gateway;

			pki_revoke("authority", which == 1 ? branch : nobody, which == 2 ? -1 : 30);
			prepare(IKE_AUTH_ECDSA_256, "branch-256", "hq-256");
			gateway = &x.sides[GATEWAY].config.ike;
			gateway->n_crls = which < 3;
			gateway->require_crl = required;
			pki_path("authority.crl", gateway->crls[0]);
			if (which == 1)
				gateway_refuses("certificate refused: certificate revoked");
			else if (which == 2)
				gateway_refuses("certificate refused: CRL has expired");
			else if (which == 3 && required)
				gateway_refuses("certificate refused: unable to get certificate CRL");
			else
				connect_and_close();
		}
	}
}

/* Lists that were read anew hold for what begins then; what stands goes on, and who still uses the former ones may. */
static void read_anew(void **state)
{
	static const char *const nobody[] = {NULL}, *const branch[] = {"branch-256", NULL};
	struct exchange_side *gateway = &x.sides[GATEWAY];
	const struct credentials *held;
	struct credentials *fresh;

	(void)state;
	pki_revoke("authority", nobody, 30);
	prepare(IKE_AUTH_ECDSA_256, "branch-256", "hq-256");
	gateway->config.ike.n_crls = 1;
	pki_path("authority.crl", gateway->config.ike.crls[0]);
	open_sides();
	exchange_connect(&x);
	pki_revoke("authority", branch, 30);
	assert_int_equal(credentials_load(&gateway->config, &fresh, report, NULL), 0);
	held = credentials_hold(gateway->credentials);
	ike_use_credentials(gateway->ike, fresh);
	credentials_free(gateway->credentials);
	gateway->credentials = fresh;
	assert_non_null(held->certificate);
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	exchange_begin(&x);
	exchange_pass(&x, 1000);
	says(GATEWAY, IKE_EVENT_REFUSED, "certificate refused: certificate revoked");
	assert_int_equal(exchange_established(&x, GATEWAY), 1);
	credentials_free(held);
	close_sides();
}

static void weak_keys(void **state)
{
	static const struct {
		const char *key;
		unsigned exponent;
		const char *says;
	} rows[] = {
		{"rsa1024", 0, "its RSA key has 1024 bits; at least 2048 are accepted"},
		{"rsa2048", 3, "its RSA key has a public exponent below 65537"},
		{"P-192", 0, "its key is neither RSA nor ECDSA on one of the curves P-256, P-384 and P-521"},
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct credentials *weak;

		pki_make(&(struct pki_certificate){.name = "weak",
			.issuer = "authority",
			.names = "email:branch@example.org",
			.key = rows[i].key,
			.exponent = rows[i].exponent});
		prepare(IKE_AUTH_ECDSA_256, "branch-256", "hq-256");
		open_sides();
		/* Our own weak key would be refused at start: the certificate alone is put in. */
		weak = x.sides[BRANCH].credentials;
		X509_free(weak->certificate);
		weak->certificate = pki_read("weak");
		exchange_begin(&x);
		exchange_pass(&x, 200000);
		snprintf(why, sizeof(why), "certificate refused: %s", rows[i].says);
		says(GATEWAY, IKE_EVENT_REFUSED, why);
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_ESTABLISHED], 0);
		close_sides();
	}
}

/* The certificate is good and of the peer, but whoever sent it does not have its key; or it is for another purpose. */
static void signature_and_usage(void **state)
{
	struct credentials *thief;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pki_make(&(struct pki_certificate){.name = "thief",
			.issuer = "authority",
			.key = i ? "rsa2048" : "P-256",
			.names = "email:thief@example.org"});
		prepare(methods[!i].method, "thief", methods[!i].gateway);
		open_sides();
		thief = x.sides[BRANCH].credentials;
		X509_free(thief->certificate);
		thief->certificate = pki_read(methods[!i].branch);
		exchange_begin(&x);
		exchange_pass(&x, 200000);
		says(GATEWAY, IKE_EVENT_REFUSED, "SIG_I is wrong: it was not made with the certificate's key");
		assert_int_equal(x.sides[GATEWAY].events[IKE_EVENT_ESTABLISHED], 0);
		close_sides();
	}
	pki_make(&(struct pki_certificate){
		.name = "usage", .issuer = "authority", .usage = "keyAgreement", .names = "email:branch@example.org"});
	prepare(IKE_AUTH_ECDSA_256, "usage", "hq-256");
	gateway_refuses("certificate refused: its key is not for signatures");
	pki_make(&(struct pki_certificate){.name = "usage",
		.issuer = "authority",
		.usage = "nonRepudiation",
		.names = "email:branch@example.org"});
	prepare(IKE_AUTH_ECDSA_256, "usage", "hq-256");
	connect_and_close();
}

/* The branch holds the gateway to the same, and does not tell it before it has proved itself: message 6 comes last. */
static void gateway_is_checked_too(void **state)
{
	(void)state;
	for (int aggressive = 0; aggressive < 2; aggressive++) {
		prepare(IKE_AUTH_ECDSA_256, "branch-256", "hq-256");
		x.sides[BRANCH].peers[0].aggressive = x.sides[GATEWAY].peers[0].aggressive = aggressive;
		pki_path("stranger.pem", x.sides[BRANCH].config.ike.authorities[0]);
		open_sides();
		exchange_begin(&x);
		exchange_pass(&x, 200000);
		says(BRANCH, aggressive ? IKE_EVENT_EXPIRED : IKE_EVENT_REFUSED,
			"certificate refused: unable to get local issuer certificate");
		assert_int_equal(x.sides[BRANCH].events[IKE_EVENT_ESTABLISHED], 0);
		assert_int_equal(exchange_installed(&x, BRANCH), 0);
		close_sides();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_method),
		cmocka_unit_test(each_message_lost),
		cmocka_unit_test(best_method),
		cmocka_unit_test(each_identity),
		cmocka_unit_test(identity_of_another),
		cmocka_unit_test(validity),
		cmocka_unit_test(authority_unknown),
		cmocka_unit_test(chains),
		cmocka_unit_test(revocation),
		cmocka_unit_test(read_anew),
		cmocka_unit_test(weak_keys),
		cmocka_unit_test(signature_and_usage),
		cmocka_unit_test(gateway_is_checked_too),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
