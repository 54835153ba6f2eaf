/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks in sentences: Unix time in seconds as "2026-03-01 12:00:00 UTC", spans as "10 minutes". */
#pragma once

#include <stdint.h>

enum {
	KERBEROS_CLOCK_LEN = 32,
	KERBEROS_SPAN_LEN = 32,
	KERBEROS_SKEW_ALLOWED = 300, /* seconds, unless krb5.conf says otherwise (RFC 4120 section 8.2) */
};

int64_t kerberos_clock_now(void);

/* Both return `text`; a span's sign is left out. */
char *kerberos_clock_format(int64_t seconds, char text[KERBEROS_CLOCK_LEN]);
char *kerberos_span_format(int64_t seconds, char text[KERBEROS_SPAN_LEN]);
