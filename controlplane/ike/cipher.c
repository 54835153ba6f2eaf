/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/cipher.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <openssl/evp.h>

size_t cipher_block_len(uint16_t cipher)
{
	switch (cipher) {
	case IKE_CIPHER_AES_CBC: return 16;
	case IKE_CIPHER_3DES_CBC: return 8;
	default: return 0;
	}
}

size_t cipher_key_len(const struct ike_proposal *proposal)
{
	switch (proposal->cipher) {
	case IKE_CIPHER_AES_CBC:
		if (proposal->key_bits == 128 || proposal->key_bits == 192 || proposal->key_bits == 256)
			return proposal->key_bits / 8u;
		return 0;
	case IKE_CIPHER_3DES_CBC: return proposal->key_bits == 0 ? 24 : 0;
	default: return 0;
	}
}

static const EVP_CIPHER *cipher_evp(uint16_t cipher, size_t key_len)
{
	if (cipher == IKE_CIPHER_3DES_CBC)
		return key_len == 24 ? EVP_des_ede3_cbc() : NULL;
	switch (key_len) {
	case 16: return EVP_aes_128_cbc();
	case 24: return EVP_aes_192_cbc();
	case 32: return EVP_aes_256_cbc();
	default: return NULL;
	}
}

int cipher_run(uint16_t cipher, struct bytes key, bool encrypt, uint8_t *iv, uint8_t *data, size_t len)
{
	const EVP_CIPHER *evp = cipher_evp(cipher, key.len);
	size_t block = cipher_block_len(cipher);
	uint8_t next[CIPHER_BLOCK_MAX];
	EVP_CIPHER_CTX *context;
	int written = 0;
	bool done;

	if (!evp || block == 0 || len == 0 || len > INT_MAX || len % block != 0)
		return -EINVAL;
	memcpy(next, data + len - block, block);
	context = EVP_CIPHER_CTX_new();
	done = context && EVP_CipherInit_ex(context, evp, NULL, key.data, iv, encrypt) == 1 &&
	       EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	       EVP_CipherUpdate(context, data, &written, data, (int)len) == 1 && written == (int)len;
	EVP_CIPHER_CTX_free(context);
	if (!done)
		return -EIO;
	memcpy(iv, encrypt ? data + len - block : next, block);
	return 0;
}
