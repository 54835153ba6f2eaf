/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running client: which parts there are and how they meet. The IKE engine asks for its wants in host.c, dial.h says
 * when to try, the data path is dataplane/tun. One thread, one event loop; every callback ends in connection_settle,
 * where what the engine has told meanwhile takes effect, since it must not be called back from its own callbacks.
 *
 * What IKE needs (credentials, ports, networks, timers) is in `config`: as file and command line have it or, where this
 * host registers, as the last registration brought it.
 */
#pragma once

#include "config/connect.h"
#include "connect/dial.h"
#include "connect/explain.h"
#include "connect/kernel.h"
#include "connect/noticing.h"
#include "connect/over_tcp.h"
#include "connect/register.h"
#include "connect/resuming.h"
#include "connect/routes.h"
#include "connect/undo.h"
#include "ike/credentials.h"
#include "ike/ike.h"
#include "tun/path.h"

#include <event2/event.h>

enum { CONNECTION_EXCHANGES_MAX = 8, CONNECTION_OWN_MAX = 32 };

/* What a try is, and at which ports the rounds of tries are. */
enum connection_phase {
	CONNECTION_ALONE,	/* IKE by itself, with what was configured: UDP ports of the configuration */
	CONNECTION_REGISTERING, /* TCP ports of the configuration */
	CONNECTION_REGISTERED,	/* IKE, with what a registration brought: UDP ports, the one that was dialed in front */
};

/* Told when something has come about; for --once and the log. */
struct connection_hooks {
	void *context;
	void (*up)(void *context);     /* the tunnel stands */
	void (*failed)(void *context); /* a round was in vain: connection->verdict says why */
};

struct connection_counters {
	uint64_t connected, lost, resumed, rounds_in_vain, probes, renewals, network_changes;
};

struct connection {
	struct connect_config *config;
	const struct credentials *credentials; /* certificates and our key; NULL: none */
	struct event_base *base;
	struct connection_hooks hooks;
	struct tun_path path;
	struct ike *ike;
	struct kernel *kernel;
	struct event *device_event, *socket_event, *plain_event, *network_event, *timer, *tick, *network_timer;
	struct dial dial;
	enum connection_phase phase;

	/* Where this host registers. */
	struct connect_config *configured; /* as it was before registrations; NULL: it doesn't */
	struct registering registering;
	struct noticing noticing;
	uint16_t candidates[CONNECT_PORTS_MAX]; /* UDP ports of the gateway */
	size_t n_candidates;
	char registered_as[CONFIG_IDENTITY_LEN]; /* whom the gateway took us for, at the last registration */
	uint16_t first_registration; /* index of the port that answered last */

	/* Where the transport is TCP. */
	struct over_tcp tcp;
	struct resuming resuming;

	/* Of the present try. */
	struct endpoint gateway; /* the address that was dialed, and the port */
	struct explain_round round;
	uint8_t cookies[CONNECTION_EXCHANGES_MAX][IKE_COOKIE_LEN]; /* the initiator's, newest last */
	size_t n_cookies;
	uint32_t activations; /* of children, when the try began: a later one is the try's */
	bool answered;	      /* the IKE SA stands since the last settling */
	bool notified;	      /* the message at hand is a refusal in the clear */
	char lost_why[EXPLAIN_DETAIL_LEN];

	/* While it stands. */
	struct endpoint remotes[TUN_CHILDREN_MAX]; /* where each child's ESP goes */
	struct endpoint identity_remote;	   /* where IKE talks to */
	int64_t up_since;			   /* Unix time */
	uint64_t authentic;			   /* packets, at the last look */
	uint64_t heard_ms, probed_ms, renewed_ms;
	unsigned probes; /* unanswered */
	bool probed;	 /* the last of them was sent, for the gateway knows such questions */
	bool renew, renewing;
	unsigned renewals_in_vain;

	struct ike_assignment assignment; /* the gateway's last one; an address of no family: none */
	bool assigned;			  /* since the last settling */

	struct routes routes;
	struct undo undo;
	bool dns_set;
	int mtu;			/* of the device */
	struct explain_verdict verdict; /* of the last failure; no code: there was none since the tunnel stands */
	struct connection_counters counters;
};

/*
 * Opens the device and all that wants privileges. Configuration and credentials (NULL: no certificates) must stay. 0,
 * or negative errno after a line in the log.
 */
int connection_open(struct connection *connection, struct connect_config *config, const struct credentials *credentials,
	struct event_base *base, const struct connection_hooks *hooks);

/* Begins to dial. 0 or negative errno. */
int connection_start(struct connection *connection);

/* Tells the gateway, undoes routes and name servers, closes and wipes all. */
void connection_close(struct connection *connection);

/* For pauses that are not to be the same everywhere. */
uint32_t connection_random(void);

/* Lets what has come about take effect, and sets the next timer. */
void connection_settle(struct connection *connection);

/* Begins quick modes for all current child SAs. Returns how many. */
unsigned connection_rekey(struct connection *connection);

/* Calls back when `fd` is readable, until *event is freed. 0 or -ENOMEM. */
int connection_watch(struct connection *connection, struct event **event, int fd, event_callback_fn callback);

/* try.c: begins the exchanges at the port that dial.h names; says why a whole round was in vain. */
void connection_try_begin(struct connection *connection, uint64_t now_ms);
void connection_give_up(struct connection *connection);

/* The tries from now on are of this kind, from its first port. */
void connection_enter(struct connection *connection, enum connection_phase phase);
/* The ports of the present phase. */
const uint16_t *connection_ports(const struct connection *connection, size_t *count);

/* try.c: a registration has brought what IKE needs, or has failed, everywhere or at this port. */
void connection_registered(struct connection *connection);
void connection_register_failed(struct connection *connection, bool everywhere);

/* try.c: notices say that UDP gets through to noticing_gateway, or with `why` that it does nowhere. */
void connection_noticed(struct connection *connection);
void connection_unnoticed(struct connection *connection, const char *why);

/* terms.c: keeps what was configured; takes a registration's terms in its place, and puts it back. 0 or -ENOMEM. */
int connection_terms_keep(struct connection *connection);
void connection_terms_take(struct connection *connection, const struct registration_accepted *accepted,
	const struct registration_keys *keys);
/* For IKE alone: what was configured, at the ports where registering was to be done, for what maps UDP there and not TCP,
 * and then at its own. */
void connection_terms_go_alone(struct connection *connection);
void connection_terms_wipe(struct connection *connection);

/* Begins the try's exchanges, from and to there. 0 or negative errno. */
int connection_exchanges_begin(
	struct connection *connection, const struct endpoint *local, const struct endpoint *remote);

/* One IKE message has come. */
void connection_message(struct connection *connection, const struct endpoint *local, const struct endpoint *remote,
	bool floated, const uint8_t *message, size_t message_len);

/* host.c: what the engine asks for. */
struct ike_host connection_host(struct connection *connection);
/* Whether a message may reach the engine: of several exchanges of a try only the newest is answered. */
bool connection_admits(const struct connection *connection, const uint8_t *message, size_t message_len);

/* reach.c: the gateway's address, our own towards it, and sockets for both. False: noted in the round, or in `verdict`.
 */
bool connection_reach(struct connection *connection);
/* The same for the connection->gateway that there was before, by TCP. 0 or negative errno. */
int connection_reach_again(struct connection *connection);
/* Has this host another address towards the gateway than its sockets have, or one where it had none? */
bool connection_is_elsewhere(const struct connection *connection);

/* network.c: routes, MTU, name servers. */
void connection_network_set(struct connection *connection);
void connection_network_fit(struct connection *connection);
void connection_network_up(struct connection *connection);
void connection_network_down(struct connection *connection);
void connection_network_undo(struct connection *connection);
/* The name servers behind the tunnel: the configuration's or, where it names none, the gateway's. */
const struct address *connection_dns(const struct connection *connection, size_t *count);

/* life.c: once a second while it stands. A sentence when the gateway is taken for gone, else NULL. */
const char *connection_live(struct connection *connection, uint64_t now_ms);
/* Begins a new IKE SA beside the one that there is. */
void connection_renew(struct connection *connection);
/* The tunnel stands anew. */
void connection_life_begin(struct connection *connection, uint64_t now_ms);
