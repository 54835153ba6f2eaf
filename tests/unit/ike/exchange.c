/* SPDX-License-Identifier: Apache-2.0 */
#include "exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void side_prepare(struct exchange *exchange, int index)
{
	struct exchange_side *side = &exchange->sides[index];
	struct config_peer *peer = &side->peers[0];
	struct prefix branch, gateway;

	prefix_parse("10.1.0.0/16", &branch);
	prefix_parse("10.2.0.0/16", &gateway);
	side->exchange = exchange;
	side->index = index;
	side->random_state = 17 + (uint64_t)index;
	side->jobs_max = EXCHANGE_JOBS_MAX;
	side->next_spi = index == BRANCH ? 0x80001000 : 0x80002000;
	side->endpoint.port = 500;
	address_parse(index == BRANCH ? "192.0.2.1" : "198.51.100.1", &side->endpoint.address);
	side->config.ike = (struct config_ike){
		.port = 500,
		.nat_ports = {4500},
		.n_nat_ports = 1,
		.half_open_max = 100,
		.half_open_per_source = 10,
		.half_open_timeout = 30,
		.lifetime = 86400,
		.keepalive = 20,
		.fragment_size = 1280,
	};
	side->config.users = (struct config_users){.tries = 3, .timeout = 60};
	strcpy(side->config.ike.identity, index == BRANCH ? "branch@example.org" : "hq.example.org");
	side->config.peers = side->peers;
	side->config.n_peers = 2;
	strcpy(side->peers[1].identity, "nobody.example.org");
	strcpy(peer->identity, index == BRANCH ? "hq.example.org" : "branch@example.org");
	memcpy(peer->secret, "0123456789abcdef0123456789abcdef", 32);
	peer->secret_len = 32;
	peer->ikev1 = peer->aggressive = true;
	peer->auth[0] = IKE_AUTH_PSK;
	peer->n_auth = 1;
	peer->ike[0] = (struct ike_proposal){IKE_CIPHER_AES_CBC, 256, IKE_HASH_SHA256, IKE_GROUP_ECP256};
	peer->n_ike = 1;
	peer->esp[0] = ESP_AES256_GCM;
	peer->n_esp = 1;
	peer->local_networks[0] = index == BRANCH ? branch : gateway;
	peer->remote_networks[0] = index == BRANCH ? gateway : branch;
	peer->n_local = peer->n_remote = 1;
	peer->lifetime = 3600;
}

void exchange_prepare(struct exchange *exchange)
{
	*exchange = (struct exchange){.now_ms = 1000000};
	side_prepare(exchange, BRANCH);
	side_prepare(exchange, GATEWAY);
}

void exchange_reopen(struct exchange *exchange, int side)
{
	struct exchange_side *at = &exchange->sides[side];
	struct ike_host host = exchange_host(at);

	at->ike = ike_new(&at->config, &host);
	assert_non_null(at->ike);
}

void exchange_open(struct exchange *exchange)
{
	for (int i = 0; i < 2; i++)
		exchange_reopen(exchange, i);
}

void exchange_start(struct exchange *exchange)
{
	exchange_prepare(exchange);
	exchange_open(exchange);
}

void exchange_stop(struct exchange *exchange)
{
	while (exchange->queued)
		exchange_lose(exchange);
	for (size_t i = 0; i < exchange->logged; i++)
		free(exchange->log[i].data);
	for (int i = 0; i < 2; i++) {
		ike_free(exchange->sides[i].ike);
		while (exchange->sides[i].n_jobs > 0)
			ike_job_done(exchange->sides[i].jobs[--exchange->sides[i].n_jobs]);
		assert_int_equal(exchange->sides[i].reserved, 0);
	}
}

void exchange_help_one(struct exchange *exchange, int side)
{
	struct exchange_side *at = &exchange->sides[side];
	struct ike_job *job = at->jobs[0];

	assert_true(at->n_jobs > 0);
	memmove(at->jobs, at->jobs + 1, --at->n_jobs * sizeof(at->jobs[0]));
	ike_job_run(job);
	ike_job_done(job);
}

void exchange_help(struct exchange *exchange, int side)
{
	while (exchange->sides[side].n_jobs > 0)
		exchange_help_one(exchange, side);
}

static void exchange_let_help(struct exchange *exchange)
{
	for (int i = 0; i < 2; i++)
		if (!exchange->sides[i].jobs_held)
			exchange_help(exchange, i);
}

void exchange_begin(struct exchange *exchange)
{
	struct exchange_side *branch = &exchange->sides[BRANCH], *gateway = &exchange->sides[GATEWAY];

	assert_int_equal(ike_initiate(branch->ike, &branch->peers[0], &branch->endpoint, &gateway->endpoint), 0);
	exchange_let_help(exchange);
}

void exchange_connect(struct exchange *exchange)
{
	exchange_begin(exchange);
	exchange_run(exchange);
	exchange_check_pair(exchange);
}

struct exchange_message exchange_take(struct exchange *exchange)
{
	struct exchange_message message = exchange->queue[0];

	assert_true(exchange->queued > 0);
	exchange->queued--;
	memmove(exchange->queue, exchange->queue + 1, exchange->queued * sizeof(exchange->queue[0]));
	return message;
}

void exchange_free(struct exchange_message *message)
{
	free(message->data);
	message->data = NULL;
}

/* The public endpoint that the NAT gives to the branch's port. */
static struct endpoint exchange_map(const struct exchange *exchange, uint16_t port)
{
	struct endpoint public = {.port = (uint16_t)(20000 + port + exchange->nat_generation)};
	bool other = exchange->nat == EXCHANGE_NAT_POOL && port != 500;

	if (exchange->sides[BRANCH].endpoint.address.family == ADDRESS_IPV6)
		address_parse(other ? "2001:db8:f::9" : "2001:db8:f::4", &public.address);
	else
		address_parse(other ? "203.0.113.9" : "203.0.113.4", &public.address);
	return public;
}

void exchange_hand_over(struct exchange *exchange, const struct exchange_message *message)
{
	struct exchange_side *to = &exchange->sides[!message->from], *branch = &exchange->sides[BRANCH];
	struct endpoint source = message->source, destination = message->destination;

	if (exchange->nat != EXCHANGE_NO_NAT && message->from == BRANCH) {
		source = exchange_map(exchange, source.port);
	} else if (exchange->nat != EXCHANGE_NO_NAT) {
		struct endpoint of_500 = exchange_map(exchange, 500), of_4500 = exchange_map(exchange, 4500);

		if (endpoint_equal(&destination, &of_500))
			destination = (struct endpoint){.address = branch->endpoint.address, .port = 500};
		else if (endpoint_equal(&destination, &of_4500))
			destination = (struct endpoint){.address = branch->endpoint.address, .port = 4500};
		else
			return; /* no such mapping */
	}
	if (!address_equal(&destination.address, &to->endpoint.address))
		return;
	ike_input(to->ike, &destination, &source, destination.port == 4500 || destination.transport == ENDPOINT_TCP,
		message->data, message->len);
	exchange_let_help(exchange);
}

void exchange_deliver(struct exchange *exchange)
{
	struct exchange_message message = exchange_take(exchange);

	exchange_hand_over(exchange, &message);
	exchange_free(&message);
}

void exchange_lose(struct exchange *exchange)
{
	struct exchange_message message = exchange_take(exchange);

	exchange_free(&message);
}

void exchange_run(struct exchange *exchange)
{
	struct exchange_side *gateway = &exchange->sides[GATEWAY];

	for (int i = 0; exchange->queued > 0 || (gateway->login_waits && !gateway->login_held); i++) {
		assert_true(i < 1000);
		if (exchange->queued > 0)
			exchange_deliver(exchange);
		else
			exchange_answer_login(exchange);
	}
}

void exchange_answer_login(struct exchange *exchange)
{
	struct exchange_side *gateway = &exchange->sides[GATEWAY];
	bool right = strcmp(gateway->login_user, EXCHANGE_USER) == 0 &&
		     strcmp(gateway->login_password, EXCHANGE_PASSWORD) == 0;

	assert_true(gateway->login_waits);
	gateway->login_waits = false;
	ike_login_done(gateway->ike, &gateway->login, gateway->login_user, right ? NULL : "the password is wrong");
}

static void exchange_let_pass(struct exchange *exchange, uint64_t ms, bool silent)
{
	uint64_t end = exchange->now_ms + ms;

	for (;;) {
		uint64_t next = end;

		for (int i = 0; i < 2; i++) {
			uint64_t wait = ike_run_timers(exchange->sides[i].ike);

			if (wait != UINT64_MAX && exchange->now_ms + wait < next)
				next = exchange->now_ms + wait;
		}
		exchange_let_help(exchange);
		while (silent && exchange->queued)
			exchange_lose(exchange);
		exchange_run(exchange);
		if (exchange->now_ms >= end)
			return;
		exchange->now_ms = next > exchange->now_ms ? next : exchange->now_ms + 1;
	}
}

void exchange_pass(struct exchange *exchange, uint64_t ms)
{
	exchange_let_pass(exchange, ms, false);
}

void exchange_pass_silent(struct exchange *exchange, uint64_t ms)
{
	exchange_let_pass(exchange, ms, true);
}

size_t exchange_installed(const struct exchange *exchange, int side)
{
	size_t count = 0;

	for (size_t i = 0; i < exchange->sides[side].n_children; i++)
		count += !exchange->sides[side].children[i].gone;
	return count;
}

size_t exchange_active(const struct exchange *exchange, int side)
{
	size_t count = 0;

	for (size_t i = 0; i < exchange->sides[side].n_children; i++)
		count += exchange->sides[side].children[i].active && !exchange->sides[side].children[i].gone;
	return count;
}

struct exchange_child *exchange_newest(struct exchange *exchange, int side)
{
	struct exchange_side *at = &exchange->sides[side];

	for (size_t i = at->n_children; i-- > 0;)
		if (!at->children[i].gone)
			return &at->children[i];
	fail_msg("side %d has no child SA", side);
	return NULL;
}

static void exchange_count_sa(void *context, const struct ike_sa_status *status)
{
	size_t *counts = context;

	assert_non_null(status->state);
	counts[0]++;
	counts[1] += status->established;
}

size_t exchange_sas(const struct exchange *exchange, int side)
{
	size_t counts[2] = {0};

	ike_each(exchange->sides[side].ike, exchange_count_sa, counts);
	return counts[0];
}

size_t exchange_established(const struct exchange *exchange, int side)
{
	size_t counts[2] = {0};

	ike_each(exchange->sides[side].ike, exchange_count_sa, counts);
	return counts[1];
}

void exchange_check_pair(struct exchange *exchange)
{
	struct exchange_child *branch = exchange_newest(exchange, BRANCH),
			      *gateway = exchange_newest(exchange, GATEWAY);
	size_t len = esp_suite_keymat_len(esp_suite_get(branch->terms.suite));

	/* A successor carries a moment later. */
	if (!branch->active || !gateway->active)
		exchange_pass(exchange, CHILD_SA_CARRY_LATER_MS);
	assert_true(branch->active && gateway->active);
	assert_int_equal(branch->terms.suite, gateway->terms.suite);
	assert_int_equal(branch->terms.spi_in, gateway->terms.spi_out);
	assert_int_equal(branch->terms.spi_out, gateway->terms.spi_in);
	assert_memory_equal(branch->keymat_in, gateway->keymat_out, len);
	assert_memory_equal(branch->keymat_out, gateway->keymat_in, len);
	assert_memory_not_equal(branch->keymat_in, branch->keymat_out, len);
	assert_true(prefix_equal(&branch->terms.local_network, &gateway->terms.remote_network));
	assert_true(prefix_equal(&branch->terms.remote_network, &gateway->terms.local_network));
	assert_int_equal(branch->terms.udp_encapsulation, gateway->terms.udp_encapsulation);
	assert_int_equal(branch->terms.transport, gateway->terms.transport);
	assert_int_equal(branch->terms.extended, gateway->terms.extended);
}

uint64_t exchange_count(const struct exchange *exchange, int side, enum ike_counter counter)
{
	return ike_counter(exchange->sides[side].ike, counter);
}
