/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much registering costs the gateway: a registrar in a process of its own, with no sessions behind it, and clients
 * that register one after the other, some of them at the same time, over loopback. CPU time is the gateway's whole
 * process: TLS, messages, helper threads, system calls. Or, with an address to dial, clients alone, so many a second
 * until it is told to end: what a gateway has to bear beside what is measured there.
 */
#include "auth/login.h"
#include "clients.h"
#include "ike/credentials.h"
#include "registration/client.h"
#include "registration/registrar.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 20, HELPERS = 2, LATENCIES_MAX = 1 << 20 };

struct plan {
	const char *directory; /* ca.pem, gateway.pem and .key, client.pem and .key, users */
	enum registration_method method;
	size_t count, at_once;
	const char *user, *password;
	struct endpoint gateway; /* to dial; of no family: one of our own */
	unsigned rate;		 /* a second, then */
};

/* What the gateway has to say of itself, through a pipe. */
struct account {
	uint16_t port;
	uint64_t cpu_us;
	struct registrar_counters counters;
};

static void report(void *context, const char *sentence)
{
	(void)context;
	fprintf(stderr, "%s\n", sentence);
}

static void file(char *path, const char *directory, const char *name)
{
	snprintf(path, CONFIG_FILE_LEN, "%s/%s", directory, name);
}

/* The gateway */

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

	file(config->ike.certificate, plan->directory, "gateway.pem");
	file(config->ike.key, plan->directory, "gateway.key");
	file(config->ike.authorities[config->ike.n_authorities++], plan->directory, "ca.pem");
	snprintf(config->users.file, sizeof(config->users.file), "%s/users", plan->directory);
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

static void gateway_run(const struct plan *plan, int ask, int answer)
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
	if (credentials_load(&gateway.config, &credentials, report, NULL) < 0)
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

/* The clients */

struct crowd;

struct one {
	struct crowd *crowd;
	struct registration_client *client;
	struct timespec began;
};

struct crowd {
	const struct plan *plan;
	struct registration_client_settings settings;
	struct one *ones;
	size_t begun, done, failed, wanted;
	bool paced; /* one that ends is not followed by another at once */
	uint32_t *latencies_us;
};

static uint64_t since_us(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - from->tv_sec) * 1000000 + (uint64_t)(now.tv_nsec / 1000) -
	       (uint64_t)(from->tv_nsec / 1000);
}

static void one_begin(struct one *one);

static void one_next(struct one *one)
{
	struct crowd *crowd = one->crowd;

	registration_client_free(one->client);
	one->client = NULL;
	if (crowd->paced)
		return;
	if (crowd->begun < crowd->wanted)
		one_begin(one);
	else if (crowd->done + crowd->failed == crowd->wanted)
		event_base_loopbreak(crowd->settings.base);
}

static void on_done(void *context, const struct registration_result *result)
{
	struct one *one = context;
	struct crowd *crowd = one->crowd;

	(void)result;
	crowd->latencies_us[crowd->done++ % LATENCIES_MAX] = (uint32_t)since_us(&one->began);
	one_next(one);
}

static void on_failed(void *context, const struct registration_verdict *verdict)
{
	struct one *one = context;

	one->crowd->failed++;
	fprintf(stderr, "client: failed: %s\n", verdict->detail);
	one_next(one);
}

static void one_begin(struct one *one)
{
	struct registration_handler handler = {.context = one, .done = on_done, .failed = on_failed};

	one->crowd->begun++;
	clock_gettime(CLOCK_MONOTONIC, &one->began);
	one->client = registration_client_new(&one->crowd->settings, &handler);
	if (!one->client) {
		perror("client");
		exit(1);
	}
}

static void crowd_run(struct crowd *crowd, size_t wanted)
{
	crowd->begun = crowd->done = crowd->failed = 0;
	crowd->wanted = wanted;
	for (size_t i = 0; i < crowd->plan->at_once && crowd->begun < wanted; i++)
		one_begin(&crowd->ones[i]);
	event_base_dispatch(crowd->settings.base);
}

static void crowd_open(struct crowd *crowd, const struct plan *plan, const struct endpoint *gateway)
{
	static struct config config;
	struct credentials *credentials = NULL;
	char why[TLS_WHY_LEN] = "";

	file(config.ike.authorities[config.ike.n_authorities++], plan->directory, "ca.pem");
	if (plan->method == REGISTRATION_CERTIFICATE) {
		file(config.ike.certificate, plan->directory, "client.pem");
		file(config.ike.key, plan->directory, "client.key");
	}
	if (credentials_load(&config, &credentials, report, NULL) < 0)
		exit(1);
	*crowd = (struct crowd){.plan = plan,
		.ones = calloc(plan->at_once, sizeof(struct one)),
		.latencies_us = calloc(LATENCIES_MAX, sizeof(uint32_t))};
	crowd->settings = (struct registration_client_settings){
		.base = event_base_new(),
		.tls = tls_context_client(credentials, why),
		.name = "hq.example",
		.software = "bench",
		.gateway = *gateway,
		.local = plan->rate ? address_ipv4(INADDR_ANY) : address_ipv4(INADDR_LOOPBACK),
		.udp_port = 4500,
		.methods = 1u << plan->method,
		.transports = 1u << REGISTRATION_UDP,
		.user = plan->user,
		.password = plan->password,
		.patience_ms = 120000,
	};
	if (!crowd->settings.tls) {
		fprintf(stderr, "client: %s\n", why);
		exit(1);
	}
	for (size_t i = 0; i < plan->at_once; i++)
		crowd->ones[i].crowd = crowd;
}

static int compare_latency(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_result(const struct crowd *crowd, const struct account *account, uint64_t us)
{
	size_t n = crowd->done < LATENCIES_MAX ? crowd->done : LATENCIES_MAX;

	qsort(crowd->latencies_us, n, sizeof(uint32_t), compare_latency);
	printf("%-12s %8zu %8zu %10.0f %12.1f %12.0f %10.1f %10.1f\n", registration_method_names[crowd->plan->method],
		crowd->done, crowd->failed, (double)crowd->done * 1e6 / (double)us,
		(double)account->cpu_us / (double)crowd->done, 1e6 * (double)crowd->done / (double)account->cpu_us,
		n ? crowd->latencies_us[n / 2] / 1000.0 : 0, n ? crowd->latencies_us[n * 99 / 100] / 1000.0 : 0);
}

static int bench(const struct plan *plan)
{
	int ask[2], answer[2];
	struct endpoint gateway = {.address = address_ipv4(INADDR_LOOPBACK)};
	struct account account;
	struct crowd crowd;
	struct timespec began;
	uint64_t us;
	pid_t child;

	if (pipe(ask) < 0 || pipe(answer) < 0)
		return 1;
	child = fork();
	if (child == 0) {
		close(ask[1]);
		gateway_run(plan, ask[0], answer[1]);
	}
	close(ask[0]);
	close(answer[1]);
	if (read(answer[0], &account, sizeof(account)) != sizeof(account))
		return 1;
	gateway.port = account.port;
	crowd_open(&crowd, plan, &gateway);
	crowd_run(&crowd, WARM_UP);
	if (write(ask[1], "b", 1) != 1)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	crowd_run(&crowd, plan->count);
	us = since_us(&began);
	if (write(ask[1], "e", 1) != 1 || read(answer[0], &account, sizeof(account)) != sizeof(account))
		return 1;
	waitpid(child, NULL, 0);
	print_result(&crowd, &account, us);
	return crowd.failed || crowd.done != plan->count;
}

/* So many a second as are due by now, where a client is free for each. */
static void on_pace(evutil_socket_t fd, short what, void *context)
{
	static struct timespec began;
	struct crowd *crowd = context;
	size_t due;

	(void)fd;
	(void)what;
	if (began.tv_sec == 0)
		clock_gettime(CLOCK_MONOTONIC, &began);
	due = since_us(&began) * crowd->plan->rate / 1000000;
	for (size_t i = 0; i < crowd->plan->at_once && crowd->begun < due; i++)
		if (!crowd->ones[i].client)
			one_begin(&crowd->ones[i]);
}

static void on_stop(evutil_socket_t number, short what, void *context)
{
	(void)number;
	(void)what;
	event_base_loopbreak(context);
}

static int dial(const struct plan *plan)
{
	static const struct timeval pace = {.tv_usec = 5000};
	struct event_base *base;
	struct crowd crowd;

	crowd_open(&crowd, plan, &plan->gateway);
	crowd.paced = true;
	base = crowd.settings.base;
	event_add(event_new(base, -1, EV_PERSIST, on_pace, &crowd), &pace);
	event_add(evsignal_new(base, SIGTERM, on_stop, base), NULL);
	event_base_dispatch(base);
	printf("registered %zu times, %zu failed\n", crowd.done, crowd.failed);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan plan = {.user = "alice", .password = "open sesame"};

	if (argc != 5 && argc != 8) {
		fprintf(stderr, "Usage: bench-register DIRECTORY METHOD COUNT AT_ONCE\n"
				"       bench-register DIRECTORY METHOD - AT_ONCE ADDRESS PORT RATE\n");
		return 2;
	}
	plan.directory = argv[1];
	for (unsigned i = 0; registration_method_names[i]; i++)
		if (strcmp(registration_method_names[i], argv[2]) == 0)
			plan.method = (enum registration_method)i;
	plan.count = strtoul(argv[3], NULL, 10);
	plan.at_once = strtoul(argv[4], NULL, 10);
	if (argc == 8) {
		plan.gateway.port = (uint16_t)strtoul(argv[6], NULL, 10);
		plan.rate = (unsigned)strtoul(argv[7], NULL, 10);
		if (address_parse(argv[5], &plan.gateway.address) < 0)
			return 2;
	}
	if ((plan.count == 0 && !plan.rate) || plan.at_once == 0)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	return plan.rate ? dial(&plan) : bench(&plan);
}
