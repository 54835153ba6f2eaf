/* SPDX-License-Identifier: Apache-2.0 */
#include "held.h"

#include "changes.h"
#include "connections.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { TURNS = 12, TCP_LEN = 20, PSEUDO_LEN = 12 };

int held_sluiced = -1;
static int dataplane_end = -1;
static struct wire_frame frame;
static uint8_t packet[WIRE_MAX];

void held_attach(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	dataplane_end = ends[0];
	held_sluiced = ends[1];
	relay_attach(&harness.dataplane, dataplane_end);
}

void held_detach(void)
{
	if (dataplane_end < 0)
		return;
	relay_attach(&harness.dataplane, -1);
	close(dataplane_end);
	close(held_sluiced);
	dataplane_end = held_sluiced = -1;
}

int held_setup(void **state)
{
	harness_setup(state);
	held_attach();
	return 0;
}

int held_setup_two_workers(void **state)
{
	harness_setup_two_workers(state);
	held_attach();
	return 0;
}

int held_teardown(void **state)
{
	held_detach();
	return harness_teardown(state);
}

void held_settle(void)
{
	for (int turn = 0; turn < TURNS; turn++) {
		writer_flush(harness.writer);
		changes_apply(&harness.dataplane);
		harness_turn();
		harness_take_events();
	}
}

static struct endpoint local_of(void)
{
	return (struct endpoint){
		.address = address_ipv4(HQ_WAN), .port = HARNESS_TCP_PORT, .transport = ENDPOINT_TCP};
}

static struct endpoint remote_of(const struct peer *peer, uint16_t port)
{
	return (struct endpoint){.address = address_ipv4(peer->address), .port = port, .transport = ENDPOINT_TCP};
}

void held_ask(struct held *held, const struct peer *peer, uint16_t port)
{
	struct endpoint local = local_of(), remote = remote_of(peer, port);

	*held = (struct held){.peer = peer, .port = port};
	assert_int_equal(writer_connection_hold(harness.writer, peer->session, &local, &remote, &held->index), 0);
	held->id = harness.tables.connections[held->index].id;
	writer_flush(harness.writer);
}

void held_wait(struct held *held, const struct peer *peer, uint16_t port)
{
	uint32_t done = harness.n_done;

	held_ask(held, peer, port);
	held_settle();
	assert_int_equal(harness.n_done, done + 1);
	assert_int_equal(harness.last_result, 0);
}

void held_open(struct held *held, const struct peer *peer, uint16_t port)
{
	struct endpoint local = local_of(), remote = remote_of(peer, port);

	writer_session_move(harness.writer, peer->session, &local, &remote, TABLES_ENCAPSULATION_STREAM);
	held_settle();
	held_wait(held, peer, port);
}

struct transfer_state held_state(void)
{
	return (struct transfer_state){
		.snd_una = HELD_HQ_SEQ,
		.snd_nxt = HELD_HQ_SEQ,
		.snd_wnd = 65535,
		.snd_wl1 = HELD_SEQ,
		.rcv_nxt = HELD_SEQ,
		.rcv_wnd = 65535,
		.mss = 1460,
	};
}

int held_file(const void *bytes, size_t len, int seals)
{
	int file = memfd_create("transfer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, len), len);
	assert_int_equal(fcntl(file, F_ADD_SEALS, seals), 0);
	return file;
}

int held_give(const struct held *held, int file)
{
	struct transfer_head head = {.magic = TRANSFER_MAGIC, .index = held->index, .id = held->id};
	uint32_t done = harness.n_done;

	assert_int_equal(transfer_send(held_sluiced, &head, file), 0);
	close(file);
	assert_true(relay_receive(&harness.dataplane));
	held_settle();
	assert_int_equal(harness.n_done, done + 1);
	return harness.last_result;
}

int held_install(const struct held *held, const void *unread, size_t unread_len)
{
	struct transfer_state state = held_state();

	state.unread_len = (uint32_t)unread_len;
	return held_give(held, transfer_make(&state, NULL, NULL, unread));
}

/* RFC 9293 section 3.1, over IPv4. */
static void checksum_set(uint8_t *tcp, size_t len, uint32_t source, uint32_t destination)
{
	uint8_t all[WIRE_MAX];

	wire_write16(tcp + 16, 0);
	wire_write32(all, source);
	wire_write32(all + 4, destination);
	all[8] = 0;
	all[9] = IPPROTO_TCP;
	wire_write16(all + 10, (uint16_t)len);
	memcpy(all + PSEUDO_LEN, tcp, len);
	wire_write16(tcp + 16, wire_checksum(all, PSEUDO_LEN + len));
}

size_t held_segment(const struct held *held, uint32_t seq, uint8_t flags, const void *data, size_t len, uint8_t *out)
{
	struct wire_ipv4 header = {
		.source = held->peer->address, .destination = HQ_WAN, .protocol = IPPROTO_TCP, .id = (uint16_t)seq};
	uint8_t tcp[TCP_LEN + 2048] = {0};

	wire_write16(tcp, held->port);
	wire_write16(tcp + 2, HARNESS_TCP_PORT);
	wire_write32(tcp + 4, seq);
	wire_write32(tcp + 8, HELD_HQ_SEQ);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = flags;
	wire_write16(tcp + 14, 65535);
	if (len > 0)
		memcpy(tcp + TCP_LEN, data, len);
	checksum_set(tcp, TCP_LEN + len, header.source, header.destination);
	return wire_ipv4(out, &header, tcp, TCP_LEN + len);
}

void held_send(const struct held *held, uint16_t queue, uint32_t seq, uint8_t flags, const void *data, size_t len)
{
	harness_send_ip(0, queue, GATEWAY, packet, held_segment(held, seq, flags, data, len, packet));
	harness_turn();
}

bool held_receive(const struct held *held, struct held_segment *segment)
{
	const uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN, *tcp = ip + WIRE_IPV4_LEN;
	size_t header_len;

	if (!harness_receive(0, &frame))
		return false;
	assert_int_equal(ip[9], IPPROTO_TCP);
	assert_int_equal(wire_read32(ip + 12), HQ_WAN);
	assert_int_equal(wire_read32(ip + 16), held->peer->address);
	assert_int_equal(wire_read16(tcp), HARNESS_TCP_PORT);
	assert_int_equal(wire_read16(tcp + 2), held->port);
	header_len = (size_t)(tcp[12] >> 4) * 4;
	segment->seq = wire_read32(tcp + 4);
	segment->ack = wire_read32(tcp + 8);
	segment->flags = tcp[13];
	segment->len = wire_total_len(ip) - WIRE_IPV4_LEN - header_len;
	memcpy(segment->data, tcp + header_len, segment->len);
	return true;
}

void held_expect_kernel(const struct held *held, uint32_t seq, const void *data, size_t len)
{
	const uint8_t *ip = frame.bytes + WIRE_ETHERNET_LEN, *tcp = ip + WIRE_IPV4_LEN;

	assert_true(harness_receive_kernel(0, &frame));
	assert_int_equal(frame.len, WIRE_ETHERNET_LEN + WIRE_IPV4_LEN + TCP_LEN + len);
	assert_int_equal(wire_read16(tcp), held->port);
	assert_int_equal(wire_read32(tcp + 4), seq);
	if (len > 0)
		assert_memory_equal(tcp + TCP_LEN, data, len);
}

struct tables_connection *held_record(const struct held *held)
{
	return &harness.tables.connections[held->index];
}

uint32_t held_connection_of(const struct peer *of)
{
	return harness.dataplane.sas.sessions[of->session].outer->connection;
}

void held_expect_done(uint32_t done, int result)
{
	assert_int_equal(harness.n_done, done + 1);
	assert_int_equal(harness.last_result, result);
}

void held_expect_gone(const struct held *held)
{
	assert_int_equal(held_record(held)->phase, TABLES_FREE);
	assert_null(harness.dataplane.connections.entries[held->index]);
	assert_null(connections_find(&harness.dataplane.connections, held->index));
}

void held_release(const struct held *held)
{
	uint32_t done = harness.n_done;

	writer_connection_release(harness.writer, held->index);
	held_settle();
	held_expect_done(done, 0);
	held_expect_gone(held);
}

void held_end(const struct held *held, bool at_once)
{
	uint32_t done = harness.n_done;

	writer_connection_end(harness.writer, held->index, at_once);
	held_settle();
	if (at_once)
		held_expect_done(done, 0);
}

void held_reset(const struct held *held)
{
	held_send(held, 0, HELD_SEQ, HELD_RST, NULL, 0);
	held_settle();
}
