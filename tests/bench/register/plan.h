/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured, as the command line says it, and where its files are. For bench-register's parts. */
#pragma once

#include "registration/message.h"

#include <stdbool.h>
#include <stddef.h>

struct plan {
	/*
	 * ca.pem; gateway.pem and .key; client.pem and .key; users, of whom one is `user`. By Kerberos, in realm
	 * EXAMPLE.TEST of $KRB5_CONFIG: hq.keytab of vpn/hq.example, and user.cache, the user's credential cache.
	 */
	const char *directory;
	enum registration_method method;
	size_t count, at_once;
	const char *user, *password;
	struct endpoint gateway; /* to dial; of no family: one of our own */
	unsigned rate;		 /* a second, then */
};

/* False: it makes no sense. The arguments must stay. */
bool plan_read(struct plan *plan, int argc, char **argv);

/* The path of a file of the plan's directory; `path` has `size` bytes. */
void plan_file(const struct plan *plan, char *path, size_t size, const char *name);

/* For who reports in sentences: on standard error. */
void plan_report(void *context, const char *sentence);
