/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody gets who has proved who it is: an entry of `peers`, a virtual address, networks. Nothing is given
 * before that. What is refused here is refused with a code of its own, as the peer is known; the whole reason, with
 * both parties' names, is for the timeline.
 */
#pragma once

#include "ike/ike.h"
#include "registration/members.h"
#include "registration/registry.h"

enum { GRANT_WHY_LEN = IKE_WHY_LEN };

struct grant_means {
	const struct config *config;
	const struct members *members;
	void *context;
	/* The address of this identity from the entry's pool: 0, or negative errno with a sentence. */
	int (*lease)(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
		char why[IKE_WHY_LEN]);
	/* Whether one of the networks leads to somebody else now; then who and which, in one sentence. */
	bool (*overlaps)(void *context, const char *identity, const struct prefix *networks, size_t count,
		char why[GRANT_WHY_LEN]);
};

/* What is granted, beside what is in the registration. */
struct grant {
	struct address dns[CONFIG_DNS_MAX];
	size_t n_dns;
};

/*
 * Fills in the registration's peer, address and networks, by its identity and method and the group. 0; -EACCES with
 * *code and a sentence in `why` (GRANT_WHY_LEN bytes).
 */
int grant_make(const struct grant_means *means, const char *group, struct registration *registration,
	struct grant *grant, enum registration_code *code, char *why);
