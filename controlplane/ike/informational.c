/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/informational.h"

#include "ike/child_sa.h"
#include "ike/names.h"
#include "ike/notify.h"
#include "ike/quick.h"
#include "ike/report.h"
#include "ike/xauth.h"

#include <string.h>

/* A notification or delete taken apart; false when its lengths contradict each other. */
struct notice {
	uint8_t protocol, spi_len;
	uint16_t type; /* of a notification; of a delete the number of SPIs */
	struct bytes spi;
	struct bytes data;
};

/* Both payloads begin alike: DOI, protocol, SPI size, and a number (RFC 2408 sections 3.14 and 3.15). */
static bool informational_cut(struct bytes body, bool delete, struct notice *out)
{
	const struct notify_hdr *hdr = (const struct notify_hdr *)body.data;
	size_t spis_len;

	out->protocol = hdr->protocol;
	out->spi_len = hdr->spi_len;
	out->type = bytes_get16(hdr->type);
	spis_len = (delete ? (size_t)out->type : 1) * hdr->spi_len;
	if (bytes_get32(hdr->doi) != ISAKMP_DOI_IPSEC || spis_len > body.len - sizeof(*hdr))
		return false;
	out->spi = bytes_of(body.data + sizeof(*hdr), spis_len);
	out->data = bytes_of(out->spi.data + spis_len, body.len - sizeof(*hdr) - spis_len);
	return !delete || (out->data.len == 0 && hdr->spi_len != 0);
}

static bool informational_is_own(const struct ike_sa *sa, struct bytes spi)
{
	return spi.len == 2 * IKE_COOKIE_LEN && memcmp(spi.data, sa->initiator_cookie, IKE_COOKIE_LEN) == 0 &&
	       memcmp(spi.data + IKE_COOKIE_LEN, sa->responder_cookie, IKE_COOKIE_LEN) == 0;
}

/* The peer has forgotten all but this SA (RFC 2407 section 4.6.3.3). Counts once for each SA: it must not be replayed.
 */
void informational_take_contact(struct ike_sa *sa)
{
	struct ike_sa *other, *next_sa;
	struct child_sa *child, *next;

	if (xauth_is_due(sa)) { /* whose it is will be known then */
		sa->contact_pending = true;
		return;
	}
	if (sa->initial_contact)
		return;
	sa->initial_contact = true;
	report_sa(sa, IKE_EVENT_INITIAL_CONTACT, "the peer has forgotten what it had with us before");
	for (child = TAILQ_FIRST(&sa->party->children); child; child = next) {
		next = TAILQ_NEXT(child, in_party);
		if (child->ike_sa != sa->id)
			child_sa_end(child, true);
	}
	for (other = TAILQ_FIRST(&sa->party->sas); other; other = next_sa) {
		next_sa = TAILQ_NEXT(other, in_party);
		/* One that is half-open may be the peer's next: it ends by itself. */
		if (other == sa || other->state != V1_ESTABLISHED)
			continue;
		report_sa(other, IKE_EVENT_DELETED, "the peer has forgotten it (INITIAL-CONTACT)");
		ike_sa_end(other);
	}
}

void informational_read_contact(struct ike_sa *sa, const struct v1_message *message)
{
	const struct payload *at = NULL;
	struct notice notice;

	while ((at = payload_find(&message->payloads, ISAKMP_NOTIFICATION, at))) {
		if (informational_cut(at++->body, false, &notice) && notice.type == ISAKMP_INITIAL_CONTACT &&
			(notice.spi.len == 0 || informational_is_own(sa, notice.spi)))
			informational_take_contact(sa);
	}
}

/*
 * RFC 3706 section 5.4: numbers rise. The last one may come again, because its answer was lost; it is answered again. A
 * new number proves that the message is fresh, so it may move the peer's endpoint.
 */
static bool informational_alive(struct v1_message *message, const struct notice *notice)
{
	struct ike_sa *sa = message->sa;
	uint32_t sequence;

	if (notice->data.len != 4 || !informational_is_own(sa, notice->spi))
		return false;
	sequence = bytes_get32(notice->data.data);
	if (sa->dpd_begun && sequence < sa->dpd_sequence)
		return false;
	if (message->id_known && (!sa->dpd_begun || sequence != sa->dpd_sequence))
		return false;
	if (!message->id_known && (!sa->dpd_begun || sequence > sa->dpd_sequence))
		ike_sa_move(sa, &message->local, &message->remote, message->floated);
	sa->dpd_begun = true;
	sa->dpd_sequence = sequence;
	notify_send(sa, ISAKMP_PROTO_ISAKMP, ISAKMP_R_U_THERE_ACK, notice->spi, notice->data);
	return true;
}

/* RFC 3706 section 5.5: only the answer to our last question tells that the peer is there now. */
static bool informational_answered(struct v1_message *message, const struct notice *notice)
{
	struct ike_sa *sa = message->sa;

	if (message->id_known || notice->data.len != 4 || !sa->probe_waits ||
		bytes_get32(notice->data.data) != sa->probe_sequence || !informational_is_own(sa, notice->spi))
		return false;
	sa->probe_waits = false;
	ike_sa_move(sa, &message->local, &message->remote, message->floated);
	return true;
}

/* False when it is to be counted as unexpected. `rejected`: the peer does not take us for who we say. */
static bool informational_notification(struct v1_message *message, const struct notice *notice, bool *rejected)
{
	struct ike_sa *sa = message->sa;

	if (notice->type == ISAKMP_R_U_THERE)
		return informational_alive(message, notice);
	if (notice->type == ISAKMP_R_U_THERE_ACK)
		return informational_answered(message, notice);
	if (message->id_known)
		return false;
	if (notice->type == ISAKMP_INITIAL_CONTACT && (notice->spi.len == 0 || informational_is_own(sa, notice->spi)))
		informational_take_contact(sa);
	else if (notice->type == ISAKMP_CONNECTED && notice->spi.len == 4)
		child_sa_connected(sa->party, bytes_get32(notice->spi.data));
	else if (notice->type <= ISAKMP_NOTIFY_ERROR_MAX && notice->protocol != ISAKMP_PROTO_ISAKMP)
		quick_refused_by_peer(sa, notice->spi.len == 4 ? bytes_get32(notice->spi.data) : 0, notice->type);
	else if (notice->type == ISAKMP_AUTHENTICATION_FAILED)
		*rejected = true;
	else if (notice->type <= ISAKMP_NOTIFY_ERROR_MAX)
		report_sa(sa, IKE_EVENT_REFUSED, "the peer reports %s (%u)",
			ike_notify_name(notice->type) ? ike_notify_name(notice->type) : "error", notice->type);
	return true; /* what else there is needs no answer */
}

/* One SPI of a delete; the peer names the SAs that it receives on, for us those that we send on. */
static void informational_delete_one(struct ike_sa *sa, const struct notice *notice, struct bytes spi, bool *own)
{
	struct child_sa *child;
	struct ike_sa *other;

	if (notice->protocol == ISAKMP_PROTO_ISAKMP && informational_is_own(sa, spi)) {
		*own = true;
	} else if (xauth_is_due(sa)) {
		return; /* who has not logged in has nothing else */
	} else if (notice->protocol == ISAKMP_PROTO_ESP && spi.len == 4) {
		child = child_sa_find_outbound(sa->party, bytes_get32(spi.data));
		if (!child)
			return;
		report_sa(sa, IKE_EVENT_DELETED, "child SA 0x%08x was deleted by the peer", child->spi_in);
		child_sa_end(child, true);
	} else if (notice->protocol == ISAKMP_PROTO_ISAKMP) {
		TAILQ_FOREACH(other, &sa->party->sas, in_party)
			if (other != sa && other->state == V1_ESTABLISHED && informational_is_own(other, spi)) {
				report_sa(other, IKE_EVENT_DELETED, "deleted by the peer");
				ike_sa_end(other);
				return;
			}
	}
}

enum v1_verdict informational_receive(struct v1_message *message)
{
	const struct payload_list *list = &message->payloads;
	struct ike_sa *sa = message->sa;
	bool own = false, good = true, rejected = false;
	struct notice notice;

	for (size_t i = 0; i < list->count; i++) {
		const struct payload *payload = &list->items[i];
		bool delete = payload->type == ISAKMP_DELETE;

		if (!delete &&payload->type != ISAKMP_NOTIFICATION)
			continue;
		if (!informational_cut(payload->body, delete, &notice)) {
			good = false;
		} else if (!delete) {
			good = informational_notification(message, &notice, &rejected) && good;
		} else if (message->id_known) {
			good = false;
		} else {
			for (size_t k = 0; k < notice.spi.len; k += notice.spi_len)
				informational_delete_one(
					sa, &notice, bytes_of(notice.spi.data + k, notice.spi_len), &own);
		}
	}
	if (!good)
		engine_count(message->ike, IKE_COUNT_UNEXPECTED);
	if (!own && !rejected)
		return good ? V1_TAKEN : V1_DROPPED;
	/* Last of all: nothing of this message acts on an SA that is gone. */
	if (rejected)
		report_sa(sa, IKE_EVENT_REFUSED,
			"the peer does not accept our certificate, key or identity: it reports AUTHENTICATION-FAILED "
			"(%u), and its log says which",
			ISAKMP_AUTHENTICATION_FAILED);
	else
		report_sa(sa, IKE_EVENT_DELETED, "deleted by the peer");
	ike_sa_end(sa);
	return V1_ENDED;
}
