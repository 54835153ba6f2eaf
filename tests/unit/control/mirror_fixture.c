/* SPDX-License-Identifier: Apache-2.0 */
#include "mirror_fixture.h"

#include "config/log.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

static struct event_base *base;
struct mirror *mirror;
static bool in_namespace;

/* What a data plane would know by now. */
enum { KNOWN_MAX = 64 };
struct known {
	enum tables_change_kind kind; /* the ADD */
	struct writer_net net;
};
static struct known known[KNOWN_MAX];
static size_t n_known;
unsigned n_sweeps;

static void forget(size_t i)
{
	known[i] = known[--n_known];
}

static void on_change(void *context, enum tables_change_kind kind, const struct writer_net *net)
{
	bool add = kind == TABLES_ADDRESS_ADD || kind == TABLES_ROUTE_ADD || kind == TABLES_NEIGHBOUR_ADD;

	(void)context;
	for (size_t i = n_known; i > 0; i--) {
		struct known *one = &known[i - 1];

		if (kind == TABLES_NET_SWEEP
				? one->net.epoch != net->epoch
				: one->kind == (add ? kind : kind - 1) && prefix_equal(&one->net.prefix, &net->prefix))
			forget(i - 1);
	}
	n_sweeps += kind == TABLES_NET_SWEEP;
	if (add && n_known < KNOWN_MAX)
		known[n_known++] = (struct known){.kind = kind, .net = *net};
}

static void on_settle(void *context)
{
	(void)context;
}

const struct writer_net *find(enum tables_change_kind kind, const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	for (size_t i = 0; i < n_known; i++)
		if (known[i].kind == kind && prefix_equal(&known[i].net.prefix, &prefix))
			return &known[i].net;
	return NULL;
}

void turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	poll(NULL, 0, 1);
}

const struct writer_net *await(enum tables_change_kind kind, const char *text)
{
	for (int i = 0; i < PATIENCE_MS && !find(kind, text); i++)
		turn();
	if (!find(kind, text))
		fail_msg("%s did not appear (kind %d, %zu known)", text, kind, n_known);
	return find(kind, text);
}

void await_gone(enum tables_change_kind kind, const char *text)
{
	for (int i = 0; i < PATIENCE_MS && find(kind, text); i++)
		turn();
	assert_null(find(kind, text));
}

void ip(const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "ip %s", command);
	if (system(line) != 0)
		fail_msg("\"%s\" failed", line);
}

int mirror_group_setup(void **state)
{
	(void)state;
	log_open("test", LOG_LEVEL_ERROR);
	/* Names of further namespaces are files in /run/netns: they shall not outlive this process either. */
	in_namespace = unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
		       mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		       mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0;
	return 0;
}

int mirror_setup(void **state)
{
	static const char ports[2][TABLES_NAME_LEN] = {"hq0", "hq1"};
	struct mirror_sink sink = {.change = on_change, .settle = on_settle};

	(void)state;
	if (!in_namespace)
		return 0;
	n_known = 0;
	n_sweeps = 0;
	ip("link add hq0 type veth peer name far0");
	ip("link set far0 up");
	ip("link set hq0 up");
	ip("addr add 192.0.2.1/24 dev hq0");
	ip("route add 198.51.100.0/24 via 192.0.2.9 metric 100");
	ip("neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev hq0 nud permanent");
	base = event_base_new();
	mirror = mirror_new(base, ports, 2, &sink);
	return mirror ? 0 : -1;
}

int mirror_teardown(void **state)
{
	(void)state;
	if (!in_namespace)
		return 0;
	mirror_free(mirror);
	event_base_free(base);
	if (system("ip link del hq0 2>/dev/null; ip link del hq1 2>/dev/null") < 0)
		return -1;
	return 0;
}

void need_namespace(void)
{
	if (!in_namespace) {
		print_message("needs root, for a network namespace\n");
		skip();
	}
}
