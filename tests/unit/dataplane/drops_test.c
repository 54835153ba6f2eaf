/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every counter of dataplane/reasons.h is made to rise, alone and by the right number; a new one without a test fails.
 * Those of TCP connections that workers own are provoked where there is another end for them: connection_test.c and
 * connections_test.c.
 */
#include "drops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct reason_text {
	const char *name, *kind;
} texts[REASON_COUNT] = {
#define X(id, name, kind, meaning) [REASON_##id] = {name, #kind},
	REASONS(X)
#undef X
};

static const struct provocation *provocation_of(size_t reason)
{
	if (drops_stream[reason].provoke)
		return &drops_stream[reason];
	return drops_plain[reason].provoke ? &drops_plain[reason] : &drops_esp[reason];
}

/* An ICMP error is about a packet that was dropped. */
static size_t drop_beside(size_t reason)
{
	switch (reason) {
	case REASON_IN_ICMP: return REASON_DROP_MTU;
	case REASON_NOTE_ICMP_RATE: return REASON_DROP_TTL;
	default: return reason;
	}
}

static bool is_of_connections(size_t reason)
{
	switch (reason) {
	case REASON_IN_FRAME:
	case REASON_IN_IKE:
	case REASON_IN_SEGMENT:
	case REASON_OUT_SEGMENT:
	case REASON_OUT_FRAME:
	case REASON_OUT_IKE:
	case REASON_DROP_CONNECTION_LATE:
	case REASON_DROP_CONNECTION_FULL:
	case REASON_DROP_CONNECTION_ENDED:
	case REASON_DROP_CONNECTION_HELD:
	case REASON_DROP_CONNECTION_SEGMENT:
	case REASON_DROP_CONNECTION_FRAME: return true;
	default: return false;
	}
}

static void test_reason(void **state)
{
	size_t reason = (size_t)((const struct reason_text *)*state - texts);
	const struct provocation *provocation = provocation_of(reason);

	if (is_of_connections(reason))
		skip();
	harness_open(&(struct harness_options){0});
	if (!provocation->provoke)
		fail_msg("nothing here provokes \"%s\"", texts[reason].name);
	provocation->provoke();
	assert_int_equal(harness_count((enum reason)reason), provocation->count);
	for (size_t i = 0; i < REASON_COUNT; i++)
		if (i != reason && i != drop_beside(reason) && strcmp(texts[i].kind, "DROP") == 0 && harness_count((enum reason)i) > 0)
			fail_msg("\"%s\" rose beside \"%s\"", texts[i].name, texts[reason].name);
	assert_int_equal(harness_balance(), 0);
}

int main(void)
{
	struct CMUnitTest tests[REASON_COUNT];

	for (size_t i = 0; i < REASON_COUNT; i++)
		tests[i] = (struct CMUnitTest){.name = texts[i].name,
			.test_func = test_reason,
			.teardown_func = harness_teardown,
			.initial_state = (void *)(uintptr_t)&texts[i]};
	return _cmocka_run_group_tests("drops", tests, REASON_COUNT, NULL, NULL);
}
