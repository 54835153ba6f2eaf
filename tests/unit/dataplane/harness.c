/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "config/log.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_random.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIRE_RING = 1024 };

struct harness harness;

static bool is_started, is_open;
static struct rte_ring *wire_in[HARNESS_PORTS][HARNESS_WORKERS], *wire_out[HARNESS_PORTS][HARNESS_WORKERS];
static uint16_t devices[HARNESS_PORTS];
static struct rte_ring *to_kernel[HARNESS_PORTS], *from_kernel[HARNESS_PORTS];

static struct rte_ring *ring_make(const char *what, unsigned int port, unsigned int queue, unsigned int count)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u-%u", what, port, queue);
	return rte_ring_create(name, count, SOCKET_ID_ANY, 0);
}

static int device_start(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	char name[32];
	int device, rc;

	for (uint16_t queue = 0; queue < HARNESS_WORKERS; queue++) {
		wire_in[port][queue] = ring_make("wire-in", port, queue, WIRE_RING);
		wire_out[port][queue] = ring_make("wire-out", port, queue, WIRE_RING);
		if (!wire_in[port][queue] || !wire_out[port][queue])
			return -1;
	}
	to_kernel[port] = ring_make("to-kernel", port, 0, PORT_KERNEL_RING);
	from_kernel[port] = ring_make("from-kernel", port, 0, PORT_KERNEL_RING);
	snprintf(name, sizeof(name), "wire%u", port);
	device = rte_eth_from_rings(name, wire_in[port], HARNESS_WORKERS, wire_out[port], HARNESS_WORKERS, 0);
	if (device < 0 || !to_kernel[port] || !from_kernel[port])
		return -1;
	devices[port] = (uint16_t)device;
	rc = rte_eth_dev_configure(devices[port], HARNESS_WORKERS, HARNESS_WORKERS, &conf);
	for (uint16_t queue = 0; rc == 0 && queue < HARNESS_WORKERS; queue++) {
		rc = rte_eth_rx_queue_setup(devices[port], queue, WIRE_RING, 0, NULL, pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(devices[port], queue, WIRE_RING, 0, NULL);
	}
	return rc == 0 ? rte_eth_dev_start(devices[port]) : rc;
}

int harness_start(void)
{
	static char *arguments[] = {"test", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry", "--no-shconf",
		"--lcores=0@0", "--log-level=error", NULL};
	struct rte_mempool *pool;
	int rc = 0;

	if (is_started)
		return 0;
	log_open("test", LOG_LEVEL_ERROR);
	if (rte_eal_init((int)RTE_DIM(arguments) - 1, arguments) < 0)
		return -1;
	/* The devices ask for a pool, although frames come with their buffers. */
	pool = rte_pktmbuf_pool_create("devices", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	for (uint16_t port = 0; pool && rc == 0 && port < HARNESS_PORTS; port++)
		rc = device_start(port, pool);
	is_started = pool && rc == 0;
	return is_started ? 0 : -1;
}

static uint32_t or_usual(uint32_t value, uint32_t usual)
{
	return value ? value : usual;
}

static void config_fill(struct config *config, const struct harness_options *options)
{
	*config = (struct config){
		.dataplane = {.n_workers = (uint16_t)or_usual(options->n_workers, 1),
			.huge_pages = CONFIG_HUGE_PAGES_NEVER,
			.packet_buffers = or_usual(options->packet_buffers, 4095),
			.max_sessions = or_usual(options->max_sessions, 16),
			.max_children = or_usual(options->max_children, 64),
			.max_routes = 16384,
			.replay_window = 1024,
			.exception_rate = or_usual(options->exception_rate, 1000000),
			.stream_rate = or_usual(options->stream_rate, 1000000),
			.fragments_pending = or_usual(options->fragments_pending, 256),
			.fragments_per_source = or_usual(options->fragments_per_source, 64),
			.fragments_timeout = 2000,
			.n_ports = HARNESS_PORTS},
		.ike = {.port = 500, .nat_ports = {HARNESS_NAT_PORT, HARNESS_OTHER_PORT}, .n_nat_ports = 2,
			.tcp_ports = {HARNESS_TCP_PORT}, .n_tcp_ports = 1, .tcp_delay = 50, .keepalive = 20},
	};
	for (int i = 0; i < HARNESS_PORTS; i++) {
		snprintf(config->dataplane.ports[i].name, sizeof(config->dataplane.ports[i].name), "hq%d", i);
		config->dataplane.ports[i].mtu = (uint16_t)or_usual(options->mtu, 1500);
	}
}

void harness_mac(uint32_t address, uint8_t mac[WIRE_MAC_LEN])
{
	mac[0] = 0x02;
	mac[1] = 0xaa;
	wire_write32(mac + 2, address);
}

void harness_mac_6(const char *address, uint8_t mac[WIRE_MAC_LEN])
{
	uint8_t bytes[16];

	wire_address(address, bytes);
	mac[0] = 0x02;
	mac[1] = 0xbb;
	memcpy(mac + 2, bytes + 12, 4);
}

const uint8_t *harness_port_mac(uint16_t port)
{
	static const uint8_t macs[HARNESS_PORTS][WIRE_MAC_LEN] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

	return macs[port];
}

static void ports_fill(struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < HARNESS_PORTS; i++) {
		struct port *port = &dataplane->ports[i];

		*port = (struct port){
			.config = &harness.config.dataplane.ports[i],
			.number = i,
			.device = devices[i],
			.exception = PORT_NONE,
			.mtu = harness.config.dataplane.ports[i].mtu,
			.kernel_mtu = harness.config.dataplane.ports[i].mtu,
			.to_kernel = to_kernel[i],
			.from_kernel = from_kernel[i],
		};
		memcpy(port->mac.addr_bytes, harness_port_mac(i), WIRE_MAC_LEN);
	}
	dataplane->n_ports = HARNESS_PORTS;
}

void harness_net(
	enum tables_change_kind kind, uint32_t address, uint8_t len, uint32_t gateway, uint16_t port, uint32_t epoch)
{
	struct writer_net net = {
		.prefix = {.address = address_ipv4(address), .len = len}, .port = port, .epoch = epoch};

	if (gateway)
		net.gateway = address_ipv4(gateway);
	harness_mac(address, net.mac);
	writer_net_change(harness.writer, kind, &net);
}

void harness_net_6(enum tables_change_kind kind, const char *address, uint8_t len, const char *gateway, uint16_t port,
	uint32_t epoch)
{
	struct writer_net net = {.port = port, .epoch = epoch};

	assert_int_equal(address_parse(address, &net.prefix.address), 0);
	net.prefix.len = len;
	if (gateway)
		assert_int_equal(address_parse(gateway, &net.gateway), 0);
	harness_mac_6(address, net.mac);
	writer_net_change(harness.writer, kind, &net);
}

void harness_add_ipv6(void)
{
	uint16_t lan = harness.lan_port;

	if (harness.has_ipv6)
		return;
	harness.has_ipv6 = true;
	harness_net_6(TABLES_ADDRESS_ADD, HQ_WAN_6, 128, NULL, 0, 1);
	harness_net_6(TABLES_ADDRESS_ADD, HQ_LAN_6, 128, NULL, lan, 1);
	harness_net_6(TABLES_ROUTE_ADD, "2001:db8:1::", 64, NULL, 0, 1);
	harness_net_6(TABLES_ROUTE_ADD, LAN_6, 64, NULL, lan, 1);
	harness_net_6(TABLES_ROUTE_ADD, "::", 0, GATEWAY_6, 0, 1);
	harness_net_6(TABLES_NEIGHBOUR_ADD, GATEWAY_6, 128, NULL, 0, 1);
	harness_net_6(TABLES_NEIGHBOUR_ADD, LAN_HOST_6, 128, NULL, lan, 1);
	harness_net_6(TABLES_NEIGHBOUR_ADD, LAN_HOST_6_2, 128, NULL, lan, 1);
	harness_settle();
}

static void routes_fill(void)
{
	uint16_t lan = harness.lan_port;

	harness_net(TABLES_ADDRESS_ADD, HQ_WAN, 32, 0, 0, 1);
	harness_net(TABLES_ADDRESS_ADD, HQ_LAN, 32, 0, lan, 1);
	harness_net(TABLES_ROUTE_ADD, HQ_WAN & 0xffffff00, 24, 0, 0, 1);
	harness_net(TABLES_ROUTE_ADD, LAN, 24, 0, lan, 1);
	harness_net(TABLES_ROUTE_ADD, 0, 0, GATEWAY, 0, 1);
	harness_net(TABLES_NEIGHBOUR_ADD, GATEWAY, 32, 0, 0, 1);
	harness_net(TABLES_NEIGHBOUR_ADD, LAN_HOST, 32, 0, lan, 1);
	harness_net(TABLES_NEIGHBOUR_ADD, LAN_HOST_2, 32, 0, lan, 1);
}

void harness_open(const struct harness_options *options)
{
	char error[TABLES_ERROR_LEN];

	assert_int_equal(harness_start(), 0);
	if (is_open)
		harness_close();
	memset(&harness, 0, sizeof(harness));
	rte_srand(1);
	config_fill(&harness.config, options);
	assert_int_equal(dataplane_init(&harness.dataplane, &harness.config, "test"), 0);
	is_open = true;
	ports_fill(&harness.dataplane);
	harness.packets_full = rte_mempool_avail_count(harness.dataplane.packets);
	harness.jumbos_full = rte_mempool_avail_count(harness.dataplane.jumbos);
	harness.headers_full = rte_mempool_avail_count(harness.dataplane.headers);
	assert_int_equal(tables_map(&harness.tables, dup(harness.dataplane.tables.fd), error), 0);
	harness.changes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	harness.writer = writer_new(&harness.tables, harness.changes_fd);
	assert_non_null(harness.writer);
	harness.lan_port = options->one_armed ? 0 : 1;
	routes_fill();
	harness_settle();
	for (uint16_t i = 0; i < harness.dataplane.n_workers; i++)
		harness.dataplane.workers[i].now = rte_rdtsc();
}

static void ring_drain(struct rte_ring *ring)
{
	void *packet;

	while (rte_ring_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
}

static void rings_drain(void)
{
	for (int port = 0; port < HARNESS_PORTS; port++) {
		ring_drain(to_kernel[port]);
		ring_drain(from_kernel[port]);
		for (int queue = 0; queue < HARNESS_WORKERS; queue++) {
			ring_drain(wire_in[port][queue]);
			ring_drain(wire_out[port][queue]);
		}
	}
}

/* Runs after a test that failed, too: all is undone before anything is asserted. */
void harness_close(void)
{
	unsigned int out;
	int64_t balance;

	if (!is_open)
		return;
	is_open = false;
	harness_turn();
	relay_attach(&harness.dataplane, -1);
	(void)relay_send(&harness.dataplane);
	harness_expire_fragments();
	rings_drain();
	balance = harness_balance();
	out = harness_buffers_out();
	harness.dataplane.n_ports = 0;
	writer_free(harness.writer);
	tables_unmap(&harness.tables);
	close(harness.changes_fd);
	dataplane_fini(&harness.dataplane);
	assert_int_equal(balance, 0);
	assert_int_equal(out, 0);
}

struct rte_ring *harness_wire_in(uint16_t port, uint16_t queue)
{
	return wire_in[port][queue];
}

struct rte_ring *harness_wire_out(uint16_t port, uint16_t queue)
{
	return wire_out[port][queue];
}

int harness_setup(void **state)
{
	(void)state;
	harness_open(&(struct harness_options){0});
	return 0;
}

int harness_setup_two_workers(void **state)
{
	(void)state;
	harness_open(&(struct harness_options){.n_workers = 2});
	return 0;
}

int harness_teardown(void **state)
{
	(void)state;
	harness_close();
	return 0;
}
