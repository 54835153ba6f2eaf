/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/phase2.h"

#include "ike/dh.h"
#include "ike/sa_payload.h"

#include <errno.h>

/*
 * How a suite stands in a proposal: the transform says the mode (RFC 3602, 4106, 3686, 2410), two attributes the length
 * of the key without the salt, and the integrity algorithm (RFC 2404, 4868). 0: not said. ChaCha20-Poly1305 has no
 * number in IKEv1's registry: RFC 7634 gives it one in IKEv2 alone.
 */
static const uint8_t transforms[ESP_MODE_COUNT] = {
	[ESP_MODE_GCM] = ESP_TRANSFORM_AES_GCM_16,
	[ESP_MODE_CBC] = ESP_TRANSFORM_AES_CBC,
	[ESP_MODE_CTR] = ESP_TRANSFORM_AES_CTR,
	[ESP_MODE_NULL] = ESP_TRANSFORM_NULL,
};

static const uint16_t authentications[ESP_INTEGRITY_COUNT] = {
	[ESP_INTEGRITY_SHA1_96] = IPSEC_HMAC_SHA1,
	[ESP_INTEGRITY_SHA256_128] = IPSEC_HMAC_SHA256,
	[ESP_INTEGRITY_SHA384_192] = IPSEC_HMAC_SHA384,
	[ESP_INTEGRITY_SHA512_256] = IPSEC_HMAC_SHA512,
};

/* The suite's number in IKEv1; 0: it has none, or there is no such suite. */
static uint8_t phase2_transform(uint32_t suite_id)
{
	const struct esp_suite *suite = esp_suite_get(suite_id);

	return suite ? transforms[suite->mode] : 0;
}

static uint32_t phase2_suite(const struct phase2_offer *offer)
{
	for (uint32_t i = ESP_SUITE_NONE + 1; i < ESP_SUITE_COUNT; i++) {
		const struct esp_suite *suite = esp_suite_get(i);

		if (phase2_transform(i) != 0 && phase2_transform(i) == offer->id &&
			suite->key_len * 8 == offer->key_bits &&
			authentications[suite->integrity] == offer->authentication)
			return i;
	}
	return ESP_SUITE_NONE;
}

static void phase2_take_life(uint16_t type, uint64_t value, uint32_t *lifetime, uint64_t *lifetime_bytes)
{
	if (type == ISAKMP_LIFE_SECONDS)
		*lifetime = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	else if (type == ISAKMP_LIFE_KILOBYTES)
		*lifetime_bytes = value > UINT64_MAX / 1024 ? UINT64_MAX : value * 1024;
}

/* Notes one attribute in the offer; false when it makes the transform unusable. */
static bool phase2_take_attribute(struct phase2_offer *offer, const struct sa_attribute *attribute, uint16_t *life_type)
{
	uint16_t value = (uint16_t)attribute->value;

	if (attribute->too_long || (attribute->value > UINT16_MAX && attribute->type != IPSEC_LIFE_DURATION))
		return false;
	switch (attribute->type) {
	case IPSEC_LIFE_TYPE: *life_type = value; break;
	case IPSEC_LIFE_DURATION:
		phase2_take_life(*life_type, attribute->value, &offer->lifetime, &offer->lifetime_bytes);
		break;
	case IPSEC_GROUP: offer->group = value; break;
	case IPSEC_ENCAPSULATION: offer->mode = value; break;
	case IPSEC_AUTHENTICATION: offer->authentication = value; break;
	case IPSEC_KEY_LENGTH: offer->key_bits = value; break;
	case IPSEC_EXTENDED_SEQUENCE: offer->extended = true; return value == IPSEC_EXTENDED_SEQUENCE_64;
	default: return false;
	}
	return true;
}

static void phase2_take(void *context, const struct sa_transform *transform)
{
	struct phase2_offers *offers = context;
	struct bytes rest = transform->attributes;
	struct sa_attribute attribute;
	struct phase2_offer *offer;
	uint16_t life_type = 0;
	uint32_t seen = 0;
	int rc;

	if (offers->count == PHASE2_OFFERS_MAX) {
		offers->more = true;
		return;
	}
	offer = &offers->items[offers->count++];
	*offer = (struct phase2_offer){
		.protocol = transform->protocol,
		.id = transform->id,
		.usable = transform->protocol == ISAKMP_PROTO_ESP && transform->spi.len == 4,
		.ordinal = transform->ordinal,
		.number = transform->proposal,
		.transform = transform->whole,
	};
	if (offer->usable)
		offer->spi = bytes_get32(transform->spi.data);
	while ((rc = sa_payload_attribute(&rest, &attribute)) > 0) {
		bool life = attribute.type == IPSEC_LIFE_TYPE || attribute.type == IPSEC_LIFE_DURATION;
		uint32_t bit = attribute.type < 32 ? 1u << attribute.type : 0;

		if (!phase2_take_attribute(offer, &attribute, &life_type) || (!life && (seen & bit)))
			offer->usable = false;
		seen |= bit;
	}
	/* SPIs up to 255 are reserved, RFC 4303 section 2.1. */
	if (rc < 0 || transform->whole.len > 128 || offer->spi < 256)
		offer->usable = false;
	offer->suite = phase2_suite(offer);
}

int phase2_parse(struct bytes sa_body, struct phase2_offers *out, const char **why)
{
	out->count = 0;
	out->more = false;
	if (sa_payload_walk(sa_body, phase2_take, out, why) < 0)
		return -EBADMSG;
	/* Proposals of one number are to be taken together (RFC 2408 section 4.2): AH or IPCOMP beside ESP. */
	for (size_t i = 0; i < out->count; i++)
		for (size_t k = 0; k < out->count; k++)
			if (out->items[i].number == out->items[k].number &&
				out->items[i].ordinal != out->items[k].ordinal)
				out->items[i].usable = false;
	return 0;
}

bool phase2_mode_is_udp(uint16_t mode)
{
	return mode == IPSEC_UDP_TUNNEL || mode == IPSEC_UDP_TUNNEL_DRAFT || mode == IPSEC_UDP_TRANSPORT ||
	       mode == IPSEC_UDP_TRANSPORT_DRAFT;
}

bool phase2_mode_is_transport(uint16_t mode)
{
	return mode == IPSEC_TRANSPORT || mode == IPSEC_UDP_TRANSPORT || mode == IPSEC_UDP_TRANSPORT_DRAFT;
}

static bool phase2_mode_fits(const struct phase2_offer *offer, const struct phase2_terms *terms)
{
	bool transport = terms->peer->mode == CONFIG_MODE_TRANSPORT;

	if (phase2_mode_is_transport(offer->mode) != transport)
		return false;
	/* UDP encapsulation without a NAT does no harm; plain ESP does not pass one. */
	if (phase2_mode_is_udp(offer->mode))
		return terms->floated;
	return (transport || offer->mode == IPSEC_TUNNEL || offer->mode == 0) && !terms->nat;
}

static bool phase2_group_fits(const struct phase2_offer *offer, const struct phase2_terms *terms)
{
	const struct ike_proposal as_proposal = {IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA256, offer->group};

	/* RFC 2409 section 5.5: a KE payload if and only if a group is named. */
	if (!terms->has_ke || offer->group == IKE_GROUP_NONE)
		return !terms->has_ke && offer->group == IKE_GROUP_NONE && terms->peer->pfs == IKE_GROUP_NONE;
	if (terms->ke_len == 0 || dh_public_len(offer->group) != terms->ke_len)
		return false;
	if (terms->peer->pfs != IKE_GROUP_NONE && offer->group != terms->peer->pfs)
		return false;
	return terms->legacy || !ike_proposal_legacy(&as_proposal);
}

static const struct phase2_offer *phase2_find(
	const struct phase2_offers *offers, const struct phase2_terms *terms, uint8_t suite, bool extended)
{
	for (size_t i = 0; i < offers->count; i++) {
		const struct phase2_offer *offer = &offers->items[i];

		if (offer->usable && offer->suite != ESP_SUITE_NONE && offer->suite == suite &&
			offer->extended == extended && phase2_mode_fits(offer, terms) &&
			phase2_group_fits(offer, terms))
			return offer;
	}
	return NULL;
}

const struct phase2_offer *phase2_choose(const struct phase2_offers *offers, const struct phase2_terms *terms)
{
	const struct phase2_offer *offer = NULL;

	for (size_t i = 0; !offer && i < terms->peer->n_esp; i++) {
		if (terms->peer->esn)
			offer = phase2_find(offers, terms, terms->peer->esp[i], true);
		if (!offer)
			offer = phase2_find(offers, terms, terms->peer->esp[i], false);
	}
	return offer;
}

void phase2_write_answer(struct builder *builder, const struct phase2_offer *offer, uint32_t spi)
{
	uint8_t wire_spi[4];
	size_t proposal;

	bytes_put32(wire_spi, spi);
	sa_payload_begin(builder);
	proposal = sa_payload_begin_proposal(
		builder, true, offer->number, ISAKMP_PROTO_ESP, bytes_of(wire_spi, sizeof(wire_spi)), 1);
	sa_payload_echo_transform(builder, offer->transform);
	sa_payload_end_proposal(builder, proposal);
	builder_close(builder);
}

void phase2_write_lifetime(struct builder *builder, uint32_t lifetime, uint64_t lifetime_bytes)
{
	sa_payload_put_basic(builder, IPSEC_LIFE_TYPE, ISAKMP_LIFE_SECONDS);
	sa_payload_put_variable(builder, IPSEC_LIFE_DURATION, lifetime);
	if (lifetime_bytes) {
		uint64_t kilobytes = lifetime_bytes / 1024;

		sa_payload_put_basic(builder, IPSEC_LIFE_TYPE, ISAKMP_LIFE_KILOBYTES);
		sa_payload_put_variable(
			builder, IPSEC_LIFE_DURATION, kilobytes > UINT32_MAX ? UINT32_MAX : (uint32_t)kilobytes);
	}
}

void phase2_read_lifetime(struct bytes attributes, uint32_t *lifetime, uint64_t *lifetime_bytes)
{
	struct sa_attribute attribute;
	uint16_t life_type = 0;

	*lifetime = 0;
	*lifetime_bytes = 0;
	while (sa_payload_attribute(&attributes, &attribute) > 0) {
		if (attribute.type == IPSEC_LIFE_TYPE)
			life_type = (uint16_t)attribute.value;
		else if (attribute.type == IPSEC_LIFE_DURATION && !attribute.too_long)
			phase2_take_life(life_type, attribute.value, lifetime, lifetime_bytes);
	}
}

/* One way to use a suite, as it is offered. */
struct phase2_terms_offered {
	uint8_t suite;
	uint16_t mode, group;
	bool extended;
};

static void phase2_write_transform(struct builder *builder, const struct config_peer *peer, uint8_t number, bool last,
	const struct phase2_terms_offered *offered)
{
	const struct esp_suite *suite = esp_suite_get(offered->suite);
	size_t transform = sa_payload_begin_transform(builder, last, number, phase2_transform(offered->suite));

	if (suite->key_len)
		sa_payload_put_basic(builder, IPSEC_KEY_LENGTH, (uint16_t)(suite->key_len * 8));
	if (authentications[suite->integrity])
		sa_payload_put_basic(builder, IPSEC_AUTHENTICATION, authentications[suite->integrity]);
	sa_payload_put_basic(builder, IPSEC_ENCAPSULATION, offered->mode);
	if (offered->group)
		sa_payload_put_basic(builder, IPSEC_GROUP, offered->group);
	if (offered->extended)
		sa_payload_put_basic(builder, IPSEC_EXTENDED_SEQUENCE, IPSEC_EXTENDED_SEQUENCE_64);
	phase2_write_lifetime(builder, peer->lifetime, peer->lifetime_bytes);
	sa_payload_end_transform(builder, transform);
}

void phase2_write_offers(
	struct builder *builder, const struct config_peer *peer, uint32_t spi, uint16_t mode, uint16_t group)
{
	uint8_t wire_spi[4], offered[CONFIG_PROPOSALS_MAX], count = 0;

	for (uint16_t i = 0; i < peer->n_esp; i++)
		if (phase2_transform(peer->esp[i]) != 0)
			offered[count++] = peer->esp[i];
	bytes_put32(wire_spi, spi);
	sa_payload_begin(builder);
	for (uint8_t i = 0; i < count; i++) {
		struct phase2_terms_offered terms = {
			.suite = offered[i], .mode = mode, .group = group, .extended = peer->esn};
		uint8_t ways = peer->esn ? 2 : 1;
		size_t proposal = sa_payload_begin_proposal(
			builder, i + 1 == count, i + 1, ISAKMP_PROTO_ESP, bytes_of(wire_spi, sizeof(wire_spi)), ways);

		for (uint8_t number = 1; number <= ways; number++) {
			phase2_write_transform(builder, peer, number, number == ways, &terms);
			terms.extended = false;
		}
		sa_payload_end_proposal(builder, proposal);
	}
	builder_close(builder);
}
