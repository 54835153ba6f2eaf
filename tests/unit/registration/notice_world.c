/* SPDX-License-Identifier: Apache-2.0 */
#include "notice_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	uint16_t outside, inside;
} mapped[] = {{88, 4009}, {4500, 4500}, {2012, 2012}};

enum { PORTS = sizeof(mapped) / sizeof(mapped[0]), IPV4_UDP_LEN = 28 };

struct endpoint world_endpoint(const char *address, uint16_t port)
{
	struct endpoint endpoint = {.port = port};

	assert_int_equal(address_parse(address, &endpoint.address), 0);
	return endpoint;
}

static uint64_t host_now(void *context)
{
	return ((const struct notice_world *)context)->now_ms;
}

/* As the client sees the gateway's port. */
static uint16_t outside_of(uint16_t inside)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (mapped[i].inside == inside)
			return mapped[i].outside;
	fail_msg("the gateway sends from port %u", inside);
	return 0;
}

static void fly(struct notice_world *world, bool up, const struct endpoint *local, const struct endpoint *remote,
	const struct notice_datagram *datagram)
{
	assert_true(world->n_flight < WORLD_FLIGHT_MAX);
	if (datagram->whole && datagram->len + IPV4_UDP_LEN > world->mtu)
		return;
	world->flight[world->n_flight].at_ms = world->now_ms + WORLD_ONE_WAY_MS;
	world->flight[world->n_flight].up = up;
	world->flight[world->n_flight].local = *local;
	world->flight[world->n_flight].remote = *remote;
	world->flight[world->n_flight].datagram = *datagram;
	world->n_flight++;
}

static struct endpoint nat_outside(const struct notice_world *world, unsigned port)
{
	static const char *const pool[] = {"203.0.113.11", "203.0.113.12", "203.0.113.13"};

	return world_endpoint(world->pool ? pool[port] : "203.0.113.10", 50000);
}

static void host_send(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *datagram,
	size_t len, bool whole)
{
	struct notice_world *world = context;
	struct endpoint client = world_endpoint("100.64.1.2", 50000);
	struct endpoint gateway = world_endpoint("198.51.100.88", outside_of(local->port));
	struct notice_datagram copy = {.whole = whole, .len = len};
	bool known = false;

	assert_true(endpoint_equal(local, &(struct endpoint){.address = world->session.local.address, .port = local->port}));
	if (datagram[4] == NOTICE_DIAL) {
		world->dialed++;
		if (world->no_dial)
			return;
	}
	for (unsigned i = 0; i < PORTS; i++) {
		struct endpoint outside = nat_outside(world, i);

		known = known || endpoint_equal(&outside, remote);
	}
	memcpy(copy.bytes, datagram, len);
	if (known && world->down_open)
		fly(world, false, &client, &gateway, &copy);
}

static void host_news(
	void *context, struct notice_session *session, enum notices_news news, const char *sentence)
{
	struct notice_world *world = context;

	assert_ptr_equal(session, &world->session);
	world->news[news]++;
	world->news_ms[news] = world->now_ms;
	snprintf(world->gateway_said[news], sizeof(world->gateway_said[news]), "%s", sentence);
}

static void client_sends(struct notice_world *world, const struct notice_datagram *datagram)
{
	unsigned i = 0;

	while (i < PORTS && mapped[i].outside != datagram->to.port)
		i++;
	world->sent[i]++;
	if (world->lose_next) {
		world->lose_next--;
		return;
	}
	if (i < PORTS && world->up_open[i]) {
		struct endpoint local = world_endpoint("192.168.2.200", mapped[i].inside);
		struct endpoint remote = nat_outside(world, i);

		fly(world, true, &local, &remote, datagram);
	}
}

static void run_client(struct notice_world *world)
{
	struct notice_datagram datagram;
	enum notice_client_step step;

	while ((step = notice_client_run(&world->client, world->now_ms, &datagram)) != NOTICE_STEP_NOTHING) {
		world->steps[step]++;
		world->step_ms[step] = world->now_ms;
		if (step == NOTICE_STEP_SEND)
			client_sends(world, &datagram);
		else
			notice_client_explain(&world->client, step, world->client_said[step]);
		assert_true(world->steps[step] < 1000);
	}
}

void world_deliver(struct notice_world *world, uint16_t port, const struct endpoint *remote, const uint8_t *bytes, size_t len)
{
	struct endpoint local = world_endpoint("192.168.2.200", port);
	unsigned before = world->n_flight;

	assert_true(notice_is_one(bytes, len));
	notices_input(world->notices, &local, remote, bytes, len);
	assert_true(world->n_flight <= before + 1);
	if (world->n_flight > before)
		assert_true(world->flight[before].datagram.len <= len);
}

static void arrive(struct notice_world *world)
{
	for (unsigned i = 0; i < world->n_flight;) {
		typeof(world->flight[0]) one = world->flight[i];

		if (one.at_ms > world->now_ms) {
			i++;
			continue;
		}
		world->flight[i] = world->flight[--world->n_flight];
		if (one.up)
			world_deliver(world, one.local.port, &one.remote, one.datagram.bytes, one.datagram.len);
		else
			notice_client_input(&world->client, world->now_ms, &one.remote, one.datagram.bytes, one.datagram.len);
		i = 0;
	}
}

void world_pass(struct notice_world *world, uint64_t ms)
{
	for (uint64_t end = world->now_ms + ms;;) {
		arrive(world);
		notices_run_timers(world->notices);
		run_client(world);
		if (world->now_ms == end)
			return;
		world->now_ms++;
	}
}

void world_init(struct notice_world *world)
{
	*world = (struct notice_world){
		.now_ms = 1000000,
		.up_open = {true, true, true},
		.down_open = true,
		.mtu = 1500,
		.config.ike = {.port = 500, .nat_ports = {4500, 4009, 2012}, .n_nat_ports = 3},
		.config.registration = {.udp_wait = 20, .dial_tries = 6},
	};
}

void world_begin(struct notice_world *world)
{
	struct notices_host host = {world, host_now, host_send, host_news};
	struct notice_client_settings settings = {
		.local = world_endpoint("100.64.1.2", 50000),
		.registered = world_endpoint("203.0.113.10", 41000),
		.wait_ms = world->config.registration.udp_wait * 1000,
		.dial_tries = world->config.registration.dial_tries,
		.mtu = 1500,
		.n_candidates = PORTS,
	};

	for (unsigned i = 0; i < PORTS; i++)
		settings.candidates[i] = world_endpoint("198.51.100.88", mapped[i].outside);
	memset(settings.key, 0x5a, sizeof(settings.key));
	memset(settings.session, 0xc3, sizeof(settings.session));
	memcpy(world->session.key, settings.key, sizeof(settings.key));
	memcpy(world->session.session, settings.session, sizeof(settings.session));
	world->session.local = world_endpoint("192.168.2.200", 4009);
	world->session.remote = settings.registered;
	world->session.udp_port = settings.local.port;
	world->notices = notices_new(&world->config, &host);
	assert_non_null(world->notices);
	notices_begin(world->notices, &world->session);
	notice_client_init(&world->client, &settings, world->now_ms);
}

void world_end(struct notice_world *world)
{
	static const uint8_t wiped[NOTICE_KEY_LEN];

	notices_end(world->notices, &world->session);
	assert_memory_equal(world->session.key, wiped, sizeof(wiped));
	notices_end(world->notices, &world->session); /* again: no harm */
	notices_free(world->notices);
	notice_client_clear(&world->client);
	assert_memory_equal(world->client.settings.key, wiped, sizeof(wiped));
}
