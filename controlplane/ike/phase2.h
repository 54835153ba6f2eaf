/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an SA payload says in phase 2 (RFC 2407 section 4.5): ESP proposals of the suites in tables/suite.h, read into a
 * list of offers, chosen from by our order of preference, and written. Offers point into the message that they came in.
 */
#pragma once

#include "config/config.h"
#include "ike/builder.h"
#include "ike/bytes.h"

enum { PHASE2_OFFERS_MAX = 64, PHASE2_TEXT_LEN = 512 };

struct phase2_offer {
	uint8_t protocol, id; /* of the transform, as offered */
	uint16_t authentication, key_bits;
	uint32_t suite; /* enum esp_suite_id; ESP_SUITE_NONE: not ours */
	uint16_t group; /* for PFS; IKE_GROUP_NONE */
	uint16_t mode;	/* enum ipsec_encapsulation; 0: not said */
	bool extended;	/* sequence numbers of 64 bits (RFC 4304) */
	uint32_t spi;
	uint32_t lifetime;	 /* seconds; 0: not said */
	uint64_t lifetime_bytes; /* 0: not said */
	bool usable;		 /* nothing in it that we don't know, and no bundle */
	unsigned ordinal;
	uint8_t number;
	struct bytes transform;
};

struct phase2_offers {
	struct phase2_offer items[PHASE2_OFFERS_MAX];
	size_t count;
	bool more;
};

/* What may be chosen, besides the peer's suites, its mode and its number length. */
struct phase2_terms {
	const struct config_peer *peer;
	bool has_ke;
	size_t ke_len;
	bool legacy;  /* legacy groups may be used */
	bool nat;     /* a NAT was detected: UDP encapsulation alone makes sense */
	bool floated; /* without that there is no port for UDP encapsulation */
};

/* 0, or -EBADMSG with a sentence in *why. */
int phase2_parse(struct bytes sa_body, struct phase2_offers *out, const char **why);

/* The offer that our first possible suite meets, with 64-bit numbers rather than without; or NULL. */
const struct phase2_offer *phase2_choose(const struct phase2_offers *offers, const struct phase2_terms *terms);

/* "no ESP proposal in common: offered ...; acceptable ..." into PHASE2_TEXT_LEN bytes; returns it. */
char *phase2_explain(const struct phase2_offers *offers, const struct phase2_terms *terms, char *text);

/* UDP encapsulation is what this mode means (RFC 3947 section 5.1); transport mode is. */
bool phase2_mode_is_udp(uint16_t mode);
bool phase2_mode_is_transport(uint16_t mode);

/* The SA payload of message 2: one offer, echoed, with our SPI. */
void phase2_write_answer(struct builder *builder, const struct phase2_offer *offer, uint32_t spi);

/*
 * The SA payload of message 1: a proposal for each suite of the peer that IKEv1 has numbers for, all with one SPI.
 * Where 64-bit numbers may be used it has two transforms, the second without them.
 */
void phase2_write_offers(
	struct builder *builder, const struct config_peer *peer, uint32_t spi, uint16_t mode, uint16_t group);

/* The data of a RESPONDER-LIFETIME notification, written behind its SPI and read (RFC 2407 section 4.6.3.1). */
void phase2_write_lifetime(struct builder *builder, uint32_t lifetime, uint64_t lifetime_bytes);
void phase2_read_lifetime(struct bytes attributes, uint32_t *lifetime, uint64_t *lifetime_bytes);
