/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include "adopt.h"
#include "clock.h"
#include "ferry.h"
#include "journal.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static uint64_t host_now_ms(void *context)
{
	(void)context;
	return clock_now_ms();
}

static int host_random(void *context, void *out, size_t len)
{
	(void)context;
	return len <= INT32_MAX && RAND_priv_bytes(out, (int)len) == 1 ? 0 : -EIO;
}

static void host_send(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct gateway *gateway = context;

	if (local->transport == ENDPOINT_TCP)
		streams_send_ike(gateway->streams, local, remote, message, message_len);
	else
		sockets_send(gateway->sockets, local, remote, message, message_len);
}

static void host_keepalive(void *context, const struct endpoint *local, const struct endpoint *remote)
{
	struct gateway *gateway = context;

	/* TCP has its own (RFC 9329 section 7.6). */
	if (local->transport != ENDPOINT_TCP)
		sockets_keepalive(gateway->sockets, local, remote);
}

static int host_spi_reserve(void *context, uint32_t *spi)
{
	struct gateway *gateway = context;
	int rc = gateway->install ? install_spi_reserve(gateway->install, spi) : -ENODEV;

	if (rc < 0 && log_limit_pass(&gateway->limit_no_dataplane, clock_now_ms()))
		log_error("event=child_not_negotiated reason=\"%s\"", rc == -ENODEV ? "no data plane is attached"
										    : "all child SA records are in use "
										      "(dataplane.max_children)");
	return rc;
}

static void host_spi_release(void *context, uint32_t spi)
{
	struct gateway *gateway = context;

	if (gateway->install)
		install_spi_release(gateway->install, spi);
}

static const char *host_carrier(const struct ike_child *child)
{
	if (child->local.transport == ENDPOINT_TCP)
		return " in TCP";
	return child->udp_encapsulation ? " in UDP" : "";
}

static int host_child_install(void *context, const struct ike_child *child)
{
	struct gateway *gateway = context;
	int rc = gateway->install ? install_child(gateway->install, child) : -ENODEV;
	const struct esp_suite *suite = esp_suite_get(child->suite);
	char local[PREFIX_TEXT_LEN], remote[PREFIX_TEXT_LEN];

	if (rc == 0)
		ferry_follow(gateway, child->peer, child->identity);
	if (rc < 0)
		timeline_note(gateway->timeline, TIMELINE_DATAPLANE, child->ike_sa, child->peer, child->identity,
			clock_now_ms(), "child SA %08x could not be installed: %s", child->spi_in,
			rc == -ENODEV ? "no data plane is attached" : strerror(-rc));
	else
		timeline_note(gateway->timeline, TIMELINE_INSTALLED, child->ike_sa, child->peer, child->identity,
			clock_now_ms(), "child SA %08x in, %08x out, %s%s%s, %s here, %s there", child->spi_in,
			child->spi_out, suite ? suite->name : "unknown", child->extended ? " with 64-bit numbers" : "",
			host_carrier(child), prefix_format(&child->local_network, local),
			prefix_format(&child->remote_network, remote));
	return rc;
}

/* The engine may still speak of a child SA that went with a data plane, while the next one gave its SPI out again. */
static bool host_knows(const struct gateway *gateway, uint64_t child_id, uint32_t spi_in)
{
	uint32_t index = gateway->install ? sessions_child_find(gateway->install->sessions, spi_in) : TABLES_NONE;

	return index != TABLES_NONE && gateway->install->sessions->children[index].ike_child == child_id;
}

static void host_child_activate(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct gateway *gateway = context;
	const struct sessions *sessions;
	uint32_t child, session;

	if (!host_knows(gateway, child_id, spi_in))
		return;
	install_child_activate(gateway->install, spi_in);
	sessions = gateway->install->sessions;
	child = sessions_child_find(sessions, spi_in);
	if (child == TABLES_NONE)
		return;
	session = sessions->children[child].session;
	registrations_activated(gateway->registrations, sessions->sessions[session].ike_sa);
	ferry_take_over(gateway, session);
}

static void host_note_removed(struct gateway *gateway, uint32_t spi_in)
{
	const struct sessions *sessions = gateway->install->sessions;
	uint32_t child = sessions_child_find(sessions, spi_in);
	struct session_traffic carried = sessions_child_traffic(sessions, child);
	const struct session *session = &sessions->sessions[sessions->children[child].session];

	timeline_note(gateway->timeline, TIMELINE_REMOVED, session->ike_sa, session->peer,
		session->identity, clock_now_ms(),
		"child SA %08x, which carried %" PRIu64 " packets in and %" PRIu64 " out", spi_in, carried.packets_in,
		carried.packets_out);
}

static void host_child_remove(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct gateway *gateway = context;

	if (!host_knows(gateway, child_id, spi_in))
		return;
	host_note_removed(gateway, spi_in);
	install_child_remove(gateway->install, spi_in);
}

/* The engine tells why by IKE_EVENT_MOVED; here the data follows. */
static void host_peer_moved(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct gateway *gateway = context;
	uint32_t session = gateway->install ? sessions_find(gateway->install->sessions, peer, identity) : TABLES_NONE;
	char text[ENDPOINT_TEXT_LEN];
	struct endpoint data_local = *local, before;

	if (session == TABLES_NONE)
		return;
	before = gateway->tables->sessions[session].remote;
	if (!install_session_move(gateway->install, session, &data_local, remote,
		    install_place_of(gateway->install, session, &data_local)))
		return;
	ferry_resume(gateway, session, &before);
	ferry_take_over(gateway, session);
	gateway->counters.sessions_moved++;
	log_info("event=session_moved session=%" PRIu64 " peer=%s ike_sa=%" PRIu64
		 " remote=%s reason=\"an authentic IKE message came from there\"",
		gateway->install->sessions->sessions[session].id, peer->name, ike_sa, endpoint_format(remote, text));
}

static void host_event(void *context, const struct ike_event *event)
{
	struct gateway *gateway = context;

	/* What an IKE SA has proved is that its peer is there. */
	if (event->local.transport == ENDPOINT_TCP &&
		(event->kind == IKE_EVENT_ESTABLISHED || event->kind == IKE_EVENT_MOVED))
		streams_confirm(gateway->streams, &event->local, &event->remote);
	journal_ike_event(event);
	timeline_event(gateway->timeline, event, clock_now_ms());
	if (event->kind == IKE_EVENT_ENDED)
		registrations_ike_ended(gateway->registrations, event->ike_sa);
	/* What the engine knew of it, it removes by itself. */
	if (event->kind == IKE_EVENT_INITIAL_CONTACT && event->peer && gateway->install)
		adopt_forget(gateway->install, event->peer, event->identity);
}

static void host_message(void *context, const struct ike_message *message)
{
	struct gateway *gateway = context;

	timeline_message(gateway->timeline, message, clock_now_ms());
}

static int host_login(void *context, const struct ike_login *login)
{
	struct gateway *gateway = context;

	return clients_login(gateway->clients, login);
}

static int host_lease(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
	char why[IKE_WHY_LEN])
{
	struct gateway *gateway = context;

	return clients_lease(gateway->clients, peer, identity, out, why);
}

static int host_registered(void *context, const char *identity, struct ike_registered *out)
{
	return registrations_find(((struct gateway *)context)->registrations, identity, out);
}

static int host_registered_take(void *context, uint64_t number, uint64_t ike_sa)
{
	return registrations_take(((struct gateway *)context)->registrations, number, ike_sa);
}

/* A job of the engine's on its way through a helper thread. */
struct host_job {
	struct job job;
	struct gateway *gateway;
	struct ike_job *ike_job;
};

static void host_job_work(struct job *job)
{
	ike_job_run(((struct host_job *)job)->ike_job);
}

static void host_job_done(struct job *job)
{
	struct host_job *mine = (struct host_job *)job;

	ike_job_done(mine->ike_job);
	if (mine->gateway->ike) /* else this is the end */
		gateway_settle(mine->gateway);
	free(mine);
}

static int host_compute(void *context, struct ike_job *ike_job, bool begun)
{
	struct host_job *job = malloc(sizeof(*job));
	struct gateway *gateway = context;
	int rc;

	if (!job)
		return -ENOMEM;
	*job = (struct host_job){
		.job = {.work = host_job_work, .done = host_job_done, .urgent = begun},
		.gateway = gateway,
		.ike_job = ike_job,
	};
	rc = jobs_submit(gateway->jobs, &job->job);
	if (rc < 0)
		free(job);
	return rc;
}

struct ike_host host_make(struct gateway *gateway)
{
	return (struct ike_host){
		.context = gateway,
		.credentials = gateway->credentials,
		.now_ms = host_now_ms,
		.random = host_random,
		.send = host_send,
		.keepalive = host_keepalive,
		.spi_reserve = host_spi_reserve,
		.spi_release = host_spi_release,
		.child_install = host_child_install,
		.child_activate = host_child_activate,
		.child_remove = host_child_remove,
		.peer_moved = host_peer_moved,
		.event = host_event,
		.message = host_message,
		.login = host_login,
		.lease = host_lease,
		.registered = host_registered,
		.registered_take = host_registered_take,
		.compute = host_compute,
	};
}
