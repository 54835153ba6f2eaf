/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A control plane on real shared tables, with a data plane played by the test and an IKE engine that only notes. The
 * test speaks as the engine through world.host, and as the data plane through the functions below.
 */
#pragma once

#include "fake_ike.h"
#include "gateway.h"

enum { WORLD_PEERS = 3, WORLD_CHANGES = 256 };

struct world {
	struct config config;
	struct config_peer peers[WORLD_PEERS];
	struct event_base *base;
	struct tables tables;
	int changes_fd;
	struct gateway gateway;
	struct ike_host host;
	struct tables_change changes[WORLD_CHANGES]; /* that the data plane took, without SWEEP and the like */
	size_t n_changes;
	int refuse; /* the data plane answers installs with this */
	struct attachment *attachment; /* the next control plane's; NULL: none */
	size_t n_ike;		       /* messages that came in TCP connections; the last one from: */
	struct endpoint ike_remote;
};

/* For cmocka. */
int world_setup(void **state);
int world_teardown(void **state);

/* The control plane process ends and another begins; the data plane stays. */
void world_restart_control(struct world *world);
void world_start_control(struct world *world);
void world_stop_control(struct world *world);

/* The data plane takes all changes up and answers, and the control plane takes the answers. */
void world_turn(struct world *world);
/* The first half of it. */
void world_dataplane(struct world *world);

/* The data plane follows the peer's packets to `remote` and says so. */
void world_follow(struct world *world, unsigned peer, const struct endpoint *remote);

void world_event(struct world *world, const struct tables_event *event);

/* A child SA of peer `peer`, behind a NAT where `port` is not 0, from 198.51.100.`host`; not installed. */
struct ike_child world_child(struct world *world, unsigned peer, unsigned host, uint16_t port);

/* Reserves an SPI and installs; the SPI, or 0 when that failed. */
uint32_t world_install(struct world *world, struct ike_child *child);
uint32_t world_install_active(struct world *world, struct ike_child *child);

/* How many changes of this kind the data plane took since world.n_changes was last 0; the last of them in `out`. */
unsigned world_took(const struct world *world, enum tables_change_kind kind, struct tables_change *out);

/* Index of the session that world_child of this peer makes; TABLES_NONE. */
uint32_t world_find(const struct world *world, unsigned peer);
struct session *world_session(struct world *world, unsigned peer);
struct tables_session *world_record(struct world *world, unsigned peer);
