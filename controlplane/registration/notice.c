/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/notice.h"

#include "ike/bytes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { NOTICE_MAC_LEN = 16, IPV4_LEN = 4 };

struct notice_endpoint_hdr {
	uint8_t family, zero, port[2], address[16];
};

struct notice_hdr {
	uint8_t magic[4], type, zero[3];
	uint8_t session[NOTICE_SESSION_LEN];
	uint8_t sequence[8];
	struct notice_endpoint_hdr endpoint;
	uint8_t port[2], zero_2[2];
};

static_assert(sizeof(struct notice_hdr) + NOTICE_MAC_LEN == NOTICE_LEN, "nothing lies between header and HMAC");

static const uint8_t magic[4] = {'S', 'L', 'N', '1'};

static bool is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static void endpoint_write(const struct endpoint *endpoint, struct notice_endpoint_hdr *hdr)
{
	*hdr = (struct notice_endpoint_hdr){.family = endpoint->address.family};
	bytes_put16(hdr->port, endpoint->port);
	memcpy(hdr->address, endpoint->address.bytes, sizeof(hdr->address));
}

/* There is one way to write each. */
static bool endpoint_read(const struct notice_endpoint_hdr *hdr, struct endpoint *endpoint)
{
	size_t len = hdr->family == ADDRESS_IPV4 ? IPV4_LEN : hdr->family == ADDRESS_IPV6 ? sizeof(hdr->address) : 0;

	*endpoint = (struct endpoint){.address.family = hdr->family, .port = bytes_get16(hdr->port)};
	memcpy(endpoint->address.bytes, hdr->address, sizeof(hdr->address));
	if (len == 0 && (hdr->family != ADDRESS_NONE || endpoint->port != 0))
		return false;
	return hdr->zero == 0 && is_zero(hdr->address + len, sizeof(hdr->address) - len);
}

static int mac_make(const uint8_t *key, const uint8_t *datagram, size_t len, uint8_t mac[EVP_MAX_MD_SIZE])
{
	return HMAC(EVP_sha256(), key, NOTICE_KEY_LEN, datagram, len, mac, NULL) ? 0 : -EIO;
}

static bool may_be_longer(uint8_t type)
{
	return type == NOTICE_PROBE || type == NOTICE_PROBE_ANSWER;
}

bool notice_is_one(const uint8_t *datagram, size_t len)
{
	return len >= sizeof(magic) && memcmp(datagram, magic, sizeof(magic)) == 0;
}

const uint8_t *notice_session(const uint8_t *datagram, size_t len)
{
	const struct notice_hdr *hdr = (const struct notice_hdr *)datagram;

	if (!notice_is_one(datagram, len) || len < NOTICE_LEN || len > NOTICE_LEN_MAX)
		return NULL;
	if (hdr->type < NOTICE_HELLO || hdr->type >= NOTICE_TYPES || (len > NOTICE_LEN && !may_be_longer(hdr->type)))
		return NULL;
	return hdr->session;
}

int notice_open(const uint8_t key[NOTICE_KEY_LEN], const uint8_t *datagram, size_t len, struct notice *out)
{
	const struct notice_hdr *hdr = (const struct notice_hdr *)datagram;
	size_t mac_at = len - NOTICE_MAC_LEN;
	uint8_t mac[EVP_MAX_MD_SIZE];

	/* 1. Its form, as far as the key needs it. 2. The proof. 3. What it says. */
	if (!notice_session(datagram, len))
		return -EINVAL;
	if (mac_make(key, datagram, mac_at, mac) < 0 || CRYPTO_memcmp(mac, datagram + mac_at, NOTICE_MAC_LEN) != 0)
		return -EBADMSG;
	*out = (struct notice){
		.type = hdr->type,
		.sequence = (uint64_t)bytes_get32(hdr->sequence) << 32 | bytes_get32(hdr->sequence + 4),
		.port = bytes_get16(hdr->port),
	};
	memcpy(out->session, hdr->session, sizeof(out->session));
	if (!endpoint_read(&hdr->endpoint, &out->endpoint) || !is_zero(hdr->zero, sizeof(hdr->zero)) ||
		!is_zero(hdr->zero_2, sizeof(hdr->zero_2)) || !is_zero(datagram + sizeof(*hdr), mac_at - sizeof(*hdr)))
		return -EINVAL;
	return 0;
}

int notice_seal(const uint8_t key[NOTICE_KEY_LEN], const struct notice *notice, uint8_t *datagram, size_t len)
{
	struct notice_hdr hdr = {.type = (uint8_t)notice->type};
	size_t mac_at = len - NOTICE_MAC_LEN;
	uint8_t mac[EVP_MAX_MD_SIZE];

	assert(len == NOTICE_LEN || (len > NOTICE_LEN && len <= NOTICE_LEN_MAX && may_be_longer(hdr.type)));
	memcpy(hdr.magic, magic, sizeof(magic));
	memcpy(hdr.session, notice->session, sizeof(hdr.session));
	bytes_put32(hdr.sequence, (uint32_t)(notice->sequence >> 32));
	bytes_put32(hdr.sequence + 4, (uint32_t)notice->sequence);
	endpoint_write(&notice->endpoint, &hdr.endpoint);
	bytes_put16(hdr.port, notice->port);
	memcpy(datagram, &hdr, sizeof(hdr));
	memset(datagram + sizeof(hdr), 0, mac_at - sizeof(hdr));
	if (mac_make(key, datagram, mac_at, mac) < 0)
		return -EIO;
	memcpy(datagram + mac_at, mac, NOTICE_MAC_LEN);
	return 0;
}

const char *notice_type_name(enum notice_type type)
{
	static const char *const names[NOTICE_TYPES] = {
		[NOTICE_HELLO] = "hello",
		[NOTICE_ANSWER] = "answer",
		[NOTICE_PROBE] = "probe",
		[NOTICE_PROBE_ANSWER] = "probe answer",
		[NOTICE_DIAL] = "dial",
	};

	return type < NOTICE_TYPES && names[type] ? names[type] : "unknown";
}
