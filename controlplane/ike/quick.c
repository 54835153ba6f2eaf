/* SPDX-License-Identifier: Apache-2.0 */
/* What both roles of quick mode share. */
#include "ike/quick.h"

#include "ike/names.h"
#include "ike/natt.h"
#include "ike/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

enum { QUICK_DEADLINES = 1 };

/* Makes room among the exchanges of an SA by forgetting the oldest that is done. */
static bool quick_make_room(struct ike_sa *sa)
{
	struct quick *quick;

	if (sa->n_quicks < ENGINE_QUICKS_PER_SA)
		return true;
	TAILQ_FOREACH(quick, &sa->quicks, in_sa)
		if (quick->state == V1_QUICK_DONE) {
			quick_end(quick);
			return true;
		}
	return false;
}

struct quick *quick_new(struct ike_sa *sa, uint32_t message_id, bool initiator)
{
	struct quick *quick;

	if (!quick_make_room(sa)) {
		errno = EBUSY;
		return NULL;
	}
	quick = calloc(1, sizeof(*quick));
	if (!quick)
		return NULL;
	if (keymat_iv_phase2(&sa->keys, sa->iv, message_id, quick->iv) < 0 ||
		deadline_enroll(&sa->ike->deadlines, QUICK_DEADLINES) < 0) {
		free(quick);
		errno = ENOMEM;
		return NULL;
	}
	quick->sa = sa;
	quick->message_id = message_id;
	quick->initiator = initiator;
	quick->messages = !initiator;
	quick->state = V1_QUICK_START;
	quick->local = sa->local;
	quick->remote = sa->remote;
	TAILQ_INSERT_TAIL(&sa->quicks, quick, in_sa);
	sa->n_quicks++;
	return quick;
}

struct quick *quick_find(const struct ike_sa *sa, uint32_t message_id)
{
	struct quick *quick;

	TAILQ_FOREACH(quick, &sa->quicks, in_sa)
		if (quick->message_id == message_id)
			return quick;
	return NULL;
}

int quick_draw(struct quick *quick, uint8_t *nonce, size_t *nonce_len)
{
	struct ike *ike = quick->sa->ike;
	int rc = engine_random(ike, nonce, ISAKMP_NONCE_OWN);

	if (rc < 0)
		return rc;
	*nonce_len = ISAKMP_NONCE_OWN;
	rc = ike->host.spi_reserve(ike->host.context, &quick->terms.spi_in);
	quick->spi_reserved = rc >= 0;
	return rc < 0 ? rc : 0;
}

/* KEYMAT of both directions, RFC 2409 section 5.5: each with the SPI of the one who receives. */
static int quick_derive(struct quick *quick, const uint8_t *secret, uint8_t *in, uint8_t *out)
{
	struct bytes nonce_i = bytes_of(quick->nonce_i, quick->nonce_i_len);
	struct bytes nonce_r = bytes_of(quick->nonce_r, quick->nonce_r_len);
	size_t len = esp_suite_keymat_len(esp_suite_get(quick->terms.suite));
	const struct keymat *keys = &quick->sa->keys;
	struct bytes shared = bytes_of(secret, quick->dh ? dh_secret_len(quick->group) : 0);
	int rc = keymat_child(keys, shared, ISAKMP_PROTO_ESP, quick->terms.spi_in, nonce_i, nonce_r, in, len);

	return rc < 0 ? rc
		      : keymat_child(keys, shared, ISAKMP_PROTO_ESP, quick->terms.spi_out, nonce_i, nonce_r, out, len);
}

int quick_install(struct quick *quick, const uint8_t *secret)
{
	uint8_t keymat_in[ESP_KEYMAT_MAX], keymat_out[ESP_KEYMAT_MAX];
	struct ike_sa *sa = quick->sa;
	struct ike_child *terms = &quick->terms;
	struct child_sa *child;
	int rc = quick_derive(quick, secret, keymat_in, keymat_out);

	if (rc < 0)
		goto out;
	terms->ike_sa = sa->id;
	terms->peer = sa->peer;
	terms->identity = ike_sa_identity(sa);
	terms->local = sa->local;
	terms->remote = sa->remote;
	terms->peer_behind_nat = sa->peer_behind_nat;
	terms->we_behind_nat = sa->we_behind_nat;
	terms->keymat_in = keymat_in;
	terms->keymat_out = keymat_out;
	terms->initiator = quick->initiator;
	quick->spi_reserved = false; /* from here on it is the host's, installed or free */
	child = child_sa_install(sa->ike, sa->party, terms, quick->group);
	rc = child ? 0 : -errno;
	if (child)
		child->renews = quick->replaces;
	if (rc < 0)
		terms->id = 0;
out:
	terms->keymat_in = terms->keymat_out = NULL;
	OPENSSL_cleanse(keymat_in, sizeof(keymat_in));
	OPENSSL_cleanse(keymat_out, sizeof(keymat_out));
	return rc;
}

struct prefix quick_host_network(const struct address *address)
{
	return prefix_make(address, address->family == ADDRESS_IPV6 ? 128 : 32);
}

void quick_take_terms(struct quick *quick, const struct phase2_offer *chosen)
{
	quick->terms.suite = chosen->suite;
	quick->terms.spi_out = chosen->spi;
	quick->terms.udp_encapsulation = phase2_mode_is_udp(chosen->mode);
	quick->terms.transport = phase2_mode_is_transport(chosen->mode);
	quick->terms.extended = chosen->extended;
}

void quick_write_original(struct quick *quick, struct builder *builder, uint16_t mode)
{
	const struct address *local = &quick->local.address, *remote = &quick->remote.address;

	if (phase2_mode_is_udp(mode) && phase2_mode_is_transport(mode))
		natt_write_original(
			builder, quick->sa->natt, quick->initiator ? local : remote, quick->initiator ? remote : local);
}

/* Behind a NAT a host knows itself by another address than we see. */
const char *quick_check_hosts(const struct quick *quick)
{
	const struct ike_sa *sa = quick->sa;
	struct prefix local = quick_host_network(&sa->local.address), remote = quick_host_network(&sa->remote.address);

	if (quick->terms.local_network.address.family != quick->terms.remote_network.address.family)
		return "one traffic selector is IPv4, the other IPv6";
	if (sa->peer->mode == CONFIG_MODE_TRANSPORT &&
		((!sa->we_behind_nat && !prefix_equal(&local, &quick->terms.local_network)) ||
			(!sa->peer_behind_nat && !prefix_equal(&remote, &quick->terms.remote_network))))
		return "transport mode is between the two hosts themselves, and a traffic selector names another "
		       "address";
	return NULL;
}

struct child_sa *quick_child(const struct quick *quick)
{
	struct child_sa *child = quick->terms.id ? child_sa_find(quick->sa->ike, quick->terms.spi_in) : NULL;

	return child && child->id == quick->terms.id ? child : NULL;
}

int quick_send(struct quick *quick, const struct builder *builder)
{
	uint8_t *copy = malloc(builder->len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, builder->data, builder->len);
	free(quick->sent);
	quick->sent = copy;
	quick->sent_len = builder->len;
	engine_send(quick->sa->ike, &quick->local, &quick->remote, copy, quick->sent_len);
	return 0;
}

void quick_repeat(struct quick *quick)
{
	if (!quick->sent)
		return;
	if (quick->initiator) {
		quick->local = quick->sa->local;
		quick->remote = quick->sa->remote;
	}
	engine_count(quick->sa->ike, IKE_COUNT_RETRANSMITTED);
	engine_send_again(quick->sa->ike, &quick->local, &quick->remote, quick->sent, quick->sent_len);
}

void quick_refused_by_peer(struct ike_sa *sa, uint32_t spi, uint16_t type)
{
	char local[PREFIX_TEXT_LEN], remote[PREFIX_TEXT_LEN];
	struct quick *quick, *found = NULL;
	size_t waiting = 0;

	TAILQ_FOREACH(quick, &sa->quicks, in_sa) {
		if (!quick->initiator || quick->state != V1_QUICK_SENT_1)
			continue;
		if (spi != 0 && quick->terms.spi_in == spi) {
			found = quick;
			waiting = 1;
			break;
		}
		found = quick;
		waiting++;
	}
	if (waiting != 1)
		return;
	engine_count(sa->ike, IKE_COUNT_REFUSED);
	report_sa(sa, IKE_EVENT_REFUSED, "the peer refused quick mode for %s here and %s there: %s (%u)",
		prefix_format(&found->terms.local_network, local), prefix_format(&found->terms.remote_network, remote),
		ike_notify_name(type) ? ike_notify_name(type) : "error", type);
	quick_end(found);
	quick_begin_next_pair(sa);
}

void quick_end(struct quick *quick)
{
	struct ike_sa *sa = quick->sa;
	struct ike *ike = sa->ike;
	struct child_sa *child = quick_child(quick);

	if (quick->spi_reserved)
		ike->host.spi_release(ike->host.context, quick->terms.spi_in);
	if (child && !child->active)
		child_sa_end(child, true);
	deadline_cancel(&ike->deadlines, &quick->due);
	deadline_retire(&ike->deadlines, QUICK_DEADLINES);
	TAILQ_REMOVE(&sa->quicks, quick, in_sa);
	sa->n_quicks--;
	TAILQ_INSERT_TAIL(&ike->ended_quicks, quick, in_sa);
}

void quick_forget_secrets(struct quick *quick)
{
	dh_free(quick->dh);
	quick->dh = NULL;
	OPENSSL_cleanse(quick->nonce_i, sizeof(quick->nonce_i));
	OPENSSL_cleanse(quick->nonce_r, sizeof(quick->nonce_r));
}

void quick_free(struct quick *quick)
{
	dh_free(quick->dh);
	free(quick->sent);
	OPENSSL_cleanse(quick, sizeof(*quick));
	free(quick);
}
