/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message 1 out; 2 in, 3 out; 4 in, 5 out; 6 in. Whoever sees the messages can forge 2 and 4 and so end the exchange;
 * the proof in message 6 is what nobody else can make.
 */
#include "ike/main_mode.h"

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
#include <string.h>

/* Drops a message that anybody could have sent: the true one may still come. */
static enum v1_verdict main_mode_distrust(struct v1_message *message, const char *why)
{
	struct ike_sa *sa = message->sa;

	ike_sa_hint(sa, why);
	engine_count(sa->ike, IKE_COUNT_BAD_HASH);
	report_message(message, IKE_EVENT_BAD_MESSAGE, sa->peer, ike_sa_identity(sa), "%s", why);
	return V1_DROPPED;
}

/* HDR, SA, VID ... */
static int main_mode_send_1(struct ike_sa *sa)
{
	const struct config *config = sa->ike->config;
	const struct payload_hdr *hdr;
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_MAIN, 0);
	phase1_write_offers(&builder, sa->peer, IKE_GROUP_NONE, config->ike.legacy, config->ike.lifetime);
	natt_write_vendors(&builder);
	fragment_write_vendor(sa->ike, &builder);
	if (handshake_has_clients(sa->peer))
		natt_write_clients(&builder);
	rc = builder_finish(&builder);
	hdr = (const struct payload_hdr *)(builder.data + sizeof(struct isakmp_hdr));
	if (rc == 0)
		rc = main_mode_open_transcript(sa, bytes_of(hdr + 1, bytes_get16(hdr->length) - sizeof(*hdr)));
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
	return rc;
}

int main_mode_begin(
	struct ike *ike, const struct config_peer *peer, const struct endpoint *local, const struct endpoint *remote)
{
	struct ike_sa *sa;
	int rc;

	if (phase1_group(peer, ike->config->ike.legacy) == IKE_GROUP_NONE || !peer->ikev1)
		return -EINVAL;
	sa = ike_sa_new(ike, peer, NULL, local, remote, ike_sa_begins_floated(ike, local));
	if (!sa)
		return -errno;
	sa->exchange = ISAKMP_MAIN;
	rc = main_mode_send_1(sa);
	if (rc < 0) {
		ike_sa_end(sa);
		return rc;
	}
	sa->state = V1_MAIN_SENT_1;
	report_sa(sa, IKE_EVENT_STARTED, "%s", "");
	v1_wait(sa, NULL, V1_WAIT_RETRANSMIT);
	return 0;
}

/* HDR, SA, VID ...: which of our proposals? */
enum v1_verdict main_mode_receive_2(struct v1_message *message)
{
	static const uint8_t no_cookie[IKE_COOKIE_LEN];
	struct ike_sa *sa = message->sa;
	const struct phase1_offer *chosen;
	struct phase1_offers offers;
	const char *why;
	struct dh *pair;
	int rc;

	if (memcmp(message->hdr->responder_cookie, no_cookie, IKE_COOKIE_LEN) == 0)
		return main_mode_distrust(message, "the answer has no responder cookie");
	if (phase1_parse(payload_body(&message->payloads, ISAKMP_SA), &offers, &why) < 0)
		return main_mode_distrust(message, why);
	chosen = phase1_choose(&offers, sa->peer, sa->ike->config->ike.legacy, PHASE1_ANY_KE);
	if (offers.count != 1 || !chosen)
		return main_mode_distrust(message, "the answer is not one of the proposals that were offered");
	rc = compute_exchange(message, chosen->proposal.group, bytes_of(NULL, 0), &pair, NULL);
	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc < 0)
		return main_mode_give_up(sa, "message 3 could not be sent", rc);
	memcpy(sa->responder_cookie, message->hdr->responder_cookie, IKE_COOKIE_LEN);
	phase1_settle(sa, chosen);
	main_mode_note_vendors(sa, message, sa->peer->force_udp);
	sa->local = message->local;
	sa->remote = message->remote;
	rc = main_mode_make_values(sa, pair);
	if (rc == 0)
		rc = main_mode_send_values(sa, &sa->local, &sa->remote);
	return rc == 0 ? V1_TAKEN : main_mode_give_up(sa, "message 3 could not be sent", rc);
}

/* HDR, KE, Nr, NAT-D, NAT-D: the keys are there, and where the NATs are. */
enum v1_verdict main_mode_receive_4(struct v1_message *message)
{
	bool first = TAILQ_EMPTY(&message->sa->party->children) && TAILQ_FIRST(&message->sa->party->sas) == message->sa;
	struct ike_sa *sa = message->sa;
	struct keymat_input input;
	struct main_mode_proof proof;
	int rc = compute_agree(message, sa->handshake->dh, payload_body(&message->payloads, ISAKMP_KE),
		sa->handshake->transcript->secret);

	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc == -EBADMSG)
		return main_mode_distrust(message, "the key exchange value is not one of its group");
	if (rc == 0) {
		main_mode_take_values(sa, message);
		input = main_mode_input(sa, sa->peer);
		rc = keymat_derive(&sa->keys, &sa->proposal, &input);
	}
	if (rc == 0)
		rc = keymat_iv_phase1(&sa->keys, input.ke_i, input.ke_r, sa->iv);
	if (rc == 0)
		rc = main_mode_prove(message, &input, &proof);
	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc == 0) {
		handshake_float(sa, message);
		rc = main_mode_send_proof(sa, &proof, first);
	}
	return rc == 0 ? V1_TAKEN : main_mode_give_up(sa, "message 5 could not be sent", rc);
}

/* HDR*, IDir, HASH_R: it could be decrypted, so it is from whom we agreed on g^xy with; but is it the peer? */
enum v1_verdict main_mode_receive_6(struct v1_message *message)
{
	struct bytes id_r = payload_body(&message->payloads, ISAKMP_ID);
	struct ike_sa *sa = message->sa;
	struct keymat_input input = main_mode_input(sa, sa->peer);
	uint8_t hash[PRF_LEN_MAX];
	char identity[CONFIG_IDENTITY_LEN], why[AUTH_WHY_LEN];
	const char *wrong;
	int rc;

	if (identity_read(id_r, identity, &wrong) < 0)
		return main_mode_distrust(message, wrong);
	if (keymat_proof(&sa->keys, &input, false, id_r, hash) < 0)
		return main_mode_distrust(message, "the crypto library refused");
	rc = compute_verify(message, &sa->keys, &(struct auth_claim){&message->payloads, id_r, hash, false}, why);
	if (rc == -EINPROGRESS)
		return V1_LATER;
	if (rc == 0 && strcmp(identity, sa->peer->identity) != 0) {
		snprintf(why, sizeof(why), "the identity that answered is not the configured one");
		rc = -EACCES;
	}
	if (rc == -EACCES) { /* whole, but not whom we want: no other message 6 will come that can be read */
		notify_reject(message, true);
		return main_mode_give_up(sa, why, 0);
	}
	if (rc < 0)
		return main_mode_distrust(message, why);
	handshake_take_over(sa, message);
	ike_sa_establish(sa);
	handshake_report(sa, &message->remote, &message->remote, 6);
	informational_read_contact(sa, message);
	return V1_TAKEN;
}
