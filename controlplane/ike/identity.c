/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/identity.h"

#include "ike/certificate.h"
#include "ike/isakmp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PROTOCOL_UDP = 17, PORT_IKE = 500, PORT_IKE_NAT = 4500, IPV4_LEN = 4, IPV6_LEN = 16 };

static struct address identity_address(struct bytes raw)
{
	struct address address = {.family = raw.len == IPV4_LEN ? ADDRESS_IPV4 : ADDRESS_IPV6};

	memcpy(address.bytes, raw.data, raw.len);
	return address;
}

/* Copies what prints; false when something did not, or did not fit. */
static bool identity_copy_text(struct bytes raw, char *text)
{
	bool clean = raw.len > 0 && raw.len < CONFIG_IDENTITY_LEN;
	size_t len = raw.len < CONFIG_IDENTITY_LEN ? raw.len : CONFIG_IDENTITY_LEN - 1;

	for (size_t i = 0; i < len; i++) {
		bool prints = raw.data[i] > ' ' && raw.data[i] < 0x7f;

		text[i] = prints ? (char)raw.data[i] : '?';
		clean = clean && prints;
	}
	text[len] = '\0';
	return clean;
}

int identity_read(struct bytes body, char *text, const char **why)
{
	const struct id_hdr *hdr = (const struct id_hdr *)body.data;
	uint16_t port = bytes_get16(hdr->port);
	struct bytes raw = bytes_of(hdr + 1, body.len - sizeof(*hdr));
	bool clean = true;

	switch (hdr->type) {
	case ISAKMP_ID_IPV4_ADDR:
	case ISAKMP_ID_IPV6_ADDR:
		if (raw.len == (hdr->type == ISAKMP_ID_IPV4_ADDR ? IPV4_LEN : IPV6_LEN)) {
			struct address address = identity_address(raw);

			address_format(&address, text);
			break;
		}
		snprintf(text, CONFIG_IDENTITY_LEN, "an address of %zu bytes", raw.len);
		clean = false;
		break;
	case ISAKMP_ID_FQDN:
	case ISAKMP_ID_USER_FQDN:
	case ISAKMP_ID_KEY_ID: clean = identity_copy_text(raw, text); break;
	case ISAKMP_ID_DER_ASN1_DN:
		clean = certificate_format_name(raw, text, CONFIG_IDENTITY_LEN);
		if (!clean)
			snprintf(text, CONFIG_IDENTITY_LEN, "a distinguished name of %zu bytes", raw.len);
		break;
	default: snprintf(text, CONFIG_IDENTITY_LEN, "an identity of type %u", hdr->type); clean = false;
	}
	clean = clean && body.len <= IDENTITY_BODY_MAX;
	/* RFC 2407 section 4.6.2: protocol and port of phase 1 are zero, or those of IKE. */
	if ((hdr->protocol != 0 || port != 0) &&
		(hdr->protocol != PROTOCOL_UDP || (port != PORT_IKE && port != PORT_IKE_NAT && port != 0))) {
		*why = "the identity names a protocol or port that is not IKE's";
		return -EBADMSG;
	}
	if (!clean) {
		*why = "the identity's type or form is not supported";
		return -EBADMSG;
	}
	return 0;
}

size_t identity_write_name(struct bytes der, uint8_t body[IDENTITY_BODY_MAX])
{
	struct id_hdr *hdr = (struct id_hdr *)body;

	*hdr = (struct id_hdr){.type = ISAKMP_ID_DER_ASN1_DN};
	memcpy(hdr + 1, der.data, der.len);
	return sizeof(*hdr) + der.len;
}

size_t identity_write(const char *text, uint8_t body[IDENTITY_BODY_MAX])
{
	struct id_hdr *hdr = (struct id_hdr *)body;
	struct address address;
	const void *raw = text;
	size_t len = strnlen(text, CONFIG_IDENTITY_LEN);

	*hdr = (struct id_hdr){.type = strchr(text, '@') ? ISAKMP_ID_USER_FQDN : ISAKMP_ID_FQDN};
	if (address_parse(text, &address) == 0) {
		bool ipv4 = address.family == ADDRESS_IPV4;

		hdr->type = ipv4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR;
		raw = address.bytes;
		len = ipv4 ? IPV4_LEN : IPV6_LEN;
	}
	memcpy(hdr + 1, raw, len);
	return sizeof(*hdr) + len;
}

/* The length of a mask whose ones all stand in front; -EBADMSG for any other. */
static int identity_mask_len(struct bytes mask)
{
	int len = 0;

	for (size_t i = 0; i < mask.len * 8; i++) {
		bool set = mask.data[i / 8] & (0x80 >> i % 8);

		if (set && (size_t)len != i)
			return -EBADMSG;
		len += set;
	}
	return len;
}

int identity_read_selector(struct bytes body, struct prefix *out, const char **why)
{
	const struct id_hdr *hdr = (const struct id_hdr *)body.data;
	struct bytes raw = bytes_of(hdr + 1, body.len - sizeof(*hdr));
	bool subnet = hdr->type == ISAKMP_ID_IPV4_ADDR_SUBNET || hdr->type == ISAKMP_ID_IPV6_ADDR_SUBNET;
	bool ipv4 = hdr->type == ISAKMP_ID_IPV4_ADDR || hdr->type == ISAKMP_ID_IPV4_ADDR_SUBNET;
	size_t address_len = ipv4 ? IPV4_LEN : IPV6_LEN;
	struct address address;
	int len;

	if (!ipv4 && hdr->type != ISAKMP_ID_IPV6_ADDR && hdr->type != ISAKMP_ID_IPV6_ADDR_SUBNET) {
		*why = "a traffic selector is neither an address nor a network";
		return -ENOTSUP;
	}
	if (hdr->protocol != 0 || bytes_get16(hdr->port) != 0) {
		*why = "a traffic selector names a protocol or port; only whole addresses are supported";
		return -ENOTSUP;
	}
	if (raw.len != (subnet ? 2 : 1) * address_len) {
		*why = "a traffic selector has the wrong length";
		return -EBADMSG;
	}
	address = identity_address(bytes_of(raw.data, address_len));
	len = subnet ? identity_mask_len(bytes_of(raw.data + address_len, address_len)) : (int)address_len * 8;
	if (len < 0) {
		*why = "a traffic selector's mask has holes";
		return -EBADMSG;
	}
	*out = prefix_make(&address, (uint8_t)len);
	return 0;
}

size_t identity_write_selector(const struct prefix *network, uint8_t body[IDENTITY_SELECTOR_MAX])
{
	struct id_hdr *hdr = (struct id_hdr *)body;
	bool ipv4 = network->address.family != ADDRESS_IPV6;
	size_t address_len = ipv4 ? IPV4_LEN : IPV6_LEN;
	uint8_t *address = body + sizeof(*hdr), *mask = address + address_len;

	*hdr = (struct id_hdr){.type = ipv4 ? ISAKMP_ID_IPV4_ADDR : ISAKMP_ID_IPV6_ADDR};
	memcpy(address, network->address.bytes, address_len);
	if (network->len == address_len * 8)
		return sizeof(*hdr) + address_len;
	hdr->type = ipv4 ? ISAKMP_ID_IPV4_ADDR_SUBNET : ISAKMP_ID_IPV6_ADDR_SUBNET;
	memset(mask, 0, address_len);
	for (size_t i = 0; i < network->len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return sizeof(*hdr) + 2 * address_len;
}
