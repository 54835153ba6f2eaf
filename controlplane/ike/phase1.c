/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/phase1.h"

#include "ike/dh.h"
#include "ike/ike_sa.h"
#include "ike/sa_payload.h"
#include "ike/text.h"

#include <stdio.h>
#include <string.h>

/* Notes one attribute in the offer; false when it makes the transform unusable. */
static bool phase1_take_attribute(struct phase1_offer *offer, const struct sa_attribute *attribute, uint16_t *life_type)
{
	uint16_t value = (uint16_t)attribute->value;

	if (attribute->too_long || (attribute->value > UINT16_MAX && attribute->type != OAKLEY_LIFE_DURATION))
		return false;
	switch (attribute->type) {
	case OAKLEY_ENCRYPTION: offer->proposal.cipher = value; break;
	case OAKLEY_HASH: offer->proposal.hash = value; break;
	case OAKLEY_GROUP: offer->proposal.group = value; break;
	case OAKLEY_KEY_LENGTH: offer->proposal.key_bits = value; break;
	case OAKLEY_AUTHENTICATION: offer->auth = value; break;
	case OAKLEY_LIFE_TYPE: *life_type = value; break;
	case OAKLEY_LIFE_DURATION:
		/* A kilobyte life of an IKE SA is not counted: seconds end it first. */
		if (*life_type == ISAKMP_LIFE_SECONDS)
			offer->lifetime = attribute->value > UINT32_MAX ? UINT32_MAX : (uint32_t)attribute->value;
		break;
	default: return false;
	}
	return true;
}

static void phase1_take(void *context, const struct sa_transform *transform)
{
	struct phase1_offers *offers = context;
	struct bytes rest = transform->attributes;
	uint16_t life_type = 0;
	struct sa_attribute attribute;
	struct phase1_offer *offer;
	uint32_t seen = 0;
	int rc;

	if (offers->count == PHASE1_OFFERS_MAX) {
		offers->more = true;
		return;
	}
	offer = &offers->items[offers->count++];
	*offer = (struct phase1_offer){
		.usable = transform->protocol == ISAKMP_PROTO_ISAKMP && transform->id == ISAKMP_KEY_IKE,
		.number = transform->proposal,
		.transform = transform->whole,
	};
	while ((rc = sa_payload_attribute(&rest, &attribute)) > 0) {
		bool life = attribute.type == OAKLEY_LIFE_TYPE || attribute.type == OAKLEY_LIFE_DURATION;
		uint32_t bit = attribute.type < 32 ? 1u << attribute.type : 0;

		/* Pairs of life type and duration may repeat, nothing else: which of two would be meant? */
		if (!phase1_take_attribute(offer, &attribute, &life_type) || (!life && (seen & bit)))
			offer->usable = false;
		seen |= bit;
	}
	if (rc < 0 || transform->whole.len > 128)
		offer->usable = false;
}

int phase1_parse(struct bytes sa_body, struct phase1_offers *out, const char **why)
{
	out->count = 0;
	out->more = false;
	return sa_payload_walk(sa_body, phase1_take, out, why);
}

static bool phase1_same(const struct ike_proposal *a, const struct ike_proposal *b)
{
	return a->cipher == b->cipher && a->key_bits == b->key_bits && a->hash == b->hash && a->group == b->group;
}

static bool phase1_allowed(const struct ike_proposal *proposal, bool legacy)
{
	return legacy || !ike_proposal_legacy(proposal);
}

/* The best of our proposals that comes with this authentication method. */
static const struct phase1_offer *phase1_choose_with(
	const struct phase1_offers *offers, const struct config_peer *peer, uint16_t auth, bool legacy, size_t ke_len)
{
	for (size_t i = 0; i < peer->n_ike; i++) {
		const struct ike_proposal *ours = &peer->ike[i];

		if (!phase1_allowed(ours, legacy) || (ke_len != PHASE1_ANY_KE && dh_public_len(ours->group) != ke_len))
			continue;
		for (size_t k = 0; k < offers->count; k++) {
			const struct phase1_offer *offer = &offers->items[k];

			if (offer->usable && offer->auth == auth && phase1_same(&offer->proposal, ours))
				return offer;
		}
	}
	return NULL;
}

const struct phase1_offer *phase1_choose(
	const struct phase1_offers *offers, const struct config_peer *peer, bool legacy, size_t ke_len)
{
	const struct phase1_offer *chosen = NULL;

	for (size_t i = 0; !chosen && i < peer->n_auth; i++)
		chosen = phase1_choose_with(offers, peer, peer->auth[i], legacy, ke_len);
	return chosen;
}

static void phase1_append_offers(char *text, const struct phase1_offers *offers)
{
	enum { SHOWN = 6 };
	size_t shown = offers->count < SHOWN ? offers->count : SHOWN;
	char name[IKE_PROPOSAL_TEXT_LEN], method[IKE_AUTH_TEXT_LEN];

	for (size_t i = 0; i < shown; i++) {
		const struct phase1_offer *offer = &offers->items[i];

		text_append(text, PHASE1_TEXT_LEN, "%s%s", i ? ", " : "", ike_proposal_format(&offer->proposal, name));
		/* The method is said once for all that share it. */
		if (i + 1 == shown || offer[1].auth != offer->auth)
			text_append(text, PHASE1_TEXT_LEN, " with %s", ike_auth_format(offer->auth, method));
		if (!offer->usable)
			text_append(text, PHASE1_TEXT_LEN, " and an attribute that is not known");
	}
	if (shown < offers->count || offers->more)
		text_append(text, PHASE1_TEXT_LEN, " and more");
}

static void phase1_append_methods(char *text, const struct config_peer *peer)
{
	char method[IKE_AUTH_TEXT_LEN];

	for (size_t i = 0; i < peer->n_auth; i++)
		text_append(
			text, PHASE1_TEXT_LEN, "%s%s", i ? " or " : " with ", ike_auth_format(peer->auth[i], method));
}

char *phase1_explain(
	const struct phase1_offers *offers, const struct config_peer *peer, bool legacy, size_t ke_len, char *text)
{
	bool none = true, withheld = false;
	char name[IKE_PROPOSAL_TEXT_LEN];

	text[0] = '\0';
	text_append(text, PHASE1_TEXT_LEN, "no proposal in common: offered ");
	phase1_append_offers(text, offers);
	text_append(text, PHASE1_TEXT_LEN, "; acceptable ");
	for (size_t i = 0; i < peer->n_ike; i++) {
		if (!phase1_allowed(&peer->ike[i], legacy)) {
			withheld = true;
			continue;
		}
		text_append(text, PHASE1_TEXT_LEN, "%s%s", none ? "" : ", ", ike_proposal_format(&peer->ike[i], name));
		none = false;
	}
	if (none)
		text_append(text, PHASE1_TEXT_LEN, "nothing");
	else
		phase1_append_methods(text, peer);
	if (withheld)
		text_append(text, PHASE1_TEXT_LEN, "; others of its configuration are legacy, and ike.legacy is false");
	else
		for (size_t i = 0; ke_len != PHASE1_ANY_KE && i < offers->count; i++)
			for (size_t k = 0; k < peer->n_ike; k++)
				if (phase1_same(&offers->items[i].proposal, &peer->ike[k]) &&
					dh_public_len(peer->ike[k].group) != ke_len) {
					text_append(text, PHASE1_TEXT_LEN,
						"; its key exchange value has %zu bytes, %s takes %zu", ke_len,
						ike_group_name(peer->ike[k].group), dh_public_len(peer->ike[k].group));
					return text;
				}
	return text;
}

void phase1_write_answer(struct builder *builder, const struct phase1_offer *offer)
{
	size_t proposal;

	sa_payload_begin(builder);
	proposal = sa_payload_begin_proposal(builder, true, offer->number, ISAKMP_PROTO_ISAKMP, bytes_of(NULL, 0), 1);
	sa_payload_echo_transform(builder, offer->transform);
	sa_payload_end_proposal(builder, proposal);
	builder_close(builder);
}

uint16_t phase1_group(const struct config_peer *peer, bool legacy)
{
	for (size_t i = 0; i < peer->n_ike; i++)
		if (phase1_allowed(&peer->ike[i], legacy))
			return peer->ike[i].group;
	return IKE_GROUP_NONE;
}

static void phase1_write_transform(struct builder *builder, const struct ike_proposal *proposal, uint16_t auth,
	uint8_t number, bool last, uint32_t lifetime)
{
	size_t began = sa_payload_begin_transform(builder, last, number, ISAKMP_KEY_IKE);

	sa_payload_put_basic(builder, OAKLEY_ENCRYPTION, proposal->cipher);
	if (proposal->key_bits)
		sa_payload_put_basic(builder, OAKLEY_KEY_LENGTH, proposal->key_bits);
	sa_payload_put_basic(builder, OAKLEY_HASH, proposal->hash);
	sa_payload_put_basic(builder, OAKLEY_GROUP, proposal->group);
	sa_payload_put_basic(builder, OAKLEY_AUTHENTICATION, auth);
	sa_payload_put_basic(builder, OAKLEY_LIFE_TYPE, ISAKMP_LIFE_SECONDS);
	sa_payload_put_variable(builder, OAKLEY_LIFE_DURATION, lifetime);
	sa_payload_end_transform(builder, began);
}

/* Our proposals of a group, each with each method, the most wanted first; returns how many. Counts where `builder` is
 * NULL. */
static uint8_t phase1_write_all(struct builder *builder, const struct config_peer *peer, uint16_t group, bool legacy,
	uint8_t count, uint32_t lifetime)
{
	uint8_t written = 0;

	for (size_t i = 0; i < peer->n_auth; i++)
		for (size_t k = 0; k < peer->n_ike; k++) {
			if (!phase1_allowed(&peer->ike[k], legacy) ||
				(group != IKE_GROUP_NONE && peer->ike[k].group != group))
				continue;
			written++;
			if (builder)
				phase1_write_transform(
					builder, &peer->ike[k], peer->auth[i], written, written == count, lifetime);
		}
	return written;
}

void phase1_write_offers(
	struct builder *builder, const struct config_peer *peer, uint16_t group, bool legacy, uint32_t lifetime)
{
	uint8_t count = phase1_write_all(NULL, peer, group, legacy, 0, lifetime);
	size_t proposal;

	sa_payload_begin(builder);
	proposal = sa_payload_begin_proposal(builder, true, 1, ISAKMP_PROTO_ISAKMP, bytes_of(NULL, 0), count);
	phase1_write_all(builder, peer, group, legacy, count, lifetime);
	sa_payload_end_proposal(builder, proposal);
	builder_close(builder);
}

void phase1_settle(struct ike_sa *sa, const struct phase1_offer *chosen)
{
	sa->proposal = chosen->proposal;
	sa->auth = chosen->auth;
	sa->lifetime = sa->ike->config->ike.lifetime;
	if (chosen->lifetime && chosen->lifetime < sa->lifetime)
		sa->lifetime = chosen->lifetime;
}

bool phase1_accepts(const struct ike_sa *sa, const struct config_peer *peer)
{
	bool method = false, proposal = false;

	for (size_t i = 0; i < peer->n_auth; i++)
		method = method || peer->auth[i] == sa->auth;
	for (size_t i = 0; i < peer->n_ike; i++)
		proposal = proposal || phase1_same(&peer->ike[i], &sa->proposal);
	return method && proposal;
}
