/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "classify.h"
#include "connection_input.h"
#include "connection_output.h"
#include "connection_worker.h"
#include "crypto.h"
#include "dataplane.h"
#include "exits.h"
#include "inbound.h"
#include "outbound.h"
#include "reassemble.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_random.h>

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
	IDLE_TURNS = 32, /* empty turns before a worker begins to sleep */
	SLEEP_MIN_US = 10,
	SLEEP_MAX_US = 160,
};

static void ipv4_ids_begin(struct worker *worker)
{
	uint32_t share = WORKER_IPV4_IDS / worker->dataplane->n_workers;

	worker->ipv4_id_first = (uint16_t)(worker->number * share);
	worker->ipv4_id_last = (uint16_t)(worker->ipv4_id_first + share - 1);
	worker->ipv4_id = (uint16_t)(worker->ipv4_id_first + rte_rand_max(share));
}

/* A step of a power of two divides all the numbers there are, so that going round keeps the workers apart. */
static void ipv6_ids_begin(struct worker *worker)
{
	worker->ipv6_id_step = rte_align32pow2(worker->dataplane->n_workers);
	worker->ipv6_id = ((uint32_t)rte_rand() & ~(worker->ipv6_id_step - 1)) | worker->number;
}

int worker_init(struct worker *worker, struct dataplane *dataplane, uint16_t number, const char *name)
{
	const struct config_dataplane *config = &dataplane->config->dataplane;
	const struct reassembly_limits limits = {
		.pending = config->fragments_pending,
		.per_source = config->fragments_per_source,
		.timeout_ms = config->fragments_timeout,
	};
	char ring_name[RTE_RING_NAMESIZE];

	worker->dataplane = dataplane;
	worker->number = number;
	worker->counters = tables_counters(&dataplane->tables, number + 1u);
	worker->counters->core = config->worker_cores[number];
	worker->events = &dataplane->tables.events[number + 1];
	ipv4_ids_begin(worker);
	ipv6_ids_begin(worker);
	worker->engine = crypto_engine_new(config);
	worker->reassembly = reassembly_new(&limits);
	snprintf(ring_name, sizeof(ring_name), "%s-handoff-%u", name, number);
	worker->handoff = rte_ring_create(ring_name, WORKER_HANDOFF_RING, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (!worker->engine || !worker->reassembly || !worker->handoff)
		return -ENOMEM;
	return connection_worker_init(worker);
}

void worker_fini(struct worker *worker)
{
	void *packet;

	while (worker->handoff && rte_ring_dequeue(worker->handoff, &packet) == 0)
		exit_drop(worker, packet, REASON_DROP_HANDOFF);
	connection_worker_fini(worker);
	reassembly_free(worker->reassembly, worker);
	esp_engine_free(worker->engine);
	rte_ring_free(worker->handoff);
}

void worker_event(struct worker *worker, const struct tables_event *event)
{
	if (ring_push(worker->events, event) < 0)
		tables_count(&worker->counters->events_lost, 1);
	worker->wants_main = true;
}

bool worker_allowance_take(struct worker *worker, struct worker_allowance *bucket, uint32_t rate)
{
	uint32_t full = rate / 10 + 1;
	uint64_t passed = worker->now - bucket->filled_at, hz = rte_get_tsc_hz();

	if (passed > hz / 1000) {
		/* Never more than a second at once: the product stays within 64 bits. */
		uint64_t add = RTE_MIN(passed, hz) * rate / hz;

		if (add > 0) {
			bucket->tokens = (uint32_t)RTE_MIN(bucket->tokens + add, (uint64_t)full);
			/* The time of a token that is not whole yet is kept. */
			bucket->filled_at = passed > hz ? worker->now : bucket->filled_at + add * hz / rate;
		}
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}

/*
 * The packet's way:
 *   classified.segments --connection--> ESP
 *   classified.esp --inbound--> inner packets --\
 *   classified.plain ----------------------------+--outbound--> policy: ESP, else in the clear --> forward
 * and where ESP goes by a TCP connection
 *   outbound --> its backlog; classified.sends --> backlog; at the end of the turn ESP --> segments --> forward
 */
static void work(struct worker *worker, struct classified *classified)
{
	uint16_t inner = inbound_process(worker, classified->esp, classified->n_esp);

	if (inner > 0)
		outbound_process(worker, classified->esp, inner);
	if (classified->n_plain > 0)
		outbound_process(worker, classified->plain, classified->n_plain);
	if (unlikely(classified->n_segments > 0))
		connection_input(worker, classified->connections, classified->segments, classified->n_segments);
	if (unlikely(classified->n_sends > 0))
		connection_take_sends(worker, classified->sends, classified->n_sends);
}

void worker_input(struct worker *worker, uint16_t port, struct rte_mbuf **packets, uint16_t count)
{
	struct classified classified;

	worker_count(worker, REASON_IN_PORT, count);
	classify_frames(worker, port, packets, count, &classified);
	work(worker, &classified);
}

static unsigned int take_handed_over(struct worker *worker)
{
	struct rte_mbuf *packets[BURST];
	struct classified classified;
	unsigned int count = rte_ring_sc_dequeue_burst(worker->handoff, (void **)packets, BURST, NULL);

	if (count == 0)
		return 0;
	worker_count(worker, REASON_IN_HANDOFF, count);
	classify_handed_over(worker, packets, (uint16_t)count, &classified);
	work(worker, &classified);
	return count;
}

static unsigned int take_from_kernel(struct worker *worker, uint16_t port)
{
	struct dataplane *dataplane = worker->dataplane;
	struct rte_mbuf *packets[BURST];
	struct classified classified;
	unsigned int count;

	/* One worker a port, so that the kernel's frames keep their order. */
	if (port % dataplane->n_workers != worker->number)
		return 0;
	count = rte_ring_sc_dequeue_burst(dataplane->ports[port].from_kernel, (void **)packets, BURST, NULL);
	if (count == 0)
		return 0;
	worker_count(worker, REASON_IN_KERNEL, count);
	classify_kernel(worker, port, packets, (uint16_t)count, &classified);
	work(worker, &classified);
	return count;
}

/*
 * What was put somewhere for the main thread is visible to it before the flag is looked at here, as the flag is set
 * there before it looks for the last time: one of the two sees the other's.
 */
static void wake_main(struct worker *worker)
{
	struct dataplane *dataplane = worker->dataplane;
	uint64_t one = 1;

	worker->wants_main = false;
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&dataplane->main_sleeps, memory_order_relaxed) ||
		!atomic_exchange(&dataplane->main_sleeps, false))
		return;
	/* It can only fail when it counts to its limit, and then it is readable anyway. */
	if (write(dataplane->main_wake, &one, sizeof(one)) < 0)
		return;
}

unsigned int worker_turn_at(struct worker *worker, uint64_t now)
{
	struct dataplane *dataplane = worker->dataplane;
	struct rte_mbuf *packets[BURST];
	unsigned int total = 0;

	worker->now = now;
	worker->is_behind = false;
	for (uint16_t port = 0; port < dataplane->n_ports; port++) {
		uint16_t count = rte_eth_rx_burst(dataplane->ports[port].device, worker->number, packets, BURST);

		if (count > 0)
			worker_input(worker, port, packets, count);
		worker->is_behind |= count == BURST && worker->connections->segments_on[port];
		total += count + take_from_kernel(worker, port);
	}
	total += take_handed_over(worker);
	total += connection_worker_turn(worker);
	exit_flush(worker);
	reassemble_expire(worker);
	if (worker->wants_main)
		wake_main(worker);
	return total;
}

unsigned int worker_turn(struct worker *worker)
{
	return worker_turn_at(worker, rte_rdtsc());
}

/* While it sleeps nobody waits for its quiescence. */
static void worker_sleep(struct dataplane *dataplane, uint16_t number, uint32_t microseconds)
{
	struct timespec pause = {.tv_nsec = microseconds * 1000L};

	rte_rcu_qsbr_thread_offline(dataplane->qsbr, number);
	nanosleep(&pause, NULL);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, number);
}

/* A turn is from its beginning to that of the next one, so one look at the clock serves both. */
static void account(struct worker *worker, unsigned int packets, uint64_t since)
{
	struct tables_counters *counters = worker->counters;
	uint64_t cycles = worker->now - since;

	tables_count(&counters->loops, 1);
	tables_count(&counters->cycles, cycles);
	if (packets > 0) {
		tables_count(&counters->busy_loops, 1);
		tables_count(&counters->busy_cycles, cycles);
	}
}

int worker_run(void *argument)
{
	struct dataplane *dataplane = argument;
	struct worker *worker = &dataplane->workers[rte_lcore_index((int)rte_lcore_id()) - 1];
	bool adaptive = dataplane->config->dataplane.poll == CONFIG_POLL_ADAPTIVE;
	uint32_t idle = 0, pause = SLEEP_MIN_US;
	unsigned int packets = 0;

	/* Sleeps as short as asked for: the kernel's default slack alone is 50 us. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	worker->now = rte_rdtsc();
	rte_rcu_qsbr_thread_register(dataplane->qsbr, worker->number);
	rte_rcu_qsbr_thread_online(dataplane->qsbr, worker->number);
	while (!atomic_load_explicit(&dataplane->stop, memory_order_relaxed)) {
		uint64_t since = worker->now;
		unsigned int before = packets;

		packets = worker_turn(worker);
		rte_rcu_qsbr_quiescent(dataplane->qsbr, worker->number);
		account(worker, before, since);
		if (packets > 0) {
			idle = 0;
			pause = SLEEP_MIN_US;
		} else if (adaptive && ++idle > IDLE_TURNS) {
			worker_sleep(dataplane, worker->number, pause);
			pause = RTE_MIN(pause * 2, (uint32_t)SLEEP_MAX_US);
		}
	}
	rte_rcu_qsbr_thread_offline(dataplane->qsbr, worker->number);
	rte_rcu_qsbr_thread_unregister(dataplane->qsbr, worker->number);
	return 0;
}
