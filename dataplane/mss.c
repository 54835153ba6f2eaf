/* SPDX-License-Identifier: Apache-2.0 */
#include "mss.h"

#include "header.h"

#include "ipv4.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <string.h>

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_MSS_LEN = 4 };

/* The TCP header of a SYN, its options complete; NULL: none. */
static struct rte_tcp_hdr *syn_find(struct rte_ipv4_hdr *ip, uint32_t len, uint32_t *tcp_len)
{
	uint32_t header_len = rte_ipv4_hdr_len(ip);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)((uint8_t *)ip + header_len);

	if (ip->next_proto_id != IPPROTO_TCP || ip->fragment_offset & rte_cpu_to_be_16(IPV4_OFFSET_MASK) ||
		len < header_len + sizeof(*tcp) || !(tcp->tcp_flags & RTE_TCP_SYN_FLAG))
		return NULL;
	*tcp_len = (tcp->data_off >> 4) * 4u;
	return *tcp_len >= sizeof(*tcp) && *tcp_len <= len - header_len ? tcp : NULL;
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

void mss_clamp(void *header, uint32_t len, uint32_t mtu)
{
	uint16_t mss = mtu > MSS_HEADERS_LEN ? (uint16_t)RTE_MIN(mtu - MSS_HEADERS_LEN, (uint32_t)UINT16_MAX) : 0;
	uint32_t tcp_len;
	struct rte_tcp_hdr *tcp = header_is_ipv6(header) || mss == 0 ? NULL : syn_find(header, len, &tcp_len);
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
