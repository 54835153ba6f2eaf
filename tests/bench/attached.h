/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control plane that does nothing but load a data plane: attaches, installs sessions of the plan, hears the answers.
 * One thread; owns the connection, the mapping and the writer.
 */
#pragma once

#include "tables/share.h"
#include "tables/writer.h"

#include <stdbool.h>
#include <stdint.h>

struct attached;

/* Hears of a TABLES_EVENT_DONE, after the writer did. */
typedef void attached_done(void *context, const struct tables_event *event);

struct attached {
	int connection; /* its end is the data plane's */
	struct share_descriptors descriptors;
	struct tables tables;
	struct writer *writer;
	attached_done *done;
	void *context;
};

/* Waits up to `seconds` for a data plane at `path`. 0, or negative errno after a sentence on standard error. */
int attached_open(struct attached *attached, const char *path, int seconds);
void attached_close(struct attached *attached);

/* What the kernel of a gateway of the plan would say: addresses, routes, neighbours. */
void attached_net_install(struct attached *attached);

struct attached_sa {
	uint32_t suite;	  /* enum esp_suite_id */
	uint32_t encapsulation; /* enum tables_encapsulation; on the plan's ports */
	uint32_t session; /* of the plan */
	uint32_t spi_out;
};

/* Installs a session with its child SA and lets it carry traffic. 0 or negative errno. */
int attached_install(struct attached *attached, const struct attached_sa *sa, uint32_t *session, uint32_t *child);

/* Takes both out again. */
void attached_remove(struct attached *attached, uint32_t session, uint32_t child);

/* Says what waits and hears what was answered, waiting up to `nanoseconds` for it. False: the data plane has ended. */
bool attached_turn(struct attached *attached, int64_t nanoseconds);
