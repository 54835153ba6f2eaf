/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway on the loopback interface that speaks real TLS and follows a script: to each message of the client's it
 * answers with the next step, whatever the message is. What it has heard can be looked at when it is over. Its
 * certificate is "gateway" of "authority", which must have been made (pki.h).
 */
#pragma once

#include "registration/channel.h"
#include "registration/keys.h"
#include "registration/message.h"

enum { STEPS_MAX = 6 };

/* What the gateway answers to the next message of the client's. */
enum reply { NOTHING, SEND, SEND_TEXT, CLOSE, DROP, RESET };

struct step {
	enum reply reply;
	struct registration_message message;
	const char *text;
};

struct scripted_gateway {
	struct event_base *base;
	struct config config;
	struct credentials *credentials;
	struct tls_context *context;
	struct event *listening;
	struct channel *channel;
	int listener, bare;
	struct endpoint endpoint;
	bool mute; /* accepts connections and does nothing with them */
	struct step steps[STEPS_MAX];
	size_t n_steps, at;
	struct registration_message heard[STEPS_MAX];
	size_t n_heard;
	struct registration_keys keys;
	bool closed;
	int fin_from_client; /* 1: its FIN had come when ours was not yet sent */
};

void scripted_gateway_open(struct scripted_gateway *gateway, struct event_base *base);
void scripted_gateway_close(struct scripted_gateway *gateway);

/* From the first message on; the steps are copied, what their messages point to is not. STEPS_MAX at most. */
void scripted_gateway_follow(struct scripted_gateway *gateway, const struct step *steps, size_t count);

/* Steps that fit the protocol. Methods are bits of enum registration_method. */
struct step script_offer(uint32_t methods);
struct step script_accepted(enum registration_transport transport);
struct step script_token(void); /* one byte, 'g' */

/* What script_accepted says; valid until the next call. */
const struct registration_accepted *script_terms(enum registration_transport transport);
