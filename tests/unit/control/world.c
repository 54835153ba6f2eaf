/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "world.h"

#include "clock.h"
#include "events.h"
#include "ferry.h"
#include "host.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void config_fill(struct world *world)
{
	world->config.peers = world->peers;
	world->config.n_peers = WORLD_PEERS;
	world->config.ike.port = 500;
	world->config.ike.nat_ports[0] = 4500;
	world->config.ike.nat_ports[1] = 4009;
	world->config.ike.n_nat_ports = 2;
	world->config.ike.half_open_max = 100;
	world->config.ike.half_open_timeout = 600;
	world->config.ike.tcp_delay = 50;
	world->config.dataplane.replay_window = 1024;
	world->config.timeline = (struct config_timeline){16, 4, 4, 1024};
	strcpy(world->config.runtime_dir, "/nowhere");
	for (int i = 0; i < WORLD_PEERS; i++) {
		snprintf(world->peers[i].name, sizeof(world->peers[i].name), "branch-%d", i);
		snprintf(world->peers[i].identity, sizeof(world->peers[i].identity), "branch-%d.example.net", i);
	}
}

static void on_ike(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
	size_t message_len)
{
	struct world *world = (struct world *)((char *)context - offsetof(struct world, gateway));

	(void)local;
	(void)message;
	assert_true(message_len > 0);
	world->n_ike++;
	world->ike_remote = *remote;
}

static void on_settle(void *context)
{
	(void)context;
}

void world_start_control(struct world *world)
{
	struct streams_handler streams = {.context = &world->gateway,
		.ike = on_ike,
		.esp = ferry_to_dataplane,
		.lost = ferry_lost,
		.moved = ferry_moved,
		.settle = on_settle};

	world->gateway = (struct gateway){
		.config = &world->config, .base = world->base, .attachment = world->attachment};
	world->attachment = NULL;
	world->gateway.streams = streams_open(world->base, &world->config.ike, &streams);
	assert_non_null(world->gateway.streams);
	world->gateway.peers = peers_new(&world->config);
	world->gateway.timeline = timeline_new(&world->config);
	world->gateway.ike = ike_new(&world->config, NULL);
	world->host = host_make(&world->gateway);
	assert_int_equal(gateway_attached(&world->gateway, &world->tables, world->changes_fd), 0);
}

void world_stop_control(struct world *world)
{
	gateway_close(&world->gateway);
}

void world_restart_control(struct world *world)
{
	world_stop_control(world);
	world_start_control(world);
}

int world_setup(void **state)
{
	static const char *const reasons[] = {"received", "sent"};
	static const char *const figures[] = {"state", "worker"};
	static const uint8_t kinds[] = {TABLES_REASON_IN, TABLES_REASON_OUT};
	static const struct crypto_choice crypto[ESP_SUITE_COUNT] = {
		[ESP_AES256_GCM] = {.name = "vaes",
			.n_candidates = 2,
			.candidates = {{.name = "sse", .cycles = {310, 900, 1950}},
				{.name = "vaes", .cycles = {200, 480, 1024}}}},
		[ESP_AES128_CBC_SHA1_96] = {.name = "avx2",
			.configured = 1,
			.n_candidates = 1,
			.candidates = {{.name = "avx2", .cycles = {400, 500, 600}}}},
	};
	struct tables_dimensions dimensions = {
		.n_sessions = 8,
		.n_children = 16,
		.n_workers = 2,
		.n_ports = 1,
		.n_reasons = 2,
		.n_figures = 2,
		.figure_names = figures,
		.reason_names = reasons,
		.reason_kinds = kinds,
		.port_names = {"sluice-test0"},
		.crypto = crypto,
		.replay_window = 1024,
		.tsc_hz = 1000000000,
	};
	struct world *world = calloc(1, sizeof(*world));
	char error[TABLES_ERROR_LEN];

	assert_non_null(world);
	fake_ike = (struct fake_ike){0};
	log_open("test", LOG_LEVEL_ERROR);
	config_fill(world);
	world->base = event_base_new();
	world->changes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(tables_create(&world->tables, &dimensions, error), 0);
	world_start_control(world);
	*state = world;
	return 0;
}

int world_teardown(void **state)
{
	struct world *world = *state;

	world_stop_control(world);
	tables_unmap(&world->tables);
	close(world->changes_fd);
	event_base_free(world->base);
	free(world);
	return 0;
}

static void phase_set(_Atomic uint32_t *phase, uint32_t value)
{
	atomic_store_explicit(phase, value, memory_order_release);
}

static void take_install(struct world *world, const struct tables_change *change)
{
	struct tables_child *child = &world->tables.children[change->index];

	if (world->refuse) {
		phase_set(&child->phase, TABLES_FREE);
		return;
	}
	for (uint32_t thread = 0; thread <= world->tables.n_workers; thread++)
		memset(&tables_counters(&world->tables, thread)->traffic[change->index], 0,
			sizeof(struct tables_traffic));
	if (atomic_load(&child->phase) == TABLES_CLAIMED)
		phase_set(&child->phase, TABLES_LIVE);
	if (atomic_load(&world->tables.sessions[child->session].phase) == TABLES_CLAIMED) {
		place_write(&world->tables.sessions[child->session].place, &change->install.local,
			&change->install.remote, change->install.encapsulation);
		phase_set(&world->tables.sessions[child->session].phase, TABLES_LIVE);
	}
}

static void take_change(struct world *world, const struct tables_change *change)
{
	struct tables_event done = {
		.kind = TABLES_EVENT_DONE, .change = change->kind, .index = change->index, .id = change->id};

	switch (change->kind) {
	case TABLES_INSTALL:
		done.result = world->refuse;
		take_install(world, change);
		break;
	case TABLES_REMOVE_CHILD: phase_set(&world->tables.children[change->index].phase, TABLES_FREE); break;
	case TABLES_REMOVE_SESSION: phase_set(&world->tables.sessions[change->index].phase, TABLES_FREE); break;
	case TABLES_MOVE:
		place_write(&world->tables.sessions[change->index].place, &change->move.local, &change->move.remote,
			change->move.encapsulation);
		break;
	case TABLES_ACTIVATE: break;
	default: return;
	}
	world_event(world, &done);
}

void world_follow(struct world *world, unsigned peer, const struct endpoint *remote)
{
	struct tables_session *record = world_record(world, peer);
	struct tables_event event = {
		.kind = TABLES_EVENT_MOVED,
		.index = (uint32_t)(record - world->tables.sessions),
		.id = record->id,
		.local = record->local,
		.source = *remote,
	};

	place_write(&record->place, &record->local, remote, TABLES_ENCAPSULATION_UDP);
	world_event(world, &event);
}

void world_event(struct world *world, const struct tables_event *event)
{
	bool is_main = event->kind == TABLES_EVENT_DONE || event->kind == TABLES_EVENT_CONNECTION_ENDED;

	assert_int_equal(ring_push(&world->tables.events[is_main ? 0 : 1], event), 0);
}

void world_dataplane(struct world *world)
{
	struct tables_change change;

	gateway_settle(&world->gateway);
	while (ring_pop(&world->tables.changes, &change) == 1) {
		if (world->n_changes < WORLD_CHANGES)
			world->changes[world->n_changes++] = change;
		take_change(world, &change);
	}
}

void world_turn(struct world *world)
{
	/* Twice: what the answers cause is taken up too. */
	for (int i = 0; i < 2; i++) {
		world_dataplane(world);
		events_drain(&world->gateway);
	}
}

struct ike_child world_child(struct world *world, unsigned peer, unsigned host, uint16_t port)
{
	static uint64_t last_id;
	static const uint8_t keymat[2][ESP_KEYMAT_MAX] = {{1}, {2}};
	struct ike_child child = {
		.ike_sa = 1,
		.id = last_id + 1,
		.peer = &world->peers[peer],
		.identity = world->peers[peer].identity,
		.local = {.address = address_ipv4(0xc0a802c8), .port = port ? 4500 : 500},
		.remote = {.address = address_ipv4(0xc6336400 | host), .port = port ? port : 500},
		.udp_encapsulation = port != 0,
		.spi_out = 0x1000 + (uint32_t)last_id,
		.suite = ESP_AES256_GCM,
		.keymat_in = keymat[0],
		.keymat_out = keymat[1],
		.lifetime = 3600,
	};

	last_id++;
	assert_int_equal(prefix_parse("192.168.2.0/24", &child.local_network), 0);
	assert_int_equal(prefix_parse("192.168.1.0/24", &child.remote_network), 0);
	return child;
}

uint32_t world_install(struct world *world, struct ike_child *child)
{
	assert_int_equal(world->host.spi_reserve(world->host.context, &child->spi_in), 0);
	return world->host.child_install(world->host.context, child) == 0 ? child->spi_in : 0;
}

uint32_t world_install_active(struct world *world, struct ike_child *child)
{
	uint32_t spi = world_install(world, child);

	assert_int_not_equal(spi, 0);
	world->host.child_activate(world->host.context, child->id, spi);
	world_turn(world);
	return spi;
}

unsigned world_took(const struct world *world, enum tables_change_kind kind, struct tables_change *out)
{
	unsigned count = 0;

	for (size_t i = 0; i < world->n_changes; i++) {
		if (world->changes[i].kind != kind)
			continue;
		count++;
		if (out)
			*out = world->changes[i];
	}
	return count;
}

uint32_t world_find(const struct world *world, unsigned peer)
{
	return sessions_find(world->gateway.install->sessions, &world->peers[peer], world->peers[peer].identity);
}

struct session *world_session(struct world *world, unsigned peer)
{
	uint32_t index = world_find(world, peer);

	return index == TABLES_NONE ? NULL : &world->gateway.install->sessions->sessions[index];
}

struct tables_session *world_record(struct world *world, unsigned peer)
{
	uint32_t index = world_find(world, peer);

	return index == TABLES_NONE ? NULL : &world->tables.sessions[index];
}
