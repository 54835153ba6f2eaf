/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences put together piece by piece, in a buffer of fixed length; what does not fit is left out. */
#pragma once

#include <stddef.h>

/* Appends to the text in `text`, whose buffer has `text_size` bytes. */
void text_append(char *text, size_t text_size, const char *format, ...) __attribute__((format(printf, 3, 4)));
