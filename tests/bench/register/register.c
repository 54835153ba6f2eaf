/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much registering costs the gateway (measured.h): clients register one after the other, some of them at the same
 * time, over loopback. Or, with an address to dial, clients alone, so many a second until it is told to end: what a
 * gateway has to bear beside what is measured there.
 */
#include "crowd.h"
#include "measured.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_UP = 20 };

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
	us = crowd_since_us(&began);
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
	due = crowd_since_us(&began) * crowd->plan->rate / 1000000;
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
	struct plan plan;

	if (!plan_read(&plan, argc, argv)) {
		fprintf(stderr, "Usage: bench-register DIRECTORY METHOD COUNT AT_ONCE\n"
				"       bench-register DIRECTORY METHOD - AT_ONCE ADDRESS PORT RATE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	return plan.rate ? dial(&plan) : bench(&plan);
}
