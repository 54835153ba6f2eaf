/* SPDX-License-Identifier: Apache-2.0 */
#include "mss.h"

#include "ipv6.h"

#include <string.h>

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_MSS_LEN = 4 };

/* Where TCP begins; 0: it does not, or not in this fragment. */
static uint32_t tcp_place(const void *header, uint32_t len)
{
	const struct rte_ipv4_hdr *ipv4 = header;
	struct ipv6_upper upper;

	if (header_is_ipv6(header))
		return ipv6_upper(header, len, &upper) && upper.is_first && upper.protocol == IPPROTO_TCP ? upper.offset
													  : 0;
	return ipv4->next_proto_id == IPPROTO_TCP && !(ipv4->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK))
		       ? rte_ipv4_hdr_len(ipv4)
		       : 0;
}

/* The TCP header of a SYN, its options complete; NULL: none. */
static struct rte_tcp_hdr *syn_find(void *header, uint32_t len, uint32_t *tcp_len)
{
	uint32_t place = tcp_place(header, len);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)((uint8_t *)header + place);

	if (place == 0 || len < place + sizeof(*tcp) || !(tcp->tcp_flags & RTE_TCP_SYN_FLAG))
		return NULL;
	*tcp_len = (tcp->data_off >> 4) * 4u;
	return *tcp_len >= sizeof(*tcp) && *tcp_len <= len - place ? tcp : NULL;
}

/* The value's place in an MSS option; NULL: the header has none, or options that don't hold together. */
static uint8_t *value_find(struct rte_tcp_hdr *tcp, uint32_t tcp_len)
{
	uint8_t *at = (uint8_t *)(tcp + 1), *end = (uint8_t *)tcp + tcp_len;

	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return NULL;
		if (at[0] == OPTION_MSS)
			return at[1] == OPTION_MSS_LEN ? at + 2 : NULL;
		at += at[1];
	}
	return NULL;
}

/* RFC 1624: HC' = ~(~HC + ~m + m'). A value at an odd place lies across two words: its bytes count the other way. */
static void checksum_update(struct rte_tcp_hdr *tcp, const uint8_t *value, uint16_t old, uint16_t new)
{
	uint32_t sum;

	if ((value - (const uint8_t *)tcp) % 2) {
		old = rte_bswap16(old);
		new = rte_bswap16(new);
	}
	sum = (uint16_t)~tcp->cksum + (uint32_t)(uint16_t)~old + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp->cksum = (uint16_t)~sum;
}

void mss_clamp_syn(void *header, uint32_t len, uint32_t mtu)
{
	uint32_t headers_len = header_is_ipv6(header) ? MSS_IPV6_LEN : MSS_IPV4_LEN, tcp_len;
	uint16_t mss = mtu > headers_len ? (uint16_t)RTE_MIN(mtu - headers_len, (uint32_t)UINT16_MAX) : UINT16_MAX;
	struct rte_tcp_hdr *tcp = syn_find(header, len, &tcp_len);
	uint8_t *value = tcp ? value_find(tcp, tcp_len) : NULL;
	uint16_t old, new = rte_cpu_to_be_16(mss);

	if (!value)
		return;
	memcpy(&old, value, sizeof(old));
	if (rte_be_to_cpu_16(old) <= mss)
		return;
	memcpy(value, &new, sizeof(new));
	checksum_update(tcp, value, old, new);
}
