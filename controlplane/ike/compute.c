/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/compute.h"

#include "ike/ike_sa.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

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

static void compute_free(struct ike_job *job)
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

/* --- helpers --------------------------------------------------------------------------------------------------------
 */

static int compute_run_exchange(struct compute_key_exchange *exchange)
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
	case COMPUTE_KEY_EXCHANGE: *rc = compute_run_exchange(&job->exchange); break;
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

/* --- jobs that are with the host ------------------------------------------------------------------------------------
 */

/* Hands a job over. It is the host's when this is 0; else the caller's still. */
static int compute_submit(struct ike_job *job, struct ike_sa *sa, bool begun)
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
static void compute_unlink(struct ike_job *job)
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
		compute_unlink(job);
		job->ike = NULL;
	}
	hashmap_free(&ike->by_message);
}

/* The message is taken once more, as if it came now. */
static void compute_take_again(struct ike_job *job)
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

static void compute_hand_out(struct ike_job *job, struct ike_sa *sa)
{
	struct dh *pair = job->exchange.pair;
	uint32_t message_id = job->message_id;
	int (*ready)(struct ike_sa *, uint32_t, struct dh *) = job->ready;

	job->exchange.pair = NULL;
	compute_free(job);
	ready(sa, message_id, pair);
}

void ike_job_done(struct ike_job *job)
{
	struct ike *ike = job->ike;
	struct ike_sa *sa;

	if (!ike) {
		compute_free(job);
		return;
	}
	compute_unlink(job);
	sa = job->ike_sa ? ike_sa_find_number(ike, job->initiator_cookie, job->ike_sa) : NULL;
	if (sa)
		sa->computing--;
	job->done[job->step] = job->run;
	if (!job->run || (job->ike_sa && !sa))
		compute_free(job);
	else if (job->ready)
		compute_hand_out(job, sa);
	else
		compute_take_again(job);
	engine_sweep(ike);
}

/* --- what handlers ask ----------------------------------------------------------------------------------------------
 */

/* What has been computed for the message so far. NULL without memory. */
static struct ike_job *compute_job(struct v1_message *message)
{
	struct ike_job *job = message->job;

	if (job)
		return job;
	job = message->job = calloc(1, sizeof(*job));
	if (job) {
		job->ike = message->ike;
		job->credentials = credentials_hold(message->ike->host.credentials);
	}
	return job;
}

static int compute_copy(uint8_t **copy, struct bytes of)
{
	free(*copy);
	*copy = malloc(of.len);
	if (!*copy)
		return -ENOMEM;
	memcpy(*copy, of.data, of.len);
	return 0;
}

/* Has the step done elsewhere and the message kept for it. */
static int compute_begin(struct v1_message *message, enum compute_step step)
{
	const struct ike_sa *sa = message->sa;
	struct ike_job *job = message->job;
	int rc = message->again ? 0 : compute_copy(&job->datagram, message->datagram);

	if (rc < 0)
		return rc;
	job->step = step;
	job->local = message->local;
	job->remote = message->remote;
	job->floated = message->floated;
	job->datagram_len = message->datagram.len;
	memcpy(job->digest, message->digest, sizeof(job->digest));
	if (compute_submit(job, message->sa, sa && sa->state != V1_START) == 0) {
		message->job = NULL;
		message->kept = true;
		return -EINPROGRESS;
	}
	engine_count(message->ike, IKE_COUNT_LIMITED);
	report_message(message, IKE_EVENT_BAD_MESSAGE, sa ? sa->peer : NULL, sa ? ike_sa_identity(sa) : NULL,
		"too many key exchanges and signatures wait to be computed: dropped, it will be sent again");
	return -EINPROGRESS;
}

void compute_end(struct v1_message *message)
{
	if (message->job)
		compute_free(message->job);
	message->job = NULL;
}

static int compute_fill_exchange(
	struct compute_key_exchange *exchange, struct ike *ike, uint16_t group, struct bytes peer_ke)
{
	exchange->group = group;
	/* One of a wrong length is no value of the group whatever it is: dh_agree says so. */
	exchange->peer_ke_len = peer_ke.len < sizeof(exchange->peer_ke) ? peer_ke.len : sizeof(exchange->peer_ke);
	if (peer_ke.len)
		memcpy(exchange->peer_ke, peer_ke.data, exchange->peer_ke_len);
	return exchange->pair ? 0 : engine_random(ike, exchange->random, sizeof(exchange->random));
}

int compute_exchange(
	struct v1_message *message, uint16_t group, struct bytes peer_ke, struct dh **pair, uint8_t *secret)
{
	struct ike_job *job = compute_job(message);
	struct compute_key_exchange *exchange;
	int rc;

	if (!job)
		return -ENOMEM;
	exchange = &job->exchange;
	if (!job->done[COMPUTE_KEY_EXCHANGE]) {
		rc = compute_fill_exchange(exchange, message->ike, group, peer_ke);
		if (rc < 0)
			return rc;
		if (message->ike->host.compute)
			return compute_begin(message, COMPUTE_KEY_EXCHANGE);
		job->rc[COMPUTE_KEY_EXCHANGE] = compute_run_exchange(exchange);
		job->done[COMPUTE_KEY_EXCHANGE] = true;
	}
	rc = job->rc[COMPUTE_KEY_EXCHANGE];
	if (rc == 0 && pair)
		*pair = dh_share(exchange->pair);
	if (rc == 0 && secret)
		memcpy(secret, exchange->secret, dh_secret_len(group));
	return rc;
}

int compute_agree(struct v1_message *message, struct dh *pair, struct bytes peer_ke, uint8_t *secret)
{
	struct ike_job *job = compute_job(message);

	if (!job)
		return -ENOMEM;
	if (!job->exchange.pair)
		job->exchange.pair = dh_share(pair);
	return compute_exchange(message, dh_group(pair), peer_ke, NULL, secret);
}

int compute_prove(struct v1_message *message, const struct keymat *keys, bool initiator, const uint8_t *hash,
	struct auth_proof *out)
{
	const struct credentials *credentials = message->ike->host.credentials;
	struct ike_job *job;

	if (!message->ike->host.compute || !auth_signs(keys->auth, initiator))
		return auth_prove(credentials, keys, initiator, hash, out);
	job = compute_job(message);
	if (!job)
		return -ENOMEM;
	if (!job->done[COMPUTE_PROOF]) {
		job->proof.keys = *keys;
		job->proof.initiator = initiator;
		memcpy(job->proof.hash, hash, keymat_proof_len(keys));
		return compute_begin(message, COMPUTE_PROOF);
	}
	*out = job->proof.proof;
	return job->rc[COMPUTE_PROOF];
}

/* The payloads, with the bytes that they point into. */
static int compute_fill_payloads(struct ike_job *job, const struct v1_message *message, const struct payload_list *list)
{
	const struct isakmp_hdr *hdr = message->hdr;
	const uint8_t *from = message->encrypted ? message->ike->plain : (const uint8_t *)(hdr + 1);
	int rc = compute_copy(&job->plain, bytes_of(from, message->datagram.len - sizeof(*hdr)));

	job->verification.payloads = *list;
	for (size_t i = 0; rc == 0 && i < list->count; i++)
		job->verification.payloads.items[i].body.data = job->plain + (list->items[i].body.data - from);
	return rc;
}

int compute_verify(struct v1_message *message, const struct keymat *keys, const struct auth_claim *claim, char *why)
{
	struct compute_verification *verification;
	struct ike_job *job;
	int rc;

	if (!message->ike->host.compute || !auth_signs(keys->auth, claim->initiator))
		return auth_verify(message->ike->host.credentials, keys, claim, why);
	job = compute_job(message);
	if (!job)
		return -ENOMEM;
	verification = &job->verification;
	if (!job->done[COMPUTE_VERIFICATION]) {
		verification->keys = *keys;
		verification->initiator = claim->initiator;
		verification->id_len = claim->id.len;
		memcpy(verification->id, claim->id.data, claim->id.len);
		memcpy(verification->hash, claim->hash, keymat_proof_len(keys));
		rc = compute_fill_payloads(job, message, claim->payloads);
		return rc < 0 ? rc : compute_begin(message, COMPUTE_VERIFICATION);
	}
	strcpy(why, verification->why);
	return job->rc[COMPUTE_VERIFICATION];
}

int compute_pair(struct ike_sa *sa, uint16_t group, uint32_t message_id,
	int (*ready)(struct ike_sa *sa, uint32_t message_id, struct dh *pair))
{
	struct ike_job *job = calloc(1, sizeof(*job));
	struct dh *pair = NULL;

	if (!job || compute_fill_exchange(&job->exchange, sa->ike, group, bytes_of(NULL, 0)) < 0)
		goto now;
	job->ike = sa->ike;
	job->step = COMPUTE_KEY_EXCHANGE;
	job->ready = ready;
	job->message_id = message_id;
	if (!sa->ike->host.compute)
		pair = dh_new(group, job->exchange.random);
	else if (compute_submit(job, sa, sa->state != V1_START) == 0)
		return 0;
now:
	if (job)
		compute_free(job);
	return ready(sa, message_id, pair);
}
