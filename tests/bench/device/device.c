/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_bench: a network card that is not there. A driver for DPDK, outside of its tree: loaded into the process that is
 * to be measured (by LD_PRELOAD, or EAL's option -d), it makes and swallows packets on the worker's own core, so that
 * nothing but the gateway's own work and memory is between them. Two devices make a measurement: one sends, one takes.
 *
 *   net_bench0,mode=out|in,suite=NAME,size=BYTES|imix,sessions=FILE,result=FILE[,udp=PORT][,train=N][,warm=MS]
 *              [,windows=N][,steer=owner|hash][,fault=key|silent][,tcp=no|plain|timestamps]
 *   net_bench1                                    takes everything
 *
 * With tcp (RFC 9329), the device on the ESP side is the other end of the TCP connections (peers.h), also where it
 * takes: net_bench1,mode=peers. The one that sends has their settings, acknowledge=N and rtt=MICROSECONDS; offload=0
 * there leaves TCP's checksums to the gateway.
 *
 * A queue each way for every worker. The file with the sessions starts it (plan.h), the file with the result ends it
 * (meter.h).
 */
#include "arguments.h"
#include "meter.h"
#include "peers.h"
#include "sink.h"
#include "source.h"

/* Headers for drivers: part of DPDK's source, not of its development package. */
#include <bus_vdev_driver.h>
#include <ethdev_driver.h>
#include <ethdev_vdev.h>

#include <errno.h>

enum { FRAME_MAX = 9018, DESCRIPTORS_MAX = 4096 };

struct device {
	struct arguments arguments;
	struct rte_ether_addr mac;
	struct source_device source;
	struct source *sources[METER_QUEUES_MAX];
	struct sink *sinks[METER_QUEUES_MAX];
};

static struct device *device_of(struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* Is it the one with the other ends of TCP connections? */
static bool has_peers(const struct device *device)
{
	return device->arguments.mode == MODE_PEERS ||
	       (device->arguments.mode == MODE_IN && device->arguments.tcp != TCP_NO);
}

static uint16_t receive_nothing(void *queue, struct rte_mbuf **packets, uint16_t count)
{
	(void)queue;
	(void)packets;
	(void)count;
	return 0;
}

static int on_configure(struct rte_eth_dev *dev)
{
	struct device *device = device_of(dev);

	device->source.n_queues = dev->data->nb_rx_queues;
	if (device->arguments.mode == MODE_OUT || device->arguments.mode == MODE_IN)
		meter.n_queues = dev->data->nb_rx_queues;
	return 0;
}

static int on_start(struct rte_eth_dev *dev)
{
	dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
	return 0;
}

static int on_stop(struct rte_eth_dev *dev)
{
	dev->data->dev_link.link_status = RTE_ETH_LINK_DOWN;
	return 0;
}

static int on_close(struct rte_eth_dev *dev)
{
	struct device *device = device_of(dev);

	for (uint16_t i = 0; i < METER_QUEUES_MAX; i++) {
		source_free(device->sources[i]);
		sink_free(device->sinks[i]);
		peers_free(device->source.peers[i]);
		device->source.peers[i] = NULL;
		device->sources[i] = NULL;
		device->sinks[i] = NULL;
	}
	templates_free(&device->source.templates);
	dev->data->mac_addrs = NULL; /* it is part of struct device */
	return 0;
}

static int on_info(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	info->max_mac_addrs = 1;
	info->max_rx_pktlen = FRAME_MAX;
	info->max_mtu = FRAME_MAX - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_rx_queues = METER_QUEUES_MAX;
	info->max_tx_queues = METER_QUEUES_MAX;
	info->rx_desc_lim = info->tx_desc_lim =
		(struct rte_eth_desc_lim){.nb_max = DESCRIPTORS_MAX, .nb_min = 64, .nb_align = 32};
	info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_CHECKSUM;
	info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	if (device_of(dev)->arguments.offload)
		info->tx_offload_capa |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	info->flow_type_rss_offloads = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_ESP;
	info->reta_size = 128;
	info->hash_key_size = 40;
	return 0;
}

/* Of the queue, made when its first direction is set up. */
static struct peers *peers_of(struct device *device, uint16_t queue, uint16_t descriptors)
{
	struct peers **peers = &device->source.peers[queue];

	if (!*peers)
		*peers = peers_new(&device->source, queue, descriptors);
	return *peers;
}

static int on_rx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct device *device = device_of(dev);

	(void)socket;
	(void)conf;
	dev->data->rx_queues[queue] = device;
	if (device->arguments.mode == MODE_SINK)
		return 0;
	if (has_peers(device)) {
		if (!peers_of(device, queue, descriptors))
			return -errno;
		peers_pool_set(device->source.peers[queue], pool);
		dev->data->rx_queues[queue] = device->source.peers[queue];
	}
	if (device->arguments.mode == MODE_PEERS)
		return 0;
	if (!device->sources[queue])
		device->sources[queue] = source_new(&device->source, queue);
	if (!device->sources[queue])
		return -errno;
	dev->data->rx_queues[queue] = device->sources[queue];
	return source_ring_make(device->sources[queue], pool, descriptors);
}

static int on_tx_queue_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t descriptors, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	struct device *device = device_of(dev);

	(void)socket;
	(void)conf;
	if (has_peers(device)) {
		dev->data->tx_queues[queue] = peers_of(device, queue, descriptors);
		return dev->data->tx_queues[queue] ? 0 : -errno;
	}
	sink_free(device->sinks[queue]);
	device->sinks[queue] = sink_new(queue, descriptors);
	dev->data->tx_queues[queue] = device->sinks[queue];
	return device->sinks[queue] ? 0 : -errno;
}

static int on_link_update(struct rte_eth_dev *dev, int wait)
{
	(void)dev;
	(void)wait;
	return 0;
}

/* Every frame is for us anyway. */
static int on_nothing(struct rte_eth_dev *dev)
{
	(void)dev;
	return 0;
}

static int on_mtu(struct rte_eth_dev *dev, uint16_t mtu)
{
	(void)dev;
	(void)mtu;
	return 0;
}

static int on_stats(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	(void)dev;
	(void)stats; /* the meter counts */
	return 0;
}

static const uint32_t *on_packet_types(struct rte_eth_dev *dev)
{
	static const uint32_t types[] = {RTE_PTYPE_L2_ETHER, RTE_PTYPE_L3_IPV4, RTE_PTYPE_L3_IPV4_EXT,
		RTE_PTYPE_L3_IPV6, RTE_PTYPE_L3_IPV6_EXT, RTE_PTYPE_L4_TCP, RTE_PTYPE_L4_UDP, RTE_PTYPE_TUNNEL_ESP,
		RTE_PTYPE_UNKNOWN};

	(void)dev;
	return types;
}

static const struct eth_dev_ops operations = {
	.dev_configure = on_configure,
	.dev_start = on_start,
	.dev_stop = on_stop,
	.dev_close = on_close,
	.dev_infos_get = on_info,
	.rx_queue_setup = on_rx_queue_setup,
	.tx_queue_setup = on_tx_queue_setup,
	.link_update = on_link_update,
	.promiscuous_enable = on_nothing,
	.promiscuous_disable = on_nothing,
	.allmulticast_enable = on_nothing,
	.allmulticast_disable = on_nothing,
	.mtu_set = on_mtu,
	.stats_get = on_stats,
	.stats_reset = on_nothing,
	.dev_supported_ptypes_get = on_packet_types,
};

static eth_rx_burst_t receive_function(const struct device *device)
{
	switch (device->arguments.mode) {
	case MODE_SINK: return receive_nothing;
	case MODE_PEERS: return peers_receive;
	default: return source_receive;
	}
}

static int on_probe(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_vdev_allocate(vdev, sizeof(struct device));
	struct device *device;
	int rc;

	if (!dev)
		return -ENOMEM;
	device = device_of(dev);
	rc = arguments_parse(rte_vdev_device_args(vdev), &device->arguments);
	if (rc < 0) {
		rte_eth_dev_release_port(dev);
		return rc;
	}
	device->mac = (struct rte_ether_addr){{0x02, 0x00, 0x00, 0x00, 0xbe, (uint8_t)dev->data->port_id}};
	device->source.arguments = &device->arguments;
	device->source.mac = device->mac;
	device->source.port = dev->data->port_id;
	dev->data->mac_addrs = &device->mac;
	dev->data->dev_link.link_speed = RTE_ETH_SPEED_NUM_100G;
	dev->data->dev_link.link_duplex = RTE_ETH_LINK_FULL_DUPLEX;
	dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	dev->dev_ops = &operations;
	dev->rx_pkt_burst = receive_function(device);
	dev->tx_pkt_burst = has_peers(device) ? peers_transmit : sink_transmit;
	rte_eth_dev_probing_finish(dev);
	return 0;
}

static int on_remove(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	if (!dev)
		return 0;
	on_close(dev);
	return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver driver = {.probe = on_probe, .remove = on_remove};

RTE_PMD_REGISTER_VDEV(net_bench, driver);
