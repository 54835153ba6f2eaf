/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may register: the members of the configuration by identity and by certificate's subject, and the entry of `peers`
 * that somebody becomes. Made once after the configuration was read, which must stay.
 */
#pragma once

#include "config/config.h"

struct members;

enum { MEMBERS_WHY_LEN = 512 };

/* NULL with errno. */
struct members *members_new(const struct config *config);
void members_free(struct members *members);

/* Each NULL when there is none. Subjects in the form "C=DE, O=Example, CN=branch1". */
const struct config_member *members_find(const struct members *members, const char *identity);
const struct config_member *members_find_subject(const struct members *members, const char *subject);

/*
 * The first entry of `peers` for those who have registered that lets this identity in, proved by this method and of
 * this group ("": none known; a member's own counts before). NULL with a sentence in `why` (MEMBERS_WHY_LEN bytes).
 */
const struct config_peer *members_admit(
	const struct members *members, enum config_method method, const char *identity, const char *group, char *why);
