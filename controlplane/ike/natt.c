/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/natt.h"

#include "ike/vendor.h"

#include <string.h>

const struct endpoint natt_nowhere = {.port = 0};

struct natt_vendor natt_read_vendors(const struct payload_list *payloads)
{
	struct natt_vendor vendor = {.natt = NATT_NONE};
	const struct payload *at = NULL;

	while ((at = payload_find(payloads, ISAKMP_VENDOR_ID, at))) {
		switch (vendor_find(at++->body)) {
		case VENDOR_NATT_RFC3947: vendor.natt = NATT_RFC3947; break;
		case VENDOR_NATT_DRAFT_03:
		case VENDOR_NATT_DRAFT_02:
		case VENDOR_NATT_DRAFT_02_N:
			if (vendor.natt == NATT_NONE)
				vendor.natt = NATT_DRAFT;
			break;
		case VENDOR_DPD: vendor.dead_peer_detection = true; break;
		case VENDOR_XAUTH: vendor.xauth = true; break;
		case VENDOR_UNITY: vendor.unity = true; break;
		default: break;
		}
	}
	return vendor;
}

static void natt_write_vendor(struct builder *builder, enum vendor vendor)
{
	builder_add(builder, ISAKMP_VENDOR_ID, vendor_body(vendor).data, vendor_body(vendor).len);
}

static void natt_write_drafts(struct builder *builder)
{
	natt_write_vendor(builder, VENDOR_NATT_DRAFT_03);
	natt_write_vendor(builder, VENDOR_NATT_DRAFT_02_N);
	natt_write_vendor(builder, VENDOR_NATT_DRAFT_02);
}

void natt_write_vendors(struct builder *builder)
{
	natt_write_vendor(builder, VENDOR_NATT_RFC3947);
	natt_write_drafts(builder);
	natt_write_vendor(builder, VENDOR_DPD);
}

/* The one version that is chosen (RFC 3947 section 3.1); of the drafts a peer looks for its own. */
void natt_answer_vendors(struct builder *builder, const struct natt_vendor *peer)
{
	if (peer->natt == NATT_RFC3947)
		natt_write_vendor(builder, VENDOR_NATT_RFC3947);
	else if (peer->natt == NATT_DRAFT)
		natt_write_drafts(builder);
	if (peer->dead_peer_detection)
		natt_write_vendor(builder, VENDOR_DPD);
}

void natt_write_clients(struct builder *builder)
{
	natt_write_vendor(builder, VENDOR_XAUTH);
	natt_write_vendor(builder, VENDOR_UNITY);
}

void natt_answer_clients(struct builder *builder, const struct natt_vendor *peer)
{
	if (peer->xauth)
		natt_write_vendor(builder, VENDOR_XAUTH);
	if (peer->unity)
		natt_write_vendor(builder, VENDOR_UNITY);
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
