/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/ and its tests only: the top level of sluice-connect's file. */
#pragma once

#include "config/connect.h"
#include "config/settings.h"

/* The methods that it has credentials for. */
#define CONNECT_AUTH_EXPECTED "psk, rsa, ecdsa256, ecdsa384, ecdsa521, xauth-psk, xauth-rsa or hybrid-rsa"

extern const struct setting connect_settings[];

/* connect_registration.c: what follows from methods, which settings these need, and whether a user is among them. */
void connect_complete_registration(const config_setting_t *root, struct connect_config *config);
void connect_check_registration(
	struct settings_reader *reader, const config_setting_t *root, const struct connect_config *config);
bool connect_logs_in(const struct connect_config *config);
