/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/grant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)MEMBERS_WHY_LEN <= (int)GRANT_WHY_LEN, "a reason of members fits");

static const struct config_pool *grant_pool(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (name[0] && strcmp(config->pools[i].name, name) == 0)
			return &config->pools[i];
	return NULL;
}

/* Its own address where it has one, else one from the pool; none where the entry has no pool. */
static int grant_address(const struct grant_means *means, const struct config_member *member,
	struct registration *registration, struct grant *grant, char *why)
{
	const struct config_pool *pool = grant_pool(means->config, registration->peer->pool);
	struct ike_assignment assignment = {.n_dns = 0};
	int rc = 0;

	if (member && member->address.family != ADDRESS_NONE)
		assignment.address = member->address;
	else if (pool)
		rc = means->lease(means->context, registration->peer, registration->identity, &assignment, why);
	if (rc < 0)
		return rc;
	registration->address = assignment.address;
	if (pool && assignment.address.family != ADDRESS_NONE) {
		grant->n_dns = pool->n_dns;
		memcpy(grant->dns, pool->dns, sizeof(grant->dns));
	}
	return 0;
}

static void grant_networks(const struct config_member *member, struct registration *registration)
{
	registration->n_networks = 0;
	if (registration->address.family != ADDRESS_NONE)
		registration->networks[registration->n_networks++] = prefix_make(&registration->address, 32);
	for (size_t i = 0; member && i < member->n_networks && registration->n_networks < CONFIG_NETWORKS_MAX; i++)
		registration->networks[registration->n_networks++] = member->networks[i];
}

int grant_make(const struct grant_means *means, const char *group, struct registration *registration,
	struct grant *grant, enum registration_code *code, char *why)
{
	const struct config_member *member = members_find(means->members, registration->identity);

	grant->n_dns = 0;
	*code = REGISTRATION_NOT_ALLOWED;
	registration->peer = members_admit(
		means->members, (enum config_method)registration->method, registration->identity, group, why);
	if (!registration->peer)
		return -EACCES;
	*code = REGISTRATION_NO_ADDRESS;
	if (grant_address(means, member, registration, grant, why) < 0)
		return -EACCES;
	grant_networks(member, registration);
	if (registration->n_networks == 0) {
		snprintf(why, GRANT_WHY_LEN,
			"\"%s\" would have no address and no network: peer \"%s\" has no pool, and no member of this "
			"name "
			"has any (settings pool and registration.members)",
			registration->identity, registration->peer->name);
		return -EACCES;
	}
	*code = REGISTRATION_OVERLAP;
	if (means->overlaps(
		    means->context, registration->identity, registration->networks, registration->n_networks, why))
		return -EACCES;
	return 0;
}
