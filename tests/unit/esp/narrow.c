/* SPDX-License-Identifier: Apache-2.0 */
#include "narrow.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else /* nobody watches */
#define VALGRIND_MAKE_MEM_DEFINED(at, len) ((void)(at), (void)(len))
#endif

enum narrow_leak narrow_leak;
unsigned long narrow_verdicts;

void narrow_leak_byte(uint8_t secret, enum narrow_leak branch, enum narrow_leak index)
{
	static volatile uint8_t table[UINT8_MAX + 1];

	if (narrow_leak == index)
		table[secret]++;
	else if (narrow_leak == branch && secret & 1)
		table[0]++;
}

void narrow_reveal(void *difference, size_t len)
{
	narrow_verdicts++;
	if (narrow_leak != NARROW_VERDICT)
		VALGRIND_MAKE_MEM_DEFINED(difference, len);
}
