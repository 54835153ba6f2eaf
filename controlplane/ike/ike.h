/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IKE engine: all IKE SAs of one gateway. It has no socket, no clock and no randomness of its own; they come
 * through struct ike_host, so that a test runs two engines in one process with simulated time and hands the messages
 * over itself. One thread. SAs are found by cookies alone, never by address (RFC 2408 section 2.5.3, RFC 3947
 * section 4): the address of a peer is what its last authentic message came from.
 *
 * Everything that the engine wants done outside (a datagram sent, a child SA installed) is a call of the host, made
 * from within ike_input, ike_run_timers and the verbs below; the host must not call back into the engine from there.
 */
#pragma once

#include "config/config.h"
#include "tables/address.h"
#include "tables/suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ike;
struct ike_job;
struct credentials;

enum {
	IKE_COOKIE_LEN = 8,
	IKE_DATAGRAM_MAX = 65535 - 28,
};

/* One negotiated pair of ESP SAs, as the back end needs it. SPIs are in host order. Lives during the call only. */
struct ike_child {
	uint64_t ike_sa;  /* the IKE SA that negotiated it */
	uint64_t id;      /* of this child SA, never used again */
	const struct config_peer *peer;
	const char *identity;            /* what the peer authenticated as: with `peer`, the key of its session */
	struct endpoint local, remote;   /* where IKE talks to the peer, NAT seen; ports are those of IKE */
	bool udp_encapsulation;          /* RFC 3948, because a NAT was detected */
	bool transport;                  /* mode; else tunnel */
	bool extended;                   /* 64-bit sequence numbers (RFC 4304); there is always a replay window */
	bool peer_behind_nat, we_behind_nat;
	uint32_t spi_in, spi_out;
	uint32_t suite;                  /* enum esp_suite_id */
	const uint8_t *keymat_in, *keymat_out; /* esp_suite_keymat_len bytes each; wiped by the engine after the call */
	/* The traffic selectors, of one family. In transport mode two IPv4 hosts, as the peer calls them. */
	struct prefix local_network, remote_network;
	uint32_t lifetime;               /* seconds */
	uint64_t lifetime_bytes;         /* 0: none */
	bool initiator;                  /* we began this quick mode */
};

/* Who waits for the answer to ike_host.login. */
struct ike_login_key {
	uint8_t initiator_cookie[IKE_COOKIE_LEN];
	uint32_t attempt;
	uint64_t ike_sa;
};

enum { IKE_PASSWORD_LEN = 256, IKE_WHY_LEN = 512 };

/* A user who says who it is. Lives during the call only; the password is wiped after it. */
struct ike_login {
	struct ike_login_key key;
	const struct config_peer *peer;
	const char *user, *password;
	struct endpoint remote;
};

/* What we say when we are asked who our user is. */
struct ike_user {
	char name[CONFIG_IDENTITY_LEN], password[IKE_PASSWORD_LEN];
};

/* What a client gets by mode-config. */
struct ike_assignment {
	struct address address; /* IPv4 */
	struct address dns[CONFIG_DNS_MAX];
	size_t n_dns;
	struct prefix networks[CONFIG_NETWORKS_MAX]; /* reached through the tunnel; none: everything */
	size_t n_networks;
};

/* Somebody who registered over TCP before, and named itself to IKE by what it was told there. */
enum { IKE_REGISTERED_KEY_LEN = 32 };

struct ike_registered {
	const struct config_peer *peer; /* whose entry is for it; its `registration` is set */
	uint64_t number;                /* of the registration, by the host's count */
	char identity[CONFIG_IDENTITY_LEN]; /* as who it registered */
	uint8_t key[IKE_REGISTERED_KEY_LEN]; /* the pre-shared key, for one IKE SA */
	struct address address;         /* virtual; of no family: none */
	struct prefix networks[CONFIG_NETWORKS_MAX]; /* what it may have on its side, the virtual address too */
	size_t n_networks;
};

enum ike_event_kind {
	IKE_EVENT_STARTED,         /* an exchange began: first message taken */
	IKE_EVENT_ESTABLISHED,     /* the peer is authenticated */
	IKE_EVENT_MOVED,           /* an authentic message came from another address or port */
	IKE_EVENT_REFUSED,         /* nothing came of it; `why` says both sides */
	IKE_EVENT_EXPIRED,         /* no answer, or its lifetime is over */
	IKE_EVENT_DELETED,         /* by the peer or by us */
	IKE_EVENT_INITIAL_CONTACT, /* the peer has forgotten all that it had with us (RFC 2407 section 4.6.3.3) */
	IKE_EVENT_LEGACY,          /* an algorithm behind the legacy switch is in use */
	IKE_EVENT_BAD_MESSAGE,     /* a datagram was dropped */
	IKE_EVENT_UNKNOWN_COOKIES, /* so was one of an IKE SA that is not here */
	IKE_EVENT_VENDORS,         /* `why` names what the peer's vendor IDs say that it is and can do */
	IKE_EVENT_ASSIGNED,        /* a virtual address was given or taken */
	IKE_EVENT_ENDED,           /* the IKE SA is gone, whatever was told before: the last event of its number */
	IKE_EVENT_KINDS,
};

/* Something to tell the operator. The strings live during the call only. */
struct ike_event {
	enum ike_event_kind kind;
	uint64_t ike_sa;                 /* 0: no SA */
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	const struct config_peer *peer;  /* NULL: not known yet */
	const char *identity;            /* NULL: not known yet; not authenticated before IKE_EVENT_ESTABLISHED */
	struct endpoint local, remote;
	const char *why;                 /* one clear sentence; never NULL, may be "" */
};

/* One message in or out, for whoever keeps the story of each attempt. Lives during the call only. */
struct ike_message {
	uint64_t ike_sa;      /* 0: none, or none yet */
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	struct endpoint local, remote;
	uint32_t message_id;  /* 0 in phase 1 */
	uint32_t len;         /* bytes, without non-ESP marker */
	uint16_t notify;      /* the first notification of an informational message that could be read; 0: none */
	uint8_t exchange;     /* as in the header, RFC 2408 section 3.1 */
	uint8_t number;       /* within its exchange, from 1; of one that came the place that it was taken for; 0: no order */
	bool sent;            /* by us */
	bool again;           /* the same as before: a retransmission */
	bool encrypted;
};

struct ike_host {
	void *context;
	const struct credentials *credentials; /* certificates and our key; NULL: none. The engine holds them */
	uint64_t (*now_ms)(void *context); /* monotonic */
	/* Fills `out` with unpredictable bytes; 0 or negative errno (the exchange is then refused). */
	int (*random)(void *context, void *out, size_t len);
	/* Sends one IKE message, without non-ESP marker: the host adds it where local->port is a NAT port. */
	void (*send)(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *message,
		size_t message_len);
	/* Sends the one byte 0xff (RFC 3948 section 2.3). */
	void (*keepalive)(void *context, const struct endpoint *local, const struct endpoint *remote);

	/* The inbound SPI for a child SA to be; 0 or negative errno. Reserved until installed or released. */
	int (*spi_reserve)(void *context, uint32_t *spi);
	void (*spi_release)(void *context, uint32_t spi);
	/*
	 * Inbound first: takes up the pair so that the peer's packets are accepted; all or nothing; negative errno when
	 * it can't, and then nothing of it remains and the SPI is free. Called before quick mode's second message leaves
	 * (we respond) or before its third (we initiate).
	 */
	int (*child_install)(void *context, const struct ike_child *child);
	/* Outbound traffic may use it now: quick mode's third message has come or gone. */
	void (*child_activate)(void *context, uint64_t child_id, uint32_t spi_in);
	/* The pair is over (deleted by the peer, refused at the end, expired): forget it. */
	void (*child_remove)(void *context, uint64_t child_id, uint32_t spi_in);
	/* The peer of this IKE SA proved to be elsewhere: all its child SAs move, in one write. */
	void (*peer_moved)(void *context, const struct config_peer *peer, const char *identity, uint64_t ike_sa,
		const struct endpoint *local, const struct endpoint *remote);
	void (*event)(void *context, const struct ike_event *event);
	/*
	 * A user's name and password are to be checked, some time later: the answer comes by ike_login_done, never from
	 * within. 0, or negative errno when it can't be done now.
	 */
	int (*login)(void *context, const struct ike_login *login);
	/*
	 * The virtual address of an identity, from the peer's pool, always the same while it can be: address and DNS.
	 * 0, or negative errno with a sentence in `why`, both sides' values in it.
	 */
	int (*lease)(void *context, const struct config_peer *peer, const char *identity, struct ike_assignment *out,
		char why[IKE_WHY_LEN]);
	/*
	 * No peer is configured with this identity: whose registration is it? 0, or -ENOENT. NULL: nobody registers. The
	 * engine keeps the answer until the exchange is over, and wipes it.
	 */
	int (*registered)(void *context, const char *identity, struct ike_registered *out);
	/*
	 * This IKE SA is about to be established by the key of that registration, which nobody else may use from now on.
	 * 0, or negative errno when another one has (the IKE SA is then refused).
	 */
	int (*registered_take)(void *context, uint64_t number, uint64_t ike_sa);
	/*
	 * We are a client and are asked who our user is, for the first time (`asked` 0) or because it was wrong. 0, or
	 * negative errno when there is nothing (more) to say. NULL: there never is.
	 */
	int (*ask_user)(void *context, const struct config_peer *peer, unsigned asked, struct ike_user *out);
	/* We are a client and have got this address. NULL: nobody wants to know. */
	void (*assigned)(
		void *context, const struct config_peer *peer, const struct ike_assignment *assignment);
	/*
	 * Arithmetic that takes long is to be done by another thread: ike_job_run there, and when that has returned
	 * ike_job_done in the engine's thread, never from within. `begun`: the exchange is under way and its peer loses
	 * patience, so it goes ahead of those that only begin one. 0, or negative errno when too many wait. NULL: the
	 * engine does it itself, at once.
	 */
	int (*compute)(void *context, struct ike_job *job, bool begun);
	/*
	 * Each message: one that came before anything is done about it, one that goes when it goes. What is said of it
	 * (dropped, refused, established) follows as an event. NULL: nobody wants to know.
	 */
	void (*message)(void *context, const struct ike_message *message);
};

/* The configuration must stay as long as the engine. NULL with errno. */
struct ike *ike_new(const struct config *config, const struct ike_host *host);

/* Certificates that were read anew, for all that begins from now on; established SAs stay as they are. NULL: none. */
void ike_use_credentials(struct ike *ike, const struct credentials *credentials);

/* Frees all SAs and wipes their keys; sends nothing. */
void ike_free(struct ike *ike);

/* One datagram that arrived, without non-ESP marker. `floated`: it came to a NAT port (RFC 3947 section 4). */
void ike_input(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *datagram, size_t datagram_len);

/* Does a job of ike_host.compute: in any thread; nothing of the engine is touched. */
void ike_job_run(struct ike_job *job);

/*
 * The job has been run, and what waited for it goes on; or it has not and never will be, and that is given up. It is
 * freed in any case, and the engine that it came from may be gone.
 */
void ike_job_done(struct ike_job *job);

/*
 * The answer to ike_host.login: `why` is NULL when the user is who it says, else the reason, for the log. `user` is the
 * name that was checked. An IKE SA that is gone meanwhile is no error.
 */
void ike_login_done(struct ike *ike, const struct ike_login_key *key, const char *user, const char *why);

/* Whether anybody of that peer and identity has an IKE SA or a child SA with us. May be called at any time. */
bool ike_peer_is_known(const struct ike *ike, const struct config_peer *peer, const char *identity);

/* Runs what is due and returns the milliseconds until the next call is needed, UINT64_MAX when nothing waits. */
uint64_t ike_run_timers(struct ike *ike);

/*
 * Begins as initiator, with aggressive mode where the peer's configuration allows it and else with main mode; then one
 * quick mode for each pair of networks. 0 or negative errno.
 */
int ike_initiate(struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote);

/*
 * A new quick mode for an installed child SA, over the newest IKE SA of that peer. -ENOENT when the child is not known
 * or no IKE SA of its peer is established (it can't be renewed from here; the peer has to come).
 */
int ike_child_rekey(struct ike *ike, uint32_t spi_in);

/* Tells the peer that a child SA is gone and forgets it, without calling child_remove. -ENOENT when it is not known. */
int ike_child_delete(struct ike *ike, uint32_t spi_in);

/*
 * The data of this peer comes from elsewhere now, authentic and newest: its IKE SAs on a NAT port, which share the
 * NAT's mapping with it, are talked to there. The host is not called.
 */
void ike_peer_follow(struct ike *ike, const struct config_peer *peer, const char *identity, const struct endpoint *local,
	const struct endpoint *remote);

/*
 * Deletes every IKE SA of a peer with this identity and tells it; child SAs go with them, by child_remove. A peer of
 * NULL: of any; an identity of NULL: whatever it is. Returns how many IKE SAs there were.
 */
size_t ike_peer_delete(struct ike *ike, const struct config_peer *peer, const char *identity);

/*
 * Asks the peer whether it is there (RFC 3706), over its newest IKE SA. What comes back shows in ike_peer_heard. 0;
 * -ENOENT without an established IKE SA; -EOPNOTSUPP when the peer does not answer such questions; another negative
 * errno. When to ask and how long to wait is the host's to say: it knows when data has come.
 */
int ike_peer_probe(struct ike *ike, const struct config_peer *peer);
int ike_identity_probe(struct ike *ike, const struct config_peer *peer, const char *identity); /* of many of one peer */

/*
 * The same question, from elsewhere than we are known to be, as over a new TCP connection: the peer believes it for its
 * number, which is new, and follows with its child SAs; its answer moves ours (peer_moved).
 */
int ike_peer_probe_at(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote);

/* When the last fresh, authentic IKE message of this peer came, by the host's clock; 0: no IKE SA is established. */
uint64_t ike_peer_heard(struct ike *ike, const struct config_peer *peer);
uint64_t ike_identity_heard(struct ike *ike, const struct config_peer *peer, const char *identity);

/* Gives up what we have begun with a peer and not established, without a word to it. Returns how many there were. */
size_t ike_peer_abandon(struct ike *ike, const struct config_peer *peer);

/*
 * Of a peer's established IKE SAs the newest alone is kept; the peer is told that the others are gone. Child SAs of these
 * go some seconds later, where the newest one has a pair for the same networks.
 */
void ike_peer_keep_newest(struct ike *ike, const struct config_peer *peer);
void ike_identity_keep_newest(struct ike *ike, const struct config_peer *peer, const char *identity, const char *why);

/* What status shows. */
struct ike_sa_status {
	uint64_t id;
	uint8_t initiator_cookie[IKE_COOKIE_LEN], responder_cookie[IKE_COOKIE_LEN];
	const char *state;      /* "message 2 sent", "established", ... */
	const char *exchange;   /* "main", "aggressive" */
	bool initiator, established;
	const char *identity;   /* NULL before it is known */
	const struct config_peer *peer; /* NULL likewise */
	struct endpoint local, remote;
	bool peer_behind_nat, we_behind_nat;
	struct ike_proposal proposal;
	uint64_t created_ms, expires_ms; /* monotonic; expires 0: not established */
};

/* Calls `each` for every IKE SA, newest last. `each` must not call the engine. */
void ike_each(const struct ike *ike, void (*each)(void *context, const struct ike_sa_status *status), void *context);

/* Sums since start, in the order of ike_counter_name(0..IKE_COUNTER_COUNT-1). */
enum ike_counter {
	IKE_COUNT_DATAGRAMS,
	IKE_COUNT_MALFORMED,      /* lengths or structure wrong */
	IKE_COUNT_UNKNOWN_COOKIES,
	IKE_COUNT_UNSUPPORTED,    /* version or exchange that we don't speak */
	IKE_COUNT_UNEXPECTED,     /* known SA, message not allowed in its state */
	IKE_COUNT_BAD_HASH,       /* proof wrong: HASH_I, HASH_R, HASH(1..3), or undecryptable */
	IKE_COUNT_RETRANSMITTED,  /* answers sent again because the request came again */
	IKE_COUNT_LIMITED,        /* dropped by a half-open limit */
	IKE_COUNT_REFUSED,        /* exchanges refused: identity, proposal, selectors */
	IKE_COUNT_ESTABLISHED,
	IKE_COUNT_CHILDREN,       /* child SAs negotiated */
	IKE_COUNT_FRAGMENTS,      /* pieces of messages that came */
	IKE_COUNT_REASSEMBLED,    /* messages that became whole of them */
	IKE_COUNT_FRAGMENTS_LOST, /* messages that never did: pieces were missing, wrong or too many */
	IKE_COUNTER_COUNT,
};
const char *ike_counter_name(enum ike_counter counter);
uint64_t ike_counter(const struct ike *ike, enum ike_counter counter);
