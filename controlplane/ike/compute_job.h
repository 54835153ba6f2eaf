/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside compute*.c only: a job, from what a handler asks for (compute.c) through the host and back (compute_job.c). It
 * has copies of all that it needs, so that a helper touches nothing else; who has it frees it.
 */
#pragma once

#include "hashmap.h"
#include "ike/auth.h"
#include "ike/dh.h"
#include "ike/identity.h"
#include "ike/v1.h"

enum compute_step { COMPUTE_KEY_EXCHANGE, COMPUTE_VERIFICATION, COMPUTE_PROOF, COMPUTE_STEPS };

struct compute_key_exchange {
	uint16_t group;
	uint8_t random[DH_RANDOM_LEN];
	struct dh *pair; /* NULL: it is made */
	uint8_t peer_ke[DH_PUBLIC_MAX];
	size_t peer_ke_len; /* 0: the pair alone is wanted */
	uint8_t secret[DH_SECRET_MAX];
};

struct compute_verification {
	struct keymat keys;
	struct payload_list payloads;
	uint8_t id[IDENTITY_BODY_MAX], hash[PRF_LEN_MAX];
	size_t id_len;
	bool initiator;
	char why[AUTH_WHY_LEN];
};

struct compute_proof {
	struct keymat keys;
	bool initiator;
	uint8_t hash[PRF_LEN_MAX];
	struct auth_proof proof;
};

/* All that was computed for one message, or a key pair to begin with; the message, while it is kept. */
struct ike_job {
	struct ike *ike; /* NULL: gone meanwhile */
	const struct credentials *credentials;
	enum compute_step step; /* under way */
	bool done[COMPUTE_STEPS], run;
	int rc[COMPUTE_STEPS];
	struct compute_key_exchange exchange;
	struct compute_verification verification;
	struct compute_proof proof;

	/* While it is with the host: */
	TAILQ_ENTRY(ike_job) in_engine;
	uint64_t ike_sa; /* 0: none */
	uint8_t initiator_cookie[IKE_COOKIE_LEN];
	int (*ready)(struct ike_sa *sa, uint32_t message_id, struct dh *pair); /* NULL: a message waits */
	uint32_t message_id;
	struct hashmap_node by_message;
	uint8_t digest[ENGINE_DIGEST_LEN];
	struct endpoint local, remote;
	bool floated;
	uint8_t *datagram, *plain; /* copies; plain: of what the payloads point into */
	size_t datagram_len;
};

/* With its key pair, its copies and its secrets, which are wiped. */
void compute_job_free(struct ike_job *job);

/*
 * Hands job->step over; `begun`: see ike_host.compute. It is the host's when this is 0; else the caller's still: -EBUSY
 * where this IKE SA (NULL: none yet) has COMPUTE_PER_SA under way, or what the host says.
 */
int compute_job_submit(struct ike_job *job, struct ike_sa *sa, bool begun);

/* The key pair, if there is none, and the secret, if the peer's value is there. 0, or negative errno. */
int compute_job_run_exchange(struct compute_key_exchange *exchange);
