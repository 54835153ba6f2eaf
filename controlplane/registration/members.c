/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct members {
	const struct config *config;
	size_t count;
	const struct config_member **by_identity, **by_subject; /* sorted */
};

static int compare_identities(const void *a, const void *b)
{
	return strcmp((*(const struct config_member *const *)a)->identity,
		(*(const struct config_member *const *)b)->identity);
}

static int compare_subjects(const void *a, const void *b)
{
	return strcmp(
		(*(const struct config_member *const *)a)->subject, (*(const struct config_member *const *)b)->subject);
}

static int compare_identity(const void *identity, const void *member)
{
	return strcmp(identity, (*(const struct config_member *const *)member)->identity);
}

static int compare_subject(const void *subject, const void *member)
{
	return strcmp(subject, (*(const struct config_member *const *)member)->subject);
}

struct members *members_new(const struct config *config)
{
	size_t count = config->registration.n_members;
	struct members *members = calloc(1, sizeof(*members));

	if (!members)
		return NULL;
	members->config = config;
	members->count = count;
	members->by_identity = calloc(count + 1, sizeof(struct config_member *));
	members->by_subject = calloc(count + 1, sizeof(struct config_member *));
	if (!members->by_identity || !members->by_subject) {
		members_free(members);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		members->by_identity[i] = members->by_subject[i] = &config->registration.members[i];
	qsort(members->by_identity, count, sizeof(*members->by_identity), compare_identities);
	qsort(members->by_subject, count, sizeof(*members->by_subject), compare_subjects);
	return members;
}

void members_free(struct members *members)
{
	if (!members)
		return;
	free(members->by_identity);
	free(members->by_subject);
	free(members);
}

const struct config_member *members_find(const struct members *members, const char *identity)
{
	const struct config_member *const *found = bsearch(
		identity, members->by_identity, members->count, sizeof(*members->by_identity), compare_identity);

	return found ? *found : NULL;
}

const struct config_member *members_find_subject(const struct members *members, const char *subject)
{
	const struct config_member *const *found = subject[0] ? bsearch(subject, members->by_subject, members->count,
									sizeof(*members->by_subject), compare_subject)
							      : NULL;

	return found ? *found : NULL;
}

/* No list at all stands for every method. */
static bool members_allows(const uint8_t *methods, size_t count, enum config_method method)
{
	for (size_t i = 0; i < count; i++)
		if (methods[i] == method)
			return true;
	return count == 0;
}

const struct config_peer *members_admit(
	const struct members *members, enum config_method method, const char *identity, const char *group, char *why)
{
	const struct config_member *member = members_find(members, identity);
	const struct config *config = members->config;

	if (member && member->group[0])
		group = member->group;
	if (member && !members_allows(member->methods, member->n_methods, method)) {
		snprintf(why, MEMBERS_WHY_LEN,
			"member \"%s\" has proved itself by %s, which is not among the methods that it may use "
			"(registration.members, setting methods)",
			identity, config_method_names[method]);
		return NULL;
	}
	for (size_t i = 0; i < config->n_peers; i++) {
		const struct config_peer *peer = &config->peers[i];

		if (peer->registration && members_allows(peer->methods, peer->n_methods, method) &&
			(!peer->user_group[0] || strcmp(peer->user_group, group) == 0))
			return peer;
	}
	snprintf(why, MEMBERS_WHY_LEN,
		"no peer of the configuration lets in who registers by %s%s%s%s (settings methods and user_group)",
		config_method_names[method], group[0] ? " and is of group \"" : " and is of no group", group,
		group[0] ? "\"" : "");
	return NULL;
}
