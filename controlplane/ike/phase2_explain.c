/* SPDX-License-Identifier: Apache-2.0 */
/* Why no ESP proposal was chosen, as one sentence with both sides in it. */
#include "ike/phase2.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void phase2_append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void phase2_append(char *text, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, PHASE2_TEXT_LEN - len, format, arguments);
	va_end(arguments);
}

static void phase2_append_offer(char *text, const struct phase2_offer *offer)
{
	const struct esp_suite *suite = esp_suite_get(offer->suite);

	if (offer->protocol != ISAKMP_PROTO_ESP)
		phase2_append(text, "protocol %u", offer->protocol);
	else if (suite)
		phase2_append(text, "%s", suite->name);
	else
		phase2_append(text, "ESP transform %u with key length %u and authentication %u", offer->id,
			offer->key_bits, offer->authentication);
	if (offer->group)
		phase2_append(text, " with PFS %s", ike_group_name(offer->group));
	if (phase2_mode_is_udp(offer->mode))
		phase2_append(text, " in UDP");
	else if (offer->mode == IPSEC_TRANSPORT)
		phase2_append(text, " in transport mode");
	else if (offer->mode > IPSEC_UDP_TUNNEL)
		phase2_append(text, " in mode %u", offer->mode);
	if (!offer->usable)
		phase2_append(text, " with a bundle, SPI or attribute that is not supported");
}

char *phase2_explain(const struct phase2_offers *offers, const struct phase2_terms *terms, char *text)
{
	enum { SHOWN = 4 };
	size_t shown = offers->count < SHOWN ? offers->count : SHOWN;

	text[0] = '\0';
	phase2_append(text, "no ESP proposal in common: offered ");
	for (size_t i = 0; i < shown; i++) {
		phase2_append(text, "%s", i ? ", " : "");
		phase2_append_offer(text, &offers->items[i]);
	}
	phase2_append(text, "%s; acceptable ", shown < offers->count || offers->more ? " and more" : "");
	for (size_t i = 0; i < terms->peer->n_esp; i++) {
		const struct esp_suite *suite = esp_suite_get(terms->peer->esp[i]);

		phase2_append(text, "%s%s", i ? ", " : "", suite ? suite->name : "none");
	}
	if (terms->peer->pfs != IKE_GROUP_NONE)
		phase2_append(text, " with PFS %s", ike_group_name(terms->peer->pfs));
	else
		phase2_append(text, " with or without PFS");
	phase2_append(text, terms->nat ? ", UDP encapsulation because there is a NAT" : ", tunnel mode");
	if (terms->nat && !terms->floated)
		phase2_append(text, " (but the peer did not change to the NAT port)");
	return text;
}
