/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running control plane as JSON, for the control socket. Times are Unix seconds, traffic is bytes and packets of
 * inner packets, SPIs are text in hexadecimal as on the wire. Each function returns an object that the caller owns, or
 * NULL for want of memory. No key and no secret is ever part of it.
 */
#pragma once

#include "gateway.h"

#include <jansson.h>

json_t *status_sessions(const struct gateway *gateway);
json_t *status_ike(const struct gateway *gateway);
json_t *status_counters(const struct gateway *gateway);
json_t *status_workers(const struct gateway *gateway);
json_t *status_crypto(const struct gateway *gateway);
json_t *status_leases(const struct gateway *gateway);
json_t *status_registrations(const struct gateway *gateway);
json_t *status_registration_counters(const struct gateway *gateway);
json_t *status_net(const struct gateway *gateway);
/* `name`: of one peer or identity, or from one address; NULL: of all. */
json_t *status_tcp(const struct gateway *gateway, const char *name);

/* Text that peers may have chosen, at most STATUS_TEXT_MAX of it: what is no UTF-8 or would steer a terminal appears as '?'. */
enum { STATUS_TEXT_MAX = 1023 };
json_t *status_text(const char *text, size_t max);
json_t *status_address(const struct address *address);
json_t *status_prefix(const struct prefix *prefix);
json_t *status_endpoint(const struct endpoint *endpoint);

/* Whether a data plane is attached and since when, or what is waited for. */
json_t *status_dataplane(const struct gateway *gateway);
