/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane.h"

#include "changes.h"
#include "config/log.h"
#include "connection_figures.h"
#include "crypto.h"
#include "packet.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf_pool_ops.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	PACKET_CACHE = 256,
	PACKET_ROOM_MIN = 2048,
	PACKET_OVERHEAD = 160, /* Ethernet, outer IP and UDP, ESP header, IV, padding, ICV: with room to spare */
	JUMBO_COUNT = 256,
	HEADERS_SHARE = 4, /* one of these for so many packet buffers */
	HEADERS_CACHE = 128,
	HEADERS_ROOM = RTE_PKTMBUF_HEADROOM, /* all of it lies before the payload, which there is none of */
};

static const char *const reason_names[REASON_COUNT] = {
#define X(id, name, kind, meaning) [REASON_##id] = name,
	REASONS(X)
#undef X
};
static const uint8_t reason_kinds[REASON_COUNT] = {
#define X(id, name, kind, meaning) [REASON_##id] = TABLES_REASON_##kind,
	REASONS(X)
#undef X
};
static const char *const figure_names[CONNECTION_FIGURE_COUNT] = {
#define X(id, name, meaning) [CONNECTION_FIGURE_##id] = name,
	CONNECTION_FIGURES(X)
#undef X
#define X(id, name, meaning) [CONNECTION_FIGURE_TCP + TCP_COUNT_##id] = name,
	TCP_COUNTERS(X)
#undef X
};
_Static_assert((int)CONNECTION_FIGURE_COUNT <= (int)TABLES_FIGURES_MAX, "and for every figure of a TCP connection");
_Static_assert((int)REASON_COUNT <= (int)TABLES_REASONS_MAX, "the shared tables have room for every reason");

uint16_t dataplane_packet_room(const struct config *config)
{
	uint32_t room = PACKET_ROOM_MIN;

	for (uint16_t i = 0; i < config->dataplane.n_ports; i++)
		room = RTE_MAX(room, config->dataplane.ports[i].mtu + (uint32_t)PACKET_OVERHEAD);
	return (uint16_t)RTE_MIN(room + RTE_PKTMBUF_HEADROOM, (uint32_t)UINT16_MAX);
}

static int tables_make(struct dataplane *dataplane)
{
	const struct config_dataplane *config = &dataplane->config->dataplane;
	struct crypto_choice crypto[ESP_SUITE_COUNT];
	struct tables_dimensions dimensions = {
		.n_sessions = config->max_sessions,
		.n_children = config->max_children,
		.n_workers = config->n_workers,
		.n_ports = config->n_ports,
		.n_reasons = REASON_COUNT,
		.reason_names = reason_names,
		.reason_kinds = reason_kinds,
		.n_figures = CONNECTION_FIGURE_COUNT,
		.figure_names = figure_names,
		.crypto = crypto,
		.replay_window = config->replay_window,
		.tsc_hz = rte_get_tsc_hz(),
		.huge_pages = config->huge_pages != CONFIG_HUGE_PAGES_NEVER,
	};
	char error[TABLES_ERROR_LEN];
	int rc;

	crypto_describe(dataplane->engine, dataplane->config, crypto);
	for (uint16_t i = 0; i < config->n_ports; i++)
		dimensions.port_names[i] = config->ports[i].name;
	rc = tables_create(&dataplane->tables, &dimensions, error);
	if (rc < 0)
		log_error("event=start_failed reason=\"%s\"", error);
	return rc;
}

static int rcu_make(struct dataplane *dataplane)
{
	size_t len = rte_rcu_qsbr_get_memsize(dataplane->n_workers);

	dataplane->qsbr = rte_zmalloc("qsbr", len, RTE_CACHE_LINE_SIZE);
	return dataplane->qsbr && rte_rcu_qsbr_init(dataplane->qsbr, dataplane->n_workers) == 0 ? 0 : -ENOMEM;
}

/*
 * As rte_pktmbuf_pool_create, but in one piece also without huge pages: there it leaves a gap wherever a buffer would
 * cross a page, and AF_XDP, which reckons without gaps where the pool ends, never gets the buffers behind that back.
 */
static struct rte_mempool *pool_make(const char *name, uint32_t count, uint32_t cache, uint16_t room)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = room};
	struct rte_mempool *pool = rte_mempool_create_empty(name, count, (uint32_t)sizeof(struct rte_mbuf) + room, cache,
		sizeof(private), SOCKET_ID_ANY, rte_eal_has_hugepages() ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	if (!pool)
		return NULL;
	if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		if (rte_mempool_populate_default(pool) >= 0) {
			rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
			return pool;
		}
	}
	rte_mempool_free(pool);
	return NULL;
}

static int pools_make(struct dataplane *dataplane, const char *name)
{
	const struct config *config = dataplane->config;
	char pool_name[RTE_MEMPOOL_NAMESIZE];

	snprintf(pool_name, sizeof(pool_name), "%s-packets", name);
	dataplane->packets = pool_make(
		pool_name, config->dataplane.packet_buffers, PACKET_CACHE, dataplane_packet_room(config));
	snprintf(pool_name, sizeof(pool_name), "%s-jumbos", name);
	dataplane->jumbos = rte_pktmbuf_pool_create(
		pool_name, JUMBO_COUNT, 0, 0, UINT16_MAX, SOCKET_ID_ANY);
	snprintf(pool_name, sizeof(pool_name), "%s-headers", name);
	dataplane->headers = pool_make(
		pool_name, config->dataplane.packet_buffers / HEADERS_SHARE, HEADERS_CACHE, HEADERS_ROOM);
	return dataplane->packets && dataplane->jumbos && dataplane->headers ? 0 : -ENOMEM;
}

static int workers_make(struct dataplane *dataplane, const char *name)
{
	int rc = 0;

	dataplane->workers = rte_calloc("workers", dataplane->n_workers, sizeof(struct worker), RTE_CACHE_LINE_SIZE);
	if (!dataplane->workers)
		return -ENOMEM;
	for (uint16_t i = 0; rc == 0 && i < dataplane->n_workers; i++)
		rc = worker_init(&dataplane->workers[i], dataplane, i, name);
	return rc;
}

static int engine_make(struct dataplane *dataplane)
{
	const struct config_dataplane *config = &dataplane->config->dataplane;

	dataplane->engine = crypto_engine_new(config);
	if (dataplane->engine)
		return 0;
	if (errno != ENOTSUP)
		return -ENOMEM;
	crypto_log_refusal(config);
	return -ENOTSUP;
}

int dataplane_init(struct dataplane *dataplane, const struct config *config, const char *name)
{
	const struct config_dataplane *limits = &config->dataplane;
	int rc;

	memset(dataplane, 0, sizeof(*dataplane));
	dataplane->tables.fd = -1;
	dataplane->main_wake = -1;
	dataplane->config = config;
	dataplane->n_workers = limits->n_workers;
	rules_fill(&dataplane->rules, config);
	rc = engine_make(dataplane);
	if (rc == -ENOTSUP)
		return rc;
	if (rc < 0)
		goto fail;
	rc = tables_make(dataplane);
	if (rc < 0) {
		esp_engine_free(dataplane->engine);
		return rc;
	}
	rc = -ENOMEM;
	if (rcu_make(dataplane) < 0 || pools_make(dataplane, name) < 0)
		goto fail;
	if (sa_store_init(&dataplane->sas, limits->max_sessions, limits->max_children, limits->n_workers,
		    limits->replay_window) < 0)
		goto fail;
	if (policy_table_init(&dataplane->policies, name, limits->max_children, dataplane->qsbr) < 0)
		goto fail;
	if (route_table_init(&dataplane->routes, name, limits->max_routes, dataplane->qsbr) < 0)
		goto fail;
	if (changes_init(dataplane) < 0 || workers_make(dataplane, name) < 0 || relay_init(dataplane, name) < 0 ||
		connections_init(dataplane, name) < 0)
		goto fail;
	return 0;
fail:
	log_error("event=start_failed reason=\"memory for %u packet buffers, %u sessions, %u child SAs and %u routes does not fit (%s): "
		  "raise dataplane.memory or lower these\"",
		limits->packet_buffers, limits->max_sessions, limits->max_children, limits->max_routes, rte_strerror(rte_errno));
	dataplane_fini(dataplane);
	return rc;
}

void dataplane_fini(struct dataplane *dataplane)
{
	for (uint16_t i = 0; dataplane->workers && i < dataplane->n_workers; i++)
		if (dataplane->workers[i].dataplane)
			worker_fini(&dataplane->workers[i]);
	connections_fini(dataplane);
	rte_free(dataplane->workers);
	relay_fini(dataplane);
	changes_fini(dataplane);
	route_table_free(&dataplane->routes);
	policy_table_free(&dataplane->policies);
	sa_store_free(&dataplane->sas);
	rte_mempool_free(dataplane->headers);
	rte_mempool_free(dataplane->jumbos);
	rte_mempool_free(dataplane->packets);
	rte_free(dataplane->qsbr);
	esp_engine_free(dataplane->engine);
	tables_unmap(&dataplane->tables);
	memset(dataplane, 0, sizeof(*dataplane));
	dataplane->tables.fd = -1;
}
