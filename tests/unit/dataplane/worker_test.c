/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker keeps count of by itself: its part of the IPv4 IDs, and how much it may still give to the kernel. And that
 * it wakes the main thread.
 */
#include "peer.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX];

static struct rte_mbuf *lan_frame(const struct peer *peer)
{
	struct wire_ipv4 header = {.source = LAN_HOST, .destination = peer->host, .protocol = IPPROTO_UDP};
	uint8_t mac[WIRE_MAC_LEN];
	size_t len = wire_ipv4(packet, &header, "", 0);

	harness_mac(LAN_HOST, mac);
	return harness_mbuf(packet, wire_ethernet(packet, harness_port_mac(1), mac, WIRE_TYPE_IPV4, packet, len));
}

/* Sends a burst and notes who used which ID; true when all of them were this worker's or nobody's before. */
static bool burst_uses_own_ids(struct worker *worker, const struct peer *peer, uint8_t *user_of_id)
{
	struct rte_mbuf *mbufs[BURST];
	bool own = true;

	for (int i = 0; i < BURST; i++)
		mbufs[i] = lan_frame(peer);
	worker_input(worker, 1, mbufs, BURST);
	worker_turn(worker);
	for (int i = 0; i < BURST; i++) {
		uint8_t *user;

		assert_true(harness_receive(0, &frame));
		user = &user_of_id[wire_read16(frame.bytes + WIRE_ETHERNET_LEN + 4)];
		own = own && (*user == 0 || *user == worker->number + 1);
		*user = (uint8_t)(worker->number + 1);
	}
	return own;
}

/* RFC 6864: two workers never use one ID, however often they have gone round. */
static void test_ipv4_ids(void **state)
{
	static uint8_t user_of_id[65536];
	struct peer peer;

	(void)state;
	for (uint16_t n_workers = 1; n_workers <= HARNESS_WORKERS; n_workers++) {
		harness_open(&(struct harness_options){.n_workers = n_workers});
		peer_open(&peer, 1, &(struct peer_options){0});
		memset(user_of_id, 0, sizeof(user_of_id));
		for (uint32_t sent = 0; sent < 2 * 65536u / n_workers; sent += BURST)
			for (uint16_t i = 0; i < n_workers; i++)
				assert_true(burst_uses_own_ids(&harness.dataplane.workers[i], &peer, user_of_id));
	}
}

/* What the kernel gets: a broadcast. */
static size_t broadcast(void)
{
	static const uint8_t everybody[WIRE_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return wire_ethernet(packet, everybody, harness_port_mac(1), WIRE_TYPE_ARP, packet, 46);
}

/* How many of so many broadcasts, that far apart, the kernel gets. */
static uint32_t allowed(uint32_t count, uint64_t apart)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint32_t received = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct rte_mbuf *mbuf = harness_mbuf(packet, broadcast());

		worker->now += apart;
		worker_input(worker, 0, &mbuf, 1);
		received += harness_receive_kernel(0, &frame);
	}
	return received;
}

/* Whatever the rhythm of the packets, in the long run it is the configured rate, and at once a tenth of a second's. */
static void test_kernel_rate(void **state)
{
	static const uint32_t rates[] = {10, 999, 1000, 3333, 20000};
	uint64_t second = rte_get_tsc_hz();

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		for (uint32_t a_second = 300; a_second < 50000; a_second = a_second * 7 / 3) {
			uint32_t most = 2 * RTE_MIN(rates[i], a_second), got;

			harness_open(&(struct harness_options){.exception_rate = rates[i]});
			assert_int_equal(allowed(3000, 0), RTE_MIN(rates[i] / 10 + 1, 3000u));
			got = allowed(2 * a_second, second / a_second);
			assert_in_range(got, most - most / 100 - 2, most + 2);
		}
	}
}

/* How many of so many TCP segments to a port of ours reach the kernel, at once. */
static uint32_t segments_allowed(uint32_t count, uint16_t port, uint8_t flags)
{
	struct wire_ipv4 header = {.source = 0xc6336463, .destination = HQ_WAN, .protocol = IPPROTO_TCP};
	uint8_t tcp[20] = {0x12, 0x34, (uint8_t)(port >> 8), (uint8_t)port, [12] = 5 << 4, [13] = flags};
	uint32_t received = 0;

	for (uint32_t i = 0; i < count; i++) {
		harness_input_ip(0, GATEWAY, packet, wire_ipv4(packet, &header, tcp, sizeof(tcp)));
		received += harness_receive_kernel(0, &frame);
	}
	return received;
}

/* Segments of peers' connections have a rate of their own; what opens one, and all other ports, has not. */
static void test_segments_rate(void **state)
{
	enum { SYN = 0x02, ACK = 0x10 };

	(void)state;
	harness_open(&(struct harness_options){.exception_rate = 1, .stream_rate = 1000});
	assert_int_equal(segments_allowed(200, HARNESS_TCP_PORT, ACK), 101);
	assert_int_equal(segments_allowed(5, HARNESS_TCP_PORT, SYN), 1);
	assert_int_equal(segments_allowed(5, HARNESS_TCP_PORT, ACK), 0);
	harness_open(&(struct harness_options){.exception_rate = 1, .stream_rate = 1000});
	assert_int_equal(segments_allowed(5, HARNESS_TCP_PORT + 1, ACK), 1);
	assert_int_equal(segments_allowed(200, HARNESS_TCP_PORT, ACK), 101);
	assert_int_equal(harness_count(REASON_DROP_KERNEL_RATE), 4 + 99);
}

/* A main thread that sleeps is woken by who has something for it, once, and by nobody else. */
static void test_main_is_woken(void **state)
{
	struct dataplane *dataplane = &harness.dataplane;
	struct worker *worker = &dataplane->workers[0];
	uint64_t wakes = 0;

	(void)state;
	worker_turn(worker);
	dataplane->main_wake = eventfd(0, EFD_NONBLOCK);
	atomic_store(&dataplane->main_sleeps, true);
	worker_turn(worker);
	assert_true(atomic_load(&dataplane->main_sleeps));
	assert_int_equal(read(dataplane->main_wake, &wakes, sizeof(wakes)), -1);

	harness_send(0, 0, packet, broadcast());
	worker_turn(worker);
	assert_false(atomic_load(&dataplane->main_sleeps));
	assert_int_equal(read(dataplane->main_wake, &wakes, sizeof(wakes)), sizeof(wakes));
	assert_int_equal(wakes, 1);

	harness_send(0, 0, packet, broadcast());
	worker_turn(worker);
	assert_int_equal(read(dataplane->main_wake, &wakes, sizeof(wakes)), -1);
	close(dataplane->main_wake);
	dataplane->main_wake = -1;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_ipv4_ids),
		TEST(test_kernel_rate),
		TEST(test_segments_rate),
		TEST(test_main_is_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
