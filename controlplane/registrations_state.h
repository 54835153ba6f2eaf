/* SPDX-License-Identifier: Apache-2.0 */
/* Inside registrations*.c only: their state, and what the two parts (registrar's host, successors) ask of each other. */
#pragma once

#include "registrations.h"

#include <sys/queue.h>

/* An identity that has registered anew: what it had before goes when what it has now carries traffic. */
struct successor {
	TAILQ_ENTRY(successor) in_list;
	uint64_t ike_sa; /* the newer one */
	bool due;
	const struct config_peer *peer, *before; /* which entry it is of, and was */
	char identity[CONFIG_IDENTITY_LEN];
	char why[ENTRY_TEXT_MAX];
};

struct registrations {
	struct gateway *gateway;
	struct members *members;
	struct registry *registry;
	struct kerberos *kerberos; /* NULL: this method is off */
	struct registrar *registrar;
	struct notices *notices;
	TAILQ_HEAD(, successor) successors;
	struct log_limit limit_refused;
};

/* registrations.c: how the timeline knows it. It points into the registration. */
struct timeline_registration registrations_about(const struct registration *registration);

/* registrations.c: to the log and to the timeline. */
void registrations_tell(struct registrations *registrations, const struct timeline_registration *about,
	enum timeline_what what, const char *text);

/* registrations_successors.c: none is left, and nothing that was due is done. */
void registrations_free_successors(struct registrations *registrations);
