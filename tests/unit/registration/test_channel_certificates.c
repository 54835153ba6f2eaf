/* SPDX-License-Identifier: Apache-2.0 */
/* Whose certificate is good for a channel, and what is said of the others. */
#include "channel_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static struct channel_pair pair;

static void refuses(const char *gateway, const char *name, enum tls_failure failure, const char *part)
{
	channel_pair_begin(&pair, NULL, gateway, name);
	channel_pair_run_until(&pair, channel_pair_client_failed);
	channel_pair_says(&pair, CLIENT, failure, part);
	assert_false(pair.sides[CLIENT].opened);
	channel_pair_end(&pair);
}

static void gateways_certificate(void **state)
{
	(void)state;
	refuses("gateway", "other.example", TLS_FAILURE_CERTIFICATE, "not that of other.example");
	refuses("gateway", "192.0.2.1", TLS_FAILURE_CERTIFICATE, "not that of 192.0.2.1");
	refuses("gateway", "hq@example", TLS_FAILURE_CERTIFICATE, "not that of hq@example");
	refuses("future", "hq.example", TLS_FAILURE_CLOCK, "is valid only from");
	refuses("past", "hq.example", TLS_FAILURE_CLOCK, "expired on");
	refuses("foreign", "hq.example", TLS_FAILURE_CERTIFICATE, "refused");
	/* The common name alone is none. */
	refuses("nameless", "nameless", TLS_FAILURE_CERTIFICATE, "not that of nameless");
	channel_pair_begin(&pair, NULL, "gateway", "203.0.113.1");
	channel_pair_run_until(&pair, channel_pair_is_open);
	channel_pair_end(&pair);
}

static void clients_certificate(void **state)
{
	static const struct {
		const char *name, *part;
		bool good;
	} cases[] = {{"branch", "", true}, {NULL, "no certificate", false}, {"foreign", "refused", false},
		{"past", "expired on", false}};
	char why[TLS_WHY_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		channel_pair_begin(&pair, cases[i].name, "gateway", "hq.example");
		channel_pair_run_until(&pair, channel_pair_is_open);
		assert_int_equal(tls_peer_verified(channel_tls(pair.sides[GATEWAY].channel), why), cases[i].good);
		assert_non_null(strstr(why, cases[i].part));
		assert_int_equal(
			tls_peer_certificate(channel_tls(pair.sides[GATEWAY].channel)) != NULL, cases[i].name != NULL);
		channel_pair_end(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateways_certificate),
		cmocka_unit_test(clients_certificate),
	};

	return cmocka_run_group_tests(tests, channel_pair_make_certificates, channel_pair_remove_certificates);
}
