/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator sees of the engine: its SAs and its sums. */
#include "ike/engine.h"
#include "ike/ike_sa.h"

#include <string.h>

void ike_each(const struct ike *ike, void (*each)(void *context, const struct ike_sa_status *status), void *context)
{
	const struct ike_sa *sa;

	TAILQ_FOREACH(sa, &ike->sas, in_all) {
		struct ike_sa_status status = {
			.id = sa->id,
			.state = v1_state_name(sa->state),
			.exchange = sa->exchange == ISAKMP_MAIN ? "main" : "aggressive",
			.initiator = sa->initiator,
			.established = sa->state == V1_ESTABLISHED,
			.identity = ike_sa_identity(sa),
			.peer = sa->peer,
			.local = sa->local,
			.remote = sa->remote,
			.peer_behind_nat = sa->peer_behind_nat,
			.we_behind_nat = sa->we_behind_nat,
			.proposal = sa->proposal,
			.created_ms = sa->created_ms,
			.expires_ms = sa->expires_ms,
		};

		memcpy(status.initiator_cookie, sa->initiator_cookie, IKE_COOKIE_LEN);
		memcpy(status.responder_cookie, sa->responder_cookie, IKE_COOKIE_LEN);
		each(context, &status);
	}
}

const char *ike_counter_name(enum ike_counter counter)
{
	static const char *const names[IKE_COUNTER_COUNT] = {
		[IKE_COUNT_DATAGRAMS] = "datagrams",
		[IKE_COUNT_MALFORMED] = "malformed",
		[IKE_COUNT_UNKNOWN_COOKIES] = "unknown_cookies",
		[IKE_COUNT_UNSUPPORTED] = "unsupported",
		[IKE_COUNT_UNEXPECTED] = "unexpected",
		[IKE_COUNT_BAD_HASH] = "bad_hash",
		[IKE_COUNT_RETRANSMITTED] = "retransmitted",
		[IKE_COUNT_LIMITED] = "limited",
		[IKE_COUNT_REFUSED] = "refused",
		[IKE_COUNT_ESTABLISHED] = "established",
		[IKE_COUNT_CHILDREN] = "children",
		[IKE_COUNT_FRAGMENTS] = "fragments",
		[IKE_COUNT_REASSEMBLED] = "reassembled",
		[IKE_COUNT_FRAGMENTS_LOST] = "fragments_lost",
	};

	return counter < IKE_COUNTER_COUNT ? names[counter] : "unknown";
}

uint64_t ike_counter(const struct ike *ike, enum ike_counter counter)
{
	return counter < IKE_COUNTER_COUNT ? ike->counters[counter] : 0;
}
