/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client against a gateway that follows a script, in one event loop: a test changes `settings` and `gss`, gives the
 * gateway its script, lets it run, and looks at what the client told. Its GSS exchanges letters: ours are 't' with the
 * number of the round, the gateway's 'g'. Each test has its world as state, see CLIENT_TEST.
 */
#pragma once

#include "registration/client.h"
#include "scripted_gateway.h"

/* Whoever gets tickets for the client. Answers come a little later, from the loop. */
struct client_world_gss {
	struct registration_client *client;
	uint8_t binding[KEYS_CHANNEL_BINDING_LEN];
	unsigned rounds, ended, wanted; /* wanted: the round after which it is content */
	bool fails, refuses_step;
	struct event *answer;
};

struct client_world {
	struct event_base *base;
	struct scripted_gateway gateway;
	struct client_world_gss gss;
	struct config config;
	struct credentials *credentials;
	struct tls_context *tls;
	struct registration_client *client;	      /* NULL: it is over */
	struct registration_client_settings settings; /* a password's; to be changed before client_world_run */
	/* What it told: */
	bool is_done, has_failed;
	struct registration_verdict verdict;
	struct registration_accepted accepted;
	struct registration_keys keys;
	enum registration_method method;
	int bare; /* the client's end of a TCP transport; -1: none */
};

/* For cmocka_run_group_tests: the gateway's certificate. */
int client_world_make_certificates(void **state);
int client_world_remove_certificates(void **state);

int client_world_set_up(void **state);
int client_world_tear_down(void **state);
#define CLIENT_TEST(name) cmocka_unit_test_setup_teardown(name, client_world_set_up, client_world_tear_down)

/* Until the client is done or has failed; fails the test when neither comes within a deadline. */
void client_world_run(struct client_world *world);

/* It has failed like that, and `part` is in its sentence. */
void client_world_says(const struct client_world *world, enum registration_failure failure, const char *part);
