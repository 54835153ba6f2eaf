/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/compute.h"

#include "ike/compute_job.h"
#include "ike/ike_sa.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	if (compute_job_submit(job, message->sa, sa && sa->state != V1_START) == 0) {
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
		compute_job_free(message->job);
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
		job->rc[COMPUTE_KEY_EXCHANGE] = compute_job_run_exchange(exchange);
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
	else if (compute_job_submit(job, sa, sa->state != V1_START) == 0)
		return 0;
now:
	if (job)
		compute_job_free(job);
	return ready(sa, message_id, pair);
}
