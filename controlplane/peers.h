/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configured peers by name, for what knows only the name: records of the shared tables that a former process
 * wrote, and the operator. Made once after the configuration was read; both must stay as long as each other.
 */
#pragma once

#include "config/config.h"

struct peers;

/* NULL with errno. */
struct peers *peers_new(const struct config *config);
void peers_free(struct peers *peers);

/* NULL when no peer has that name. */
const struct config_peer *peers_find(const struct peers *peers, const char *name);
