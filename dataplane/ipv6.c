/* SPDX-License-Identifier: Apache-2.0 */
#include "ipv6.h"

#include <rte_byteorder.h>

#include <netinet/in.h>
#include <string.h>

enum {
	UNIT = 8, /* the least length of an extension header, and what its length field counts */
	FRAGMENT_OFFSET_MASK = 0xfff8,
	FRAGMENT_MORE = 1,
};

static bool is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT;
}

/* Takes up a fragment header. False: there was one already. */
static bool fragment_take(struct ipv6_upper *out, const uint8_t *header)
{
	uint16_t field;

	if (out->fragment_offset != 0)
		return false;
	memcpy(&field, header + 2, sizeof(field));
	field = rte_be_to_cpu_16(field);
	out->fragment_offset = out->offset;
	out->is_fragment = (field & (FRAGMENT_OFFSET_MASK | FRAGMENT_MORE)) != 0;
	out->is_first = (field & FRAGMENT_OFFSET_MASK) == 0;
	return true;
}

bool ipv6_upper(const struct rte_ipv6_hdr *ip, uint32_t len, struct ipv6_upper *out)
{
	const uint8_t *bytes = (const uint8_t *)ip;
	uint32_t end;

	if (len < sizeof(*ip))
		return false;
	end = (uint32_t)sizeof(*ip) + rte_be_to_cpu_16(ip->payload_len);
	if (end > len || end > UINT16_MAX)
		return false;
	*out = (struct ipv6_upper){.protocol = ip->proto, .is_first = true, .offset = sizeof(*ip)};
	for (int i = 0; out->is_first && is_extension(out->protocol); i++) {
		const uint8_t *header = bytes + out->offset;
		uint32_t header_len = UNIT;

		if (i == IPV6_EXTENSIONS_MAX || out->offset + (uint32_t)UNIT > end)
			return false;
		if (out->protocol == IPPROTO_HOPOPTS && i > 0) /* section 4.1: only right behind the IPv6 header */
			return false;
		if (out->protocol == IPPROTO_FRAGMENT) {
			if (!fragment_take(out, header))
				return false;
		} else {
			header_len += header[1] * (uint32_t)UNIT;
		}
		if (out->offset + header_len > end)
			return false;
		out->protocol = header[0];
		out->offset = (uint16_t)(out->offset + header_len);
	}
	return true;
}
