/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/password.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

/* What new hashes begin with; the library chooses the cost. */
static const char method[] = "$y$";

/* Of no password that anybody knows, at the cost of a new one: what a user that does not exist is checked against. */
static const char nobody[] = "$y$j9T$v3cA8FoVzTHLrXtuF.KZj0$MPDpSQAvPOK5tkc1XMdBFRcAHyH5SdV5RI0sH7Cvsr5";

/* The hash of `password` under the setting, in memory that the caller wipes and frees; NULL with errno. */
static struct crypt_data *password_run(const char *password, const char *setting)
{
	struct crypt_data *data = calloc(1, sizeof(*data));

	if (!data)
		return NULL;
	/* On failure the library writes something that begins with '*', or returns NULL: never a hash. */
	if (crypt_rn(password, setting, data, sizeof(*data)) && data->output[0] != '*')
		return data;
	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	errno = EINVAL;
	return NULL;
}

static void password_wipe(struct crypt_data *data)
{
	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
}

int password_hash(const char *password, char hash[PASSWORD_HASH_LEN])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;

	if (strlen(password) >= PASSWORD_LEN)
		return -EINVAL;
	if (!crypt_gensalt_rn(method, 0, NULL, 0, setting, sizeof(setting)))
		return -errno;
	data = password_run(password, setting);
	if (!data)
		return -errno;
	if (strlen(data->output) >= PASSWORD_HASH_LEN) {
		password_wipe(data);
		return -EMSGSIZE;
	}
	strcpy(hash, data->output);
	password_wipe(data);
	return 0;
}

bool password_verify(const char *password, const char *hash)
{
	const char *expected = hash ? hash : nobody;
	struct crypt_data *data = strlen(password) < PASSWORD_LEN ? password_run(password, expected) : NULL;
	size_t len = strlen(expected);
	bool same;

	if (!data)
		return false;
	same = strlen(data->output) == len && CRYPTO_memcmp(data->output, expected, len) == 0;
	password_wipe(data);
	return same && hash;
}

bool password_hash_valid(const char *hash)
{
	return hash[0] && strlen(hash) < PASSWORD_HASH_LEN && crypt_checksalt(hash) == CRYPT_SALT_OK;
}
