/* SPDX-License-Identifier: Apache-2.0 */
#include "registrations.h"

#include "auth/kerberos.h"
#include "clock.h"
#include "gateway.h"
#include "registration_udp.h"
#include "registrations_state.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct timeline_registration registrations_about(const struct registration *registration)
{
	return (struct timeline_registration){
		.number = registration->number,
		.session = registration->session,
		.local = registration->local,
		.remote = registration->seen,
		.peer = registration->peer,
		.identity = registration->identity,
	};
}

void registrations_tell(struct registrations *registrations, const struct timeline_registration *about,
	enum timeline_what what, const char *text)
{
	char remote[ENDPOINT_TEXT_LEN], reason[ENTRY_TEXT_MAX + 1];
	const char *format = "event=%s registration=%" PRIu64 " remote=%s peer=%s identity=\"%s\" reason=\"%s\"";
	const char *peer = about->peer ? about->peer->name : "", *identity = about->identity ? about->identity : "";

	timeline_registration(registrations->gateway->timeline, about, what, clock_now_ms(), text);
	endpoint_format(&about->remote, remote);
	log_quotable(text, reason, sizeof(reason));
	if (what == TIMELINE_REGISTERED)
		log_info(format, "registered", about->number, remote, peer, identity, reason);
	else if (what == TIMELINE_UDP)
		log_info(format, "registration_udp", about->number, remote, peer, identity, reason);
	else if (what == TIMELINE_REGISTRATION)
		log_debug(format, "registration", about->number, remote, peer, identity, reason);
	else if (log_limit_pass(&registrations->limit_refused, clock_now_ms()))
		log_warning(format, "not_registered", about->number, remote, peer, identity, reason);
}

static void on_tell(void *context, const struct timeline_registration *about, enum timeline_what what, const char *text)
{
	registrations_tell(context, about, what, text);
}

static void on_over(void *context, const struct timeline_registration *about)
{
	struct registrations *registrations = context;

	timeline_registration_end(registrations->gateway->timeline, about, clock_now_ms());
}

static void on_ended(void *context, const struct registration *registration, const char *why)
{
	struct registrations *registrations = context;
	struct timeline_registration about = registrations_about(registration);

	notices_end(registrations->notices, &registry_find(registrations->registry, registration->number)->notices);
	if (why[0])
		registrations_tell(registrations, &about, TIMELINE_UNREGISTERED, why);
	on_over(context, &about);
}

static int on_lease(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
	char why[IKE_WHY_LEN])
{
	struct registrations *registrations = context;

	return clients_lease(registrations->gateway->clients, peer, identity, out, why);
}

static const struct prefix *overlapping(const struct prefix *networks, size_t count, const struct prefix *other)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&networks[i], other) || prefix_contains(other, &networks[i]))
			return &networks[i];
	return NULL;
}

bool registrations_overlap(const struct registrations *registrations, const char *identity,
	const struct prefix *networks, size_t count, char why[GRANT_WHY_LEN])
{
	const struct install *install = registrations->gateway->install;
	char mine_text[PREFIX_TEXT_LEN], other_text[PREFIX_TEXT_LEN];

	for (uint32_t i = 0; install && i < install->tables->n_children; i++) {
		const struct session_child *child = &install->sessions->children[i];
		const struct prefix *other = &install->tables->children[i].remote_network, *mine;
		const struct session *session;

		if (child->id == 0 || child->session == TABLES_NONE)
			continue;
		session = &install->sessions->sessions[child->session];
		if (strcmp(session->identity, identity) == 0)
			continue;
		mine = overlapping(networks, count, other);
		if (!mine)
			continue;
		snprintf(why, GRANT_WHY_LEN,
			"%s of \"%s\" overlaps %s, which leads to \"%s\" of peer \"%s\" at present (sluicectl delete "
			"ends that)",
			prefix_format(mine, mine_text), identity, prefix_format(other, other_text), session->identity,
			session->peer->name);
		return true;
	}
	return false;
}

static bool on_overlaps(
	void *context, const char *identity, const struct prefix *networks, size_t count, char why[GRANT_WHY_LEN])
{
	return registrations_overlap(context, identity, networks, count, why);
}

static void on_is_stream(void *context, int fd)
{
	struct registrations *registrations = context;
	int rc = streams_take(registrations->gateway->streams, fd);

	if (rc < 0)
		log_warning("event=stream_refused reason=\"%s\"", strerror(-rc));
}

static void on_started(void *context, struct registration *registration, int fd)
{
	struct registrations *registrations = context;

	if (registration->transport == REGISTRATION_UDP)
		registration_udp_begin(registrations->notices, registration);
	if (fd >= 0)
		on_is_stream(context, fd);
}

static void on_settle(void *context)
{
	gateway_settle(((struct registrations *)context)->gateway);
}

static void on_kerberos_report(void *context, const char *sentence)
{
	(void)context;
	log_error("event=kerberos_failed reason=\"%s\"", sentence);
}

/* 0, or negative errno after a line in the log. */
static int open_kerberos(struct registrations *registrations)
{
	const struct config *config = registrations->gateway->config;

	for (size_t i = 0; i < config->registration.n_methods && !registrations->kerberos; i++) {
		if (config->registration.methods[i] != CONFIG_METHOD_KERBEROS)
			continue;
		registrations->kerberos = kerberos_new(&config->registration.kerberos, config->state_dir,
			registrations->gateway->base, on_kerberos_report, NULL);
		if (!registrations->kerberos)
			return -EINVAL;
	}
	return 0;
}

int registrations_listen(struct registrations *registrations)
{
	struct gateway *gateway = registrations->gateway;
	struct registrar_host host = {
		.context = registrations,
		.config = gateway->config,
		.registry = registrations->registry,
		.proof = {.base = gateway->base,
			.members = registrations->members,
			.login = clients_login_service(gateway->clients)},
		.grant = {.config = gateway->config,
			.members = registrations->members,
			.context = registrations,
			.lease = on_lease,
			.overlaps = on_overlaps},
		.tell = on_tell,
		.over = on_over,
		.started = on_started,
		.is_stream = on_is_stream,
		.settle = on_settle,
	};

	int rc = open_kerberos(registrations);

	if (rc < 0)
		return rc;
	host.proof.kerberos = registrations->kerberos;
	registrations->registrar = registrar_new(gateway->base, &host, gateway->credentials);
	return registrations->registrar ? 0 : -errno;
}

int registrations_use_credentials(
	struct registrations *registrations, const struct credentials *credentials, char why[TLS_WHY_LEN])
{
	if (!registrations || !registrations->registrar)
		return 0;
	return registrar_use_credentials(registrations->registrar, credentials, why);
}

struct registrations *registrations_new(struct gateway *gateway)
{
	struct registrations *registrations = calloc(1, sizeof(*registrations));
	struct registry_hooks hooks = {.context = registrations, .ended = on_ended};

	if (!registrations)
		return NULL;
	message_wipe_json();
	registrations->gateway = gateway;
	TAILQ_INIT(&registrations->successors);
	registrations->members = members_new(gateway->config);
	registrations->registry = registry_new(gateway->config->registration.key_timeout, &hooks);
	registrations->notices = registration_udp_new(gateway);
	if (registrations->members && registrations->registry && registrations->notices)
		return registrations;
	registrations_free(registrations);
	errno = ENOMEM;
	return NULL;
}

void registrations_free(struct registrations *registrations)
{
	if (!registrations)
		return;
	registrar_free(registrations->registrar);
	notices_free(registrations->notices);
	kerberos_free(registrations->kerberos);
	registry_free(registrations->registry);
	members_free(registrations->members);
	registrations_free_successors(registrations);
	free(registrations);
}

int registrations_find(struct registrations *registrations, const char *identity, struct ike_registered *out)
{
	const struct registration *found =
		registrations ? registry_find_one_time(registrations->registry, identity) : NULL;

	if (!found)
		return -ENOENT;
	*out = (struct ike_registered){
		.peer = found->peer,
		.number = found->number,
		.address = found->address,
		.n_networks = found->n_networks,
	};
	memcpy(out->identity, found->identity, sizeof(out->identity));
	memcpy(out->key, found->keys.pre_shared, sizeof(out->key));
	memcpy(out->networks, found->networks, sizeof(out->networks));
	return 0;
}

void registrations_tick(struct registrations *registrations, uint64_t now_ms)
{
	if (registrations)
		registry_expire(registrations->registry, now_ms);
}

void registrations_notice(struct registrations *registrations, const struct endpoint *local,
	const struct endpoint *remote, const uint8_t *datagram, size_t len)
{
	if (registrations)
		notices_input(registrations->notices, local, remote, datagram, len);
}

void registrations_udp_news(struct registrations *registrations, struct registration *registration,
	enum notices_news news, const char *sentence)
{
	struct timeline_registration about = registrations_about(registration);
	char why[NOTICES_SENTENCE_LEN + 64];

	if (news != NOTICES_UNREACHABLE) {
		registrations_tell(registrations, &about, TIMELINE_UDP, sentence);
		return;
	}
	snprintf(why, sizeof(why), "%s%s", sentence,
		registration->fallback ? "; the client may come again for TCP" : "");
	registry_end(registrations->registry, registration, why);
}

uint64_t registrations_run_timers(struct registrations *registrations)
{
	return registrations ? notices_run_timers(registrations->notices) : UINT64_MAX;
}

size_t registrations_delete(struct registrations *registrations, const struct config_peer *peer, const char *identity)
{
	return registrations ? registry_end_unused(registrations->registry, peer, identity, "deleted by the operator")
			     : 0;
}

bool registrations_hold(const struct registrations *registrations, const char *identity)
{
	return registrations && registry_holds(registrations->registry, identity);
}

struct registry *registrations_registry(const struct registrations *registrations)
{
	return registrations ? registrations->registry : NULL;
}

const struct registrar *registrations_registrar(const struct registrations *registrations)
{
	return registrations ? registrations->registrar : NULL;
}

const struct notices *registrations_notices(const struct registrations *registrations)
{
	return registrations ? registrations->notices : NULL;
}
