/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may it be? In main mode the peer's identity comes last, encrypted with a key that already depends on the
 * pre-shared one (RFC 2409 section 5.4), so the first message is answered for all peers that it may be of: those with
 * the address that it came from, then those without a configured address. The exchange remembers that address; when the
 * peer's changes in between, the candidates stay the same.
 */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct ike;

enum { CANDIDATES_MAX = 32 };

struct candidates {
	const struct config_peer *peers[CANDIDATES_MAX];
	size_t count;
	bool more; /* there are further ones, which can't be told apart in main mode with pre-shared keys */
};

/* Makes the index by address and the list of those without; once, at start. */
void candidates_index(struct ike *ike);

/* Peers that an exchange begun from this address may be of; of those alike in key, methods and proposals one. */
void candidates_find(const struct ike *ike, const struct address *from, struct candidates *out);
