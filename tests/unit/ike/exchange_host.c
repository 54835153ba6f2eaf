/* SPDX-License-Identifier: Apache-2.0 */
/* The host of each engine: a clock, randomness that repeats, a queue for what is sent, a list of what is installed. */
#include "exchange.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t side_now(void *context)
{
	return ((struct exchange_side *)context)->exchange->now_ms;
}

static int side_random(void *context, void *out, size_t len)
{
	struct exchange_side *side = context;
	uint8_t *at = out;

	if (side->fail_random || (side->random_until_failure && --side->random_until_failure == 0))
		return -EIO;
	for (size_t i = 0; i < len; i++) {
		side->random_state = side->random_state * 6364136223846793005u + 1442695040888963407u;
		at[i] = (uint8_t)(side->random_state >> 56);
	}
	return 0;
}

static void side_send(void *context, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct exchange_side *side = context;
	struct exchange *exchange = side->exchange;
	struct exchange_message *queued = &exchange->queue[exchange->queued];

	assert_true(exchange->queued < EXCHANGE_QUEUE_MAX && exchange->logged < EXCHANGE_LOG_MAX);
	*queued = (struct exchange_message){side->index, *local, *remote, malloc(message_len), message_len};
	memcpy(queued->data, message, message_len);
	exchange->queued++;
	exchange->log[exchange->logged] = *queued;
	exchange->log[exchange->logged].data = malloc(message_len);
	memcpy(exchange->log[exchange->logged++].data, message, message_len);
}

static void side_keepalive(void *context, const struct endpoint *local, const struct endpoint *remote)
{
	(void)local;
	(void)remote;
	((struct exchange_side *)context)->keepalives++;
}

static int side_spi_reserve(void *context, uint32_t *spi)
{
	struct exchange_side *side = context;

	if (side->fail_spi)
		return -ENOSPC;
	*spi = side->next_spi++;
	side->reserved++;
	return 0;
}

static void side_spi_release(void *context, uint32_t spi)
{
	(void)spi;
	assert_true(((struct exchange_side *)context)->reserved > 0);
	((struct exchange_side *)context)->reserved--;
}

static int side_install(void *context, const struct ike_child *child)
{
	size_t len = esp_suite_keymat_len(esp_suite_get(child->suite));
	struct exchange_side *side = context;
	struct exchange_child *at = &side->children[side->n_children];

	assert_true(side->reserved > 0 && side->n_children < EXCHANGE_CHILDREN_MAX);
	side->reserved--;
	if (side->fail_install)
		return -ENOBUFS;
	for (size_t i = 0; i < side->n_children; i++)
		assert_true(side->children[i].terms.id != child->id);
	*at = (struct exchange_child){.terms = *child};
	memcpy(at->keymat_in, child->keymat_in, len);
	memcpy(at->keymat_out, child->keymat_out, len);
	side->n_children++;
	return 0;
}

static struct exchange_child *side_child(struct exchange_side *side, uint64_t id, uint32_t spi_in)
{
	for (size_t i = 0; i < side->n_children; i++)
		if (side->children[i].terms.id == id && side->children[i].terms.spi_in == spi_in &&
			!side->children[i].gone)
			return &side->children[i];
	fail_msg("child %llu is not installed", (unsigned long long)id);
	return NULL;
}

static bool same_networks(const struct exchange_child *a, const struct exchange_child *b)
{
	return prefix_equal(&a->terms.local_network, &b->terms.local_network) &&
	       prefix_equal(&a->terms.remote_network, &b->terms.remote_network);
}

static void side_activate(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct exchange_side *side = context;
	struct exchange_child *child = side_child(side, child_id, spi_in);

	/* Of those with the same networks the last one that was named carries, as install_child_activate has it. */
	for (size_t i = 0; i < side->n_children; i++)
		if (same_networks(&side->children[i], child))
			side->children[i].outbound = false;
	child->active = child->outbound = true;
}

static void side_remove(void *context, uint64_t child_id, uint32_t spi_in)
{
	struct exchange_side *side = context;
	struct exchange_child *child = side_child(side, child_id, spi_in);
	bool carried = child->outbound;

	child->gone = true;
	child->outbound = false;
	/* The newest that is left, and has carried before, does so again, as install_child_remove has it. */
	for (size_t i = side->n_children; carried && i-- > 0;)
		if (side->children[i].active && !side->children[i].gone && same_networks(&side->children[i], child)) {
			side->children[i].outbound = true;
			return;
		}
}

static void side_moved(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
	const struct endpoint *local, const struct endpoint *remote)
{
	struct exchange_side *side = context;

	(void)ike_sa;
	assert_non_null(peer);
	assert_true(identity[0]);
	side->moves++;
	for (size_t i = 0; i < side->n_children; i++) {
		side->children[i].terms.local = *local;
		side->children[i].terms.remote = *remote;
	}
}

static void side_event(void *context, const struct ike_event *event)
{
	struct exchange_side *side = context;

	assert_non_null(event->why);
	side->events[event->kind]++;
	strncpy(side->why[event->kind], event->why, EXCHANGE_WHY_LEN - 1);
	if (side->on_event)
		side->on_event(side, event);
}

static void side_message(void *context, const struct ike_message *message)
{
	struct exchange_side *side = context;

	if (side->on_message)
		side->on_message(side, message);
}

static int side_login(void *context, const struct ike_login *login)
{
	struct exchange_side *side = context;

	side->login = login->key;
	strcpy(side->login_user, login->user);
	strcpy(side->login_password, login->password);
	side->login_waits = true;
	return 0;
}

static int side_lease(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
	char why[IKE_WHY_LEN])
{
	struct exchange_side *side = context;

	assert_true(peer->pool[0] && identity[0]);
	if (side->pool_exhausted) {
		strcpy(why, "one address was asked for, the pool has none");
		return -ENOSPC;
	}
	side->leases++;
	*out = (struct ike_assignment){.address = address_ipv4(0x0a630007), .n_dns = 1};
	out->dns[0] = address_ipv4(0xc0a80235);
	return 0;
}

static int side_registered(void *context, const char *identity, struct ike_registered *out)
{
	const struct exchange_side *side = context;

	if (!side->registered || strcmp(identity, side->registered_as) != 0)
		return -ENOENT;
	*out = *side->registered;
	return 0;
}

static int side_registered_take(void *context, uint64_t number, uint64_t ike_sa)
{
	struct exchange_side *side = context;

	assert_true(ike_sa != 0);
	assert_non_null(side->registered);
	assert_true(number == side->registered->number);
	if (side->registered_used)
		return -EALREADY;
	side->registered_used = true;
	side->registered_taken++;
	return 0;
}

static int side_ask_user(void *context, const struct config_peer *peer, unsigned asked, struct ike_user *out)
{
	struct exchange_side *side = context;

	assert_non_null(peer);
	(void)asked;
	side->asked++;
	if (!side->user)
		return -ENOENT;
	strcpy(out->name, side->user);
	strcpy(out->password, side->password);
	return 0;
}

static void side_assigned(void *context, const struct config_peer *peer, const struct ike_assignment *assignment)
{
	assert_non_null(peer);
	((struct exchange_side *)context)->assignment = *assignment;
}

static int side_compute(void *context, struct ike_job *job, bool begun)
{
	struct exchange_side *side = context;

	if (side->n_jobs == side->jobs_max)
		return -EBUSY;
	side->jobs[side->n_jobs++] = job;
	side->jobs_begun += begun;
	return 0;
}

bool exchange_has_helpers(void)
{
	return getenv("SLUICE_TEST_HELPERS") != NULL;
}

struct ike_host exchange_host(struct exchange_side *side)
{
	return (struct ike_host){
		.context = side,
		.credentials = side->credentials,
		.now_ms = side_now,
		.random = side_random,
		.send = side_send,
		.keepalive = side_keepalive,
		.spi_reserve = side_spi_reserve,
		.spi_release = side_spi_release,
		.child_install = side_install,
		.child_activate = side_activate,
		.child_remove = side_remove,
		.peer_moved = side_moved,
		.event = side_event,
		.message = side_message,
		.login = side_login,
		.lease = side_lease,
		.registered = side_registered,
		.registered_take = side_registered_take,
		.ask_user = side_ask_user,
		.assigned = side_assigned,
		.compute = exchange_has_helpers() ? side_compute : NULL,
	};
}
