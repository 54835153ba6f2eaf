/* SPDX-License-Identifier: Apache-2.0 */
/* The RFCs' names of the numbers that the operator is shown. */
#pragma once

#include <stdint.h>

/* "aggressive mode"; NULL when the number has no name here. RFC 2408 section 3.1, RFC 2409 section 5. */
const char *ike_exchange_name(uint8_t exchange);

/* "NO-PROPOSAL-CHOSEN"; NULL likewise. RFC 2408 section 3.14.1, RFC 2407 section 4.6.3, RFC 3706 section 5.2. */
const char *ike_notify_name(uint16_t type);
