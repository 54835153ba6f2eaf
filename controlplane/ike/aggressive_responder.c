/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message 1 in, message 2 out; message 3 in. Message 2 goes to an address that nothing has proved yet, so it is sent
 * once for each first message that arrives and never by a timer of ours.
 */
#include "ike/aggressive.h"

#include "ike/auth.h"
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

/* What message 1 comes down to, while it is answered. */
struct first_message {
	const struct config_peer *peer;
	char identity[CONFIG_IDENTITY_LEN];
	struct ike_registered registered; /* of a peer that has registered; else all zero */
	struct phase1_offers offers;
	const struct phase1_offer *chosen;
	struct natt_vendor vendor;
	struct keymat_input input;
	uint8_t id_r[IDENTITY_BODY_MAX];
	size_t id_r_len;
	struct auth_proof proof;
	struct dh *dh;
	uint8_t secret[DH_SECRET_MAX];
};

/* A configured peer, or one that has registered: then `identity` becomes what it registered as. */
static const struct config_peer *aggressive_find_peer(const struct ike *ike, struct first_message *first)
{
	const struct config_peer *peer = engine_find_peer(ike, first->identity);

	if (peer || !ike->host.registered ||
		ike->host.registered(ike->host.context, first->identity, &first->registered) < 0)
		return peer;
	memcpy(first->identity, first->registered.identity, sizeof(first->identity));
	return first->registered.peer;
}

/* What the peer shares with us: the key of its registration, or that of the configuration. */
static struct bytes aggressive_key(const struct first_message *first)
{
	if (first->registered.peer)
		return bytes_of(first->registered.key, sizeof(first->registered.key));
	return bytes_of(first->peer->secret, first->peer->secret_len);
}

/* The new SA is of who has registered, and remembers what that gave it. 0 or -ENOMEM. */
static int aggressive_join(struct ike_sa *sa, const struct first_message *first)
{
	int rc;

	if (!first->registered.peer)
		return 0;
	sa->handshake->registered = malloc(sizeof(*sa->handshake->registered));
	rc = sa->handshake->registered ? ike_sa_join(sa, first->identity) : -ENOMEM;
	if (rc == 0)
		*sa->handshake->registered = first->registered;
	return rc;
}

/* Message 1 is taken again: who it is of was found out before. */
static void aggressive_recall(const struct ike_sa *sa, struct first_message *first)
{
	first->peer = sa->peer;
	snprintf(first->identity, sizeof(first->identity), "%s", ike_sa_identity(sa));
	if (sa->handshake->registered)
		first->registered = *sa->handshake->registered;
}

/*
 * Who is it? An identity that is not configured is told so, and so is one that may not use this exchange: which names are
 * known, any stranger sees from message 2 all the same.
 */
static bool aggressive_identify(struct v1_message *message, struct first_message *first)
{
	const char *why = "the identity is not that of a configured peer";
	const struct config_peer *peer = NULL;

	if (identity_read(payload_body(&message->payloads, ISAKMP_ID), first->identity, &why) == 0)
		peer = aggressive_find_peer(message->ike, first);
	if (peer && !(peer->ikev1 && peer->aggressive))
		why = "IKEv1 aggressive mode was offered, which this peer's configuration does not allow "
		      "(settings ikev1 and aggressive)";
	if (!peer || !(peer->ikev1 && peer->aggressive)) {
		engine_count(message->ike, IKE_COUNT_REFUSED);
		report_message(message, IKE_EVENT_REFUSED, peer, first->identity, "%s", why);
		notify_refuse(message, ISAKMP_INVALID_ID_INFORMATION);
		return false;
	}
	first->peer = peer;
	return true;
}

/* The proposal. That a peer of this name exists may be seen from the answer; aggressive mode tells it anyway. */
static bool aggressive_negotiate(struct v1_message *message, struct first_message *first)
{
	struct bytes sa = payload_body(&message->payloads, ISAKMP_SA), ke = payload_body(&message->payloads, ISAKMP_KE);
	bool legacy = message->ike->config->ike.legacy;
	char text[PHASE1_TEXT_LEN];
	const char *why;

	if (phase1_parse(sa, &first->offers, &why) < 0) {
		engine_count(message->ike, IKE_COUNT_MALFORMED);
		report_message(message, IKE_EVENT_BAD_MESSAGE, first->peer, first->identity, "%s", why);
		return false;
	}
	first->chosen = phase1_choose(&first->offers, first->peer, legacy, ke.len);
	if (!first->chosen) {
		engine_count(message->ike, IKE_COUNT_REFUSED);
		report_message(message, IKE_EVENT_REFUSED, first->peer, first->identity, "%s",
			phase1_explain(&first->offers, first->peer, legacy, ke.len, text));
		notify_refuse(message, ISAKMP_NO_PROPOSAL_CHOSEN);
		return false;
	}
	return true;
}

/* Diffie-Hellman, SKEYID and both proofs. 0 or negative errno, of compute.h's too. */
static int aggressive_derive(struct v1_message *message, struct first_message *first)
{
	struct keymat_input *input = &first->input;
	struct ike_sa *sa = message->sa;
	uint8_t hash[PRF_LEN_MAX];
	int rc = compute_exchange(
		message, sa->proposal.group, payload_body(&message->payloads, ISAKMP_KE), &first->dh, first->secret);

	if (rc < 0)
		return rc;
	*input = (struct keymat_input){
		.initiator_cookie = bytes_of(sa->initiator_cookie, IKE_COOKIE_LEN),
		.responder_cookie = bytes_of(sa->responder_cookie, IKE_COOKIE_LEN),
		.ke_i = payload_body(&message->payloads, ISAKMP_KE),
		.ke_r = dh_public(first->dh),
		.nonce_i = payload_body(&message->payloads, ISAKMP_NONCE),
		.nonce_r = bytes_of(sa->handshake->nonce, sizeof(sa->handshake->nonce)),
		.secret = bytes_of(first->secret, dh_secret_len(sa->proposal.group)),
		.pre_shared_key = aggressive_key(first),
		.sa_i = payload_body(&message->payloads, ISAKMP_SA),
		.auth = first->chosen->auth,
	};
	first->id_r_len = handshake_write_identity(sa, first->id_r);
	rc = keymat_derive(&sa->keys, &sa->proposal, input);
	if (rc == 0)
		rc = keymat_iv_phase1(&sa->keys, input->ke_i, input->ke_r, sa->iv);
	if (rc == 0)
		rc = keymat_proof(
			&sa->keys, input, true, payload_body(&message->payloads, ISAKMP_ID), sa->handshake->expected);
	if (rc == 0)
		rc = keymat_proof(&sa->keys, input, false, bytes_of(first->id_r, first->id_r_len), hash);
	return rc < 0 ? rc : compute_prove(message, &sa->keys, false, hash, &first->proof);
}

/* HDR, SA, KE, Nr, IDir, HASH_R or what the method has in its place, VID ..., NAT-D, NAT-D */
static int aggressive_send_2(struct ike_sa *sa, struct v1_message *message, const struct first_message *first)
{
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_AGGRESSIVE, 0);
	phase1_write_answer(&builder, first->chosen);
	builder_add(&builder, ISAKMP_KE, first->input.ke_r.data, first->input.ke_r.len);
	builder_add(&builder, ISAKMP_NONCE, sa->handshake->nonce, sizeof(sa->handshake->nonce));
	builder_add(&builder, ISAKMP_ID, first->id_r, first->id_r_len);
	rc = auth_write(&builder, sa->ike->host.credentials, &sa->keys, false, &first->proof);
	if (rc == 0)
		rc = auth_request(&builder, sa->ike->host.credentials, sa->auth, true);
	natt_answer_vendors(&builder, &sa->handshake->vendors);
	if (sa->fragments)
		fragment_write_vendor(sa->ike, &builder);
	if (handshake_has_clients(sa->peer))
		natt_answer_clients(&builder, &sa->handshake->vendors);
	if (rc == 0 && sa->natt != NATT_NONE)
		rc = natt_write_detection(&builder, sa->natt, sa->proposal.hash,
			(const struct isakmp_hdr *)builder.data, sa->peer->force_udp ? &natt_nowhere : &message->local,
			&message->remote);
	if (rc == 0)
		rc = builder_finish(&builder);
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, &message->local, &message->remote, builder.data, builder.len);
	return rc;
}

/* A new SA for an acceptable message 1. NULL with errno. */
static struct ike_sa *aggressive_open(struct v1_message *message, const struct first_message *first)
{
	struct bytes id = payload_body(&message->payloads, ISAKMP_ID);
	struct ike_sa *sa = ike_sa_new(message->ike, first->peer, message->hdr->initiator_cookie, &message->local,
		&message->remote, message->floated);
	int rc;

	if (!sa)
		return NULL;
	sa->exchange = ISAKMP_AGGRESSIVE;
	phase1_settle(sa, first->chosen);
	sa->handshake->vendors = first->vendor;
	sa->natt = first->vendor.natt;
	sa->answers_probes = first->vendor.dead_peer_detection;
	sa->fragments = fragment_offered(&message->payloads);
	memcpy(sa->seen[0], message->digest, ENGINE_DIGEST_LEN);
	sa->handshake->peer_id_len = id.len;
	memcpy(sa->handshake->peer_id, id.data, id.len);
	rc = aggressive_join(sa, first);
	if (rc == 0)
		rc = engine_random(sa->ike, sa->handshake->nonce, sizeof(sa->handshake->nonce));
	if (rc == 0)
		return sa;
	ike_sa_end(sa);
	errno = -rc;
	return NULL;
}

/* Whether message 1 is acceptable, and there is an SA for it. */
static bool aggressive_admit(struct v1_message *message, struct first_message *first)
{
	if (message->again)
		aggressive_recall(message->sa, first);
	else if (!handshake_admit(message) || !aggressive_identify(message, first))
		return false;
	if (!aggressive_negotiate(message, first))
		return false;
	first->vendor = natt_read_vendors(&message->payloads);
	if (!message->sa)
		message->sa = aggressive_open(message, first);
	if (message->sa)
		return true;
	engine_count(message->ike, IKE_COUNT_REFUSED);
	report_message(message, IKE_EVENT_REFUSED, first->peer, first->identity, "out of memory or randomness: %s",
		strerror(errno));
	return false;
}

/* The SA is there: answers. */
static enum v1_verdict aggressive_answer(struct v1_message *message, struct first_message *first)
{
	struct ike_sa *sa = message->sa;
	int rc = aggressive_derive(message, first);

	if (rc == 0)
		rc = aggressive_send_2(sa, message, first);
	dh_free(first->dh);
	if (rc == 0) {
		report_sa(sa, IKE_EVENT_STARTED, "%s", "");
		return V1_TAKEN;
	}
	if (rc == -EINPROGRESS && message->kept)
		return V1_LATER;
	if (rc != -EINPROGRESS) {
		engine_count(sa->ike, IKE_COUNT_REFUSED);
		report_sa(sa, IKE_EVENT_REFUSED, "%s",
			rc == -EBADMSG ? "the key exchange value is not one of its group" : strerror(-rc));
	}
	ike_sa_end(sa); /* also of a message that could not be kept: it comes again, as a first one */
	return V1_ENDED;
}

enum v1_verdict aggressive_receive_1(struct v1_message *message)
{
	struct first_message first = {.peer = NULL};
	enum v1_verdict verdict = V1_DROPPED;

	if (aggressive_admit(message, &first))
		verdict = aggressive_answer(message, &first);
	OPENSSL_cleanse(first.secret, sizeof(first.secret));
	OPENSSL_cleanse(&first.registered, sizeof(first.registered));
	return verdict;
}

enum v1_verdict aggressive_receive_3(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	struct endpoint first = sa->remote;
	struct auth_claim claim = {
		.payloads = &message->payloads,
		.id = bytes_of(sa->handshake->peer_id, sa->handshake->peer_id_len),
		.hash = sa->handshake->expected,
		.initiator = true,
	};
	char why[AUTH_WHY_LEN];
	int rc = compute_verify(message, &sa->keys, &claim, why);

	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc < 0) {
		/* Not the end of the exchange: anybody who has seen message 2 could have sent this. */
		ike_sa_hint(sa, why);
		engine_count(sa->ike, IKE_COUNT_BAD_HASH);
		report_message(message, IKE_EVENT_BAD_MESSAGE, sa->peer, ike_sa_identity(sa), "%s", why);
		if (rc == -EACCES)
			notify_reject(message, true);
		return V1_DROPPED;
	}
	rc = ike_sa_take_registration(sa);
	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "%s",
			rc == -ENOMEM ? "out of memory" : "the key of this registration has been used, and is good for once");
		ike_sa_end(sa);
		return V1_ENDED;
	}
	handshake_detect_nat(sa, message);
	handshake_take_over(sa, message);
	ike_sa_establish(sa);
	handshake_report(sa, &first, &message->remote, 3);
	/* HASH_I covers no notification: only encryption speaks for one. */
	if (message->encrypted)
		informational_read_contact(sa, message);
	return V1_TAKEN;
}
