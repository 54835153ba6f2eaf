/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running control plane: which parts there are and how they meet. The IKE engine asks for its wants here (it has no
 * socket and no clock), the data plane comes and goes here. One thread, one event loop; every callback of the loop ends
 * in gateway_settle, which hands changes over to the data plane and sets IKE's next timer.
 */
#pragma once

#include "config/config.h"
#include "config/log.h"
#include "attachment.h"
#include "clients.h"
#include "ike/ike.h"
#include "install.h"
#include "jobs.h"
#include "mirror.h"
#include "peers.h"
#include "registrations.h"
#include "sockets.h"
#include "streams.h"
#include "timeline.h"

#include <event2/event.h>

struct gateway_counters {
	uint64_t unknown_spi; /* told by the data plane */
	uint64_t sessions_moved;
	uint64_t sessions_followed; /* of these, by ESP packets that came from elsewhere */
	uint64_t soft_lifetimes;    /* a limit in bytes or packets came near; of these, rekeying began: */
	uint64_t rekeys;
	uint64_t hard_lifetimes; /* child SAs that were used up, */
	uint64_t expired;	 /* and those whose time was over, without IKE having ended them */
	uint64_t streams_refused; /* ESP packets of TCP connections that the data plane did not take */
};

struct gateway {
	const struct config *config;
	const struct credentials *credentials; /* certificates and our key; NULL: none */
	struct event_base *base;
	struct event *ike_timer, *tick;
	struct peers *peers;
	struct sockets *sockets;
	struct streams *streams;
	struct jobs *jobs; /* IKE's arithmetic, in helper threads */
	struct ike *ike;
	struct timeline *timeline;
	struct clients *clients;
	struct registrations *registrations; /* NULL: nobody registers */
	struct attachment *attachment;
	struct tables *tables; /* NULL while no data plane is attached, and with it: */
	struct install *install;
	struct mirror *mirror; /* NULL also when the kernel can't be read */
	struct gateway_counters counters;
	struct log_limit limit_unknown_spi, limit_no_dataplane, limit_corrupt;
	int64_t started_at, attached_at; /* Unix time */
	uint64_t lost_ms;		 /* when a data plane went whose peers were not told yet; monotonic, 0: none */
	unsigned lost_ticks;
	uint32_t dpd_next; /* the session slot that was looked at last */
	uint32_t adopted; /* sessions taken over at the last attachment */
};

/*
 * Certificates that were read anew, for all that begins from now on. 0; -EINVAL with a sentence in `why`, and the former
 * ones stay in use.
 */
int gateway_use_credentials(struct gateway *gateway, const struct credentials *credentials, char why[TLS_WHY_LEN]);

/* Starts everything; the configuration must stay. 0, or negative errno after a line in the log. */
int gateway_open(struct gateway *gateway, const struct config *config, struct event_base *base);

/* Stops; sessions stay installed. */
void gateway_close(struct gateway *gateway);

/*
 * Opens the ports alone: before privileges are given up, and before gateway_open, which opens the rest. 0, or
 * negative errno after a line in the log.
 */
int gateway_bind(struct gateway *gateway, const struct config *config, struct event_base *base);

/* To be called last in every callback of the event loop. */
void gateway_settle(struct gateway *gateway);

/* The data plane came: its tables are mapped. What it took up of a former process is adopted. */
int gateway_attached(struct gateway *gateway, struct tables *tables, int changes_fd);
/* And went: its SAs and their sequence numbers with it. Its peers are told later (lost.h). */
void gateway_detached(struct gateway *gateway);

/*
 * Deletes IKE SAs, telling the peers, and sessions: of a configured peer, or with an identity; either may be NULL, for
 * any. Returns how many of both there were.
 */
size_t gateway_delete_peer(
	struct gateway *gateway, const struct config_peer *peer, const char *identity, const char *why);
