/* SPDX-License-Identifier: Apache-2.0 */
/* The timelines as JSON: the newest attempts in one line each, and those of one peer, address or cookie in full. */
#pragma once

#include "gateway.h"

#include <jansson.h>

/* Owned by the caller; NULL for want of memory. */
json_t *status_attempts(const struct gateway *gateway);

/* `who`: a peer's name, an identity, an address (with port or without), or the beginning of a cookie. */
json_t *status_explain(const struct gateway *gateway, const char *who);
