/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "timeline_entries.h"
#include "world_streams.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

struct dialed world_dial(struct world *world)
{
	struct sockaddr_in name = loopback();
	socklen_t len = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct dialed dialed = {.fd = socket(AF_INET, SOCK_STREAM, 0)};

	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&name, &dialed.local), 0);
	assert_int_equal(connect(dialed.fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(getsockname(dialed.fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&name, &dialed.remote), 0);
	dialed.local.transport = dialed.remote.transport = ENDPOINT_TCP;
	assert_int_equal(streams_take(world->gateway.streams, accept(listener, NULL, NULL)), 0);
	close(listener);
	assert_int_equal(send(dialed.fd, FRAMING_PREFIX, FRAMING_PREFIX_LEN, MSG_NOSIGNAL), FRAMING_PREFIX_LEN);
	return dialed;
}

struct ike_child world_child_over(struct world *world, const struct dialed *dialed)
{
	struct ike_child child = world_child(world, 0, 7, 40000);

	child.local = dialed->local;
	child.remote = dialed->remote;
	return child;
}

void world_establish(struct world *world, const struct dialed *dialed)
{
	struct ike_event established = {.kind = IKE_EVENT_ESTABLISHED,
		.ike_sa = 1,
		.peer = &world->peers[0],
		.identity = world->peers[0].identity,
		.local = dialed->local,
		.remote = dialed->remote,
		.why = ""};

	world->host.event(world->host.context, &established);
}

size_t world_hear(struct world *world, const struct dialed *dialed, uint8_t *payload)
{
	struct pollfd wait = {.fd = dialed->fd, .events = POLLIN};
	uint8_t head[2];

	for (int waited = 0; poll(&wait, 1, 1) == 0 && waited < WORLD_PATIENCE_MS; waited++)
		event_base_loop(world->base, EVLOOP_NONBLOCK);
	if (recv(dialed->fd, head, sizeof(head), MSG_WAITALL) != 2)
		return 0;
	assert_true(head[1] > 2 && head[1] <= WORLD_PAYLOAD_MAX + 2);
	assert_int_equal(recv(dialed->fd, payload, head[1] - 2u, MSG_WAITALL), head[1] - 2);
	return head[1] - 2u;
}

void world_say_ike(struct world *world, const struct dialed *dialed)
{
	static const uint8_t frame[] = {0, 30, [29] = 1};
	size_t before = world->n_ike;

	assert_int_equal(send(dialed->fd, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
	for (int waited = 0; world->n_ike == before && waited < WORLD_PATIENCE_MS; waited++) {
		event_base_loop(world->base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	assert_int_equal(world->n_ike, before + 1);
}

void world_until_ended(struct world *world, uint64_t count)
{
	for (int waited = 0; streams_counters(world->gateway.streams).ended < count && waited < WORLD_PATIENCE_MS;
		waited++) {
		event_base_loop(world->base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	assert_int_equal(streams_counters(world->gateway.streams).ended, count);
}

struct search {
	const char *words;
	bool found;
};

static bool look_into(void *context, const struct timeline_attempt *attempt)
{
	struct search *search = context;
	const char *text;
	struct entry entry;

	for (size_t at = 0; attempt->entries && at < attempt->entries->len && !search->found;) {
		char copy[ENTRY_TEXT_MAX + 1];

		at = entries_read(attempt->entries, at, &entry, &text);
		snprintf(copy, sizeof(copy), "%.*s", (int)entry.text_len, text);
		search->found = strstr(copy, search->words) != NULL;
	}
	return !search->found;
}

bool world_timeline_says(struct world *world, const char *words)
{
	struct search search = {.words = words};

	timeline_each(world->gateway.timeline, look_into, &search);
	return search.found;
}
