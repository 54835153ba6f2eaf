/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences of a dialog, for the client and for the timeline, and the gateway's longest message. Pure functions. */
#pragma once

#include "registration/grant.h"
#include "registration/message.h"
#include "registration/registry.h"

enum { DIALOG_TEXT_LEN = 480 };

enum dialog_state {
	DIALOG_TLS,
	DIALOG_HELLO,
	DIALOG_AUTHENTICATE,
	DIALOG_PROVING, /* our turn: a helper may be at work */
	DIALOG_TOKEN,
	DIALOG_START,
	DIALOG_LEAVING, /* our last word is said */
};

/* What the client is told with a refusal. */
const char *dialog_text_sentence(enum registration_code code);

/* Values as bits of a set. */
uint32_t dialog_text_bits(const uint8_t *values, size_t count);

/* What a client calls itself, as it can stand in a log. */
void dialog_text_claim(const char *user, char claimed[CONFIG_IDENTITY_LEN]);

/* Each writes DIALOG_TEXT_LEN bytes and returns them. */
char *dialog_text_hello(const struct registration_hello *hello, char *text);
char *dialog_text_nothing_in_common(
	const struct registration_hello *hello, uint32_t methods, uint32_t transports, char *text);
char *dialog_text_authenticate(const struct registration_authenticate *authenticate, const char *claimed, char *text);
char *dialog_text_registered(const struct config *config, const struct registration *registration, char *text);

/* What was waited for in a state whose time is over. */
const char *dialog_text_waiting(enum dialog_state state);

/* The client has broken off. `accepted`: all that was missing was its confirmation. */
const char *dialog_text_gone(bool accepted);

/* Fills in what a client is told that was accepted. */
void dialog_text_accepted(const struct config *config, const struct registration *registration,
	const struct grant *grant, struct registration_accepted *out);
