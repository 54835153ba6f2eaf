/* SPDX-License-Identifier: Apache-2.0 */
/* Inside config/ and its tests only: the top level of sluice-connect's file. */
#pragma once

#include "config/connect.h"
#include "config/settings.h"

extern const struct setting connect_settings[];
