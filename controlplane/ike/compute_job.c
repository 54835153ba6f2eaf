/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/compute_job.h"

#include "ike/compute.h"
#include "ike/ike_sa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

void compute_job_free(struct ike_job *job)
{
	dh_free(job->exchange.pair);
	credentials_free(job->credentials);
	free(job->datagram);
	free(job->plain);
	OPENSSL_cleanse(job, sizeof(*job));
	free(job);
}

int compute_open(struct ike *ike)
{
	uint64_t seed;
	int rc = engine_random(ike, &seed, sizeof(seed));

	return rc < 0 ? rc : hashmap_init(&ike->by_message, seed);
}

int compute_job_run_exchange(struct compute_key_exchange *exchange)
{
	if (!exchange->pair)
		exchange->pair = dh_new(exchange->group, exchange->random);
	if (!exchange->pair)
		return -errno;
	return exchange->peer_ke_len
		       ? dh_agree(exchange->pair, bytes_of(exchange->peer_ke, exchange->peer_ke_len), exchange->secret)
		       : 0;
}

void ike_job_run(struct ike_job *job)
{
	struct compute_verification *verification = &job->verification;
	struct auth_claim claim = {&verification->payloads, bytes_of(verification->id, verification->id_len),
		verification->hash, verification->initiator};
	int *rc = &job->rc[job->step];

	switch (job->step) {
	case COMPUTE_KEY_EXCHANGE: *rc = compute_job_run_exchange(&job->exchange); break;
	case COMPUTE_VERIFICATION:
		*rc = auth_verify(job->credentials, &verification->keys, &claim, verification->why);
		break;
	case COMPUTE_PROOF:
		*rc = auth_prove(
			job->credentials, &job->proof.keys, job->proof.initiator, job->proof.hash, &job->proof.proof);
		break;
	case COMPUTE_STEPS: break;
	}
	job->run = true;
}

int compute_job_submit(struct ike_job *job, struct ike_sa *sa, bool begun)
{
	struct ike *ike = job->ike;
	int rc;

	job->run = false;
	job->ike_sa = sa ? sa->id : 0;
	if (sa)
		memcpy(job->initiator_cookie, sa->initiator_cookie, IKE_COOKIE_LEN);
	rc = sa && sa->computing == COMPUTE_PER_SA ? -EBUSY : ike->host.compute(ike->host.context, job, begun);
	if (rc < 0)
		return rc;
	TAILQ_INSERT_TAIL(&ike->jobs, job, in_engine);
	if (!job->ready)
		hashmap_add(&ike->by_message, &job->by_message,
			hashmap_hash(&ike->by_message, job->digest, sizeof(job->digest)));
	if (sa)
		sa->computing++;
	return 0;
}

/* It is no more with the host. */
static void compute_job_unlink(struct ike_job *job)
{
	TAILQ_REMOVE(&job->ike->jobs, job, in_engine);
	if (!job->ready)
		hashmap_remove(&job->ike->by_message, &job->by_message);
}

bool compute_keeps(const struct ike *ike, const uint8_t *digest)
{
	struct hashmap_node *node =
		hashmap_first(&ike->by_message, hashmap_hash(&ike->by_message, digest, ENGINE_DIGEST_LEN));

	for (; node; node = hashmap_next(node))
		if (memcmp(hashmap_owner(node, struct ike_job, by_message)->digest, digest, ENGINE_DIGEST_LEN) == 0)
			return true;
	return false;
}

void compute_close(struct ike *ike)
{
	struct ike_job *job;

	while ((job = TAILQ_FIRST(&ike->jobs))) {
		compute_job_unlink(job);
		job->ike = NULL;
	}
	hashmap_free(&ike->by_message);
}

/* The message is taken once more, as if it came now. */
static void compute_job_take_again(struct ike_job *job)
{
	struct v1_message message = {
		.ike = job->ike,
		.local = job->local,
		.remote = job->remote,
		.floated = job->floated,
		.datagram = bytes_of(job->datagram, job->datagram_len),
		.hdr = (const struct isakmp_hdr *)job->datagram,
		.traced = true,
		.again = true,
		.job = job,
	};

	v1_input(&message);
}

static void compute_job_hand_out(struct ike_job *job, struct ike_sa *sa)
{
	struct dh *pair = job->exchange.pair;
	uint32_t message_id = job->message_id;
	int (*ready)(struct ike_sa *, uint32_t, struct dh *) = job->ready;

	job->exchange.pair = NULL;
	compute_job_free(job);
	ready(sa, message_id, pair);
}

void ike_job_done(struct ike_job *job)
{
	struct ike *ike = job->ike;
	struct ike_sa *sa;

	if (!ike) {
		compute_job_free(job);
		return;
	}
	compute_job_unlink(job);
	sa = job->ike_sa ? ike_sa_find_number(ike, job->initiator_cookie, job->ike_sa) : NULL;
	if (sa)
		sa->computing--;
	job->done[job->step] = job->run;
	if (!job->run || (job->ike_sa && !sa))
		compute_job_free(job);
	else if (job->ready)
		compute_job_hand_out(job, sa);
	else
		compute_job_take_again(job);
	engine_sweep(ike);
}
