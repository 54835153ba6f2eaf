/* SPDX-License-Identifier: Apache-2.0 */
/* Why no ESP proposal was chosen, as one sentence with both sides in it. */
#include "ike/phase2.h"

#include "ike/text.h"

#include <stdio.h>
#include <string.h>

static void phase2_append_offer(char *text, const struct phase2_offer *offer)
{
	const struct esp_suite *suite = esp_suite_get(offer->suite);

	if (offer->protocol != ISAKMP_PROTO_ESP)
		text_append(text, PHASE2_TEXT_LEN, "protocol %u", offer->protocol);
	else if (suite)
		text_append(text, PHASE2_TEXT_LEN, "%s", suite->name);
	else
		text_append(text, PHASE2_TEXT_LEN, "ESP transform %u with key length %u and authentication %u",
			offer->id, offer->key_bits, offer->authentication);
	if (offer->group)
		text_append(text, PHASE2_TEXT_LEN, " with PFS %s", ike_group_name(offer->group));
	if (offer->extended)
		text_append(text, PHASE2_TEXT_LEN, " with 64-bit sequence numbers");
	if (phase2_mode_is_transport(offer->mode))
		text_append(text, PHASE2_TEXT_LEN, " in transport mode");
	if (phase2_mode_is_udp(offer->mode))
		text_append(text, PHASE2_TEXT_LEN, " in UDP");
	else if (offer->mode > IPSEC_TRANSPORT)
		text_append(text, PHASE2_TEXT_LEN, " in mode %u", offer->mode);
	if (!offer->usable)
		text_append(text, PHASE2_TEXT_LEN, " with a bundle, SPI or attribute that is not supported");
}

char *phase2_explain(const struct phase2_offers *offers, const struct phase2_terms *terms, char *text)
{
	enum { SHOWN = 4 };
	size_t shown = offers->count < SHOWN ? offers->count : SHOWN;

	text[0] = '\0';
	text_append(text, PHASE2_TEXT_LEN, "no ESP proposal in common: offered ");
	for (size_t i = 0; i < shown; i++) {
		text_append(text, PHASE2_TEXT_LEN, "%s", i ? ", " : "");
		phase2_append_offer(text, &offers->items[i]);
	}
	text_append(text, PHASE2_TEXT_LEN, "%s; acceptable ", shown < offers->count || offers->more ? " and more" : "");
	for (size_t i = 0; i < terms->peer->n_esp; i++) {
		const struct esp_suite *suite = esp_suite_get(terms->peer->esp[i]);

		text_append(text, PHASE2_TEXT_LEN, "%s%s", i ? ", " : "", suite ? suite->name : "none");
	}
	if (terms->peer->pfs != IKE_GROUP_NONE)
		text_append(text, PHASE2_TEXT_LEN, " with PFS %s", ike_group_name(terms->peer->pfs));
	else
		text_append(text, PHASE2_TEXT_LEN, " with or without PFS");
	if (!terms->peer->esn)
		text_append(text, PHASE2_TEXT_LEN, " without 64-bit sequence numbers");
	text_append(text, PHASE2_TEXT_LEN, ", %s mode%s",
		terms->peer->mode == CONFIG_MODE_TRANSPORT ? "transport" : "tunnel",
		terms->nat ? " in UDP because there is a NAT" : "");
	if (terms->nat && !terms->floated)
		text_append(text, PHASE2_TEXT_LEN, " (but the peer did not change to the NAT port)");
	return text;
}
