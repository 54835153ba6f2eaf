/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an SA payload says in phase 1 (RFC 2409 appendix A): read into a list of offers, chosen from by our order of
 * preference, and written. Offers point into the message that they came in.
 */
#pragma once

#include "config/config.h"
#include "ike/builder.h"
#include "ike/bytes.h"

struct ike_sa;

enum { PHASE1_OFFERS_MAX = 64, PHASE1_TEXT_LEN = 512, PHASE1_ANY_KE = 0 };

struct phase1_offer {
	struct ike_proposal proposal;
	uint16_t auth;	   /* enum ike_auth, or what else was offered */
	uint32_t lifetime; /* seconds; 0: not said */
	bool usable;	   /* nothing in it that we don't know */
	uint8_t number;	   /* of its proposal payload */
	struct bytes transform;
};

/* Transforms beyond the array are not looked at: they are the ones that the peer likes least. */
struct phase1_offers {
	struct phase1_offer items[PHASE1_OFFERS_MAX];
	size_t count;
	bool more;
};

/* 0, or -EBADMSG with a sentence in *why. */
int phase1_parse(struct bytes sa_body, struct phase1_offers *out, const char **why);

/*
 * The offer that our first possible method and, with it, our first possible proposal meet; or NULL. `ke_len` is the
 * length of the peer's KE body: the group is not negotiable in aggressive mode, it has to be that of the value (RFC
 * 2409 section 5). PHASE1_ANY_KE: main mode, where the value comes later.
 */
const struct phase1_offer *phase1_choose(
	const struct phase1_offers *offers, const struct config_peer *peer, bool legacy, size_t ke_len);

/* "no proposal in common: offered ...; acceptable ..." into PHASE1_TEXT_LEN bytes; returns it. */
char *phase1_explain(
	const struct phase1_offers *offers, const struct config_peer *peer, bool legacy, size_t ke_len, char *text);

/* The SA payload of message 2: one offer, echoed. */
void phase1_write_answer(struct builder *builder, const struct phase1_offer *offer);

/* The group of the first proposal that may be used; IKE_GROUP_NONE when there is none. */
uint16_t phase1_group(const struct config_peer *peer, bool legacy);

/* The SA payload of message 1: all proposals of a group, or with IKE_GROUP_NONE of all, each with each method of the
 * peer. */
void phase1_write_offers(
	struct builder *builder, const struct config_peer *peer, uint16_t group, bool legacy, uint32_t lifetime);

/* Notes in the SA what was chosen: proposal, method, and the shorter of the two lifetimes. */
void phase1_settle(struct ike_sa *sa, const struct phase1_offer *chosen);

/* Whether what an SA has settled on is among what this peer may use. */
bool phase1_accepts(const struct ike_sa *sa, const struct config_peer *peer);
