/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two IKE engines in one process, a clock that the test turns, and a network that holds every message until the test
 * hands it over: lost, late, doubled, crossed, altered. Side 0 is the branch and begins, side 1 is the gateway. A NAT
 * in front of the branch can be switched on, also one that is a pool of addresses.
 */
#pragma once

#include "ike/child_sa.h"
#include "ike/ike.h"

enum { BRANCH, GATEWAY };

enum {
	EXCHANGE_CHILDREN_MAX = 64,
	EXCHANGE_QUEUE_MAX = 256,
	EXCHANGE_LOG_MAX = 512,
	EXCHANGE_WHY_LEN = 1024,
	EXCHANGE_JOBS_MAX = 64,
};

enum exchange_nat {
	EXCHANGE_NO_NAT,
	EXCHANGE_NAT,	   /* one public address, other ports */
	EXCHANGE_NAT_POOL, /* the public address depends on the port */
};

/* What a host has installed. `gone` once removed. */
struct exchange_child {
	struct ike_child terms;
	uint8_t keymat_in[ESP_KEYMAT_MAX], keymat_out[ESP_KEYMAT_MAX];
	bool active, outbound, gone; /* outbound: what this side sends goes through it */
};

struct exchange_side {
	struct exchange *exchange;
	int index;
	struct ike *ike;
	struct credentials *credentials; /* the test's */
	struct config config;
	struct config_peer peers[2]; /* the other side, and one that nobody is */
	struct endpoint endpoint;    /* where it talks from */
	uint64_t random_state;
	uint32_t next_spi;
	struct exchange_child children[EXCHANGE_CHILDREN_MAX];
	size_t n_children;
	size_t reserved; /* SPIs neither installed nor released */
	unsigned events[IKE_EVENT_KINDS];
	char why[IKE_EVENT_KINDS][EXCHANGE_WHY_LEN]; /* of the last event of each kind */
	unsigned moves, keepalives;
	/* The test's, or NULL: they are told what the engine tells. */
	void (*on_event)(struct exchange_side *side, const struct ike_event *event);
	void (*on_message)(struct exchange_side *side, const struct ike_message *message);
	struct timeline *timeline; /* of a test that keeps one */
	const char *user, *password; /* branch: what it says when it is asked who its user is; NULL: nothing */
	unsigned asked;
	struct ike_login_key login; /* gateway: that waits for an answer */
	char login_user[CONFIG_IDENTITY_LEN], login_password[IKE_PASSWORD_LEN];
	bool login_waits, login_held; /* held: exchange_run does not answer it */
	const struct ike_registered *registered; /* gateway: the one that there is; NULL: none */
	const char *registered_as;		 /* how it names itself to IKE */
	bool registered_used;
	unsigned registered_taken;
	bool pool_exhausted;
	unsigned leases;
	struct ike_assignment assignment; /* branch: what it got */
	struct ike_job *jobs[EXCHANGE_JOBS_MAX]; /* that wait for a helper */
	size_t n_jobs, jobs_begun, jobs_max; /* begun: of exchanges under way, all told; max: more are refused */
	bool jobs_held;			     /* until exchange_help is called */
	bool fail_random, fail_install, fail_spi;
	size_t random_until_failure; /* calls; 0: never */
};

struct exchange_message {
	int from;
	struct endpoint source, destination; /* as the sender wrote them */
	uint8_t *data;
	size_t len;
};

struct exchange {
	uint64_t now_ms;
	struct exchange_side sides[2];
	enum exchange_nat nat;
	unsigned nat_generation; /* raise it: the NAT forgets its mappings and makes others */
	struct exchange_message queue[EXCHANGE_QUEUE_MAX];
	size_t queued;
	struct exchange_message log[EXCHANGE_LOG_MAX]; /* all that was ever sent */
	size_t logged;
};

/* Configurations are filled in; the test may change them before exchange_open makes the engines. */
void exchange_prepare(struct exchange *exchange);
void exchange_open(struct exchange *exchange);

/* One side's engine anew: what the old one knew, which the caller has freed, is forgotten. */
void exchange_reopen(struct exchange *exchange, int side);

/* The host of one side, for exchange_open. */
struct ike_host exchange_host(struct exchange_side *side);

/* Both in one, without changes. */
void exchange_start(struct exchange *exchange);

/* Frees all; fails the test when a reserved SPI was leaked. */
void exchange_stop(struct exchange *exchange);

/* The branch begins aggressive mode. */
void exchange_begin(struct exchange *exchange);

/* The whole negotiation; fails the test when no pair of child SAs comes of it. */
void exchange_connect(struct exchange *exchange);

/* Takes the oldest message off the network; the test hands it over (any number of times) and frees it. */
struct exchange_message exchange_take(struct exchange *exchange);
void exchange_hand_over(struct exchange *exchange, const struct exchange_message *message);
void exchange_free(struct exchange_message *message);

/* Takes and hands over; takes and loses. */
void exchange_deliver(struct exchange *exchange);
void exchange_lose(struct exchange *exchange);

/* Hands over whatever is under way until nothing is. */
void exchange_run(struct exchange *exchange);

/*
 * With SLUICE_TEST_HELPERS in the environment both hosts have helpers (ike_host.compute), who do their jobs as soon as
 * an engine returns; a test may hold those of a side, and have the oldest one done, or all.
 */
bool exchange_has_helpers(void);
void exchange_help_one(struct exchange *exchange, int side);
void exchange_help(struct exchange *exchange, int side);

/* The gateway's host answers the login that waits: EXCHANGE_USER with EXCHANGE_PASSWORD is right. */
#define EXCHANGE_USER	  "alice"
#define EXCHANGE_PASSWORD "open sesame"
void exchange_answer_login(struct exchange *exchange);

/* Lets time pass, deadline by deadline, and hands over what is sent. `silent`: loses it instead. */
void exchange_pass(struct exchange *exchange, uint64_t ms);
void exchange_pass_silent(struct exchange *exchange, uint64_t ms);

/* Children that are installed (and active) at a side. */
size_t exchange_installed(const struct exchange *exchange, int side);
size_t exchange_active(const struct exchange *exchange, int side);

/* The newest child of a side that is not gone; fails the test when there is none. */
struct exchange_child *exchange_newest(struct exchange *exchange, int side);

/* IKE SAs at a side, and how many of them are established. */
size_t exchange_sas(const struct exchange *exchange, int side);
size_t exchange_established(const struct exchange *exchange, int side);

/* Fails the test unless both sides' newest children are each other's mirror. */
void exchange_check_pair(struct exchange *exchange);

uint64_t exchange_count(const struct exchange *exchange, int side, enum ike_counter counter);
