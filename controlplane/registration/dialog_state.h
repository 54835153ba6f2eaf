/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside a dialog only: its state, and the seam between its life (dialog.c: connection, time, end) and what the client
 * says (dialog_take.c).
 */
#pragma once

#include "registration/channel.h"
#include "registration/dialog.h"
#include "registration/dialog_text.h"

struct dialog {
	struct dialog_owner owner;
	const struct registrar_host *host;
	struct registrar_counters *counters;
	enum dialog_state state;
	struct channel *channel;
	int fd; /* the channel's, until it is released */
	struct event *timeout;
	struct proof *proof;
	struct registration
		registration; /* being filled in; from `accepted` on the registry has it, under its number */
	struct grant grant;
	struct timeline_registration about; /* for the timeline */
	char claimed[CONFIG_IDENTITY_LEN];
	uint32_t methods; /* that were offered */
	bool registered, started, told, closed, sent_all;
};

/* One sentence for the timeline. */
void dialog_tell(struct dialog *dialog, enum timeline_what what, const char *text);

/* It is over: the dialog is freed when this returns. */
void dialog_over(struct dialog *dialog);

/* Our last word is said: ends our side of the exchange, and waits a moment for the client's. */
void dialog_leave(struct dialog *dialog);

/* Refuses: `sentence` is for the client, `why` for the timeline. The dialog may be freed when this returns. */
void dialog_refuse(struct dialog *dialog, enum registration_code code, const char *sentence, const char *why);
void dialog_refuse_malformed(struct dialog *dialog, const char *what);
void dialog_refuse_no_memory(struct dialog *dialog);

/* A message that could be read. The dialog may be freed when this returns. */
void dialog_take(struct dialog *dialog, const struct registration_message *message);
