/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What accepting costs: CPU time of sluiced's side for one AP-REQ, replay cache, channel binding and rules included,
 * TLS and messages not. Not a test:
 *
 *     tests/unit/kerberos/realm.sh build/tests/unit/kerberos/accept-cost [COUNT]
 */
#include "world.h"

#include <gssapi/gssapi_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct token {
	uint8_t bytes[2048];
	size_t len;
};

static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* The tokens are made before; what a round of the event loop and of a helper costs is counted. */
static void measure(struct world *world, struct token *tokens, unsigned count)
{
	double before = cpu_ms();

	for (unsigned i = 0; i < count; i++) {
		memcpy(world->token, tokens[i].bytes, tokens[i].len);
		world->token_len = tokens[i].len;
		world_gateway_begin(world);
		world_gateway_step(world);
		assert_int_equal(world->state, KERBEROS_ACCEPTED);
		world_end(world);
	}
	printf("accepted=%u cpu_us_per_accept=%.0f\n", count, (cpu_ms() - before) * 1e3 / count);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
	struct token *tokens = calloc(count, sizeof(*tokens));
	struct world *world;
	void *state;

	if (!tokens || count == 0)
		return 1;
	world_setup(&state);
	world = state;
	world_open(world);
	for (unsigned i = 0; i < count; i++) {
		world_raw_token(world, GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG, world->gateway_binding);
		if (world->token_len > sizeof(tokens[i].bytes))
			return 1;
		memcpy(tokens[i].bytes, world->token, world->token_len);
		tokens[i].len = world->token_len;
	}
	measure(world, tokens, count);
	world_teardown(&state);
	free(tokens);
	return 0;
}
