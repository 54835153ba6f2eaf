/* SPDX-License-Identifier: Apache-2.0 */
/* An IKE engine that only notes what it is asked: the control plane is tested by itself. */
#pragma once

#include "ike/ike.h"

struct fake_ike {
	uint32_t rekeyed, deleted; /* the last inbound SPI */
	unsigned n_rekeyed, n_deleted, n_peer_deleted, n_kept_newest;
	int rekey_result, delete_result;
	unsigned n_followed;
	struct endpoint followed_local, followed_remote;
	unsigned n_probes;
	int probe_result;
	uint64_t heard_ms; /* by IKE */
	size_t peer_sas; /* what ike_peer_delete returns */
	unsigned n_inputs;
	struct endpoint input_local, input_remote;
	bool input_floated;
	uint8_t input[2048];
	size_t input_len;
	struct ike_sa_status sa; /* shown when sa.id is not 0 */
};
extern struct fake_ike fake_ike;
