/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registrar on loopback, in one event loop with its clients, which speak real TLS and say what the test has them say.
 * Users are alice (staff), whose password is "open sesame", and bob, whose is the same; certificates are made here.
 */
#pragma once

#include "jobs.h"
#include "registration/channel.h"
#include "registration/registrar.h"

#define WORLD_PASSWORD "open sesame"

enum { WORLD_TOLD_MAX = 64, WORLD_ENDED_MAX = 32 };

struct world {
	struct event_base *base;
	struct config config; /* to be changed before world_open */
	struct config_peer peers[2];
	struct config_member members[2];
	struct credentials *credentials;
	struct members *known;
	struct registry *registry;
	struct jobs *jobs;
	struct login *login;
	struct kerberos *kerberos; /* of the caller, before world_open; freed by world_close */
	struct registrar *registrar;
	struct { /* what the operator is told */
		enum timeline_what what;
		char identity[CONFIG_IDENTITY_LEN];
		char text[512];
	} told[WORLD_TOLD_MAX];
	size_t n_told;
	unsigned n_over, n_ended, n_started, n_streams, n_leases;
	bool pool_exhausted;
	const char *overlap; /* NULL: nothing does */
	int stream;	     /* that the host was given */
	bool late;
};

/* A client. What it was sent last is in `got`. */
struct client {
	struct world *world;
	struct credentials *credentials;
	struct config config;
	struct tls_context *tls;
	struct channel *channel; /* NULL: it has none (any more) */
	int fd;
	bool opened, closed, sent_all, failed;
	enum tls_failure failure;
	unsigned n_got;
	struct registration_message got;
};

void world_prepare(struct world *world);
void world_open(struct world *world);
void world_close(struct world *world);

/* Runs the loop until the condition holds; fails the test when it doesn't within a deadline, with what was told. */
void world_until(struct world *world, bool (*holds)(void *context), void *context);

/* Whether a sentence of this kind and with this part in it was told. */
bool world_was_told(const struct world *world, enum timeline_what what, const char *part);

/* A bare TCP connection. */
int world_connect(struct world *world);

/* Connects by TLS, with the certificate `name`.pem or without (NULL); returns when the handshake is done. */
void client_open(struct world *world, struct client *client, const char *name);
void client_close(struct client *client);
void client_send(struct client *client, const struct registration_message *message);
void client_send_text(struct client *client, const char *text);
void client_say_hello(struct client *client);
void client_give_password(struct client *client, const char *user, const char *password);
/* Waits for the next message, which must be of this type. */
void client_expect(struct client *client, enum registration_type type);
void client_expect_refusal(struct client *client, enum registration_code code);
/* hello, offer, password, accepted. */
void client_register(struct client *client, const char *user);
/* start, and its close_notify; returns when the gateway has ended, too. */
void client_start(struct client *client);
