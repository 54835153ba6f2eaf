/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/main_mode.h"

#include "ike/compute.h"
#include "ike/handshake.h"
#include "ike/identity.h"
#include "ike/message.h"
#include "ike/notify.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

int main_mode_open_transcript(struct ike_sa *sa, struct bytes sa_i)
{
	struct transcript *transcript = calloc(1, sizeof(*transcript) + sa_i.len);

	if (!transcript)
		return -ENOMEM;
	transcript->sa_i_len = sa_i.len;
	memcpy(transcript->sa_i, sa_i.data, sa_i.len);
	sa->handshake->transcript = transcript;
	return 0;
}

void main_mode_note_vendors(struct ike_sa *sa, const struct v1_message *message, bool force_udp)
{
	struct natt_vendor vendor = natt_read_vendors(&message->payloads);

	sa->handshake->vendors = vendor;
	sa->natt = vendor.natt;
	sa->fragments = fragment_offered(&message->payloads);
	sa->answers_probes = vendor.dead_peer_detection;
	sa->handshake->transcript->force_udp = force_udp;
}

int main_mode_make_values(struct ike_sa *sa, struct dh *pair)
{
	sa->handshake->dh = pair;
	return engine_random(sa->ike, sa->handshake->nonce, sizeof(sa->handshake->nonce));
}

void main_mode_take_values(struct ike_sa *sa, const struct v1_message *message)
{
	struct bytes ke = payload_body(&message->payloads, ISAKMP_KE);
	struct bytes nonce = payload_body(&message->payloads, ISAKMP_NONCE);
	struct transcript *transcript = sa->handshake->transcript;

	memcpy(transcript->peer_ke, ke.data, ke.len);
	transcript->peer_ke_len = ke.len;
	memcpy(transcript->peer_nonce, nonce.data, nonce.len);
	transcript->peer_nonce_len = nonce.len;
}

int main_mode_send_values(struct ike_sa *sa, const struct endpoint *local, const struct endpoint *remote)
{
	struct handshake *handshake = sa->handshake;
	struct bytes ke = dh_public(handshake->dh);
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_MAIN, 0);
	builder_add(&builder, ISAKMP_KE, ke.data, ke.len);
	builder_add(&builder, ISAKMP_NONCE, handshake->nonce, sizeof(handshake->nonce));
	rc = auth_request(&builder, sa->ike->host.credentials, sa->auth, !sa->initiator);
	if (rc == 0 && sa->natt != NATT_NONE)
		rc = natt_write_detection(&builder, sa->natt, sa->proposal.hash,
			(const struct isakmp_hdr *)builder.data,
			handshake->transcript->force_udp ? &natt_nowhere : local, remote);
	if (rc == 0)
		rc = builder_finish(&builder);
	if (rc == 0)
		rc = ike_sa_keep_sent(sa, builder.data, builder.len);
	if (rc == 0)
		engine_send(sa->ike, local, remote, builder.data, builder.len);
	return rc;
}

struct keymat_input main_mode_input(const struct ike_sa *sa, const struct config_peer *peer)
{
	const struct handshake *handshake = sa->handshake;
	const struct transcript *transcript = handshake->transcript;
	struct bytes own_ke = dh_public(handshake->dh), own_nonce = bytes_of(handshake->nonce, ISAKMP_NONCE_OWN);
	struct bytes peer_ke = bytes_of(transcript->peer_ke, transcript->peer_ke_len);
	struct bytes peer_nonce = bytes_of(transcript->peer_nonce, transcript->peer_nonce_len);

	return (struct keymat_input){
		.initiator_cookie = bytes_of(sa->initiator_cookie, IKE_COOKIE_LEN),
		.responder_cookie = bytes_of(sa->responder_cookie, IKE_COOKIE_LEN),
		.ke_i = sa->initiator ? own_ke : peer_ke,
		.ke_r = sa->initiator ? peer_ke : own_ke,
		.nonce_i = sa->initiator ? own_nonce : peer_nonce,
		.nonce_r = sa->initiator ? peer_nonce : own_nonce,
		.secret = bytes_of(transcript->secret, dh_secret_len(sa->proposal.group)),
		.pre_shared_key = bytes_of(peer->secret, peer->secret_len),
		.sa_i = bytes_of(transcript->sa_i, transcript->sa_i_len),
		.auth = sa->auth,
	};
}

int main_mode_prove(struct v1_message *message, const struct keymat_input *input, struct main_mode_proof *out)
{
	struct ike_sa *sa = message->sa;
	uint8_t hash[PRF_LEN_MAX];
	int rc;

	out->id_len = handshake_write_identity(sa, out->id);
	rc = keymat_proof(&sa->keys, input, sa->initiator, bytes_of(out->id, out->id_len), hash);
	return rc < 0 ? rc : compute_prove(message, &sa->keys, sa->initiator, hash, &out->proof);
}

int main_mode_send_proof(struct ike_sa *sa, const struct main_mode_proof *proof, bool contact)
{
	struct builder builder;
	int rc;

	message_begin(&builder, sa, ISAKMP_MAIN, 0);
	builder_add(&builder, ISAKMP_ID, proof->id, proof->id_len);
	rc = auth_write(&builder, sa->ike->host.credentials, &sa->keys, sa->initiator, &proof->proof);
	if (contact) /* RFC 2407 section 4.6.3.3: the SPI is the two cookies */
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

enum v1_verdict main_mode_give_up(struct ike_sa *sa, const char *what, int error)
{
	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_sa(sa, IKE_EVENT_REFUSED, "%s%s%s", what, error ? ": " : "", error ? strerror(-error) : "");
	ike_sa_end(sa);
	return V1_ENDED;
}
