/* SPDX-License-Identifier: Apache-2.0 */
/* Kerberos as a method of registering: joins the registration's client and the initiator of kerberos_client.h. */
#pragma once

#include "config/kerberos.h"
#include "jobs.h"
#include "registration/client.h"

struct kerberos_client;

struct ticket {
	const struct config_kerberos_client *config;
	const char *gateway; /* its name, for that of its service */
	struct event_base *base;
	struct jobs *jobs; /* calls that may wait for a KDC */
	struct kerberos_client *initiator;
	struct registration_client *client;
	char principal[CONFIG_KERBEROS_NAME_LEN]; /* ours, as of the last ticket */
};

/* 0 or -ENOMEM. Configuration and name must stay. */
int ticket_open(struct ticket *ticket, const struct config_kerberos_client *config, const char *gateway,
	struct event_base *base);
void ticket_close(struct ticket *ticket);

/* For registration_client_settings. */
struct registration_gss ticket_gss(struct ticket *ticket);
