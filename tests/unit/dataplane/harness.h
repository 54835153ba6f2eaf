/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A data plane without threads, devices or kernel, for the tests of the packet path. Ports are rings: a test puts
 * frames on the wire, runs the workers' turns on its own thread, and takes frames from the wire; likewise at the
 * kernel's side. The shared tables are mapped a second time and written by the control plane's writer. One at a time;
 * cmocka's fixtures open and close it. Closing proves that no packet was lost: what came in went out or was dropped,
 * and pools are full.
 *
 *   198.51.100.n peers -- gateway 192.0.2.254 -- port 0: 192.0.2.1   HQ   port 1: 10.1.0.1 -- 10.1.0.20, 10.1.0.21
 *
 * and, once a test has asked for it with harness_add_ipv6,
 *
 *   2001:db8:100::n -- gateway 2001:db8:1::fe -- port 0: 2001:db8:1::1   port 1: fd01::1/64 -- fd01::20, fd01::21
 */
#pragma once

#include "dataplane.h"
#include "tables/writer.h"
#include "wire.h"

enum {
	HARNESS_PORTS = 2,
	HARNESS_WORKERS = 3,
	HARNESS_EVENTS = 8192,
	HARNESS_NAT_PORT = 4500,
	HARNESS_OTHER_PORT = 4009, /* is one for NAT traversal, too */
	HARNESS_TCP_PORT = 2012,
};

enum {
	HQ_WAN = 0xc0000201,
	GATEWAY = 0xc00002fe,
	HQ_LAN = 0x0a010001,
	LAN = 0x0a010000, /* 10.1.0.0/24 */
	LAN_HOST = 0x0a010014,
	LAN_HOST_2 = 0x0a010015,
};

#define HQ_WAN_6     "2001:db8:1::1"
#define GATEWAY_6    "2001:db8:1::fe"
#define HQ_LAN_6     "fd01::1"
#define LAN_6	     "fd01::"
#define LAN_HOST_6   "fd01::20"
#define LAN_HOST_6_2 "fd01::21"

/* Zero means the usual. */
struct harness_options {
	uint16_t n_workers, mtu;
	bool one_armed; /* the LAN is behind port 0, too */
	uint32_t packet_buffers, exception_rate, stream_rate, max_children, max_sessions;
	uint32_t fragments_pending, fragments_per_source;
};

struct harness {
	struct config config;
	struct dataplane dataplane;
	struct tables tables; /* the control plane's mapping */
	struct writer *writer;
	int changes_fd;
	uint16_t lan_port;
	bool has_ipv6;
	unsigned int packets_full, jumbos_full, headers_full;
	struct tables_event events[HARNESS_EVENTS]; /* all but "done", oldest first */
	uint32_t n_events;
	uint32_t n_done, n_refused;
	int last_result; /* of the last "done" */
	uint32_t n_done_of[TABLES_CONNECTION_INSTALL + 1]; /* "done" by kind of change */
	uint64_t tsc;	 /* the workers' clock; 0: the processor's */
};
extern struct harness harness;

/* EAL and the ring devices, once a program; 0 or negative. Called by harness_open, too. */
int harness_start(void);

/* cmocka fixtures of a test: one worker and the usual; two workers. */
int harness_setup(void **state);
int harness_setup_two_workers(void **state);
int harness_teardown(void **state);

/* By hand. Opening closes what is open. */
void harness_open(const struct harness_options *options);
void harness_close(void);

/* IPv6 addresses, routes and neighbours as above; again: nothing. */
void harness_add_ipv6(void);

/* The Ethernet addresses of a neighbour and of a port. */
void harness_mac(uint32_t address, uint8_t mac[WIRE_MAC_LEN]);
void harness_mac_6(const char *address, uint8_t mac[WIRE_MAC_LEN]);
const uint8_t *harness_port_mac(uint16_t port);

/* A buffer of the data plane with these bytes; the second counts as received, and holds more than a frame does. */
struct rte_mbuf *harness_mbuf(const void *bytes, size_t len);
struct rte_mbuf *harness_jumbo(const void *bytes, size_t len);

/* What is under harness_send and harness_receive. */
struct rte_ring *harness_wire_in(uint16_t port, uint16_t queue);
struct rte_ring *harness_wire_out(uint16_t port, uint16_t queue);

/*
 * Puts a frame into a receive queue; with _ip, a packet that the neighbour `from` sends to our port: IPv4, or IPv6 from
 * a station with the same Ethernet address.
 */
void harness_send(uint16_t port, uint16_t queue, const void *frame, size_t len);
void harness_send_ip(uint16_t port, uint16_t queue, uint32_t from, const void *packet, size_t len);
void harness_send_kernel(uint16_t port, const void *frame, size_t len);

/* A packet likewise, which the first worker takes at once, in the moment of its clock: the test may move it. */
void harness_input_ip(uint16_t port, uint32_t from, const void *packet, size_t len);

/* The next frame that was sent on the port, or to its kernel interface; false when there is none. */
bool harness_receive(uint16_t port, struct wire_frame *frame);
bool harness_receive_kernel(uint16_t port, struct wire_frame *frame);

/* Fails the test when there is one on any port or for any kernel interface. */
void harness_expect_no_frame(void);

/* From now on the workers' clock stands still, but for what it is put forward: microseconds. */
void harness_clock_stop(void);
void harness_clock_advance(uint64_t microseconds);

/* All workers take turns until nothing is left to do; the second takes all frames from the port, and counts them. */
void harness_turn(void);
uint32_t harness_count_frames(uint16_t port);

/* Everything that the control plane has asked for is taken up and answered; events are gathered. */
void harness_settle(void);
void harness_take_events(void);
uint32_t harness_count_events(enum tables_event_kind kind);
const struct tables_event *harness_last_event(enum tables_event_kind kind);

void harness_net(
	enum tables_change_kind kind, uint32_t address, uint8_t len, uint32_t gateway, uint16_t port, uint32_t epoch);

/* The same for IPv6; `gateway` may be NULL. */
void harness_net_6(enum tables_change_kind kind, const char *address, uint8_t len, const char *gateway, uint16_t port,
	uint32_t epoch);

uint64_t harness_count(enum reason reason);

/* What came in, less what has left or is held in reassembly: 0 unless a packet went astray. */
int64_t harness_balance(void);

/* How many buffers are out of the pools. */
unsigned int harness_buffers_out(void);

/* Lets time pass for the workers: what waits in reassembly is given up. */
void harness_expire_fragments(void);
