/* SPDX-License-Identifier: Apache-2.0 */
/* Distinguished names of certificates as text, in the form that the configuration has: "C=DE, O=Example, CN=branch1". */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

/* False when it does not fit in `size` bytes, or there is no memory. */
bool subject_format(const X509_NAME *name, char *text, size_t size);
