/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer and a gateway in one process, with a real KDC beside them (realm.sh). Their tokens are handed over here, so
 * that each end works while the other rests: either may have its own krb5.conf and its own clock.
 */
#pragma once

#include "auth/kerberos.h"
#include "connect/kerberos_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define WORLD_REALM "EXAMPLE.TEST"

enum { WORLD_TOKEN_MAX = 65536 };

/* One end: where its krb5.conf is, and how far its clock is ahead. */
struct world_end {
	char krb5_conf[256];
	int clock; /* seconds */
};

struct world {
	struct event_base *base;
	struct jobs *jobs;
	char directory[200]; /* of the realm */
	struct world_end client_end, gateway_end;

	struct config_kerberos config;
	struct kerberos *kerberos;
	char report[KERBEROS_WHY_LEN]; /* of kerberos_new */

	struct config_kerberos_client client_config;
	struct kerberos_client *client;
	uint8_t client_binding[KERBEROS_BINDING_LEN], gateway_binding[KERBEROS_BINDING_LEN];

	/* The last answers, copied. */
	struct kerberos_context *context;
	unsigned answers, client_answers;
	enum kerberos_state state;
	char principal[256], identity[256], said[512], why[KERBEROS_WHY_LEN];
	enum kerberos_client_state client_state;
	enum kerberos_client_failure failure;
	char client_why[KERBEROS_CLIENT_WHY_LEN], client_principal[256];
	bool through_gateway;
	uint8_t token[WORLD_TOKEN_MAX]; /* on its way */
	size_t token_len;
	unsigned rounds; /* tokens of the client */
};

/* For cmocka. The client has alice's cache, the gateway the key of vpn/hq.test, both the KDC. */
int world_setup(void **state);
int world_teardown(void **state);

/* Opens the gateway by world->config; false: world->report says why not. */
bool world_open(struct world *world);

/* A file of the realm's directory, until the next call. */
char *world_path(const struct world *world, const char *name);

/* A krb5.conf whose KDC is elsewhere; its path is at `path`. */
void world_write_conf(const struct world *world, const char *name, const char *address, unsigned port, char path[256]);

/* Whose krb5.conf and clock count from now on. */
void world_be(const struct world_end *end);

/* The whole exchange, until either end is done with it. Both are ended before the next. */
void world_meet(struct world *world);

/* Its steps. */
void world_client_begin(struct world *world);
void world_client_step(struct world *world);
void world_gateway_begin(struct world *world);
void world_gateway_step(struct world *world);
void world_end(struct world *world);

/* Waits in the event loop. */
void world_await(struct world *world, const unsigned *counter, unsigned value);

/* A token that the GSS library makes for alice as it is told, not as kerberos_client does. */
void world_raw_token(struct world *world, unsigned flags, const uint8_t *binding);

#define assert_says(text, part)                                                                                        \
	do {                                                                                                           \
		if (!strstr(text, part))                                                                               \
			fail_msg("\"%s\" does not say \"%s\"", text, part);                                            \
	} while (0)
