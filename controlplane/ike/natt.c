/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/natt.h"

#include <string.h>

/* clang-format off */
static const uint8_t vendor_rfc3947[] = {
	0x4a, 0x13, 0x1c, 0x81, 0x07, 0x03, 0x58, 0x45, 0x5c, 0x57, 0x28, 0xf2, 0x0e, 0x95, 0x45, 0x2f};
static const uint8_t vendor_draft_03[] = {
	0x7d, 0x94, 0x19, 0xa6, 0x53, 0x10, 0xca, 0x6f, 0x2c, 0x17, 0x9d, 0x92, 0x15, 0x52, 0x9d, 0x56};
/* Two forms are about, with and without a line feed in what was hashed. */
static const uint8_t vendor_draft_02[] = {
	0xcd, 0x60, 0x46, 0x43, 0x35, 0xdf, 0x21, 0xf8, 0x7c, 0xfd, 0xb2, 0xfc, 0x68, 0xb6, 0xa4, 0x48};
static const uint8_t vendor_draft_02_n[] = {
	0x90, 0xcb, 0x80, 0x91, 0x3e, 0xbb, 0x69, 0x6e, 0x08, 0x63, 0x81, 0xb5, 0xec, 0x42, 0x7b, 0x1f};
/* The last two bytes are the version, 1.0. */
static const uint8_t vendor_dpd[] = {
	0xaf, 0xca, 0xd7, 0x13, 0x68, 0xa1, 0xf1, 0xc9, 0x6b, 0x86, 0x96, 0xfc, 0x77, 0x57, 0x01, 0x00};
/* clang-format on */

static bool natt_is(struct bytes body, const uint8_t *vendor, size_t len)
{
	return body.len >= len && memcmp(body.data, vendor, len) == 0;
}

struct natt_vendor natt_read_vendors(const struct payload_list *payloads)
{
	struct natt_vendor vendor = {NATT_NONE, false};
	const struct payload *at = NULL;

	while ((at = payload_find(payloads, ISAKMP_VENDOR_ID, at))) {
		struct bytes body = at++->body;

		if (natt_is(body, vendor_rfc3947, sizeof(vendor_rfc3947)))
			vendor.natt = NATT_RFC3947;
		else if (vendor.natt == NATT_NONE &&
			 (natt_is(body, vendor_draft_03, sizeof(vendor_draft_03)) ||
				 natt_is(body, vendor_draft_02, sizeof(vendor_draft_02)) ||
				 natt_is(body, vendor_draft_02_n, sizeof(vendor_draft_02_n))))
			vendor.natt = NATT_DRAFT;
		else if (natt_is(body, vendor_dpd, sizeof(vendor_dpd) - 1))
			vendor.dead_peer_detection = true;
	}
	return vendor;
}

void natt_write_vendors(struct builder *builder, bool initiator, enum natt_version natt)
{
	if (initiator || natt == NATT_RFC3947)
		builder_add(builder, ISAKMP_VENDOR_ID, vendor_rfc3947, sizeof(vendor_rfc3947));
	if (initiator || natt == NATT_DRAFT)
		builder_add(builder, ISAKMP_VENDOR_ID, vendor_draft_03, sizeof(vendor_draft_03));
	if (initiator || natt == NATT_DRAFT)
		builder_add(builder, ISAKMP_VENDOR_ID, vendor_draft_02_n, sizeof(vendor_draft_02_n));
	builder_add(builder, ISAKMP_VENDOR_ID, vendor_dpd, sizeof(vendor_dpd));
}

/* HASH(CKY-I | CKY-R | IP | port), RFC 3947 section 3.2. */
static int natt_hash(uint16_t hash, const struct isakmp_hdr *cookies, const struct endpoint *endpoint, uint8_t *out)
{
	uint8_t port[2];
	struct bytes parts[] = {
		bytes_of(cookies->initiator_cookie, sizeof(cookies->initiator_cookie)),
		bytes_of(cookies->responder_cookie, sizeof(cookies->responder_cookie)),
		bytes_of(endpoint->address.bytes, endpoint->address.family == ADDRESS_IPV6 ? 16 : 4),
		bytes_of(port, sizeof(port)),
	};

	bytes_put16(port, endpoint->port);
	return prf_hash(hash, parts, sizeof(parts) / sizeof(parts[0]), out);
}

int natt_write_detection(struct builder *builder, enum natt_version natt, uint16_t hash,
	const struct isakmp_hdr *cookies, const struct endpoint *local, const struct endpoint *remote)
{
	uint8_t type = natt == NATT_DRAFT ? ISAKMP_NAT_D_DRAFT : ISAKMP_NAT_D;
	const struct endpoint *ends[] = {remote, local};
	uint8_t digest[PRF_LEN_MAX];

	for (int i = 0; i < 2; i++) {
		int rc = natt_hash(hash, cookies, ends[i], digest);

		if (rc < 0)
			return rc;
		builder_add(builder, type, digest, prf_len(hash));
	}
	return 0;
}

void natt_write_original(struct builder *builder, enum natt_version natt, const struct address *initiator,
	const struct address *responder)
{
	const struct address *ends[] = {initiator, responder};

	for (int i = 0; i < 2; i++) {
		bool ipv6 = ends[i]->family == ADDRESS_IPV6;
		struct nat_oa_hdr hdr = {.type = ipv6 ? ISAKMP_ID_IPV6_ADDR : ISAKMP_ID_IPV4_ADDR};

		builder_open(builder, natt == NATT_DRAFT ? ISAKMP_NAT_OA_DRAFT : ISAKMP_NAT_OA);
		builder_put(builder, &hdr, sizeof(hdr));
		builder_put(builder, ends[i]->bytes, ipv6 ? 16 : 4);
		builder_close(builder);
	}
}

bool natt_names(const struct payload_list *payloads, enum natt_side side, uint16_t hash,
	const struct isakmp_hdr *cookies, const struct endpoint *endpoint)
{
	const struct payload *at = payload_find(payloads, ISAKMP_NAT_D, NULL);
	uint8_t digest[PRF_LEN_MAX];

	if (natt_hash(hash, cookies, endpoint, digest) < 0)
		return false;
	for (size_t i = 0; at; i++, at = payload_find(payloads, ISAKMP_NAT_D, at + 1)) {
		if ((i == 0) == (side == NATT_FIRST) && prf_equal(at->body, bytes_of(digest, prf_len(hash))))
			return true;
	}
	return false;
}
