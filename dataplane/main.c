/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-dataplane: start-up on one page, undone in reverse, and the main thread's loop between: it takes up what the
 * control plane asks for, moves frames between kernel and workers, and polls nothing hot.
 */
#include "attach.h"
#include "changes.h"
#include "config/log.h"
#include "dataplane.h"
#include "eal.h"
#include "follow.h"
#include "lifetime.h"
#include "reassemble.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
	IDLE_MS = 4,        /* workers wake this thread, and so does net_tap, by SIGIO */
	IDLE_POLLED_MS = 1, /* where it has to look for frames of the kernel's by itself */
	GAUGES_A_SECOND = 1, /* they walk through every slot */
};

static const char usage[] =
	"sluice-dataplane - the poll-mode part of Sluice: packets, DPDK ports, the shared tables\n"
	"\n"
	"  sluice-dataplane -c FILE     run in the foreground, until SIGTERM or SIGINT\n"
	"  sluice-dataplane --check FILE  only read the configuration and say what is wrong\n"
	"  sluice-dataplane --version, --help\n"
	"\n"
	"FILE is the configuration of both programs; /etc/sluice/sluice.cfg when none is named.\n";

static volatile sig_atomic_t stop_asked;

static void on_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

static void signals_catch(void)
{
	struct sigaction action = {.sa_handler = on_stop};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Keys are in this process's memory: no core file, and no debugger of another user. */
static void memory_protect(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

static void gauge_set(struct tables_counters *counters, enum tables_gauge gauge, uint64_t value)
{
	atomic_store_explicit(&counters->gauges[gauge], value, memory_order_relaxed);
}

static uint64_t ports_missed(const struct dataplane *dataplane)
{
	struct rte_eth_stats stats;
	uint64_t missed = 0;

	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		if (rte_eth_stats_get(dataplane->ports[i].device, &stats) == 0)
			missed += stats.imissed;
	return missed;
}

static void gauges_publish(struct dataplane *dataplane)
{
	struct tables_counters *counters = tables_counters(&dataplane->tables, 0);
	uint32_t sessions = 0, children = 0, fragments = 0;

	for (uint32_t i = 0; i < dataplane->sas.n_sessions; i++)
		sessions += dataplane->sas.sessions[i].id != 0;
	for (uint32_t i = 0; i < dataplane->sas.n_children; i++)
		children += dataplane->sas.children[i].id != 0;
	for (uint16_t i = 0; i < dataplane->n_workers; i++)
		fragments += reassembly_held(dataplane->workers[i].reassembly);
	gauge_set(counters, TABLES_GAUGE_PACKET_BUFFERS, dataplane->packets->size + dataplane->jumbos->size);
	gauge_set(counters, TABLES_GAUGE_PACKET_BUFFERS_FREE,
		rte_mempool_avail_count(dataplane->packets) + rte_mempool_avail_count(dataplane->jumbos));
	gauge_set(counters, TABLES_GAUGE_FRAGMENTS_HELD, fragments);
	gauge_set(counters, TABLES_GAUGE_SESSIONS, sessions);
	gauge_set(counters, TABLES_GAUGE_CHILDREN, children);
	gauge_set(counters, TABLES_GAUGE_CONNECTIONS, dataplane->connections.n_live);
	gauge_set(counters, TABLES_GAUGE_ROUTES, dataplane->routes.n_routes);
	gauge_set(counters, TABLES_GAUGE_NEIGHBOURS, dataplane->routes.n_neighbours);
	gauge_set(counters, TABLES_GAUGE_DEVICE_MISSED, ports_missed(dataplane));
}

/* Takes up what there is. Whether there was something that more may follow. */
static bool turn(struct dataplane *dataplane, struct attach *attach)
{
	unsigned int work = changes_apply(dataplane);

	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		work += port_exchange_kernel(dataplane, &dataplane->ports[i]);
	work += relay_send(dataplane);
	follow_apply(dataplane, rte_rdtsc());
	learn_apply(dataplane, rte_rdtsc());
	lifetime_apply(dataplane, rte_rdtsc());
	attach_wake(attach);
	return work > 0 || changes_leaving(dataplane) || connections_are_watched(&dataplane->connections);
}

static int idle_ms(const struct dataplane *dataplane)
{
	for (uint16_t i = 0; i < dataplane->n_ports; i++)
		if (dataplane->ports[i].config->exception != CONFIG_EXCEPTION_TAP)
			return IDLE_POLLED_MS;
	return IDLE_MS;
}

static void loop(struct dataplane *dataplane, struct attach *attach)
{
	uint64_t gauges_at = 0, interval = rte_get_tsc_hz() / GAUGES_A_SECOND;
	int idle = idle_ms(dataplane);

	while (!stop_asked) {
		/* It says that it will sleep, looks once more, and sleeps: what a worker brings meanwhile wakes it. */
		bool said = atomic_load(&dataplane->main_sleeps), busy = turn(dataplane, attach);

		if (!busy && !said)
			atomic_store(&dataplane->main_sleeps, true);
		attach_wait(attach, !busy && said ? idle : 0);
		if (rte_rdtsc() - gauges_at > interval) {
			gauges_at = rte_rdtsc();
			gauges_publish(dataplane);
		}
	}
}

static int ports_start(struct dataplane *dataplane)
{
	const struct config_dataplane *config = &dataplane->config->dataplane;

	for (uint16_t i = 0; i < config->n_ports; i++) {
		int rc = port_start(
			&dataplane->ports[i], &config->ports[i], i, dataplane->n_workers,
			&dataplane->config->ike, dataplane->packets);

		dataplane->n_ports = (uint16_t)(i + 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void ports_stop(struct dataplane *dataplane)
{
	while (dataplane->n_ports > 0)
		port_stop(&dataplane->ports[--dataplane->n_ports]);
}

static int run(const struct config *config)
{
	static struct dataplane dataplane;
	struct attach attach;
	int rc = eal_start(config);

	if (rc < 0)
		return rc;
	rc = dataplane_init(&dataplane, config, "sluice");
	if (rc < 0)
		goto no_dataplane;
	rc = ports_start(&dataplane);
	if (rc < 0)
		goto no_ports;
	rc = attach_open(&attach, &dataplane);
	if (rc < 0)
		goto no_ports;
	rc = rte_eal_mp_remote_launch(worker_run, &dataplane, SKIP_MAIN);
	if (rc == 0) {
		log_info("event=ready ports=%u workers=%u", dataplane.n_ports, dataplane.n_workers);
		loop(&dataplane, &attach);
		log_info("event=stopping");
	}
	atomic_store(&dataplane.stop, true);
	rte_eal_mp_wait_lcore();
	attach_close(&attach);
no_ports:
	ports_stop(&dataplane);
	dataplane_fini(&dataplane);
no_dataplane:
	eal_stop();
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"check", required_argument, NULL, 'k'}, {"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'}, {0}};
	const char *path = "/etc/sluice/sluice.cfg";
	struct config *config;
	bool check_only = false;
	int option, rc;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'k': check_only = true; /* fall through */
		case 'c': path = optarg; break;
		case 'v': puts("sluice-dataplane " SLUICE_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "sluice-dataplane: %s is not understood; see --help\n", argv[optind]);
		return 2;
	}
	memory_protect();
	config = config_load(path, config_report_stderr, NULL);
	if (!config)
		return 1;
	if (check_only) {
		printf("%s: good\n", path);
		config_free(config);
		return 0;
	}
	log_open("sluice-dataplane", (enum log_level)config->log_level);
	signals_catch();
	rc = run(config);
	config_free(config);
	return rc < 0 ? 1 : 0;
}
