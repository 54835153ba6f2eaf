/* SPDX-License-Identifier: Apache-2.0 */
/* TCP connections on their way from the kernel to a worker, and back, and to their end; with segments under way. */
#include "held.h"

#include "changes.h"

#include <rte_rcu_qsbr.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct peer peer;
static struct held first;
static struct held_segment segment;
static uint8_t packet[WIRE_MAX], inner[WIRE_MAX];
static const char text[] = "some bytes of a stream";

/* --- held --------------------------------------------------------------------------------------------------------- */

static void test_hold_waits_for_workers_and_kernel(void **state)
{
	struct rte_rcu_qsbr *qsbr = harness.dataplane.qsbr;
	uint32_t done;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	done = harness.n_done;
	assert_int_equal(rte_rcu_qsbr_thread_register(qsbr, 0), 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	held_ask(&first, &peer, HELD_PORT);
	/* It had looked before, and has this one for the kernel still. */
	changes_apply(&harness.dataplane);
	held_settle();
	assert_int_equal(harness.n_done, done);
	assert_int_equal(rte_ring_enqueue(harness.dataplane.ports[0].to_kernel, harness_mbuf(text, sizeof(text))), 0);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	held_settle();
	assert_int_equal(harness.n_done, done);
	/* From now on none comes. */
	held_send(&first, 0, HELD_SEQ, HELD_ACK, text, sizeof(text));
	assert_int_equal(rte_ring_count(harness.dataplane.ports[0].to_kernel), 1);
	assert_true(harness_receive_kernel(0, &(struct wire_frame){0}));
	held_settle();
	held_expect_done(done, 0);
	assert_int_equal(held_record(&first)->phase, TABLES_CLAIMED);
	rte_rcu_qsbr_thread_offline(qsbr, 0);
	assert_int_equal(rte_rcu_qsbr_thread_unregister(qsbr, 0), 0);
	harness_expect_no_frame();
	held_release(&first);
	held_expect_kernel(&first, HELD_SEQ, text, sizeof(text));
}

/* All that comes waits, whatever its flags; what is of another connection does not. */
static void test_segments_wait_and_go_back_in_order(void **state)
{
	struct held other = {.peer = &peer, .port = HELD_PORT + 1};
	static const uint8_t flags[] = {HELD_ACK, HELD_SYN, HELD_ACK | HELD_PSH, HELD_RST, HELD_FIN | HELD_ACK};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	for (uint32_t i = 0; i < sizeof(flags); i++)
		held_send(&first, 0, HELD_SEQ + i, flags[i], text, i);
	harness_expect_no_frame();
	held_send(&other, 0, HELD_SEQ, HELD_ACK, text, 4);
	held_expect_kernel(&other, HELD_SEQ, text, 4);
	held_release(&first);
	held_send(&first, 0, HELD_SEQ + 5, HELD_ACK, text, 5);
	for (uint32_t i = 0; i <= sizeof(flags); i++)
		held_expect_kernel(&first, HELD_SEQ + i, text, i);
	harness_expect_no_frame();
}

/* At the rate of segments, not at that of what else is the kernel's. */
static void test_many_go_back(void **state)
{
	enum { MANY = 100 };

	(void)state;
	held_detach();
	harness_open(&(struct harness_options){.exception_rate = 10});
	held_attach();
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	for (uint32_t i = 0; i < MANY; i++)
		held_send(&first, 0, HELD_SEQ + i, HELD_ACK, text, 1);
	held_release(&first);
	for (uint32_t i = 0; i < MANY; i++)
		held_expect_kernel(&first, HELD_SEQ + i, text, 1);
}

static void test_another_worker_receives(void **state)
{
	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	for (uint32_t i = 0; i < 4; i++)
		held_send(&first, (uint16_t)(i % 2), HELD_SEQ + i, HELD_ACK, text, i);
	harness_expect_no_frame();
	assert_int_equal(harness_count(REASON_OUT_HANDOFF), 2);
	held_release(&first);
	for (uint32_t i = 0; i < 4; i++)
		held_expect_kernel(&first, HELD_SEQ + i, text, i);
}

/* Fragments of a segment are put together for it. */
static void test_fragments(void **state)
{
	enum { AT = WIRE_IPV4_LEN, CUT = 24 };
	size_t len;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	len = held_segment(&first, HELD_SEQ, HELD_ACK, text, sizeof(text), packet) - WIRE_IPV4_LEN;
	for (int last = 1; last >= 0; last--) {
		struct wire_ipv4 header = {.source = peer.address,
			.destination = HQ_WAN,
			.protocol = 6,
			.id = 7,
			.fragment = last ? CUT / 8 : WIRE_MF};

		harness_send_ip(0, 0, GATEWAY, inner,
			wire_ipv4(inner, &header, packet + AT + (last ? CUT : 0), last ? len - CUT : CUT));
	}
	harness_turn();
	harness_expect_no_frame();
	held_release(&first);
	held_expect_kernel(&first, HELD_SEQ, text, sizeof(text));
}

static void expect_refused(const struct endpoint *local, const struct endpoint *remote, int result)
{
	uint32_t index, done = harness.n_done;

	assert_int_equal(writer_connection_hold(harness.writer, peer.session, local, remote, &index), 0);
	held_settle();
	held_expect_done(done, result);
	assert_int_equal(harness.tables.connections[index].phase, TABLES_FREE);
}

static void test_hold_is_refused(void **state)
{
	struct endpoint local = {.address = address_ipv4(HQ_WAN), .port = HARNESS_TCP_PORT}, remote = local, none = {0};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	remote.address = address_ipv4(peer.address);
	remote.port = HELD_PORT;
	expect_refused(&local, &remote, -EEXIST);
	remote.port = 0;
	expect_refused(&local, &remote, -EINVAL);
	none.port = 1;
	expect_refused(&local, &none, -EAFNOSUPPORT);
	remote.port = HELD_PORT + 1;
	peer_close(&peer);
	expect_refused(&local, &remote, -ENOENT);
	held_release(&first);
}

/* --- handed over -------------------------------------------------------------------------------------------------- */

static void test_transfer_is_refused(void **state)
{
	enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };
	struct transfer_state good = held_state(), bad = good;
	struct held stranger;
	int ends[2];

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	held_send(&first, 0, HELD_SEQ, HELD_ACK, text, 1);
	for (int seal = 0; seal < 3; seal++) {
		static const int kinds[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE};

		assert_int_equal(
			held_give(&first, held_file(&good, sizeof(good), SEALS & ~kinds[seal] & ~F_SEAL_SEAL)), -EPERM);
	}
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(held_give(&first, ends[0]), -EPERM);
	close(ends[1]);
	assert_int_equal(held_give(&first, held_file(&good, sizeof(good) - 1, SEALS)), -EPROTO);
	bad.unread_len = UINT32_MAX;
	assert_int_equal(held_give(&first, held_file(&bad, sizeof(bad), SEALS)), -EPROTO);
	bad = good;
	bad.mss = 1;
	assert_int_equal(held_give(&first, held_file(&bad, sizeof(bad), SEALS)), -EINVAL);
	stranger = first;
	stranger.id++;
	assert_int_equal(held_give(&stranger, held_file(&good, sizeof(good), SEALS)), -ENOENT);
	stranger.index = UINT32_MAX;
	assert_int_equal(held_give(&stranger, held_file(&good, sizeof(good), SEALS)), -ENOENT);
	/* It is held as before. */
	assert_int_equal(held_record(&first)->phase, TABLES_CLAIMED);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	held_send(&first, 0, HELD_SEQ + 1, HELD_ACK, text, 1);
	harness_expect_no_frame();
	held_release(&first);
	held_expect_kernel(&first, HELD_SEQ, text, 1);
	held_expect_kernel(&first, HELD_SEQ + 1, text, 1);
}

static void test_goes_live(void **state)
{
	static const uint8_t rest[] = {0, 40, 1, 2, 3};

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	/* One more segment than is handed over, and it comes before that. */
	held_send(&first, 0, HELD_SEQ, HELD_ACK, text, 7);
	assert_int_equal(held_install(&first, rest, sizeof(rest)), 0);
	assert_int_equal(held_record(&first)->phase, TABLES_LIVE);
	assert_int_equal(held_connection_of(&peer), first.index);
	assert_int_equal(harness.dataplane.connections.n_live, 1);
	/* Twice is once too much. */
	assert_int_equal(held_install(&first, NULL, 0), -EBUSY);
	/* It answers, for the kernel has no part in it any more. */
	held_send(&first, 0, HELD_SEQ + 7, HELD_ACK, text, 7);
	held_send(&first, 0, HELD_SEQ + 14, HELD_ACK, text, 7);
	assert_true(held_receive(&first, &segment));
	while (held_receive(&first, &segment))
		;
	assert_int_equal(segment.ack, HELD_SEQ + 21);
	harness_expect_no_frame();
	held_end(&first, true);
	assert_true(held_receive(&first, &segment));
	assert_true(segment.flags & HELD_RST);
	held_expect_gone(&first);
	assert_int_equal(harness.dataplane.connections.n_live, 0);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
	/* And now the kernel's again, which knows nothing of it. */
	held_send(&first, 0, HELD_SEQ + 21, HELD_ACK, text, 1);
	held_expect_kernel(&first, HELD_SEQ + 21, text, 1);
}

static void test_ends_in_order(void **state)
{
	uint32_t done;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	held_open(&first, &peer, HELD_PORT);
	assert_int_equal(held_install(&first, NULL, 0), 0);
	done = harness.n_done;
	held_end(&first, false);
	assert_true(held_receive(&first, &segment));
	assert_true(segment.flags & HELD_FIN);
	assert_int_equal(harness.n_done, done);
	assert_int_equal(held_record(&first)->phase, TABLES_LEAVING);
	/* Asked for again, by the next sluiced, say: it is answered once. */
	held_end(&first, false);
	assert_int_equal(harness.n_done, done);
	held_reset(&first);
	held_expect_gone(&first);
	assert_int_equal(harness.n_done, done + 1);
}

/* What is asked for while something else is under way. */
static void test_released_meanwhile(void **state)
{
	struct transfer_state good = held_state();
	struct transfer_head head = {.magic = TRANSFER_MAGIC};
	uint32_t done;
	int file;

	(void)state;
	peer_open(&peer, 1, &(struct peer_options){.stream = true});
	/* Before it is held. */
	done = harness.n_done;
	held_ask(&first, &peer, HELD_PORT);
	writer_connection_release(harness.writer, first.index);
	held_settle();
	assert_int_equal(harness.n_done, done + 2);
	held_expect_gone(&first);
	/* While the owner takes it up: it is too late to go back. */
	held_open(&first, &peer, HELD_PORT);
	done = harness.n_done;
	head.index = first.index;
	head.id = first.id;
	file = held_file(&good, sizeof(good), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(transfer_send(held_sluiced, &head, file), 0);
	close(file);
	assert_true(relay_receive(&harness.dataplane));
	writer_connection_release(harness.writer, first.index);
	writer_flush(harness.writer);
	changes_apply(&harness.dataplane);
	held_settle();
	assert_int_equal(harness.n_done, done + 2);
	assert_true(held_receive(&first, &segment));
	assert_true(segment.flags & HELD_RST);
	held_expect_gone(&first);
	assert_int_equal(held_connection_of(&peer), TABLES_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hold_waits_for_workers_and_kernel, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_segments_wait_and_go_back_in_order, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_many_go_back, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_another_worker_receives, held_setup_two_workers, held_teardown),
		cmocka_unit_test_setup_teardown(test_fragments, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_hold_is_refused, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_transfer_is_refused, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_goes_live, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_ends_in_order, held_setup, held_teardown),
		cmocka_unit_test_setup_teardown(test_released_meanwhile, held_setup, held_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
