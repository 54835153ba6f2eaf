/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two channels on a pair of sockets in one loop, and what each was told; or one, and a stranger at the other end.
 * Certificates are named as pki_make has them: "gateway" is that of hq.example and 203.0.113.1; "future", "past" and
 * "foreign" (of another authority) would be, too; "nameless" has only a common name; "branch" is a client's.
 */
#pragma once

#include "registration/channel.h"

enum { CLIENT, GATEWAY, SIDES };

struct channel_side {
	struct config config;
	struct credentials *credentials;
	struct tls_context *context;
	struct channel *channel;
	bool opened, closed, sent_all, free_on_message;
	unsigned messages;
	char *text; /* the last message */
	size_t text_len;
	enum tls_failure failure;
	char why[TLS_WHY_LEN];
};

struct channel_pair {
	struct event_base *base;
	struct channel_side sides[SIDES];
	int stranger; /* our end, where nothing of ours speaks at the other; 0: none */
};

/* For cmocka_run_group_tests. */
int channel_pair_make_certificates(void **state);
int channel_pair_remove_certificates(void **state);

/* With certificates of these names (client: NULL, none), and the gateway's name that the client looks for. */
void channel_pair_begin(struct channel_pair *pair, const char *client, const char *gateway, const char *name);
void channel_pair_begin_with_stranger(struct channel_pair *pair, int side);
void channel_pair_end(struct channel_pair *pair);

/* Runs the loop until the condition holds, which it must within a deadline that is long for a busy machine. */
void channel_pair_run_until(struct channel_pair *pair, bool (*holds)(const struct channel_pair *pair));
bool channel_pair_is_open(const struct channel_pair *pair); /* at both ends */
bool channel_pair_client_failed(const struct channel_pair *pair);
bool channel_pair_gateway_failed(const struct channel_pair *pair);

/* That side has failed like that, and `part` is in its sentence. */
void channel_pair_says(const struct channel_pair *pair, int side, enum tls_failure failure, const char *part);
