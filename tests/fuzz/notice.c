/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices: as they come, and authenticated, so that what is behind the proof is reached too. What opens is written the
 * same when it is sealed again.
 */
#include "registration/notice.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[NOTICE_KEY_LEN] = "a key of thirty-two bytes, known";

static void open_and_seal(const uint8_t *datagram, size_t len)
{
	static uint8_t again[NOTICE_LEN_MAX];
	struct notice notice;

	if (notice_open(key, datagram, len, &notice) < 0)
		return;
	if (!notice_is_one(datagram, len) || memcmp(notice_session(datagram, len), notice.session, NOTICE_SESSION_LEN) != 0)
		abort();
	if (notice_seal(key, &notice, again, len) < 0 || memcmp(again, datagram, len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MAC_LEN = 16 };
	uint8_t mac[EVP_MAX_MD_SIZE], *datagram = malloc(size + MAC_LEN);

	if (!datagram)
		return 0;
	open_and_seal(data, size);
	if (size)
		memcpy(datagram, data, size);
	if (!HMAC(EVP_sha256(), key, NOTICE_KEY_LEN, datagram, size, mac, NULL))
		abort();
	memcpy(datagram + size, mac, MAC_LEN);
	open_and_seal(datagram, size + MAC_LEN);
	free(datagram);
	return 0;
}
