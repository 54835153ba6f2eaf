/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines (esp/esp.h) of this process, made as dataplane.crypto of the configuration wants, and what is told about
 * that: in the log, and to the control plane in the tables' header.
 */
#pragma once

#include "config/config.h"
#include "esp/esp.h"

/*
 * For each thread its own; all are made alike, so that they share keys. NULL with errno: ENOMEM; ENOTSUP where the
 * processor lacks what is wanted, which crypto_log_refusal explains.
 */
struct esp_engine *crypto_engine_new(const struct config_dataplane *config);
void crypto_log_refusal(const struct config_dataplane *config);

/* Fills in, by suite, what serves those that some peer may have, and logs it. */
void crypto_describe(const struct esp_engine *engine, const struct config *config, struct crypto_choice *choices);
