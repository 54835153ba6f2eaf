/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

#include "config/log.h"
#include "dataplane.h"
#include "steer.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EXCEPTION_DESCRIPTORS = 256, EXCEPTION_BURST = 32 };

/* The DPDK name of a configured device: of "net_tap0,iface=x" what stands before the comma; a PCI address as it is. */
static int device_find(const struct config_port *config, uint16_t *device)
{
	char name[CONFIG_DEVICE_LEN];

	snprintf(name, sizeof(name), "%s", config->device);
	name[strcspn(name, ",")] = '\0';
	return rte_eth_dev_get_port_by_name(name, device);
}

/* net_tap says so and adds them up by itself, slower than we do. */
static bool has_tcp_checksums(const struct rte_eth_dev_info *info)
{
	return strcmp(info->driver_name, "net_tap") != 0;
}

/*
 * A device that has checked a checksum saves us doing so (classify.c, connection_input.c); transmitted ones are complete
 * as they are, but those of TCP segments of our own, which pass over all that was encrypted.
 */
static void offloads_choose(const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	uint64_t receive = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM, transmit = 0;

	if (has_tcp_checksums(info)) {
		receive |= RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
		transmit |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	}
	conf->rxmode.offloads = receive & info->rx_offload_capa;
	conf->txmode.offloads = transmit & info->tx_offload_capa;
}

/*
 * `port`: that the device is the wire of. An exception port has none: the kernel's frames, which go on to the wire, come
 * with their checksums only where nobody has said that they need not.
 */
static int queues_start(uint16_t device, uint16_t n_queues, uint16_t rx_descriptors, uint16_t tx_descriptors,
	struct rte_mempool *packets, struct port *port)
{
	int socket = rte_eth_dev_socket_id(device), rc = 0;
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE};
	struct rte_eth_dev_info info;
	struct rte_eth_txconf transmit;

	rc = rte_eth_dev_info_get(device, &info);
	if (rc < 0)
		return rc;
	if (n_queues > 1 && info.flow_type_rss_offloads) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP) & info.flow_type_rss_offloads;
	}
	if (port) {
		offloads_choose(&info, &conf);
		port->adds_tcp_checksum = conf.txmode.offloads != 0;
	}
	transmit = info.default_txconf;
	transmit.offloads = conf.txmode.offloads;
	rc = rte_eth_dev_configure(device, n_queues, n_queues, &conf);
	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(device, &rx_descriptors, &tx_descriptors);
	for (uint16_t queue = 0; rc == 0 && queue < n_queues; queue++) {
		rc = rte_eth_rx_queue_setup(
			device, queue, rx_descriptors, (unsigned int)socket, &info.default_rxconf, packets);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(
				device, queue, tx_descriptors, (unsigned int)socket, &transmit);
	}
	return rc == 0 ? rte_eth_dev_start(device) : rc;
}

/* The kernel's interface: it has the port's Ethernet address, so that the kernel answers ARP with the right one. */
static int exception_start(struct port *port, struct rte_mempool *packets)
{
	const uint8_t *mac = port->mac.addr_bytes;
	char name[32], arguments[160], text[18];
	int rc;

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	if (port->config->exception == CONFIG_EXCEPTION_TAP) {
		snprintf(name, sizeof(name), "net_tap_exception%u", port->number);
		snprintf(arguments, sizeof(arguments), "iface=%s,mac=%s", port->config->name, text);
	} else {
		snprintf(name, sizeof(name), "virtio_user_exception%u", port->number);
		snprintf(arguments, sizeof(arguments), "path=/dev/vhost-net,queues=1,queue_size=%u,iface=%s,mac=%s",
			EXCEPTION_DESCRIPTORS, port->config->name, text);
	}
	rc = rte_eal_hotplug_add("vdev", name, arguments);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, &port->exception);
	if (rc == 0)
		rc = queues_start(port->exception, 1, EXCEPTION_DESCRIPTORS, EXCEPTION_DESCRIPTORS, packets, NULL);
	/* net_tap takes no more than 1,504 bytes: larger packets to us are cut on their way to the kernel. */
	if (rc == 0 && rte_eth_dev_set_mtu(port->exception, port->mtu) < 0)
		rc = rte_eth_dev_get_mtu(port->exception, &port->kernel_mtu);
	if (rc < 0)
		log_error("event=port_failed port=%s reason=\"the kernel interface can't be made as %s (%s): is /dev/net/tun "
			  "there, and the name free?\"",
			port->config->name, name, rte_strerror(-rc));
	return rc;
}

static int rings_make(struct port *port)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "to-kernel-%u", port->number);
	port->to_kernel = rte_ring_create(name, PORT_KERNEL_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	snprintf(name, sizeof(name), "from-kernel-%u", port->number);
	port->from_kernel = rte_ring_create(name, PORT_KERNEL_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	return port->to_kernel && port->from_kernel ? 0 : -ENOMEM;
}

static int wire_check(const struct port *port, uint16_t n_queues)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port->device, &info);

	if (rc < 0)
		return rc;
	if (info.max_rx_queues < n_queues || info.max_tx_queues < n_queues) {
		log_error("event=port_failed port=%s reason=\"%s has %u receive and %u transmit queues, and each of %u workers "
			  "needs one of both: name fewer dataplane.worker_cores, or give the device more queues\"",
			port->config->name, port->config->device, info.max_rx_queues, info.max_tx_queues, n_queues);
		return -EINVAL;
	}
	return 0;
}

int port_start(struct port *port, const struct config_port *config, uint16_t number, uint16_t n_queues,
	const struct config_ike *ike, struct rte_mempool *packets)
{
	int rc;

	*port = (struct port){
		.config = config,
		.number = number,
		.device = PORT_NONE,
		.exception = PORT_NONE,
		.mtu = config->mtu,
		.kernel_mtu = config->mtu,
	};
	rc = device_find(config, &port->device);
	if (rc < 0) {
		log_error("event=port_failed port=%s reason=\"DPDK found no device %s: a PCI device must be bound to vfio-pci, a "
			  "virtual one must be known to this build\"",
			config->name, config->device);
		return rc;
	}
	rc = wire_check(port, n_queues);
	if (rc < 0)
		return rc;
	rc = queues_start(port->device, n_queues, config->rx_descriptors, config->tx_descriptors, packets, port);
	/* Devices that can't be told (net_af_packet, rings) have the MTU of what they stand for. */
	if (rc == 0)
		(void)rte_eth_dev_set_mtu(port->device, port->mtu);
	if (rc == 0 && config->promiscuous)
		(void)rte_eth_promiscuous_enable(port->device);
	if (rc == 0)
		rc = rte_eth_macaddr_get(port->device, &port->mac);
	if (rc == 0)
		rc = rings_make(port);
	if (rc < 0) {
		log_error("event=port_failed port=%s reason=\"%s can't be started with an mtu of %u and %u queues: %s; the driver's own "
			  "words are above, and config/sluice.cfg says what some drivers want for long packets\"",
			config->name, config->device, config->mtu, n_queues, rte_strerror(-rc));
		return rc;
	}
	steer_port(port, ike, n_queues);
	return exception_start(port, packets);
}

static void ring_drain(struct rte_ring *ring)
{
	void *packet;

	while (ring && rte_ring_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
	rte_ring_free(ring);
}

void port_stop(struct port *port)
{
	if (port->exception != PORT_NONE) {
		rte_eth_dev_stop(port->exception);
		rte_eth_dev_close(port->exception);
	}
	if (port->device != PORT_NONE) {
		rte_eth_dev_stop(port->device);
		rte_eth_dev_close(port->device);
	}
	ring_drain(port->to_kernel);
	ring_drain(port->from_kernel);
	port->to_kernel = port->from_kernel = NULL;
	port->device = port->exception = PORT_NONE;
}

unsigned int port_exchange_kernel(struct dataplane *dataplane, struct port *port)
{
	struct tables_counters *counters = tables_counters(&dataplane->tables, 0);
	struct rte_mbuf *frames[EXCEPTION_BURST];
	unsigned int out, in, sent;

	out = rte_ring_sc_dequeue_burst(port->to_kernel, (void **)frames, EXCEPTION_BURST, NULL);
	sent = out ? rte_eth_tx_burst(port->exception, 0, frames, (uint16_t)out) : 0;
	tables_count(&counters->reasons[REASON_NOTE_KERNEL_REFUSED], out - sent);
	rte_pktmbuf_free_bulk(frames + sent, out - sent);

	in = rte_eth_rx_burst(port->exception, 0, frames, EXCEPTION_BURST);
	sent = in ? rte_ring_sp_enqueue_burst(port->from_kernel, (void **)frames, in, NULL) : 0;
	/* They did come in, and leave here: the worker is far behind. */
	tables_count(&counters->reasons[REASON_IN_KERNEL], in - sent);
	tables_count(&counters->reasons[REASON_DROP_KERNEL_FULL], in - sent);
	rte_pktmbuf_free_bulk(frames + sent, in - sent);
	return out + in;
}

void port_set_address(struct port *port, bool ipv6, const union ip_address *address, struct rte_rcu_qsbr *qsbr)
{
	struct port_address *of_family = ipv6 ? &port->ipv6 : &port->ipv4;
	const union ip_address *now = atomic_load_explicit(&of_family->now, memory_order_relaxed);
	union ip_address *next = now == &of_family->values[0] ? &of_family->values[1] : &of_family->values[0];

	if (now && ip_equal(now, address))
		return;
	/* Workers may still read the one before last. */
	rte_rcu_qsbr_check(qsbr, of_family->retired, true);
	*next = *address;
	atomic_store_explicit(&of_family->now, next, memory_order_release);
	of_family->retired = rte_rcu_qsbr_start(qsbr);
}
