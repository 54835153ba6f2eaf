/* SPDX-License-Identifier: Apache-2.0 */
#include "attached.h"

#include "plan.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int attached_open(struct attached *attached, const char *path, int seconds)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	char error[TABLES_ERROR_LEN] = "";
	time_t deadline = time(NULL) + seconds;
	int rc;

	memset(attached, 0, sizeof(*attached));
	while ((rc = share_connect(path, &attached->descriptors, error)) < 0 && time(NULL) < deadline)
		nanosleep(&pause, NULL);
	if (rc < 0)
		goto fail;
	attached->connection = rc;
	rc = tables_map(&attached->tables, attached->descriptors.tables, error);
	if (rc < 0)
		goto close_connection;
	attached->writer = writer_new(&attached->tables, attached->descriptors.changes);
	rc = -errno;
	if (attached->writer)
		return 0;
	tables_unmap(&attached->tables);
close_connection:
	close(attached->descriptors.changes);
	close(attached->descriptors.events);
	close(attached->connection);
fail:
	fprintf(stderr, "load: cannot attach to %s: %s\n", path, error[0] ? error : strerror(-rc));
	return rc;
}

void attached_close(struct attached *attached)
{
	writer_free(attached->writer);
	tables_unmap(&attached->tables);
	close(attached->descriptors.changes);
	close(attached->descriptors.events);
	close(attached->connection);
}

static struct prefix prefix_of(uint32_t address, uint8_t len)
{
	struct address value = address_ipv4(address);

	return prefix_make(&value, len);
}

static void net_add(
	struct attached *attached, enum tables_change_kind kind, uint16_t port, struct prefix prefix, uint32_t gateway)
{
	struct writer_net net = {.prefix = prefix, .port = port};

	if (gateway)
		net.gateway = address_ipv4(gateway);
	plan_station(port, net.mac);
	writer_net_change(attached->writer, kind, &net);
}

void attached_net_install(struct attached *attached)
{
	enum { LAN, WAN };

	net_add(attached, TABLES_ADDRESS_ADD, LAN, prefix_of(plan_lan_gateway, 32), 0);
	net_add(attached, TABLES_ADDRESS_ADD, WAN, prefix_of(plan_gateway, 32), 0);
	net_add(attached, TABLES_ROUTE_ADD, LAN, prefix_of(plan_lan, 24), 0);
	net_add(attached, TABLES_ROUTE_ADD, WAN, prefix_of(plan_gateway, 24), 0);
	net_add(attached, TABLES_ROUTE_ADD, WAN, prefix_of(0, 0), plan_router);
	net_add(attached, TABLES_NEIGHBOUR_ADD, LAN, prefix_of(plan_lan_host, 32), 0);
	net_add(attached, TABLES_NEIGHBOUR_ADD, WAN, prefix_of(plan_router, 32), 0);
}

static int session_claim(struct attached *attached, const struct attached_sa *sa, uint32_t *index)
{
	struct tables_session values = {
		.encapsulation = sa->encapsulation,
		.established_at = time(NULL),
	};

	values.local.address = address_ipv4(plan_gateway);
	values.remote.address = address_ipv4(plan_branch(sa->session));
	if (sa->encapsulation == TABLES_ENCAPSULATION_UDP)
		values.local.port = values.remote.port = PLAN_NAT_PORT;
	if (sa->encapsulation == TABLES_ENCAPSULATION_STREAM) {
		values.local.port = PLAN_TCP_PORT;
		values.remote.port = PLAN_TCP_BRANCH_PORT;
	}
	snprintf(values.peer, sizeof(values.peer), "branch%u", sa->session);
	return writer_session_claim(attached->writer, &values, index);
}

int attached_install(struct attached *attached, const struct attached_sa *sa, uint32_t *session, uint32_t *child)
{
	const struct esp_suite *suite = esp_suite_get(sa->suite);
	struct tables_child values = {
		.spi_out = sa->spi_out,
		.suite = sa->suite,
		.replay_window = attached->tables.replay_window,
		.local_network = prefix_of(plan_lan, 24),
		.remote_network = prefix_of(plan_branch_network(sa->session), 24),
		.soft_packets = UINT32_MAX - 1,
		.hard_packets = UINT32_MAX,
		.installed_at = time(NULL),
		.expires_at = INT64_MAX,
	};
	uint8_t keymat[ESP_KEYMAT_MAX];
	uint32_t spi_in;
	int rc = session_claim(attached, sa, session);

	if (rc < 0)
		return rc;
	rc = writer_child_claim(attached->writer, child, &spi_in);
	if (rc < 0)
		goto unclaim_session;
	values.session = *session;
	plan_keymat(keymat, esp_suite_keymat_len(suite));
	rc = writer_child_install(attached->writer, *child, &values, keymat, keymat, esp_suite_keymat_len(suite));
	if (rc < 0)
		goto unclaim_child;
	writer_child_activate(attached->writer, *child);
	return 0;

unclaim_child:
	writer_child_unclaim(attached->writer, *child);
unclaim_session:
	writer_session_unclaim(attached->writer, *session);
	return rc;
}

void attached_remove(struct attached *attached, uint32_t session, uint32_t child)
{
	writer_child_remove(attached->writer, child);
	writer_session_remove(attached->writer, session);
}

static void events_take(struct attached *attached)
{
	struct tables_event event;

	for (uint32_t thread = 0; thread <= attached->tables.n_workers; thread++)
		while (ring_pop(&attached->tables.events[thread], &event) == 1) {
			if (event.kind != TABLES_EVENT_DONE)
				continue;
			if (event.result < 0)
				fprintf(stderr, "load: change %u of record %u refused: %s\n", event.change, event.index,
					strerror(-event.result));
			writer_done(attached->writer, &event);
			if (attached->done)
				attached->done(attached->context, &event);
		}
}

bool attached_turn(struct attached *attached, int64_t nanoseconds)
{
	struct pollfd waits[] = {{.fd = attached->descriptors.events, .events = POLLIN},
		{.fd = attached->connection, .events = POLLRDHUP}};
	struct timespec timeout = {
		.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds > 0 ? nanoseconds % 1000000000 : 0};
	uint64_t wakes;

	writer_flush(attached->writer);
	if (ppoll(waits, 2, &timeout, NULL) < 0)
		return errno == EINTR;
	if (waits[0].revents && read(attached->descriptors.events, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
		return false;
	events_take(attached);
	return waits[1].revents == 0;
}
