/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message 1 in, message 2 out; message 3 in. HASH(1) alone does not tell a fresh message from one that somebody kept,
 * so message 1 makes the pair ready to receive and no more: only HASH(3), which covers our nonce, lets traffic out and
 * moves the peer's endpoint.
 */
#include "ike/quick.h"

#include "ike/compute.h"
#include "ike/identity.h"
#include "ike/message.h"
#include "ike/notify.h"
#include "ike/report.h"
#include "ike/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

enum { LIFETIME_DEFAULT = 28800 }; /* RFC 2407 section 4.5 */

/* What message 1 comes down to, while it is answered. */
struct quick_request {
	struct phase2_offers offers;
	const struct phase2_offer *chosen;
	struct bytes ke;
	const struct payload *id_i, *id_r; /* NULL: the addresses of the IKE SA are meant */
	bool tell_lifetime;
};

/* Ends an exchange that was refused and says why to both sides. */
static enum v1_verdict quick_refuse(
	struct v1_message *message, const struct quick_request *request, uint16_t type, const char *why)
{
	struct ike_sa *sa = message->sa;
	uint8_t wire_spi[4];

	bytes_put32(wire_spi, request->offers.count ? request->offers.items[0].spi : 0);
	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_message(message, IKE_EVENT_REFUSED, sa->peer, ike_sa_identity(sa), "quick mode: %s", why);
	notify_send(sa, ISAKMP_PROTO_ESP, type, bytes_of(wire_spi, sizeof(wire_spi)), bytes_of(NULL, 0));
	quick_end(message->quick);
	return V1_ENDED;
}

/* A client's own network is the address that it was given. NULL, or what is wrong. */
static const char *quick_check_address(
	const struct party *party, const struct prefix *remote, char *text, size_t text_len)
{
	struct prefix own = quick_host_network(&party->address);
	char asked[PREFIX_TEXT_LEN], given[ADDRESS_TEXT_LEN];

	if (party->address.family != ADDRESS_IPV4)
		return "the peer has not been given a virtual address yet (mode-config)";
	if (prefix_equal(&own, remote))
		return NULL;
	snprintf(text, text_len, "the peer's traffic selector is %s; its virtual address is %s",
		prefix_format(remote, asked), address_format(&party->address, given));
	return text;
}

static bool quick_within(const struct prefix *networks, size_t count, const struct prefix *offered)
{
	for (size_t i = 0; i < count; i++)
		if (prefix_contains(&networks[i], offered))
			return true;
	return false;
}

static void quick_append_networks(char *text, size_t text_len, const struct prefix *networks, size_t count)
{
	enum { SHOWN = 4 };
	char network[PREFIX_TEXT_LEN];

	for (size_t i = 0; i < count && i < SHOWN; i++)
		text_append(text, text_len, "%s%s", i ? ", " : "", prefix_format(&networks[i], network));
	if (count > SHOWN)
		text_append(text, text_len, " and %zu more", count - SHOWN);
}

/* What may be on the peer's side: of its party where a registration said so, else as configured. */
static const struct prefix *quick_remote_networks(const struct party *party, size_t *count)
{
	*count = party->networks ? party->n_networks : party->peer->n_remote;
	return party->networks ? party->networks : party->peer->remote_networks;
}

/* What was offered and what is configured, in the same order. */
static void quick_explain_networks(
	const struct party *party, const struct ike_child *terms, char *text, size_t text_len)
{
	const struct config_peer *peer = party->peer;
	size_t n_remote;
	const struct prefix *remotes = quick_remote_networks(party, &n_remote);
	char local[PREFIX_TEXT_LEN], remote[PREFIX_TEXT_LEN];

	snprintf(text, text_len,
		"traffic selectors %s to %s are not within this peer's local and remote networks; configured are ",
		prefix_format(&terms->remote_network, remote), prefix_format(&terms->local_network, local));
	quick_append_networks(text, text_len, remotes, n_remote);
	text_append(text, text_len, " to ");
	quick_append_networks(text, text_len, peer->local_networks, peer->n_local);
}

/* IDci is the peer's side, IDcr ours; both must lie within what is configured. NULL, or what is wrong. */
static const char *quick_select(
	struct v1_message *message, struct quick_request *request, struct ike_child *terms, char *text, size_t text_len)
{
	const struct payload_list *list = &message->payloads;
	const struct party *party = message->sa->party;
	const struct config_peer *peer = party->peer;
	bool own_address = peer->pool[0] && !peer->registration;
	size_t n_remote;
	const struct prefix *remotes = quick_remote_networks(party, &n_remote);
	const char *why;

	request->id_i = payload_find(list, ISAKMP_ID, NULL);
	request->id_r = request->id_i ? payload_find(list, ISAKMP_ID, request->id_i + 1) : NULL;
	if (request->id_i && !request->id_r)
		return "one traffic selector came alone";
	if (!request->id_i) {
		terms->remote_network = quick_host_network(&message->sa->remote.address);
		terms->local_network = quick_host_network(&message->sa->local.address);
	} else if (identity_read_selector(request->id_i->body, &terms->remote_network, &why) < 0 ||
		   identity_read_selector(request->id_r->body, &terms->local_network, &why) < 0) {
		return why;
	}
	if (own_address) {
		why = quick_check_address(party, &terms->remote_network, text, text_len);
		if (why)
			return why;
	}
	if (quick_within(peer->local_networks, peer->n_local, &terms->local_network) &&
		(own_address || quick_within(remotes, n_remote, &terms->remote_network)))
		return quick_check_hosts(message->quick);
	quick_explain_networks(party, terms, text, text_len);
	return text;
}

/* The smaller of both lifetimes counts; the peer is told when it is ours. */
static void quick_set_lifetime(const struct config_peer *peer, struct quick_request *request, struct ike_child *terms)
{
	uint32_t offered = request->chosen->lifetime ? request->chosen->lifetime : LIFETIME_DEFAULT;

	terms->lifetime = offered;
	terms->lifetime_bytes = request->chosen->lifetime_bytes;
	if (peer->lifetime && peer->lifetime < offered) {
		terms->lifetime = peer->lifetime;
		request->tell_lifetime = true;
	}
	if (peer->lifetime_bytes && (!terms->lifetime_bytes || peer->lifetime_bytes < terms->lifetime_bytes)) {
		terms->lifetime_bytes = peer->lifetime_bytes;
		request->tell_lifetime = true;
	}
}

/* HDR*, HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, NAT-OAi, NAT-OAr] [, N] */
static int quick_send_2(struct quick *quick, const struct quick_request *request)
{
	struct ike_sa *sa = quick->sa;
	struct builder builder;
	uint8_t wire_spi[4];
	int rc;

	message_begin_hashed(&builder, sa, ISAKMP_QUICK, quick->message_id);
	phase2_write_answer(&builder, request->chosen, quick->terms.spi_in);
	builder_add(&builder, ISAKMP_NONCE, quick->nonce_r, quick->nonce_r_len);
	if (quick->dh)
		builder_add(&builder, ISAKMP_KE, dh_public(quick->dh).data, dh_public(quick->dh).len);
	if (request->id_i) {
		builder_add(&builder, ISAKMP_ID, request->id_i->body.data, request->id_i->body.len);
		builder_add(&builder, ISAKMP_ID, request->id_r->body.data, request->id_r->body.len);
	}
	quick_write_original(quick, &builder, request->chosen->mode);
	if (request->tell_lifetime) {
		bytes_put32(wire_spi, quick->terms.spi_in);
		builder_open(&builder, ISAKMP_NOTIFICATION);
		builder_put32(&builder, ISAKMP_DOI_IPSEC);
		builder_put8(&builder, ISAKMP_PROTO_ESP);
		builder_put8(&builder, sizeof(wire_spi));
		builder_put16(&builder, ISAKMP_RESPONDER_LIFETIME);
		builder_put(&builder, wire_spi, sizeof(wire_spi));
		phase2_write_lifetime(&builder, quick->terms.lifetime, quick->terms.lifetime_bytes);
		builder_close(&builder);
	}
	rc = message_seal_hashed(
		&builder, sa, quick->message_id, bytes_of(quick->nonce_i, quick->nonce_i_len), quick->iv);
	return rc < 0 ? rc : quick_send(quick, &builder);
}

/*
 * A peer may have a few child SAs for each pair of its networks: one in use, those that are being replaced, and what
 * restarts of it left behind. Beyond that it is taking what other peers need, and the oldest go: a client that connects
 * again and again and never says that the ones before are gone must get its tunnel all the same.
 */
static void quick_end_oldest(struct ike_sa *sa, const struct child_sa *newest)
{
	struct party *party = sa->party;
	size_t n_remote, most;

	quick_remote_networks(party, &n_remote);
	most = 16 + 4 * (party->peer->n_local + 1u) * (n_remote + 1u);
	while (party->n_children > most && TAILQ_FIRST(&party->children) != newest) {
		struct child_sa *oldest = TAILQ_FIRST(&party->children);

		notify_delete_child(sa, oldest->spi_in);
		report_party(sa->ike, IKE_EVENT_DELETED, party, oldest->ike_sa,
			"child SA 0x%08x: the peer has %zu newer ones", oldest->spi_in, most);
		child_sa_end(oldest, true);
	}
}

/* Takes over what was chosen, installs, answers. 0 or negative errno, of compute.h's too. */
static int quick_answer(struct v1_message *message, struct quick_request *request)
{
	struct bytes nonce = payload_body(&message->payloads, ISAKMP_NONCE);
	const struct phase2_offer *chosen = request->chosen;
	struct quick *quick = message->quick;
	uint8_t secret[DH_SECRET_MAX];
	int rc = 0;

	if (chosen->group != IKE_GROUP_NONE)
		rc = compute_exchange(message, chosen->group, request->ke, &quick->dh, secret);
	if (rc < 0)
		return rc;
	memcpy(quick->nonce_i, nonce.data, nonce.len);
	quick->nonce_i_len = nonce.len;
	quick->group = chosen->group;
	quick_take_terms(quick, chosen);
	quick_set_lifetime(message->sa->peer, request, &quick->terms);
	rc = quick_draw(quick, quick->nonce_r, &quick->nonce_r_len);
	if (rc == 0)
		rc = quick_install(quick, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == 0)
		rc = quick_send_2(quick, request);
	return rc;
}

enum v1_verdict quick_receive_1(struct v1_message *message)
{
	struct ike_sa *sa = message->sa;
	struct quick_request request = {
		.offers.count = 0,
		.ke = payload_body(&message->payloads, ISAKMP_KE),
	};
	struct phase2_terms terms = {
		.peer = sa->peer,
		.has_ke = request.ke.data,
		.ke_len = request.ke.len,
		.legacy = sa->ike->config->ike.legacy,
		.nat = sa->peer_behind_nat || sa->we_behind_nat,
		.floated = sa->floated,
	};
	char text[PHASE2_TEXT_LEN];
	const char *why;
	int rc;

	message->quick = quick_new(sa, message->message_id, false);
	if (!message->quick) {
		engine_count(sa->ike, IKE_COUNT_LIMITED);
		report_message(message, IKE_EVENT_BAD_MESSAGE, sa->peer, ike_sa_identity(sa),
			"no room for another quick mode: %s", strerror(errno));
		return V1_DROPPED;
	}
	message->quick->local = message->local;
	message->quick->remote = message->remote;
	memcpy(message->quick->iv, message->iv, sa->keys.block_len);
	if (phase2_parse(payload_body(&message->payloads, ISAKMP_SA), &request.offers, &why) < 0)
		return quick_refuse(message, &request, ISAKMP_NO_PROPOSAL_CHOSEN, why);
	why = quick_select(message, &request, &message->quick->terms, text, sizeof(text));
	if (why)
		return quick_refuse(message, &request, ISAKMP_INVALID_ID_INFORMATION, why);
	request.chosen = phase2_choose(&request.offers, &terms);
	if (!request.chosen)
		return quick_refuse(
			message, &request, ISAKMP_NO_PROPOSAL_CHOSEN, phase2_explain(&request.offers, &terms, text));
	rc = quick_answer(message, &request);
	if (rc == -EINPROGRESS) {
		quick_end(message->quick);
		message->quick = NULL;
		return V1_LATER;
	}
	if (rc == -EBADMSG)
		return quick_refuse(message, &request, ISAKMP_INVALID_KEY_INFORMATION,
			"the key exchange value is not one of its group");
	if (rc < 0) {
		snprintf(text, sizeof(text), "the child SA could not be installed: %s", strerror(-rc));
		return quick_refuse(message, &request, ISAKMP_NO_PROPOSAL_CHOSEN, text);
	}
	return V1_TAKEN;
}

enum v1_verdict quick_receive_3(struct v1_message *message)
{
	struct quick *quick = message->quick;
	struct child_sa *child = quick_child(quick);

	if (!child) { /* deleted since message 2 */
		engine_count(message->ike, IKE_COUNT_UNEXPECTED);
		quick_end(quick);
		return V1_ENDED;
	}
	ike_sa_move(message->sa, &message->local, &message->remote, message->floated);
	child_sa_activate(child, 0);
	quick_end_oldest(message->sa, child);
	quick_forget_secrets(quick);
	free(quick->sent); /* message 3 that comes again needs no answer */
	quick->sent = NULL;
	return V1_TAKEN;
}
