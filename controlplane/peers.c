/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

struct peers {
	size_t count;
	const struct config_peer *sorted[];
};

static int compare_peers(const void *a, const void *b)
{
	return strcmp((*(const struct config_peer *const *)a)->name, (*(const struct config_peer *const *)b)->name);
}

static int compare_name(const void *name, const void *peer)
{
	return strcmp(name, (*(const struct config_peer *const *)peer)->name);
}

struct peers *peers_new(const struct config *config)
{
	struct peers *peers = calloc(1, sizeof(*peers) + config->n_peers * sizeof(peers->sorted[0]));

	if (!peers)
		return NULL;
	peers->count = config->n_peers;
	for (size_t i = 0; i < peers->count; i++)
		peers->sorted[i] = &config->peers[i];
	qsort(peers->sorted, peers->count, sizeof(peers->sorted[0]), compare_peers);
	return peers;
}

void peers_free(struct peers *peers)
{
	free(peers);
}

const struct config_peer *peers_find(const struct peers *peers, const char *name)
{
	const struct config_peer *const *found =
		bsearch(name, peers->sorted, peers->count, sizeof(peers->sorted[0]), compare_name);

	return found ? *found : NULL;
}
