/* SPDX-License-Identifier: Apache-2.0 */
#include "mtu.h"

#include "encap.h"
#include "tables/bundle.h"
#include "tcp/frames.h"

#include <rte_tcp.h>

static bool ports_are_alike(const struct dataplane *dataplane)
{
	for (uint16_t i = 1; i < dataplane->n_ports; i++)
		if (dataplane->ports[i].mtu != dataplane->ports[0].mtu)
			return false;
	return true;
}

/* As long as there is no route to the peer, every port is one that it may come to. */
static uint16_t port_mtu(const struct dataplane *dataplane, const union ip_address *remote)
{
	union adjacency hop = route_find(&dataplane->routes, remote, NULL);
	uint16_t mtu = UINT16_MAX;

	if (hop.state != ADJACENCY_NONE && hop.port < dataplane->n_ports)
		return dataplane->ports[hop.port].mtu;
	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		mtu = RTE_MIN(mtu, dataplane->ports[i].mtu);
	return mtu;
}

uint16_t mtu_outer(const struct dataplane *dataplane, const struct sa_session *session)
{
	const struct sa_outer *outer = session->outer;
	uint16_t mtu = port_mtu(dataplane, &outer->remote);

	return session->path_mtu ? RTE_MIN(mtu, session->path_mtu) : mtu;
}

/* The longest inner packet of which ESP has `esp_len` bytes. In transport mode its IP header is not within ESP: it is the
 * outer one. */
static uint32_t inner_mtu(const struct sa_store *sas, uint32_t index, uint32_t esp_len)
{
	uint32_t payload = esp_payload_max(esp_key_suite(sa_key(sas, index, SA_KEY_OUT)), esp_len);

	return payload && sas->out[index].transport ? payload + (uint32_t)sizeof(struct rte_ipv4_hdr) : payload;
}

/* ESP's bytes in a frame that is one segment of the session's TCP connection. */
static uint32_t segment_esp_len(const struct dataplane *dataplane, const struct sa_outer *outer, uint16_t outer_mtu)
{
	uint32_t ip_len = outer->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t payload = outer_mtu - ip_len - (uint32_t)sizeof(struct rte_tcp_hdr) - TCP_TIMESTAMPS_LEN;
	uint16_t mss = connections_mss(dataplane, outer->connection);

	return (mss ? RTE_MIN(payload, (uint32_t)mss) : payload) - FRAME_LENGTH_LEN;
}

void mtu_set(struct dataplane *dataplane, uint32_t index)
{
	struct sa_store *sas = &dataplane->sas;
	struct sa_out *out = &sas->out[index];
	const struct sa_session *session = &sas->sessions[sas->children[index].session];
	uint16_t outer_mtu = mtu_outer(dataplane, session);
	const struct sa_outer *outer = session->outer;
	uint32_t mtu = inner_mtu(sas, index, outer->stream ? (uint32_t)BUNDLE_PACKET_MAX : (uint32_t)outer_mtu - encap_len(outer));
	uint32_t mss_mtu = outer->stream ? inner_mtu(sas, index, segment_esp_len(dataplane, outer, outer_mtu)) : mtu;
	/* Segments of a stream are cut by TCP, whatever lies in them. */
	bool raised = sas->in[index].ipv6 && mtu < MTU_FLOOR_IPV6;
	/* Routers cut IPv4 where it may be cut. Over IPv6 we are the only one who does (RFC 8200 section 5). */
	bool cut_here = raised || (outer->ipv6 && session->path_mtu);

	mtu = raised ? (uint32_t)MTU_FLOOR_IPV6 : mtu;
	atomic_store_explicit(&out->outer_mtu, cut_here ? outer_mtu : UINT16_MAX, memory_order_relaxed);
	atomic_store_explicit(&out->inner_mtu, (uint16_t)mtu, memory_order_relaxed);
	atomic_store_explicit(&out->mss_mtu, (uint16_t)(raised ? mtu : mss_mtu), memory_order_relaxed);
	atomic_store_explicit(&dataplane->tables.children[index].inner_mtu, mtu, memory_order_relaxed);
}

void mtu_set_session(struct dataplane *dataplane, uint32_t session)
{
	uint32_t index = dataplane->sas.sessions[session].first_child;

	for (; index != TABLES_NONE; index = dataplane->sas.children[index].next)
		mtu_set(dataplane, index);
}

void mtu_set_all(struct dataplane *dataplane)
{
	if (ports_are_alike(dataplane))
		return;
	for (uint32_t i = 0; i < dataplane->sas.n_children; i++)
		if (dataplane->sas.children[i].id != 0 && !dataplane->sas.children[i].leaving)
			mtu_set(dataplane, i);
}
