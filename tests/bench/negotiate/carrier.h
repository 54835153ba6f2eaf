/* SPDX-License-Identifier: Apache-2.0 */
/* What the clients' messages travel in, to whoever reads them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One IKE message for a client, which came to its port 4500 when `floated`; `arrived_us` by the real-time clock. */
typedef void carrier_message(
	void *context, size_t client, bool floated, const uint8_t *message, size_t message_len, uint64_t arrived_us);
