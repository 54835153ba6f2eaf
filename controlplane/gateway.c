/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include "adopt.h"
#include "clock.h"
#include "dpd.h"
#include "events.h"
#include "ferry.h"
#include "host.h"
#include "lost.h"
#include "streams_takeover.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELPERS_MAX = 8, JOBS_WAITING_MAX = 4096 };

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void gateway_settle(struct gateway *gateway)
{
	uint64_t wait;
	struct timeval timeout;

	registrations_settle(gateway->registrations);
	wait = registrations_run_timers(gateway->registrations);
	if (gateway->ike)
		wait = least(wait, ike_run_timers(gateway->ike));
	if (wait == UINT64_MAX) {
		if (gateway->ike_timer)
			event_del(gateway->ike_timer);
	} else {
		timeout =
			(struct timeval){.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};
		event_add(gateway->ike_timer, &timeout);
	}
	if (gateway->install)
		install_flush(gateway->install);
}

static void on_ike_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	gateway_settle(context);
}

static void on_events(void *context)
{
	struct gateway *gateway = context;

	if (events_drain(gateway))
		attachment_events_again(gateway->attachment);
	gateway_settle(gateway);
}

/* What has no event of its own: adopted SAs grow old, and changes may wait for room in the ring. */
static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct gateway *gateway = context;

	(void)fd;
	(void)what;
	registrations_tick(gateway->registrations, clock_now_ms());
	ferry_tick(gateway);
	if (!gateway->install)
		return;
	adopt_expire(gateway->install, clock_unix());
	lost_tick(gateway);
	dpd_tick(gateway, clock_now_ms());
	on_events(gateway);
}

static void on_message(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	struct gateway *gateway = context;

	if (gateway->ike)
		ike_input(gateway->ike, local, remote, floated, message, message_len);
}

static void on_notice(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *datagram,
	size_t datagram_len)
{
	struct gateway *gateway = context;

	registrations_notice(gateway->registrations, local, remote, datagram, datagram_len);
}

static void on_settle(void *context)
{
	gateway_settle(context);
}

static void on_net_change(void *context, enum tables_change_kind kind, const struct writer_net *net)
{
	struct gateway *gateway = context;

	install_net_change(gateway->install, kind, net);
}

static void on_stream_ike(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	/* As on the NAT port: what is agreed on goes the same way (RFC 3947 section 4, RFC 9329 section 3). */
	on_message(context, local, remote, true, message, message_len);
}

static void mirror_start(struct gateway *gateway)
{
	struct mirror_sink sink = {.context = gateway, .change = on_net_change, .settle = on_settle};

	gateway->mirror =
		mirror_new(gateway->base, gateway->tables->header->port_names, gateway->tables->n_ports, &sink);
	if (!gateway->mirror)
		log_error("event=mirror_failed reason=\"the kernel's addresses and routes can't be read: %m; the data "
			  "plane will not know where to send\"");
}

/* Takes the attachment apart. */
static void install_stop(struct gateway *gateway)
{
	struct install *install = gateway->install;

	mirror_free(gateway->mirror);
	gateway->mirror = NULL;
	gateway->install = NULL;
	gateway->tables = NULL;
	if (install)
		install_close(install);
	free(install);
}

int gateway_attached(struct gateway *gateway, struct tables *tables, int changes_fd)
{
	struct install *install = calloc(1, sizeof(*install));
	int rc = install ? install_open(install, gateway->config, tables, changes_fd) : -ENOMEM;

	if (rc < 0) {
		free(install);
		return rc;
	}
	gateway->tables = tables;
	gateway->install = install;
	gateway->attached_at = clock_unix();
	/* First the ends of what the former process began: they free slots. */
	events_drain(gateway);
	gateway->adopted = adopt_all(install, gateway->peers);
	rc = streams_attach(gateway->streams, install, gateway->attachment);
	if (rc < 0) {
		install_stop(gateway);
		return rc;
	}
	ferry_adopted(gateway);
	log_info("event=dataplane_attached workers=%u ports=%u max_sessions=%u max_children=%u adopted=%u",
		tables->n_workers, tables->n_ports, tables->n_sessions, tables->n_children, gateway->adopted);
	mirror_start(gateway);
	gateway_settle(gateway);
	return 0;
}

static int on_attached(void *context, struct tables *tables, int changes_fd)
{
	return gateway_attached(context, tables, changes_fd);
}

void gateway_detached(struct gateway *gateway)
{
	uint32_t lost = gateway->install ? gateway->install->sessions->n_sessions : 0;

	streams_detach(gateway->streams);
	install_stop(gateway);
	lost_begin(gateway);
	log_warning("event=sessions_lost sessions=%u reason=\"peers are told when they can be reached again\"", lost);
	gateway_settle(gateway);
}

static void on_detached(void *context)
{
	gateway_detached(context);
}

size_t gateway_delete_peer(
	struct gateway *gateway, const struct config_peer *peer, const char *identity, const char *why)
{
	size_t deleted = ike_peer_delete(gateway->ike, peer, identity);

	/* What IKE knew went with it; adopted sessions are left. */
	for (uint32_t i = 0; gateway->install && i < gateway->tables->n_sessions; i++) {
		if (!sessions_match(gateway->install->sessions, i, peer, identity))
			continue;
		install_session_remove(gateway->install, i, why);
		deleted++;
	}
	return deleted;
}

int gateway_bind(struct gateway *gateway, const struct config *config, struct event_base *base)
{
	struct sockets_handler handler = {
		.context = gateway, .input = on_message, .notice = on_notice, .settle = on_settle};
	struct streams_handler streams = {.context = gateway,
		.ike = on_stream_ike,
		.esp = ferry_to_dataplane,
		.lost = ferry_lost,
		.moved = ferry_moved,
		.settle = on_settle};

	*gateway = (struct gateway){.config = config, .base = base, .started_at = clock_unix()};
	gateway->sockets = sockets_open(base, &config->ike, &handler);
	if (!gateway->sockets)
		return -errno;
	gateway->streams = streams_open(base, &config->ike, &streams);
	return gateway->streams ? 0 : -errno;
}

/* One for each processor that this process may run on. */
static unsigned helpers(void)
{
	cpu_set_t processors;
	int count = sched_getaffinity(0, sizeof(processors), &processors) == 0 ? CPU_COUNT(&processors) : 1;

	return count < HELPERS_MAX ? (unsigned)count : HELPERS_MAX;
}

int gateway_open(struct gateway *gateway, const struct config *config, struct event_base *base)
{
	static const struct timeval second = {.tv_sec = 1};
	struct attachment_hooks hooks = {
		.context = gateway, .attached = on_attached, .detached = on_detached, .events = on_events,
		.bundle = ferry_from_dataplane};
	struct ike_host host = host_make(gateway);
	char path[CONFIG_PATH_LEN];
	int rc = 0;

	snprintf(path, sizeof(path), "%s/dataplane.sock", config->runtime_dir);
	gateway->peers = peers_new(config);
	gateway->ike_timer = evtimer_new(base, on_ike_timer, gateway);
	gateway->tick = event_new(base, -1, EV_PERSIST, on_tick, gateway);
	if (!gateway->peers || !gateway->ike_timer || !gateway->tick || event_add(gateway->tick, &second) < 0)
		goto fail;
	gateway->clients = clients_new(gateway);
	if (!gateway->clients)
		goto fail;
	gateway->timeline = timeline_new(config);
	gateway->ike = gateway->timeline ? ike_new(config, &host) : NULL;
	if (!gateway->ike)
		goto fail;
	if (config->registration.n_ports > 0) {
		gateway->registrations = registrations_new(gateway);
		if (!gateway->registrations)
			goto fail;
		rc = registrations_listen(gateway->registrations);
	}
	if (rc < 0)
		goto close;
	gateway->jobs = jobs_new(base, helpers(), JOBS_WAITING_MAX);
	if (!gateway->jobs)
		goto fail;
	gateway->attachment = attachment_new(base, path, &hooks);
	if (!gateway->attachment)
		goto fail;
	gateway_settle(gateway);
	return 0;
fail:
	log_error("event=start_failed reason=\"no memory\"");
	rc = -ENOMEM;
close:
	gateway_close(gateway);
	return rc;
}

int gateway_use_credentials(struct gateway *gateway, const struct credentials *credentials, char why[TLS_WHY_LEN])
{
	int rc = registrations_use_credentials(gateway->registrations, credentials, why);

	if (rc < 0)
		return rc;
	gateway->credentials = credentials;
	ike_use_credentials(gateway->ike, credentials);
	return 0;
}

void gateway_close(struct gateway *gateway)
{
	streams_close(gateway->streams);
	gateway->streams = NULL;
	install_stop(gateway);
	attachment_free(gateway->attachment);
	registrations_free(gateway->registrations);
	gateway->registrations = NULL;
	if (gateway->ike)
		ike_free(gateway->ike);
	gateway->ike = NULL;
	jobs_free(gateway->jobs); /* behind the engine: what comes back finds nobody */
	clients_free(gateway->clients);
	timeline_free(gateway->timeline);
	if (gateway->tick)
		event_free(gateway->tick);
	if (gateway->ike_timer)
		event_free(gateway->ike_timer);
	peers_free(gateway->peers);
	sockets_close(gateway->sockets);
	*gateway = (struct gateway){0};
}
