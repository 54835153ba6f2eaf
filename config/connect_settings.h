/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/ and its tests only: the top level of sluice-connect's file. */
#pragma once

#include "config/connect.h"
#include "config/settings.h"

/* The methods that it has credentials for. */
#define CONNECT_AUTH_EXPECTED "psk, rsa, ecdsa256, ecdsa384, ecdsa521, xauth-psk, xauth-rsa or hybrid-rsa"

extern const struct setting connect_settings[];
