/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the IKE engine asks for its clients: whether a user's password is right (auth/login.h), and which virtual
 * address an identity has (pool.h). Opened after privileges are given up; what the configuration has no use for is not
 * opened.
 */
#pragma once

#include "ike/ike.h"

struct gateway;
struct login;
struct clients;

/* NULL with errno, after a line in the log. The gateway must stay; its engine may come later. */
struct clients *clients_new(struct gateway *gateway);

/* The engine must be gone: logins under way end unheard. NULL is allowed. */
void clients_free(struct clients *clients);

/* Hooks of struct ike_host, see there. */
int clients_login(struct clients *clients, const struct ike_login *login);
int clients_lease(struct clients *clients, const struct config_peer *peer, const char *identity,
	struct ike_assignment *out, char why[IKE_WHY_LEN]);

/* Passwords of those who register; NULL when none is asked for. */
struct login *clients_login_service(const struct clients *clients);

/* The leases, for the operator; NULL when no pool is configured. */
struct pools *clients_pools(const struct clients *clients);
