/* SPDX-License-Identifier: Apache-2.0 */
/* Message 1 out; message 2 in, message 3 out. Nothing of message 2 is kept before its proof has been verified. */
#include "ike/aggressive.h"

#include "ike/auth.h"
#include "ike/compute.h"
#include "ike/handshake.h"
#include "ike/identity.h"
#include "ike/message.h"
#include "ike/notify.h"
#include "ike/phase1.h"
#include "ike/report.h"
#include "ike/vendor.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

/* What message 2 comes down to, until it is believed. */
struct second_message {
	struct phase1_offer chosen;
	struct natt_vendor vendor;
	struct keymat_input input;
	struct keymat keys;
	uint8_t secret[DH_SECRET_MAX];
	struct auth_proof proof; /* ours */
	char why[AUTH_WHY_LEN];
};

/* HDR, SA, KE, Ni, IDii [, CERTREQ ...], VID ... */
static int aggressive_send_1(struct ike_sa *sa)
{
	const struct config *config = sa->ike->config;
	struct bytes ke = dh_public(sa->handshake->dh);
	uint8_t id[IDENTITY_BODY_MAX];
	struct builder builder;
	bool requested = false;
	int rc = 0;

	message_begin(&builder, sa, ISAKMP_AGGRESSIVE, 0);
	phase1_write_offers(&builder, sa->peer, dh_group(sa->handshake->dh), config->ike.legacy, config->ike.lifetime);
	builder_add(&builder, ISAKMP_KE, ke.data, ke.len);
	builder_add(&builder, ISAKMP_NONCE, sa->handshake->nonce, sizeof(sa->handshake->nonce));
	builder_add(&builder, ISAKMP_ID, id, handshake_write_identity(sa, id));
	for (size_t i = 0; !requested && rc == 0 && i < sa->peer->n_auth; i++) {
		requested = auth_signs(sa->peer->auth[i], false);
		rc = auth_request(&builder, sa->ike->host.credentials, sa->peer->auth[i], false);
	}
	natt_write_vendors(&builder);
	fragment_write_vendor(sa->ike, &builder);
	if (handshake_has_clients(sa->peer))
		natt_write_clients(&builder);
	if (rc == 0)
		rc = builder_finish(&builder);
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
	return rc;
}

/* Our key pair is there: the exchange begins. */
static int aggressive_start(struct ike_sa *sa, uint32_t message_id, struct dh *pair)
{
	int rc;

	(void)message_id;
	sa->handshake->dh = pair;
	rc = pair ? aggressive_send_1(sa) : -EBUSY;
	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "message 1 could not be sent: %s", strerror(-rc));
		ike_sa_end(sa);
		return rc;
	}
	sa->state = V1_AGGRESSIVE_SENT_1;
	report_sa(sa, IKE_EVENT_STARTED, "%s", "");
	v1_wait(sa, NULL, V1_WAIT_RETRANSMIT);
	return 0;
}

int aggressive_begin(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote)
{
	uint16_t group = phase1_group(peer, ike->config->ike.legacy);
	struct ike_sa *sa;
	int rc;

	if (group == IKE_GROUP_NONE || !peer->ikev1 || !peer->aggressive)
		return -EINVAL;
	sa = ike_sa_new(ike, peer, NULL, local, remote, ike_sa_begins_floated(ike, local));
	if (!sa)
		return -errno;
	sa->exchange = ISAKMP_AGGRESSIVE;
	rc = engine_random(ike, sa->handshake->nonce, sizeof(sa->handshake->nonce));
	if (rc == 0)
		rc = compute_pair(sa, group, 0, aggressive_start);
	if (rc < 0)
		ike_sa_end(sa);
	return rc;
}

/* The body of the SA payload in our message 1, its first payload. */
static struct bytes aggressive_own_offers(const struct ike_sa *sa)
{
	const struct payload_hdr *hdr = (const struct payload_hdr *)(sa->handshake->sent + sizeof(struct isakmp_hdr));

	return bytes_of(hdr + 1, bytes_get16(hdr->length) - sizeof(*hdr));
}

/* Who answered, and with which of our proposals? NULL, or what is wrong. */
static const char *aggressive_check_answer(
	struct ike_sa *sa, const struct v1_message *message, struct second_message *second)
{
	struct bytes ke = payload_body(&message->payloads, ISAKMP_KE);
	char identity[CONFIG_IDENTITY_LEN];
	const struct phase1_offer *chosen;
	struct phase1_offers offers;
	const char *why;

	if (identity_read(payload_body(&message->payloads, ISAKMP_ID), identity, &why) < 0)
		return why;
	if (strcmp(identity, sa->peer->identity) != 0)
		return "the identity that answered is not the configured one";
	if (phase1_parse(payload_body(&message->payloads, ISAKMP_SA), &offers, &why) < 0)
		return why;
	chosen = phase1_choose(&offers, sa->peer, sa->ike->config->ike.legacy, ke.len);
	if (offers.count != 1 || !chosen || chosen->proposal.group != dh_group(sa->handshake->dh))
		return "the answer is not one of the proposals that were offered";
	second->chosen = *chosen;
	second->vendor = natt_read_vendors(&message->payloads);
	return NULL;
}

/* Keys from what came, and the proof. NULL, or what is wrong: "" when it has to be computed first. */
static const char *aggressive_check_proof(struct ike_sa *sa, struct v1_message *message, struct second_message *second)
{
	struct keymat_input *input = &second->input;
	struct bytes id_r = payload_body(&message->payloads, ISAKMP_ID);
	uint8_t proof[PRF_LEN_MAX];
	int rc;

	*input = (struct keymat_input){
		.initiator_cookie = bytes_of(sa->initiator_cookie, IKE_COOKIE_LEN),
		.responder_cookie = bytes_of(message->hdr->responder_cookie, IKE_COOKIE_LEN),
		.ke_i = dh_public(sa->handshake->dh),
		.ke_r = payload_body(&message->payloads, ISAKMP_KE),
		.nonce_i = bytes_of(sa->handshake->nonce, sizeof(sa->handshake->nonce)),
		.nonce_r = payload_body(&message->payloads, ISAKMP_NONCE),
		.secret = bytes_of(second->secret, dh_secret_len(second->chosen.proposal.group)),
		.pre_shared_key = bytes_of(sa->peer->secret, sa->peer->secret_len),
		.sa_i = aggressive_own_offers(sa),
		.auth = second->chosen.auth,
	};
	rc = compute_agree(message, sa->handshake->dh, input->ke_r, second->secret);
	if (rc < 0)
		return rc == -EINPROGRESS ? "" : "the key exchange value is not one of its group";
	if (keymat_derive(&second->keys, &second->chosen.proposal, input) < 0 ||
		keymat_proof(&second->keys, input, false, id_r, proof) < 0)
		return "the crypto library refused";
	rc = compute_verify(
		message, &second->keys, &(struct auth_claim){&message->payloads, id_r, proof, false}, second->why);
	if (rc < 0)
		return rc == -EINPROGRESS ? "" : second->why;
	return NULL;
}

/* Our own proof. 0 or negative errno, of compute.h's too. */
static int aggressive_prove(struct ike_sa *sa, struct v1_message *message, struct second_message *second)
{
	uint8_t id[IDENTITY_BODY_MAX], hash[PRF_LEN_MAX];
	size_t id_len = handshake_write_identity(sa, id);
	int rc = keymat_proof(&second->keys, &second->input, true, bytes_of(id, id_len), hash);

	return rc < 0 ? rc : compute_prove(message, &second->keys, true, hash, &second->proof);
}

/* HDR*, HASH_I or what the method has in its place, NAT-D, NAT-D [, N] */
static int aggressive_send_3(struct ike_sa *sa, const struct auth_proof *proof)
{
	bool first = TAILQ_EMPTY(&sa->party->children) && TAILQ_FIRST(&sa->party->sas) == sa;
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_AGGRESSIVE, 0);
	rc = auth_write(&builder, sa->ike->host.credentials, &sa->keys, true, proof);
	if (rc == 0 && sa->natt != NATT_NONE)
		rc = natt_write_detection(&builder, sa->natt, sa->proposal.hash,
			(const struct isakmp_hdr *)builder.data, sa->peer->force_udp ? &natt_nowhere : &sa->local,
			&sa->remote);
	if (first) /* RFC 2407 section 4.6.3.3: the SPI is the two cookies */
		notify_write(&builder, ISAKMP_PROTO_ISAKMP, ISAKMP_INITIAL_CONTACT,
			bytes_of(builder.data, 2 * IKE_COOKIE_LEN), bytes_of(NULL, 0));
	if (rc == 0)
		rc = message_encrypt(&builder, sa, sa->iv);
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
	return rc;
}

/* Message 2 is authentic: takes it over and answers. */
static int aggressive_accept_2(struct ike_sa *sa, const struct v1_message *message, struct second_message *second)
{
	int rc;

	memcpy(sa->responder_cookie, message->hdr->responder_cookie, IKE_COOKIE_LEN);
	sa->keys = second->keys;
	phase1_settle(sa, &second->chosen);
	sa->natt = second->vendor.natt;
	sa->answers_probes = second->vendor.dead_peer_detection;
	sa->fragments = fragment_offered(&message->payloads);
	sa->local = message->local;
	sa->remote = message->remote;
	rc = keymat_iv_phase1(&sa->keys, second->input.ke_i, second->input.ke_r, sa->iv);
	if (rc < 0)
		return rc;
	handshake_float(sa, message);
	return aggressive_send_3(sa, &second->proof);
}

enum v1_verdict aggressive_receive_2(struct v1_message *message)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	struct second_message second = {.input.auth = 0};
	struct ike_sa *sa = message->sa;
	enum v1_verdict verdict = V1_DROPPED;
	const char *why = NULL;
	int rc;

	if (memcmp(message->hdr->responder_cookie, no_cookie, IKE_COOKIE_LEN) == 0)
		why = "the answer has no responder cookie";
	if (!why)
		why = aggressive_check_answer(sa, message, &second);
	if (!why)
		why = aggressive_check_proof(sa, message, &second);
	rc = why ? 0 : aggressive_prove(sa, message, &second);
	if ((why && !why[0]) || rc == -EINPROGRESS) {
		verdict = V1_LATER;
		goto out;
	}
	if (why) {
		ike_sa_hint(sa, why);
		engine_count(sa->ike, IKE_COUNT_BAD_HASH);
		report_message(message, IKE_EVENT_BAD_MESSAGE, sa->peer, ike_sa_identity(sa), "%s", why);
		notify_reject(message, false);
		goto out;
	}
	if (rc == 0)
		rc = aggressive_accept_2(sa, message, &second);
	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "message 3 could not be sent: %s", strerror(-rc));
		ike_sa_end(sa);
		verdict = V1_ENDED;
		goto out;
	}
	dh_free(sa->handshake->dh);
	sa->handshake->dh = NULL;
	ike_sa_establish(sa);
	handshake_report(sa, &message->remote, &message->remote, 2);
	verdict = V1_TAKEN;
out:
	OPENSSL_cleanse(&second, sizeof(second));
	return verdict;
}
