/* SPDX-License-Identifier: Apache-2.0 */
/* What `sluice-connect status` shows and what the control socket answers; for programs as JSON, for people as text. */
#pragma once

#include "connect/connection.h"
#include "control/request.h"

#include <jansson.h>
#include <stdio.h>

/* The whole state. The caller owns it; NULL for want of memory. */
json_t *status_of(const struct connection *connection);

/* The same, as a person reads it. `reply` is what status_of made, be it in another process. */
void status_show(const json_t *reply, FILE *out);

/* Runs one request of the control socket ("status", "rekey", "renew"). `context` is the connection. */
json_t *status_run(void *context, const struct control_request *request);
