/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "auth/gss_status.h"

#include <gssapi/gssapi_krb5.h>
#include <openssl/rand.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/*
 * The clock of all libraries in this process: theirs is resolved to this one. What the event loop sees moves too, but
 * only between its waits.
 */
static _Atomic int clock_ahead;

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec real;

	(void)zone;
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &real);
	now->tv_sec = real.tv_sec + clock_ahead;
	now->tv_usec = real.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *seconds)
{
	struct timeval now;

	gettimeofday(&now, NULL);
	if (seconds)
		*seconds = now.tv_sec;
	return now.tv_sec;
}

/* MIT's library forgets to free a service's name when the keytab has no key of it; our own code makes no principals. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:krb5_copy_principal\nleak:krb5_build_principal_alloc_va\n";
}

void world_be(const struct world_end *end)
{
	clock_ahead = end->clock;
	assert_int_equal(setenv("KRB5_CONFIG", end->krb5_conf, 1), 0);
}

char *world_path(const struct world *world, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", world->directory, name);
	return path;
}

void world_write_conf(const struct world *world, const char *name, const char *address, unsigned port, char path[256])
{
	FILE *file;

	strcpy(path, world_path(world, name));
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file,
		"[libdefaults]\n default_realm = " WORLD_REALM
		"\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n"
		" kdc_timesync = 0\n[realms]\n " WORLD_REALM " = {\n  kdc = %s:%u\n }\n",
		address, port);
	fclose(file);
}

int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	const char *directory = getenv("REALM_DIRECTORY");

	assert_non_null(directory);
	snprintf(world->directory, sizeof(world->directory), "%s", directory);
	strcpy(world->client_end.krb5_conf, world_path(world, "krb5.conf"));
	world->gateway_end = world->client_end;
	world->config = (struct config_kerberos){.service = "vpn",
		.rules = {{"*@" WORLD_REALM, "*"}},
		.n_rules = 1,
		.token_max = 32768,
		.rounds_max = 12,
		.iakerb = true,
		.kdc_timeout = 30,
		.kdc_pending = 4};
	strcpy(world->config.keytab, world_path(world, "hq.keytab"));
	world->client_config = (struct config_kerberos_client){
		.service = "vpn/hq.test", .iakerb = CONFIG_IAKERB_NEVER, .kdc_patience = 60};
	strcpy(world->client_config.cache, world_path(world, "alice.cache"));
	RAND_bytes(world->client_binding, sizeof(world->client_binding));
	memcpy(world->gateway_binding, world->client_binding, sizeof(world->gateway_binding));
	world->base = event_base_new();
	world->jobs = jobs_new(world->base, 2, 16);
	assert_non_null(world->jobs);
	*state = world;
	return 0;
}

int world_teardown(void **state)
{
	struct world *world = *state;

	world_end(world);
	jobs_free(world->jobs);
	kerberos_free(world->kerberos);
	event_base_free(world->base);
	clock_ahead = 0;
	unlink(world_path(world, "kerberos.replay"));
	free(world);
	return 0;
}

static void on_report(void *context, const char *sentence)
{
	struct world *world = context;

	snprintf(world->report, sizeof(world->report), "%s", sentence);
}

bool world_open(struct world *world)
{
	world_be(&world->gateway_end);
	world->kerberos = kerberos_new(&world->config, world->directory, world->base, on_report, world);
	return world->kerberos != NULL;
}

void world_await(struct world *world, const unsigned *counter, unsigned value)
{
	while (*counter < value)
		assert_int_equal(event_base_loop(world->base, EVLOOP_ONCE), 0);
}

static void world_carry(struct world *world, const uint8_t *token, size_t token_len)
{
	assert_in_range(token_len, 0, WORLD_TOKEN_MAX);
	if (token_len)
		memcpy(world->token, token, token_len);
	world->token_len = token_len;
}

static void on_answer(void *context, const struct kerberos_answer *answer)
{
	struct world *world = context;

	world->answers++;
	world->state = answer->state;
	snprintf(world->principal, sizeof(world->principal), "%s", answer->principal);
	snprintf(world->identity, sizeof(world->identity), "%s", answer->identity);
	snprintf(world->said, sizeof(world->said), "%s", answer->said);
	snprintf(world->why, sizeof(world->why), "%s", answer->why);
	world_carry(world, answer->token, answer->token_len);
	/* What every refusal has in common. */
	if (answer->state == KERBEROS_REFUSED) {
		assert_int_equal(answer->token_len, 0);
		assert_string_equal(answer->identity, "");
		assert_string_not_equal(answer->why, "");
	} else {
		assert_string_equal(answer->why, "");
	}
}

static void on_client_answer(void *context, const struct kerberos_client_answer *answer)
{
	struct world *world = context;

	world->client_answers++;
	world->client_state = answer->state;
	world->failure = answer->failure;
	world->through_gateway = answer->through_gateway;
	snprintf(world->client_why, sizeof(world->client_why), "%s", answer->why);
	snprintf(world->client_principal, sizeof(world->client_principal), "%s", answer->principal);
	world_carry(world, answer->token, answer->token_len);
	assert_int_equal(answer->state == KERBEROS_CLIENT_FAILED, answer->failure != KERBEROS_CLIENT_NO_FAILURE);
	assert_int_equal(answer->state == KERBEROS_CLIENT_FAILED, answer->why[0] != '\0');
}

void world_client_begin(struct world *world)
{
	const unsigned before = world->client_answers;

	world_be(&world->client_end);
	world->client = kerberos_client_begin(&world->client_config, "hq.test", world->client_binding, world->base,
		world->jobs, on_client_answer, world);
	assert_non_null(world->client);
	assert_int_equal(world->client_answers, before);
	world_await(world, &world->client_answers, before + 1);
	world->rounds = world->token_len > 0;
}

void world_client_step(struct world *world)
{
	const unsigned before = world->client_answers;

	world_be(&world->client_end);
	assert_int_equal(kerberos_client_step(world->client, world->token, world->token_len), 0);
	assert_int_equal(kerberos_client_step(world->client, world->token, world->token_len), -EBUSY);
	world_await(world, &world->client_answers, before + 1);
	world->rounds += world->token_len > 0;
}

void world_gateway_begin(struct world *world)
{
	world->context = kerberos_begin(world->kerberos, world->gateway_binding, on_answer, world);
	assert_non_null(world->context);
}

void world_gateway_step(struct world *world)
{
	const unsigned before = world->answers;

	world_be(&world->gateway_end);
	assert_int_equal(kerberos_step(world->context, world->token, world->token_len), 0);
	assert_int_equal(world->answers, before); /* never from within */
	assert_int_equal(kerberos_step(world->context, world->token, world->token_len), -EBUSY);
	world_await(world, &world->answers, before + 1);
}

void world_end(struct world *world)
{
	kerberos_end(world->context);
	world->context = NULL;
	kerberos_client_end(world->client);
	world->client = NULL;
}

void world_meet(struct world *world)
{
	world_end(world);
	world_gateway_begin(world);
	world_client_begin(world);
	while (world->client_state != KERBEROS_CLIENT_FAILED && world->token_len > 0) {
		world_gateway_step(world);
		if (world->state == KERBEROS_REFUSED)
			return;
		if (world->client_state == KERBEROS_CLIENT_COMPLETE)
			return;
		world_client_step(world);
	}
}

void world_raw_token(struct world *world, unsigned flags, const uint8_t *binding)
{
	uint8_t data[GSS_BINDING_LEN];
	struct gss_channel_bindings_struct bindings;
	gss_buffer_desc service = {.length = sizeof("vpn/hq.test") - 1, .value = "vpn/hq.test"};
	gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
	gss_ctx_id_t gss = GSS_C_NO_CONTEXT;
	gss_name_t target;
	OM_uint32 major, minor;
	char cache[256];

	world_be(&world->client_end);
	snprintf(cache, sizeof(cache), "FILE:%s/alice.cache", world->directory);
	setenv("KRB5CCNAME", cache, 1);
	if (binding)
		bindings = gss_binding_of(binding, data);
	major = gss_import_name(&minor, &service, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &target);
	assert_int_equal(major, GSS_S_COMPLETE);
	major = gss_init_sec_context(&minor, GSS_C_NO_CREDENTIAL, &gss, target, (gss_OID)&gss_mechanism_krb5, flags, 0,
		binding ? &bindings : GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
	assert_false(GSS_ERROR(major));
	world_carry(world, token.value, token.length);
	gss_release_buffer(&minor, &token);
	gss_release_name(&minor, &target);
	gss_delete_sec_context(&minor, &gss, GSS_C_NO_BUFFER);
}
