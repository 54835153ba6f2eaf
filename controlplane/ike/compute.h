/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arithmetic that takes long: key exchanges and signatures. Where the host has helpers (ike_host.compute) no handler
 * waits for it. It asks here for what it needs; what is not there yet begins, and the handler leaves with V1_LATER,
 * having changed nothing that it would stumble over when it is called again. The message is kept, and taken once more
 * from its first byte when the result is there: the handler asks again, gets its answer, and goes on.
 *
 *     v1_input    handler: compute_exchange is -EINPROGRESS, so V1_LATER
 *        helper          ike_job_run: touches the job alone
 *     v1_input    handler: compute_exchange is 0, so V1_TAKEN
 *
 * Meanwhile nothing refers to the IKE SA: it is looked for by its number, and when it is gone so is the message. One
 * that comes again while it is kept is dropped. Without helpers all is computed at once, and V1_LATER never happens.
 */
#pragma once

#include "ike/auth.h"
#include "ike/dh.h"
#include "ike/v1.h"

enum { COMPUTE_PER_SA = 16 }; /* messages of an IKE SA that wait at the same time */

/*
 * All return -EINPROGRESS when the handler has to leave with V1_LATER: also when there is no room for one more job; the
 * message is dropped then, and comes again. Else 0, or what the arithmetic itself says.
 */

/*
 * A key pair of ours, which the caller lets go with dh_free, and what it makes with the peer's value: dh_secret_len
 * bytes in `secret`. Without `peer_ke` the pair alone. As dh_new and dh_agree.
 */
int compute_exchange(
	struct v1_message *message, uint16_t group, struct bytes peer_ke, struct dh **pair, uint8_t *secret);

/* As dh_agree, with a pair that there is. */
int compute_agree(struct v1_message *message, struct dh *pair, struct bytes peer_ke, uint8_t *secret);

/* As auth_prove, with our credentials. */
int compute_prove(struct v1_message *message, const struct keymat *keys, bool initiator, const uint8_t *hash,
	struct auth_proof *out);

/* As auth_verify. */
int compute_verify(struct v1_message *message, const struct keymat *keys, const struct auth_claim *claim, char *why);

/*
 * A key pair where no message asks for it but we begin an exchange: `ready` is called with the pair, which is its own,
 * from within or some time later, unless the IKE SA is gone by then. NULL: it can't be made, or too many jobs wait. What
 * `ready` returned from within, else 0.
 */
int compute_pair(struct ike_sa *sa, uint16_t group, uint32_t message_id,
	int (*ready)(struct ike_sa *sa, uint32_t message_id, struct dh *pair));

/* Whether this very message is kept. */
bool compute_keeps(const struct ike *ike, const uint8_t *digest);

/* The message has been dealt with: what was computed for it is wiped, unless it is kept. */
void compute_end(struct v1_message *message);

/* At the engine's end: jobs that are under way are nobody's from now on. 0 or negative errno. */
int compute_open(struct ike *ike);
void compute_close(struct ike *ike);
