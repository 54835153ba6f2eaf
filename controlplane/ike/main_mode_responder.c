/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1 in, 2 out; 3 in, 4 out; 5 in, 6 out. Messages 2 and 4 go to an address that nothing has proved yet, so each is sent
 * once for each request that arrives and never by a timer of ours. The exchange goes on wherever its messages come
 * from: what was chosen by the address of message 1 stays chosen.
 */
#include "ike/main_mode.h"

#include "ike/candidates.h"
#include "ike/compute.h"
#include "ike/handshake.h"
#include "ike/identity.h"
#include "ike/informational.h"
#include "ike/message.h"
#include "ike/notify.h"
#include "ike/phase1.h"
#include "ike/report.h"
#include "ike/vendor.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

/* Of keys on what comes as message 5, in one exchange: a stranger's garbage must not cost without end. */
enum { MAIN_MODE_TRIALS_MAX = 1024 };

/* HDR, SA, VID ... */
static int main_mode_send_2(struct ike_sa *sa, const struct v1_message *message, const struct phase1_offer *chosen)
{
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_MAIN, 0);
	phase1_write_answer(&builder, chosen);
	natt_answer_vendors(&builder, &sa->handshake->vendors);
	if (sa->fragments)
		fragment_write_vendor(sa->ike, &builder);
	if (ike_auth_asks_user(chosen->auth))
		natt_answer_clients(&builder, &sa->handshake->vendors);
	rc = builder_finish(&builder);
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, &message->local, &message->remote, builder.data, builder.len);
	return rc;
}

/* A proposal that one of those has who it may be; NULL when it has been refused. */
static const struct phase1_offer *main_mode_choose(
	const struct v1_message *message, const struct candidates *candidates, const struct phase1_offers *offers)
{
	bool legacy = message->ike->config->ike.legacy;
	const struct phase1_offer *chosen = NULL;
	char text[PHASE1_TEXT_LEN];

	for (size_t i = 0; !chosen && i < candidates->count; i++)
		chosen = phase1_choose(offers, candidates->peers[i], legacy, PHASE1_ANY_KE);
	if (chosen)
		return chosen;
	engine_count(message->ike, IKE_COUNT_REFUSED);
	if (candidates->count == 0) {
		report_message(message, IKE_EVENT_REFUSED, NULL, NULL,
			"main mode was offered from an address that is no configured peer's, and there is no peer "
			"without an address that may use IKEv1 (settings address and ikev1)");
		return NULL;
	}
	report_message(message, IKE_EVENT_REFUSED, NULL, NULL, "%s%s",
		phase1_explain(offers, candidates->peers[0], legacy, PHASE1_ANY_KE, text),
		candidates->count > 1 ? " or what other peers have that it may be" : "");
	notify_refuse(message, ISAKMP_NO_PROPOSAL_CHOSEN);
	return NULL;
}

enum v1_verdict main_mode_receive_1(struct v1_message *message)
{
	struct bytes sa_i = payload_body(&message->payloads, ISAKMP_SA);
	const struct phase1_offer *chosen;
	struct candidates candidates;
	struct phase1_offers offers;
	bool force_udp = false;
	struct ike_sa *sa;
	const char *why;
	int rc;

	if (!handshake_admit(message))
		return V1_DROPPED;
	if (phase1_parse(sa_i, &offers, &why) < 0) {
		engine_count(message->ike, IKE_COUNT_MALFORMED);
		report_message(message, IKE_EVENT_BAD_MESSAGE, NULL, NULL, "%s", why);
		return V1_DROPPED;
	}
	candidates_find(message->ike, &message->remote.address, &candidates);
	for (size_t i = 0; i < candidates.count; i++)
		force_udp = force_udp || candidates.peers[i]->force_udp;
	chosen = main_mode_choose(message, &candidates, &offers);
	if (!chosen)
		return V1_DROPPED;
	sa = ike_sa_new(message->ike, NULL, message->hdr->initiator_cookie, &message->local, &message->remote,
		message->floated);
	if (!sa) {
		engine_count(message->ike, IKE_COUNT_REFUSED);
		report_message(
			message, IKE_EVENT_REFUSED, NULL, NULL, "out of memory or randomness: %s", strerror(errno));
		return V1_DROPPED;
	}
	sa->exchange = ISAKMP_MAIN;
	phase1_settle(sa, chosen);
	memcpy(sa->seen[0], message->digest, ENGINE_DIGEST_LEN);
	rc = main_mode_open_transcript(sa, sa_i);
	if (rc == 0)
		main_mode_note_vendors(sa, message, force_udp);
	if (rc == 0)
		rc = main_mode_send_2(sa, message, chosen);
	if (rc < 0)
		return main_mode_give_up(sa, "message 2 could not be sent", rc);
	message->sa = sa;
	report_sa(sa, IKE_EVENT_STARTED, "%s", "");
	return V1_TAKEN;
}

/* Keys with the pre-shared key of this peer, where the method wants one. */
static int main_mode_derive(struct ike_sa *sa, const struct config_peer *peer, struct keymat *keys)
{
	struct keymat_input input = main_mode_input(sa, peer);

	return keymat_derive(keys, &sa->proposal, &input);
}

/* HDR, KE, Ni, NAT-D, NAT-D */
enum v1_verdict main_mode_receive_3(struct v1_message *message)
{
	static const struct config_peer nobody;
	struct ike_sa *sa = message->sa;
	struct transcript *transcript = sa->handshake->transcript;
	struct keymat_input input;
	struct dh *pair;
	int rc = compute_exchange(
		message, sa->proposal.group, payload_body(&message->payloads, ISAKMP_KE), &pair, transcript->secret);

	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc == -EBADMSG)
		return main_mode_give_up(sa, "the key exchange value is not one of its group", 0);
	if (rc == 0)
		rc = main_mode_make_values(sa, pair);
	if (rc == 0)
		main_mode_take_values(sa, message);
	/* With a pre-shared key these are only so much that the IV is right: main_mode_unlock_5 makes the others. */
	if (rc == 0)
		rc = main_mode_derive(sa, &nobody, &sa->keys);
	if (rc == 0) {
		input = main_mode_input(sa, &nobody);
		rc = keymat_iv_phase1(&sa->keys, input.ke_i, input.ke_r, sa->iv);
	}
	if (rc == 0) {
		handshake_detect_nat(sa, message);
		rc = main_mode_send_values(sa, &message->local, &message->remote);
	}
	return rc == 0 ? V1_TAKEN : main_mode_give_up(sa, "message 4 could not be sent", rc);
}

/* Whether these keys turn message 5 into something that HASH_I belongs to. */
static bool main_mode_fits(struct v1_message *message, const struct config_peer *peer, const struct keymat *keys)
{
	struct keymat_input input = main_mode_input(message->sa, peer);
	struct v1_message opened = *message;
	uint8_t hash[PRF_LEN_MAX];
	bool undecryptable;
	const char *why;

	return message_open(&opened, keys, opened.iv, &why, &undecryptable) == 0 &&
	       payload_find(&opened.payloads, ISAKMP_ID, NULL) &&
	       keymat_proof(keys, &input, true, payload_body(&opened.payloads, ISAKMP_ID), hash) == 0 &&
	       prf_equal(payload_body(&opened.payloads, ISAKMP_HASH), bytes_of(hash, keymat_proof_len(keys)));
}

void main_mode_unlock_5(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	struct transcript *transcript = sa->handshake->transcript;
	struct candidates candidates;
	struct keymat keys;

	if (!ike_auth_shares_key(sa->auth) || transcript->trials >= MAIN_MODE_TRIALS_MAX)
		return;
	candidates_find(sa->ike, &sa->remote.address, &candidates);
	for (size_t i = 0; !transcript->keyholder && i < candidates.count; i++) {
		const struct config_peer *peer = candidates.peers[i];

		if (peer->secret_len == 0 || main_mode_derive(sa, peer, &keys) < 0)
			continue;
		transcript->trials++;
		if (main_mode_fits(message, peer, &keys)) {
			transcript->keyholder = peer;
			sa->keys = keys;
		}
		keymat_wipe(&keys);
	}
	if (transcript->keyholder)
		return;
	ike_sa_hint(sa,
		candidates.more ? "message 5 fits no pre-shared key that was tried; there are more peers "
				  "without an address than main mode can tell apart"
		: candidates.count == 1
			? "message 5 does not fit the pre-shared key of the one peer that it may be of: the keys differ"
			: "message 5 fits the pre-shared key of no peer that it may be of");
	notify_reject(message, false);
}

/* Whose identity is it, and may this peer do what was agreed on before it was known? NULL with a sentence in `why`. */
static const struct config_peer *main_mode_identify(
	const struct ike_sa *sa, struct bytes id, char *identity, const char **why)
{
	const struct config_peer *holder = sa->handshake->transcript->keyholder;
	const struct config_peer *peer;

	if (identity_read(id, identity, why) < 0)
		return NULL;
	peer = engine_find_peer(sa->ike, identity);
	if (ike_auth_shares_key(sa->auth) && !holder)
		*why = "no pre-shared key fits";
	else if (!peer)
		*why = "the identity is not that of a configured peer";
	else if (!peer->ikev1)
		*why = "IKEv1 was offered, which this peer's configuration does not allow (setting ikev1)";
	else if (!phase1_accepts(sa, peer))
		*why = "the proposal that was agreed on by its address is not one of this peer's (settings auth and "
		       "ike): "
		       "give the peer its address";
	else if (holder && (holder->secret_len != peer->secret_len ||
				   CRYPTO_memcmp(holder->secret, peer->secret, peer->secret_len) != 0))
		*why = "the pre-shared key is that of another peer";
	else
		return peer;
	return NULL;
}

static enum v1_verdict main_mode_establish(
	struct ike_sa *sa, struct v1_message *message, const struct config_peer *peer)
{
	struct keymat_input input = main_mode_input(sa, peer);
	struct endpoint first = sa->remote;
	struct main_mode_proof proof;
	int rc = main_mode_prove(message, &input, &proof);

	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc == 0)
		rc = ike_sa_claim(sa, peer);
	if (rc == 0) {
		handshake_take_over(sa, message);
		rc = main_mode_send_proof(sa, &proof, false);
	}
	if (rc < 0)
		return main_mode_give_up(sa, "message 6 could not be sent", rc);
	ike_sa_establish(sa);
	handshake_report(sa, &first, &sa->remote, 5);
	informational_read_contact(sa, message);
	return V1_TAKEN;
}

/* HDR*, IDii, HASH_I [, N] */
enum v1_verdict main_mode_receive_5(struct v1_message *message)
{
	struct bytes id = payload_body(&message->payloads, ISAKMP_ID);
	char identity[CONFIG_IDENTITY_LEN], why[AUTH_WHY_LEN] = "the crypto library refused";
	struct ike_sa *sa = message->sa;
	const struct config_peer *peer;
	struct keymat_input input;
	uint8_t hash[PRF_LEN_MAX];
	const char *wrong = why;
	int rc = -EIO;

	peer = main_mode_identify(sa, id, identity, &wrong);
	if (peer) {
		input = main_mode_input(sa, peer);
		if (keymat_proof(&sa->keys, &input, true, id, hash) == 0)
			rc = compute_verify(
				message, &sa->keys, &(struct auth_claim){&message->payloads, id, hash, true}, why);
		if (rc == -EINPROGRESS)
			return V1_LATER;
		if (rc == 0)
			return main_mode_establish(sa, message, peer);
	}
	/* It was encrypted with the key that this exchange agreed on, so nobody else's true message follows. */
	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_message(message, IKE_EVENT_REFUSED, peer, identity, "%s", wrong);
	notify_reject(message, true);
	ike_sa_end(sa);
	return V1_ENDED;
}
