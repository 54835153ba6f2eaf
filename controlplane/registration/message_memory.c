/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON library copies what it reads and writes, passwords among it, and would leave the copies in freed memory. */
#include "registration/message.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void free_wiped(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

void message_wipe_json(void)
{
	json_set_alloc_funcs(malloc, free_wiped);
}
