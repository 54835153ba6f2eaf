/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control socket can be asked: a table of name, arguments, function and help. Every reply is an object with
 * "ok"; where that is false, "error" is one sentence.
 */
#pragma once

#include "gateway.h"
#include "request.h"

#include <jansson.h>

/* Runs one request. `context` is the gateway. The reply belongs to the caller; NULL for want of memory. */
json_t *commands_run(void *context, const struct control_request *request);
