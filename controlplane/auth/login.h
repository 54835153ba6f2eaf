/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users log in with name and password: the users file says who there is, the limits on guessing whether one may try, a
 * helper thread computes the hash, and the answer comes in the event loop. Every refusal looks the same to the peer;
 * the sentence is for the log.
 */
#pragma once

#include "auth/users.h"
#include "config/config.h"
#include "jobs.h"

#include <stdint.h>

struct login;

struct login_request {
	const char *user, *password;
	const char *group;   /* of which the user must be; "": of any or none */
	const char *address; /* where it comes from, for the limits */
};

/* What came of it, during the call: `why` is NULL when the user is who it says; else the reason, one sentence, for the log alone. */
struct login_answer {
	const char *user, *why;
	const char *group; /* of the user; "": none, or nobody is let in */
};

enum { LOGIN_KEY_LEN = 32 };

/* NULL with errno. The configuration and the jobs must stay. */
struct login *login_new(const struct config_users *config, struct jobs *jobs);

/*
 * Those that are under way are answered before it ends, by jobs_free: free the jobs first. NULL is allowed.
 */
void login_free(struct login *login);

/*
 * Begins; nothing of the request is used after the call. `done` is called in the event loop, never from within; `key`
 * are LOGIN_KEY_LEN bytes of the caller's, by which it knows what is answered. 0; -EBUSY when too many are under way.
 */
int login_begin(struct login *login, const struct login_request *request, const void *key,
	void (*done)(void *context, const void *key, const struct login_answer *answer), void *context);
