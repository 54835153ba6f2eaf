/* SPDX-License-Identifier: Apache-2.0 */
/* Message 1 out; message 2 in, message 3 out. The same whether we began the IKE SA or not. */
#include "ike/quick.h"

#include "ike/compute.h"
#include "ike/identity.h"
#include "ike/message.h"
#include "ike/report.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

static uint16_t quick_mode(const struct ike_sa *sa)
{
	bool transport = sa->peer->mode == CONFIG_MODE_TRANSPORT;

	if (!sa->floated)
		return transport ? IPSEC_TRANSPORT : IPSEC_TUNNEL;
	if (sa->natt == NATT_DRAFT)
		return transport ? IPSEC_UDP_TRANSPORT_DRAFT : IPSEC_UDP_TUNNEL_DRAFT;
	return transport ? IPSEC_UDP_TRANSPORT : IPSEC_UDP_TUNNEL;
}

/* HDR*, HASH(1), SA, Ni [, KE], IDci, IDcr [, NAT-OAi, NAT-OAr] */
static int quick_send_1(struct quick *quick)
{
	struct ike_sa *sa = quick->sa;
	uint8_t id[IDENTITY_SELECTOR_MAX];
	struct builder builder;
	int rc;

	message_begin_hashed(&builder, sa, ISAKMP_QUICK, quick->message_id);
	phase2_write_offers(&builder, sa->peer, quick->terms.spi_in, quick_mode(sa), quick->group);
	builder_add(&builder, ISAKMP_NONCE, quick->nonce_i, quick->nonce_i_len);
	if (quick->dh)
		builder_add(&builder, ISAKMP_KE, dh_public(quick->dh).data, dh_public(quick->dh).len);
	builder_add(&builder, ISAKMP_ID, id, identity_write_selector(&quick->terms.local_network, id));
	builder_add(&builder, ISAKMP_ID, id, identity_write_selector(&quick->terms.remote_network, id));
	quick_write_original(quick, &builder, quick_mode(sa));
	rc = message_seal_hashed(&builder, sa, quick->message_id, bytes_of(NULL, 0), quick->iv);
	return rc < 0 ? rc : quick_send(quick, &builder);
}

/* Message 1 goes, and its answer is waited for; unless there is an error already. */
static int quick_start(struct quick *quick, int rc)
{
	struct ike_sa *sa = quick->sa;

	if (rc == 0)
		rc = quick_draw(quick, quick->nonce_i, &quick->nonce_i_len);
	if (rc == 0)
		rc = quick_send_1(quick);
	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "quick mode could not begin: %s", strerror(-rc));
		quick_end(quick);
		return rc;
	}
	quick->state = V1_QUICK_SENT_1;
	v1_wait(sa, quick, V1_WAIT_RETRANSMIT);
	return 0;
}

/* Our key pair is there, or it can't be had. */
static int quick_start_with(struct ike_sa *sa, uint32_t message_id, struct dh *pair)
{
	struct quick *quick = quick_find(sa, message_id);

	if (!quick) {
		dh_free(pair);
		return -ENOENT;
	}
	quick->dh = pair;
	return quick_start(quick, pair ? 0 : -EBUSY);
}

int quick_begin(struct ike_sa *sa, const struct prefix *local_network, const struct prefix *remote_network,
	const struct child_sa *renewed)
{
	struct quick *quick;
	uint32_t message_id;

	TAILQ_FOREACH(quick, &sa->quicks, in_sa)
		if (renewed && quick->replaces == renewed->id && quick->state != V1_QUICK_DONE)
			return -EALREADY;
	message_id = ike_sa_new_id(sa);
	if (message_id == 0)
		return -EIO;
	quick = quick_new(sa, message_id, true);
	if (!quick)
		return -errno;
	quick->terms.local_network = *local_network;
	quick->terms.remote_network = *remote_network;
	quick->group = sa->peer->pfs != IKE_GROUP_NONE || !renewed ? sa->peer->pfs : renewed->group;
	quick->replaces = renewed ? renewed->id : 0;
	quick->replaces_spi = renewed ? renewed->spi_in : 0;
	return quick->group == IKE_GROUP_NONE ? quick_start(quick, 0)
					      : compute_pair(sa, quick->group, message_id, quick_start_with);
}

/*
 * The networks of one side, by number; false behind the last. A client's own is its virtual address, and what it
 * reaches is what it was told where its configuration says nothing.
 */
static bool quick_own_network(const struct ike_sa *sa, size_t i, struct prefix *out)
{
	const struct config_peer *peer = sa->peer;

	if (sa->assignment)
		*out = quick_host_network(&sa->assignment->address);
	else if (peer->n_local)
		*out = peer->local_networks[i < peer->n_local ? i : 0];
	else
		*out = quick_host_network(&sa->local.address);
	return i < (sa->assignment || !peer->n_local ? 1u : peer->n_local);
}

static bool quick_other_network(const struct ike_sa *sa, size_t i, struct prefix *out)
{
	const struct ike_assignment *assignment = sa->assignment;
	const struct config_peer *peer = sa->peer;
	struct address everything = address_ipv4(0);

	if (peer->n_remote) {
		*out = peer->remote_networks[i < peer->n_remote ? i : 0];
		return i < peer->n_remote;
	}
	if (assignment && assignment->n_networks) {
		*out = assignment->networks[i < assignment->n_networks ? i : 0];
		return i < assignment->n_networks;
	}
	*out = assignment ? prefix_make(&everything, 0) : quick_host_network(&sa->remote.address);
	return i < 1;
}

void quick_begin_next_pair(struct ike_sa *sa)
{
	struct prefix local, remote;
	size_t n_remote = 0;

	while (quick_other_network(sa, n_remote, &remote))
		n_remote++;
	while (sa->initiator && sa->renews == 0 && quick_own_network(sa, sa->next_pair / n_remote, &local)) {
		quick_other_network(sa, sa->next_pair++ % n_remote, &remote);
		if (local.address.family == remote.address.family && quick_begin(sa, &local, &remote, NULL) == 0)
			return;
	}
}

/* The selectors of the answer have to be ours. */
static bool quick_same_selectors(const struct payload_list *list, const struct ike_child *terms)
{
	const struct payload *id_i = payload_find(list, ISAKMP_ID, NULL);
	const struct payload *id_r = id_i ? payload_find(list, ISAKMP_ID, id_i + 1) : NULL;
	struct prefix local, remote;
	const char *why;

	return id_r && identity_read_selector(id_i->body, &local, &why) == 0 &&
	       identity_read_selector(id_r->body, &remote, &why) == 0 && prefix_equal(&local, &terms->local_network) &&
	       prefix_equal(&remote, &terms->remote_network);
}

/* What the responder has taken of ours. The smaller lifetime counts, RFC 2407 section 4.6.3.1. */
static void quick_take_over(struct quick *quick, const struct payload_list *list, const struct phase2_offer *chosen)
{
	const struct config_peer *peer = quick->sa->peer;
	const struct payload *at = NULL;

	quick_take_terms(quick, chosen);
	quick->terms.lifetime = peer->lifetime;
	quick->terms.lifetime_bytes = peer->lifetime_bytes;
	while ((at = payload_find(list, ISAKMP_NOTIFICATION, at))) {
		const struct notify_hdr *hdr = (const struct notify_hdr *)at->body.data;
		size_t data_at = sizeof(*hdr) + hdr->spi_len;
		uint64_t lifetime_bytes;
		uint32_t lifetime;

		if (bytes_get16(hdr->type) == ISAKMP_RESPONDER_LIFETIME && data_at <= at->body.len) {
			phase2_read_lifetime(
				bytes_of(at->body.data + data_at, at->body.len - data_at), &lifetime, &lifetime_bytes);
			if (lifetime && lifetime < quick->terms.lifetime)
				quick->terms.lifetime = lifetime;
			if (lifetime_bytes &&
				(!quick->terms.lifetime_bytes || lifetime_bytes < quick->terms.lifetime_bytes))
				quick->terms.lifetime_bytes = lifetime_bytes;
		}
		at++;
	}
}

/* NULL, or why message 2 is no answer to our message 1. */
static const char *quick_check_answer(struct v1_message *message)
{
	const struct payload_list *list = &message->payloads;
	struct bytes ke = payload_body(list, ISAKMP_KE), nonce = payload_body(list, ISAKMP_NONCE);
	struct quick *quick = message->quick;
	struct ike_sa *sa = message->sa;
	struct phase2_terms terms = {
		.peer = sa->peer,
		.has_ke = ke.data,
		.ke_len = ke.len,
		.legacy = sa->ike->config->ike.legacy,
		.nat = sa->peer_behind_nat || sa->we_behind_nat,
		.floated = sa->floated,
	};
	const struct phase2_offer *chosen;
	struct phase2_offers offers;
	const char *why;

	if (phase2_parse(payload_body(list, ISAKMP_SA), &offers, &why) < 0)
		return why;
	chosen = phase2_choose(&offers, &terms);
	if (offers.count != 1 || !chosen || chosen->group != quick->group)
		return "the answer is not one of the ESP proposals that were offered";
	if (!quick_same_selectors(list, &quick->terms))
		return "the traffic selectors of the answer are not those that were offered";
	memcpy(quick->nonce_r, nonce.data, nonce.len);
	quick->nonce_r_len = nonce.len;
	quick_take_over(quick, list, chosen);
	return NULL;
}

/* HDR*, HASH(3) */
static int quick_send_3(struct quick *quick)
{
	struct bytes nonce_i = bytes_of(quick->nonce_i, quick->nonce_i_len);
	struct bytes nonce_r = bytes_of(quick->nonce_r, quick->nonce_r_len);
	struct ike_sa *sa = quick->sa;
	uint8_t proof[PRF_LEN_MAX];
	struct builder builder;
	int rc = keymat_hash3(&sa->keys, quick->message_id, nonce_i, nonce_r, proof);

	if (rc < 0)
		return rc;
	message_begin(&builder, sa, ISAKMP_QUICK, quick->message_id);
	builder_add(&builder, ISAKMP_HASH, proof, sa->keys.prf_len);
	rc = message_encrypt(&builder, sa, quick->iv);
	return rc < 0 ? rc : quick_send(quick, &builder);
}

/* Ends an exchange that came to nothing after all. */
static enum v1_verdict quick_give_up(struct v1_message *message, const char *why)
{
	struct ike_sa *sa = message->sa;

	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_message(message, IKE_EVENT_REFUSED, sa->peer, ike_sa_identity(sa), "quick mode: %s", why);
	quick_end(message->quick);
	quick_begin_next_pair(sa);
	return V1_ENDED;
}

enum v1_verdict quick_receive_2(struct v1_message *message)
{
	struct quick *quick = message->quick;
	struct ike_sa *sa = message->sa;
	struct child_sa *replaced;
	const char *why = quick_check_answer(message);
	uint8_t secret[DH_SECRET_MAX];
	int rc = 0;

	if (why)
		return quick_give_up(message, why);
	if (quick->dh)
		rc = compute_agree(message, quick->dh, payload_body(&message->payloads, ISAKMP_KE), secret);
	if (rc == -EINPROGRESS)
		return V1_LATER;
	memcpy(quick->iv, message->iv, sa->keys.block_len);
	/* HASH(2) covers our nonce: this message is fresh. */
	ike_sa_move(sa, &message->local, &message->remote, message->floated);
	quick->local = sa->local;
	quick->remote = sa->remote;
	if (rc == 0)
		rc = quick_install(quick, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == 0)
		rc = quick_send_3(quick);
	if (rc < 0)
		return quick_give_up(message, strerror(-rc));
	quick_forget_secrets(quick);
	replaced = quick->replaces ? child_sa_find(sa->ike, quick->replaces_spi) : NULL;
	if (replaced && replaced->id != quick->replaces)
		replaced = NULL;
	/* With the commit bit set the peer asks us to wait until it says CONNECTED (RFC 2408 section 3.1). */
	if (replaced)
		child_sa_replace(replaced);
	child_sa_activate(quick_child(quick), replaced					 ? CHILD_SA_CARRY_LATER_MS
					      : message->hdr->flags & ISAKMP_FLAG_COMMIT ? CHILD_SA_COMMIT_MS
											 : 0);
	quick_begin_next_pair(sa);
	return V1_TAKEN;
}
