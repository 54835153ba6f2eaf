/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/login.h"

#include "auth/guess.h"
#include "clock.h"
#include "config/log.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOGIN_ADDRESS_LEN = 64 };

struct login {
	struct jobs *jobs;
	struct users *users;
	struct guess *guess;
};

/* One attempt. The helper reads password and hash and writes `right`. */
struct login_attempt {
	struct job job;
	struct login *login;
	char user[PASSWORD_LEN], address[LOGIN_ADDRESS_LEN];
	char password[PASSWORD_LEN];
	char hash[PASSWORD_HASH_LEN], group[USERS_NAME_LEN];
	bool known, right;
	const char *refusal; /* decided before; the hash is computed nevertheless where that would tell who there is */
	uint8_t key[LOGIN_KEY_LEN];
	void (*done)(void *context, const void *key, const struct login_answer *answer);
	void *context;
};

static void login_report(void *context, const char *sentence)
{
	(void)context;
	log_warning("event=users_file reason=\"%s\"", sentence);
}

struct login *login_new(const struct config_users *config, struct jobs *jobs)
{
	struct guess_limits limits = {
		.per_user = config->guesses_per_user,
		.per_address = config->guesses_per_address,
		.window = config->guess_window,
	};
	struct login *login = calloc(1, sizeof(*login));
	uint64_t seed;

	if (!login)
		return NULL;
	login->jobs = jobs;
	login->users = users_new(config->file, login_report, NULL);
	if (login->users && RAND_bytes((unsigned char *)&seed, sizeof(seed)) == 1)
		login->guess = guess_new(&limits, seed);
	if (login->guess)
		return login;
	login_free(login);
	errno = ENOMEM;
	return NULL;
}

void login_free(struct login *login)
{
	if (!login)
		return;
	users_free(login->users);
	guess_free(login->guess);
	free(login);
}

static void login_work(struct job *job)
{
	struct login_attempt *attempt = (struct login_attempt *)job;

	attempt->right = password_verify(attempt->password, attempt->known ? attempt->hash : NULL);
}

static void login_done(struct job *job)
{
	struct login_attempt *attempt = (struct login_attempt *)job;
	struct login_answer answer = {.user = attempt->user, .why = attempt->refusal, .group = ""};

	if (!answer.why && !attempt->right)
		answer.why = attempt->known ? "the password is wrong" : "there is no user of this name";
	if (!answer.why) {
		answer.group = attempt->group;
		guess_right(attempt->login->guess, attempt->user, attempt->address);
	}
	attempt->done(attempt->context, attempt->key, &answer);
	OPENSSL_cleanse(attempt, sizeof(*attempt));
	free(attempt);
}

/* Too many attempts are answered without a look at the password: their answer costs no hash. */
static void login_skip(struct job *job)
{
	(void)job;
}

static const char *login_judge(const struct login_attempt *attempt)
{
	switch (guess_try(attempt->login->guess, attempt->user, attempt->address, clock_now_ms())) {
	case GUESS_TOO_MANY_OF_USER:
		return "too many wrong passwords of this user (users.guesses_per_user): not looked at";
	case GUESS_TOO_MANY_OF_ADDRESS:
		return "too many wrong passwords from this address (users.guesses_per_address): not looked at";
	case GUESS_ALLOWED: break;
	}
	return NULL;
}

int login_begin(struct login *login, const struct login_request *request, const void *key,
	void (*done)(void *context, const void *key, const struct login_answer *answer), void *context)
{
	struct login_attempt *attempt = calloc(1, sizeof(*attempt));
	const struct user *user;
	int rc;

	if (!attempt)
		return -ENOMEM;
	attempt->job = (struct job){.work = login_work, .done = login_done};
	attempt->login = login;
	attempt->done = done;
	attempt->context = context;
	memcpy(attempt->key, key, LOGIN_KEY_LEN);
	snprintf(attempt->user, sizeof(attempt->user), "%s", request->user);
	snprintf(attempt->address, sizeof(attempt->address), "%s", request->address);
	snprintf(attempt->password, sizeof(attempt->password), "%s", request->password);
	attempt->refusal = login_judge(attempt);
	user = users_find(login->users, request->user);
	if (attempt->refusal) {
		attempt->job.work = login_skip;
	} else if (strlen(request->password) >= PASSWORD_LEN) {
		attempt->refusal = "the password is longer than any that is allowed";
	} else if (user) {
		attempt->known = true;
		strcpy(attempt->hash, user->hash);
		strcpy(attempt->group, user->group);
		if (request->group[0] && strcmp(user->group, request->group) != 0)
			attempt->refusal = "the user is not in the group that this peer's configuration asks for "
					   "(setting user_group)";
	}
	rc = jobs_submit(login->jobs, &attempt->job);
	if (rc < 0) {
		OPENSSL_cleanse(attempt, sizeof(*attempt));
		free(attempt);
	}
	return rc;
}
