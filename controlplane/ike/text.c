/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_append(char *text, size_t text_size, const char *format, ...)
{
	size_t len = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + len, text_size - len, format, arguments);
	va_end(arguments);
}
