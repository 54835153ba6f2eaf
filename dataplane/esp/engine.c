/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ENGINE_ALIGN = 64 };

/* Zeroed memory, or NULL. */
static void *engine_allocate(size_t size)
{
	void *memory;

	if (posix_memalign(&memory, ENGINE_ALIGN, size) != 0)
		return NULL;
	return memset(memory, 0, size);
}

/* Sets up `memory` for the fastest code of this processor. False when the library's self test fails. */
static bool engine_init_manager(IMB_MGR *memory)
{
	IMB_ARCH arch = IMB_ARCH_NONE;

	if (!imb_set_pointers_mb_mgr(memory, 0, 1))
		return false;
	init_mb_mgr_auto(memory, &arch);
	return imb_get_errno(memory) == 0 && arch > IMB_ARCH_NOAESNI;
}

struct esp_engine *esp_engine_new(void)
{
	struct esp_engine *engine;
	int error = ENOMEM;

	/* Without these the library would emulate AES in tables: slow, and its timing tells the key. */
	if ((imb_get_feature_flags() & IMB_CPUFLAGS_SSE) != IMB_CPUFLAGS_SSE) {
		errno = ENOTSUP;
		return NULL;
	}
	engine = engine_allocate(sizeof(*engine));
	if (!engine)
		goto fail;
	/* Memory of our own instead of alloc_mb_mgr's, so that it can be wiped at the end. */
	engine->manager = engine_allocate(imb_get_mb_mgr_size());
	if (!engine->manager)
		goto free_engine;
	error = ENOTSUP;
	if (!engine_init_manager(engine->manager))
		goto free_manager;
	return engine;

free_manager:
	free(engine->manager);
free_engine:
	free(engine);
fail:
	errno = error;
	return NULL;
}

void esp_engine_free(struct esp_engine *engine)
{
	if (!engine)
		return;
	explicit_bzero(engine->manager, imb_get_mb_mgr_size());
	free(engine->manager);
	explicit_bzero(engine, sizeof(*engine));
	free(engine);
}
