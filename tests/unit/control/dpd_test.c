/* SPDX-License-Identifier: Apache-2.0 */
/* Dead peer detection: who talks is never asked, who is silent is, and who does not answer is taken down. */
#include "test.h"

#include "world.h"

#include "dpd.h"

#include <errno.h>

enum { START_MS = 1000000 };

static uint64_t now_ms;

/* One second after the other; fails when probes come closer together than they may. */
static void pass(struct world *world, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		unsigned before = fake_ike.n_probes;

		now_ms += 1000;
		dpd_tick(&world->gateway, now_ms);
		assert_true(fake_ike.n_probes <= before + 1);
	}
}

static uint32_t begin(struct world *world)
{
	struct ike_child child = world_child(world, 0, 7, 40000);
	uint32_t spi;

	world->config.ike.dpd_delay = 30;
	world->config.ike.dpd_timeout = 60;
	now_ms = START_MS;
	spi = world_install_active(world, &child);
	pass(world, DPD_LOOK_SECONDS);
	assert_int_equal(fake_ike.n_probes, 0);
	return spi;
}

static void test_silent(void **state)
{
	struct world *world = *state;

	begin(world);
	pass(world, 25);
	assert_int_equal(fake_ike.n_probes, 0);
	pass(world, 10);
	assert_true(fake_ike.n_probes > 0);
	assert_non_null(world_session(world, 0));
	pass(world, 20);
	assert_non_null(world_session(world, 0));
	pass(world, 15);
	assert_null(world_session(world, 0));
	assert_int_equal(fake_ike.n_peer_deleted, 1);
}

static void test_data_comes(void **state)
{
	struct world *world = *state;
	uint32_t index = tables_spi_index(begin(world));

	for (int i = 0; i < 20; i++) {
		tables_count(&tables_counters(&world->tables, 1)->traffic[index].packets_in, 1);
		pass(world, 20);
	}
	assert_int_equal(fake_ike.n_probes, 0);
	assert_non_null(world_session(world, 0));
}

/* Every answer is a sign of life, so that the next question comes after as long a silence as the first. */
static void test_answered(void **state)
{
	struct world *world = *state;

	begin(world);
	for (int i = 0; i < 20; i++) {
		unsigned before = fake_ike.n_probes;

		pass(world, 40);
		assert_true(fake_ike.n_probes > before && fake_ike.n_probes <= before + 3);
		fake_ike.heard_ms = now_ms;
	}
	assert_non_null(world_session(world, 0));
}

/* Who can't be asked is never given up, nor one whose IKE SA this process does not know. */
static void test_not_asked(void **state)
{
	struct world *world = *state;

	begin(world);
	fake_ike.probe_result = -EOPNOTSUPP;
	pass(world, 1000);
	assert_non_null(world_session(world, 0));
	fake_ike.probe_result = 0;
	world_restart_control(world);
	fake_ike.n_probes = 0;
	pass(world, 1000);
	assert_int_equal(fake_ike.n_probes, 0);
	assert_non_null(world_session(world, 0));
}

static void test_switched_off(void **state)
{
	struct world *world = *state;

	begin(world);
	world->config.ike.dpd_delay = 0;
	pass(world, 1000);
	assert_int_equal(fake_ike.n_probes, 0);
	assert_non_null(world_session(world, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_silent, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_data_comes, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_answered, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_not_asked, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_switched_off, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
