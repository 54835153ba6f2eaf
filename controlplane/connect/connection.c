/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/connection.h"

#include "clock.h"
#include "config/log.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum { NETWORK_SETTLES_MS = 200 };

uint32_t connection_random(void)
{
	uint32_t number = 0;

	(void)RAND_bytes((unsigned char *)&number, sizeof(number));
	return number;
}

static struct timeval timeval_of(uint64_t ms)
{
	return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static void on_device(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)fd;
	(void)what;
	tun_path_device_readable(&connection->path);
	connection_settle(connection);
}

void connection_message(struct connection *connection, const struct endpoint *local, const struct endpoint *remote,
	bool floated, const uint8_t *message, size_t message_len)
{
	if (connection_admits(connection, message, message_len))
		ike_input(connection->ike, local, remote, floated, message, message_len);
}

static void on_message(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *message, size_t message_len)
{
	connection_message(context, local, remote, floated, message, message_len);
}

static void on_notice(void *context, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len)
{
	noticing_input(context, remote, datagram, datagram_len);
}

static void on_soft_limit(void *context, uint32_t spi_in)
{
	struct connection *connection = context;

	if (ike_child_rekey(connection->ike, spi_in) == 0)
		log_info("event=child_rekeying spi_in=%08x", spi_in);
	else
		connection->renew = true;
}

int connection_watch(struct connection *connection, struct event **event, int fd, event_callback_fn callback)
{
	*event = event_new(connection->base, fd, EV_READ | EV_PERSIST, callback, connection);
	return *event && event_add(*event, NULL) == 0 ? 0 : -ENOMEM;
}

const uint16_t *connection_ports(const struct connection *connection, size_t *count)
{
	const struct connect_config *config = connection->config;

	switch (connection->phase) {
	case CONNECTION_REGISTERING: *count = config->n_registration; return config->registration;
	case CONNECTION_REGISTERED: *count = connection->n_candidates; return connection->candidates;
	case CONNECTION_ALONE: break;
	}
	*count = connection->configured ? connection->n_candidates : config->n_ports;
	return connection->configured ? connection->candidates : config->ports;
}

void connection_enter(struct connection *connection, enum connection_phase phase)
{
	size_t count;

	connection->phase = phase;
	(void)connection_ports(connection, &count);
	connection->dial.settings.n_ports = (uint16_t)count;
	connection->dial.first = phase == CONNECTION_REGISTERING ? connection->first_registration : 0;
}

static void tunnel_up(struct connection *connection, uint64_t now_ms)
{
	char text[ENDPOINT_TEXT_LEN];

	dial_established(&connection->dial, now_ms);
	connection->answered = false;
	connection->counters.connected++;
	connection->up_since = clock_unix();
	connection->verdict.code = NULL;
	connection->lost_why[0] = '\0';
	connection_life_begin(connection, now_ms);
	resuming_init(connection);
	/* What an earlier dial left of IKE SAs and child SAs has its successor now. */
	ike_peer_keep_newest(connection->ike, &connection->config->peer);
	connection_network_up(connection);
	log_info("event=connected gateway=%s identity=\"%s\" interface=%s",
		endpoint_format(&connection->path.remote, text), connection->config->peer.identity,
		connection->path.device.name);
	connection->hooks.up(connection->hooks.context);
}

/* What there is goes on carrying until its successor does; but only that is a tunnel again. */
static void tunnel_leave(struct connection *connection)
{
	connection->renewing = false;
	connection->activations = connection->path.children.activations;
	register_end(connection);
	noticing_end(connection);
	over_tcp_drop_next(connection);
	resuming_init(connection);
	if (connection->configured)
		connection_enter(connection, CONNECTION_REGISTERING);
	connection_network_down(connection);
}

static void tunnel_lost(struct connection *connection, const char *why, uint64_t now_ms)
{
	connection->counters.lost++;
	explain_set(&connection->verdict, "lost", "the tunnel was lost: %s; it is dialed anew", why);
	log_warning("event=lost reason=\"%s\"", why);
	tunnel_leave(connection);
	dial_lost(&connection->dial, now_ms, connection_random());
}

/* While it stands: whether it does still, and in which connection. */
static void look_at_tunnel(struct connection *connection, uint64_t now_ms)
{
	const char *why = NULL;

	if (connection->renewing && connection->tcp.next &&
		connection->path.children.activations != connection->activations) {
		over_tcp_promote(connection);
		resuming_init(connection);
	}
	if (connection->path.children.n_current == 0) {
		why = connection->lost_why[0] ? connection->lost_why : "its last child SA is gone";
	} else {
		if (over_tcp_is_lost(connection))
			resuming_begin(connection, connection->tcp.ended_why);
		why = resuming_run(connection, now_ms, connection_random());
	}
	if (why)
		tunnel_lost(connection, why, now_ms);
}

/* What the engine has told since the last time. */
static void take_effect(struct connection *connection, uint64_t now_ms)
{
	bool was_answered = connection->answered;

	if (connection->assigned) {
		connection->assigned = false;
		connection_network_set(connection);
	}
	if (connection->dial.state == DIAL_TRYING && was_answered && connection->n_cookies > 1) {
		/* One of several is established: the others are of no use any more. */
		ike_peer_abandon(connection->ike, &connection->config->peer);
		connection->n_cookies = 1;
	}
	if (connection->dial.state == DIAL_TRYING && connection->path.children.activations != connection->activations)
		tunnel_up(connection, now_ms);
	if (connection->dial.state == DIAL_UP)
		look_at_tunnel(connection, now_ms);
}

/* When something is due, milliseconds from now; UINT64_MAX: never. `wait`: when IKE's timers are. */
static uint64_t next_due(const struct connection *connection, uint64_t now_ms, uint64_t wait)
{
	const uint64_t dues[] = {connection->dial.due_ms, connection->resuming.redial.due_ms};

	for (size_t i = 0; i < sizeof(dues) / sizeof(dues[0]); i++)
		if (dues[i] != UINT64_MAX && dues[i] - now_ms < wait)
			wait = dues[i] - now_ms;
	return wait;
}

void connection_settle(struct connection *connection)
{
	uint64_t now_ms = clock_now_ms(), wait;
	enum dial_step step;
	struct timeval timeout;

	ike_run_timers(connection->ike);
	take_effect(connection, now_ms);
	while ((step = dial_run(&connection->dial, now_ms, connection_random())) != DIAL_NOTHING) {
		if (step == DIAL_TRY)
			connection_try_begin(connection, now_ms);
		else
			connection_give_up(connection);
	}
	/* What was begun just now has timers of its own. */
	wait = next_due(connection, now_ms, ike_run_timers(connection->ike));
	if (wait == UINT64_MAX) {
		event_del(connection->timer);
		return;
	}
	timeout = timeval_of(wait);
	event_add(connection->timer, &timeout);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	connection_settle(context);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;
	uint64_t now_ms = clock_now_ms();
	const char *gone;

	(void)fd;
	(void)what;
	if (connection->dial.state != DIAL_UP)
		return;
	gone = connection_live(connection, now_ms);
	if (gone)
		tunnel_lost(connection, gone, now_ms);
	connection_settle(connection);
}

/* Changes come in flocks: the first one is answered when they have settled. */
static void on_network(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval settles = {.tv_usec = NETWORK_SETTLES_MS * 1000};
	struct connection *connection = context;

	(void)fd;
	(void)what;
	kernel_changed(connection->kernel);
	if (!event_pending(connection->network_timer, EV_TIMEOUT, NULL))
		event_add(connection->network_timer, &settles);
}

static void on_network_settled(evutil_socket_t fd, short what, void *context)
{
	struct connection *connection = context;

	(void)fd;
	(void)what;
	if (connection->dial.state == DIAL_IDLE || !connection_is_elsewhere(connection))
		return;
	connection->counters.network_changes++;
	if (connection->dial.state == DIAL_UP && connection->path.stream && !connection->renewing) {
		resuming_begin(connection, "this host has another address towards the gateway");
		resuming_hurry(connection);
		connection_settle(connection);
		return;
	}
	connection->noticing.in_vain = connection->registering.by_tcp = false;
	log_info("event=network_changed reason=\"this host has another address towards the gateway\"");
	tunnel_leave(connection);
	connection->dial.vain = 0;
	dial_start(&connection->dial, clock_now_ms());
	connection_settle(connection);
}

static int open_events(struct connection *connection)
{
	static const struct timeval second = {.tv_sec = 1};

	connection->timer = evtimer_new(connection->base, on_timer, connection);
	connection->network_timer = evtimer_new(connection->base, on_network_settled, connection);
	connection->tick = event_new(connection->base, -1, EV_PERSIST, on_tick, connection);
	if (!connection->timer || !connection->network_timer || !connection->tick ||
		event_add(connection->tick, &second) < 0)
		return -ENOMEM;
	if (connection_watch(connection, &connection->device_event, connection->path.device.fd, on_device) < 0)
		return -ENOMEM;
	return connection_watch(
		connection, &connection->network_event, kernel_changes_fd(connection->kernel), on_network);
}

static int open_device(struct connection *connection)
{
	const char *name = connection->config->interface;
	int rc = tun_device_open(&connection->path.device, name);

	if (rc < 0)
		log_error("event=start_failed reason=\"the interface %s can't be made: %s%s\"", name, strerror(-rc),
			rc == -EBUSY	? "; another sluice-connect has it: give this one another name (interface)"
			: rc == -EPERM	? "; be root, or have CAP_NET_ADMIN"
			: rc == -ENOENT ? "; this kernel has no TUN devices (modprobe tun)"
					: "");
	return rc;
}

static void undo_former(struct connection *connection)
{
	struct routes_kernel kernel = {
		.context = connection->kernel, .add = kernel_route_add, .remove = kernel_route_remove};
	unsigned count;

	undo_init(&connection->undo, connection->config->base.runtime_dir, connection->config->interface);
	count = undo_leftovers(&connection->undo, &kernel);
	if (count > 0)
		log_info("event=leftovers_undone count=%u reason=\"an earlier sluice-connect was killed\"", count);
}

int connection_open(struct connection *connection, struct connect_config *config, const struct credentials *credentials,
	struct event_base *base, const struct connection_hooks *hooks)
{
	const struct dial_settings settings = {
		.n_ports = config->n_ports,
		.patience_ms = config->patience * 1000,
		.retry_max_ms = config->retry_max * 1000,
	};
	struct tun_handler handler = {
		.context = connection, .message = on_message, .notice = on_notice, .soft_limit = on_soft_limit};
	struct ike_host host;
	int rc;

	*connection = (struct connection){.config = config, .credentials = credentials, .base = base, .hooks = *hooks};
	host = connection_host(connection);
	dial_init(&connection->dial, &settings);
	redial_init(&connection->resuming.redial);
	rc = tun_path_init(&connection->path, &config->peer.tunnel, &handler, connection_random());
	if (rc < 0) {
		log_error("event=start_failed reason=\"the data path can't be made: %s\"", strerror(-rc));
		return rc;
	}
	rc = over_tcp_open(connection);
	if (rc == 0)
		rc = open_device(connection);
	if (rc < 0)
		return rc;
	connection->kernel = kernel_open();
	connection->ike = connection->kernel ? ike_new(&config->base, &host) : NULL;
	if (!connection->ike) {
		log_error("event=start_failed reason=\"%m\"");
		return -errno;
	}
	undo_former(connection);
	rc = open_events(connection);
	return rc == 0 && config->n_methods > 0 ? register_open(connection) : rc;
}

int connection_start(struct connection *connection)
{
	static const struct timeval at_once = {.tv_sec = 0};

	/* From within the loop, so that a hook that ends it is heard. */
	dial_start(&connection->dial, clock_now_ms());
	return event_add(connection->timer, &at_once) < 0 ? -ENOMEM : 0;
}

unsigned connection_rekey(struct connection *connection)
{
	uint32_t spis[TUN_CHILDREN_MAX];
	size_t count = connection->path.children.n_current;
	unsigned begun = 0;

	for (size_t i = 0; i < count; i++)
		spis[i] = connection->path.children.current[i]->spi_in;
	for (size_t i = 0; i < count; i++)
		begun += ike_child_rekey(connection->ike, spis[i]) == 0;
	return begun;
}

void connection_close(struct connection *connection)
{
	struct event **events[] = {&connection->device_event, &connection->socket_event, &connection->plain_event,
		&connection->network_event, &connection->timer, &connection->tick, &connection->network_timer};

	if (connection->ike)
		ike_peer_delete(connection->ike, &connection->config->peer, NULL);
	over_tcp_close(connection);
	connection_network_undo(connection);
	register_close(connection);
	noticing_end(connection);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (*events[i])
			event_free(*events[i]);
		*events[i] = NULL;
	}
	ike_free(connection->ike);
	connection->ike = NULL;
	kernel_close(connection->kernel);
	connection->kernel = NULL;
	tun_path_free(&connection->path);
	connection_terms_wipe(connection);
}
