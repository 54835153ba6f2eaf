/* SPDX-License-Identifier: Apache-2.0 */
#include "measured.h"

#include "auth/kerberos.h"
#include "auth/login.h"
#include "ike/credentials.h"
#include "jobs.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HELPERS = 2 };

struct gateway {
	struct config config;
	struct config_peer peer;
	struct event_base *base;
	struct registry *registry;
	struct registrar *registrar;
	uint32_t next_address;
	uint64_t began_us;
	int ask, answer;
};

static uint64_t cpu_us(void)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void on_tell(void *context, const struct timeline_registration *about, enum timeline_what what, const char *text)
{
	(void)context;
	(void)about;
	if (what == TIMELINE_UNREGISTERED)
		fprintf(stderr, "gateway: %s\n", text);
}

static void on_over(void *context, const struct timeline_registration *about)
{
	(void)context;
	(void)about;
}

static void on_ended(void *context, const struct registration *registration, const char *why)
{
	(void)context;
	(void)registration;
	(void)why;
}

static int on_lease(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
	char why[IKE_WHY_LEN])
{
	struct gateway *gateway = context;

	(void)peer;
	(void)identity;
	(void)why;
	out->address = address_ipv4(0x0a630000 + ++gateway->next_address % 65536);
	return 0;
}

static bool on_overlaps(
	void *context, const char *identity, const struct prefix *networks, size_t count, char why[GRANT_WHY_LEN])
{
	(void)context;
	(void)identity;
	(void)networks;
	(void)count;
	(void)why;
	return false;
}

static void on_started(void *context, struct registration *registration, int fd)
{
	struct gateway *gateway = context;

	(void)fd;
	registry_end(gateway->registry, registration, "");
}

static void on_settle(void *context)
{
	(void)context;
}

/* 'b': the account begins; anything else, or nothing more: it is given, and the process ends. */
static void on_ask(evutil_socket_t fd, short what, void *context)
{
	struct gateway *gateway = context;
	struct account account = {.port = registrar_port(gateway->registrar)};
	char asked = 'e';

	(void)what;
	if (read(fd, &asked, 1) == 1 && asked == 'b') {
		gateway->began_us = cpu_us();
		return;
	}
	account.cpu_us = cpu_us() - gateway->began_us;
	account.counters = *registrar_counters(gateway->registrar);
	if (write(gateway->answer, &account, sizeof(account)) != sizeof(account))
		_exit(1);
	_exit(0);
}

static void gateway_fill(struct gateway *gateway, const struct plan *plan)
{
	struct config *config = &gateway->config;

	plan_file(plan, config->ike.certificate, CONFIG_FILE_LEN, "gateway.pem");
	plan_file(plan, config->ike.key, CONFIG_FILE_LEN, "gateway.key");
	plan_file(plan, config->ike.authorities[config->ike.n_authorities++], CONFIG_FILE_LEN, "ca.pem");
	plan_file(plan, config->users.file, sizeof(config->users.file), "users");
	config->users.guesses_per_user = config->users.guesses_per_address = 1000000;
	config->users.guess_window = 3600;
	strcpy(config->ike.identity, "hq.example");
	config->ike.listen[config->ike.n_listen++] = address_ipv4(INADDR_LOOPBACK);
	config->ike.nat_ports[config->ike.n_nat_ports++] = 4500;
	config->registration = (struct config_registration){
		.n_ports = 1, /* port 0: whichever is free */
		.methods = {plan->method},
		.n_methods = 1,
		.n_transports = 1,
		.timeout = 600,
		.key_timeout = 120,
		.connections = 4096,
		.connections_per_address = 4096,
	};
	strcpy(gateway->peer.name, "members");
	strcpy(gateway->peer.pool, "clients");
	gateway->peer.registration = true;
	prefix_parse("192.168.2.0/24", &gateway->peer.local_networks[gateway->peer.n_local++]);
	config->peers = &gateway->peer;
	config->n_peers = 1;
	strcpy(config->pools[config->n_pools++].name, "clients");
}

/* Whoever of the realm has a ticket is known here by the principal's name. */
static struct kerberos *gateway_kerberos(struct gateway *gateway, const struct plan *plan)
{
	struct config_kerberos *config = &gateway->config.registration.kerberos;
	struct kerberos *kerberos;

	*config = (struct config_kerberos){.service = "vpn",
		.rules = {{"*@EXAMPLE.TEST", "*"}},
		.n_rules = 1,
		.token_max = 32768,
		.rounds_max = 12};
	plan_file(plan, config->keytab, sizeof(config->keytab), "hq.keytab");
	kerberos = kerberos_new(config, plan->directory, gateway->base, plan_report, NULL);
	if (!kerberos)
		_exit(1);
	return kerberos;
}

void gateway_run(const struct plan *plan, int ask, int answer)
{
	static struct gateway gateway;
	struct registry_hooks hooks = {.ended = on_ended};
	struct account opened;
	struct registrar_host host = {
		.context = &gateway,
		.config = &gateway.config,
		.grant = {.config = &gateway.config, .context = &gateway, .lease = on_lease, .overlaps = on_overlaps},
		.tell = on_tell,
		.over = on_over,
		.started = on_started,
		.settle = on_settle,
	};
	struct credentials *credentials = NULL;
	struct jobs *jobs;

	gateway_fill(&gateway, plan);
	gateway.base = event_base_new();
	gateway.ask = ask;
	gateway.answer = answer;
	jobs = jobs_new(gateway.base, HELPERS, 4096);
	gateway.registry = host.registry = registry_new(120, &hooks);
	host.grant.members = members_new(&gateway.config);
	host.proof = (struct proof_means){
		.base = gateway.base, .members = host.grant.members, .login = login_new(&gateway.config.users, jobs)};
	if (plan->method == REGISTRATION_KERBEROS)
		host.proof.kerberos = gateway_kerberos(&gateway, plan);
	if (credentials_load(&gateway.config, &credentials, plan_report, NULL) < 0)
		_exit(1);
	gateway.registrar = registrar_new(gateway.base, &host, credentials);
	if (!gateway.registrar)
		_exit(1);
	opened = (struct account){.port = registrar_port(gateway.registrar)};
	if (write(answer, &opened, sizeof(opened)) != sizeof(opened))
		_exit(1);
	event_add(event_new(gateway.base, ask, EV_READ | EV_PERSIST, on_ask, &gateway), NULL);
	event_base_dispatch(gateway.base);
	_exit(1);
}
