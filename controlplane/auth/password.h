/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Password hashes in the form of crypt(5), made and checked by libxcrypt: yescrypt for new ones, whatever the library
 * knows and does not call weak for those that an administrator brings along. Each call takes some 30 to 100 ms of CPU
 * on purpose, and runs outside the event loop. Reentrant.
 */
#pragma once

#include <stdbool.h>

enum {
	PASSWORD_LEN = 256,	 /* with terminator; longer ones are refused, not cut */
	PASSWORD_HASH_LEN = 256, /* likewise */
};

/* Hashes a password with a fresh salt. 0 or negative errno. */
int password_hash(const char *password, char hash[PASSWORD_HASH_LEN]);

/*
 * Whether the password is the one that was hashed, compared in constant time. A hash of NULL (there is no such user)
 * takes as long as a real one and is never right.
 */
bool password_verify(const char *password, const char *hash);

/* Whether the text is a hash of a method that the library knows and that is not weak. */
bool password_hash_valid(const char *hash);
