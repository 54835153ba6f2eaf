/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/candidates.h"

#include "ike/engine.h"

#include <string.h>
#include <openssl/crypto.h>

static uint64_t candidates_hash(const struct ike *ike, const struct address *address)
{
	return hashmap_hash(&ike->by_address, address->bytes, sizeof(address->bytes));
}

/* Whether an exchange goes the same way for either until the identity is there. */
static bool candidates_alike(const struct config_peer *a, const struct config_peer *b)
{
	return a->force_udp == b->force_udp && a->secret_len == b->secret_len &&
	       CRYPTO_memcmp(a->secret, b->secret, a->secret_len) == 0 && a->n_auth == b->n_auth &&
	       memcmp(a->auth, b->auth, sizeof(a->auth[0]) * a->n_auth) == 0 && a->n_ike == b->n_ike &&
	       memcmp(a->ike, b->ike, sizeof(a->ike[0]) * a->n_ike) == 0;
}

static void candidates_add(struct candidates *candidates, const struct config_peer *peer)
{
	if (!peer->ikev1 || peer->registration)
		return;
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates_alike(candidates->peers[i], peer))
			return;
	if (candidates->count == CANDIDATES_MAX)
		candidates->more = true;
	else
		candidates->peers[candidates->count++] = peer;
}

void candidates_index(struct ike *ike)
{
	for (size_t i = ike->config->n_peers; i-- > 0;) {
		const struct config_peer *peer = &ike->config->peers[i];

		if (peer->address.family != ADDRESS_NONE)
			hashmap_add(
				&ike->by_address, &ike->identities[i].by_address, candidates_hash(ike, &peer->address));
	}
	for (size_t i = 0; i < ike->config->n_peers; i++)
		if (ike->config->peers[i].address.family == ADDRESS_NONE)
			candidates_add(&ike->roaming, &ike->config->peers[i]);
}

void candidates_find(const struct ike *ike, const struct address *from, struct candidates *out)
{
	struct hashmap_node *node = hashmap_first(&ike->by_address, candidates_hash(ike, from));

	out->count = 0;
	out->more = ike->roaming.more;
	for (; node; node = hashmap_next(node)) {
		const struct config_peer *peer = hashmap_owner(node, struct engine_identity, by_address)->peer;

		if (address_equal(&peer->address, from))
			candidates_add(out, peer);
	}
	for (size_t i = 0; i < ike->roaming.count; i++)
		candidates_add(out, ike->roaming.peers[i]);
}
