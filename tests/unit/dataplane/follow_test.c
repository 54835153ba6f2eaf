/* SPDX-License-Identifier: Apache-2.0 */
/* A session follows its peer's packets to another address: which packets say so, what moves, and how often. */
#include "peer.h"

#include "changes.h"
#include "follow.h"

#include <rte_cycles.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wire_frame frame;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX], esp[WIRE_MAX];
static struct peer peer;

static struct rte_mbuf *mbuf_numbered(struct peer *of, uint32_t sequence)
{
	size_t len = peer_inner(of, LAN_HOST, 40, inner);
	uint8_t mac[WIRE_MAC_LEN];

	len = peer_outer(of, 0, esp, peer_esp(of, sequence, IPPROTO_IPIP, inner, len, esp), packet);
	harness_mac(GATEWAY, mac);
	return harness_mbuf(packet, wire_ethernet(packet, harness_port_mac(0), mac, WIRE_TYPE_IPV4, packet, len));
}

/* In this moment of the worker's clock, which the test moves; and the main thread looks. */
static void deliver(struct peer *of, uint32_t sequence)
{
	struct worker *worker = &harness.dataplane.workers[0];
	struct rte_mbuf *mbuf = mbuf_numbered(of, sequence);

	worker_input(worker, 0, &mbuf, 1);
	follow_apply(&harness.dataplane, worker->now);
}

static uint32_t moved(void)
{
	return harness_count_events(TABLES_EVENT_MOVED);
}

static void send_out(const struct peer *to)
{
	struct wire_ipv4 header = {.source = LAN_HOST, .destination = to->host, .protocol = IPPROTO_UDP};

	harness_send_ip(1, 0, LAN_HOST, packet, wire_ipv4(packet, &header, "to a peer", 9));
	harness_turn();
}

static void empty_lan(void)
{
	harness_turn();
	while (harness_receive(1, &frame))
		;
}

/* The next packet goes to where `of` says that it is, and the tables say the same. */
static void expect_there(struct peer *of)
{
	struct place place;

	empty_lan();
	send_out(of);
	assert_true(harness_receive(0, &frame));
	peer_receive(of, &frame, inner);
	assert_true(place_read(&harness.tables.sessions[of->session].place, &place));
	assert_int_equal(address_to_ipv4(&place.remote.address), of->address);
	assert_int_equal(place.remote.port, of->port);
	assert_int_equal(place.local.port, of->hq_port);
	assert_int_equal(place.encapsulation, of->port ? TABLES_ENCAPSULATION_UDP : TABLES_ENCAPSULATION_ESP);
}

/* Only an authentic packet that is the newest of its SA says that the peer is elsewhere. */
static void test_newest_and_authentic(void **state)
{
	struct worker *worker = &harness.dataplane.workers[0];
	const struct tables_event *event;
	struct peer before;
	struct rte_mbuf *mbuf;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	deliver(&peer, 10);
	expect_there(&peer);
	before = peer;
	peer.address++;
	peer.port++;
	deliver(&peer, 9); /* late: it may have been sent before the last */
	mbuf = mbuf_numbered(&peer, 11);
	rte_pktmbuf_mtod(mbuf, uint8_t *)[mbuf->data_len - 1] ^= 1;
	worker_input(worker, 0, &mbuf, 1); /* forged */
	deliver(&peer, 10);		   /* replayed */
	assert_int_equal(moved(), 0);
	expect_there(&before);
	peer.hq_sequence = before.hq_sequence;
	deliver(&peer, 11);
	assert_int_equal(moved(), 1);
	expect_there(&peer);
	event = harness_last_event(TABLES_EVENT_MOVED);
	assert_int_equal(event->index, peer.session);
	assert_int_equal(event->id, harness.tables.sessions[peer.session].id);
	assert_int_equal(address_to_ipv4(&event->source.address), peer.address);
	assert_int_equal(event->source.port, peer.port);
	assert_int_equal(address_to_ipv4(&event->local.address), HQ_WAN);
	assert_int_equal(event->local.port, HARNESS_NAT_PORT);
	/* There it is now: no news. */
	deliver(&peer, 12);
	assert_int_equal(moved(), 1);
	assert_int_equal(harness_count(REASON_NOTE_MOVED), 1);
	empty_lan();
}

/* Who sends from two places is followed to the other one once a second, by whichever SA. */
static void test_flip_flop(void **state)
{
	struct worker *worker = &harness.dataplane.workers[0];
	uint64_t second = rte_get_tsc_hz();
	struct peer here;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	here = peer;
	peer.port++;
	deliver(&peer, 1);
	assert_int_equal(moved(), 1);
	for (uint32_t i = 0; i < 10; i++) {
		worker->now += second / 20;
		deliver(&here, 2 * i + 2);
		deliver(&peer, 2 * i + 3);
	}
	assert_int_equal(moved(), 1);
	expect_there(&peer);
	here.hq_sequence = peer.hq_sequence;
	worker->now += 2 * second;
	deliver(&here, 30);
	assert_int_equal(moved(), 2);
	expect_there(&here);
}

/* All child SAs of the session at once; another session stays. */
static void test_all_at_once(void **state)
{
	struct address net = address_ipv4(0x0afa0000);
	struct peer second, other;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	peer_rekey(&peer, &second, &(struct peer_options){.remote_network = prefix_make(&net, 16)});
	second.host = 0x0afa0005;
	peer_open(&other, 2, &(struct peer_options){0});
	peer.address = second.address = 0xc6336477;
	deliver(&second, 1);
	deliver(&peer, 1); /* says the same */
	assert_int_equal(moved(), 1);
	expect_there(&peer);
	expect_there(&second);
	expect_there(&other);
}

/* RFC 3948 traffic alone has NATs in mind. */
static void test_bare_esp_stays(void **state)
{
	struct peer before;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.bare = true});
	before = peer;
	peer.address++;
	deliver(&peer, 1);
	assert_int_equal(moved(), 0);
	assert_int_equal(harness_count(REASON_NOTE_MOVED), 1);
	expect_there(&before);
}

/* The peer uses another of our addresses: answers come from that. */
static void test_own_address(void **state)
{
	struct rte_mbuf *mbuf;
	struct place place;

	(void)state;
	harness_net(TABLES_ADDRESS_ADD, HQ_WAN + 1, 32, 0, 0, 1);
	harness_settle();
	peer_open(&peer, 1, &(struct peer_options){0});
	mbuf = mbuf_numbered(&peer, 1);
	wire_write32(rte_pktmbuf_mtod(mbuf, uint8_t *) + WIRE_ETHERNET_LEN + 16, HQ_WAN + 1);
	wire_ipv4_checksum(rte_pktmbuf_mtod(mbuf, uint8_t *) + WIRE_ETHERNET_LEN);
	worker_input(&harness.dataplane.workers[0], 0, &mbuf, 1);
	follow_apply(&harness.dataplane, harness.dataplane.workers[0].now);
	assert_int_equal(moved(), 1);
	assert_true(place_read(&harness.tables.sessions[peer.session].place, &place));
	assert_int_equal(address_to_ipv4(&place.local.address), HQ_WAN + 1);
	assert_int_equal(address_to_ipv4(&place.remote.address), peer.address);
	empty_lan();
}

/* So does one that uses another of our ports: a mapping on the way may have come to lead there. */
static void test_own_port(void **state)
{
	struct peer before;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	before = peer;
	peer.hq_port = HARNESS_OTHER_PORT;
	deliver(&peer, 1);
	assert_int_equal(moved(), 1);
	assert_int_equal(harness_last_event(TABLES_EVENT_MOVED)->local.port, HARNESS_OTHER_PORT);
	expect_there(&peer);
	/* A late one from before changes nothing. */
	harness.dataplane.workers[0].now += 2 * rte_get_tsc_hz();
	deliver(&peer, 3);
	deliver(&before, 2);
	assert_int_equal(moved(), 1);
	expect_there(&peer);
}

/* What was noticed of an SA that is gone when the main thread looks moves nobody. */
static void test_gone_meanwhile(void **state)
{
	struct rte_mbuf *mbuf;
	struct peer next;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	peer.port++;
	mbuf = mbuf_numbered(&peer, 1);
	worker_input(&harness.dataplane.workers[0], 0, &mbuf, 1);
	empty_lan();
	writer_session_remove(harness.writer, peer.session);
	harness_settle();
	peer_open(&next, 2, &(struct peer_options){0});
	follow_apply(&harness.dataplane, harness.dataplane.workers[0].now);
	assert_int_equal(moved(), 0);
	expect_there(&next);
}

/* Nobody reads events: the session follows all the same, and the tables say where to. */
static void test_nobody_there(void **state)
{
	struct tables_event event = {.kind = TABLES_EVENT_UNKNOWN_SPI};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){0});
	while (ring_push(&harness.dataplane.tables.events[0], &event) == 0)
		;
	peer.port++;
	deliver(&peer, 1);
	assert_int_equal(tables_sum_events_lost(&harness.tables), 1);
	expect_there(&peer);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_newest_and_authentic),
		TEST(test_flip_flop),
		TEST(test_all_at_once),
		TEST(test_bare_esp_stays),
		TEST(test_own_address),
		TEST(test_own_port),
		TEST(test_gone_meanwhile),
		TEST(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
