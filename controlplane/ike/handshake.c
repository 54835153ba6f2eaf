/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/handshake.h"

#include "ike/certificate.h"
#include "ike/identity.h"
#include "ike/report.h"

#include <string.h>
#include <openssl/crypto.h>

enum { PORT_IKE = 500, PORT_IKE_NAT = 4500 };

bool handshake_admit(const struct v1_message *message)
{
	struct ike *ike = message->ike;

	if (ike_sa_admits(ike, &message->remote))
		return true;
	engine_count(ike, IKE_COUNT_LIMITED);
	report_message(message, IKE_EVENT_BAD_MESSAGE, NULL, NULL,
		"too many exchanges not yet authenticated: %zu of %u in all, or %u from this address and port",
		ike->half_open, ike->config->ike.half_open_max, ike->config->ike.half_open_per_source);
	return false;
}

/* Where the configured identity is the subject of our certificate, that one: 0 when it is not. */
static size_t handshake_write_subject(const struct ike *ike, uint8_t *body)
{
	const struct credentials *credentials = ike->host.credentials;
	char text[CONFIG_IDENTITY_LEN];
	size_t written = 0;
	uint8_t *der;
	int len;

	if (!credentials || !credentials->certificate || !strchr(ike->config->ike.identity, '='))
		return 0;
	len = certificate_subject(credentials, &der);
	if (len > 0 && len <= IDENTITY_NAME_MAX &&
		certificate_format_name(bytes_of(der, (size_t)len), text, sizeof(text)) &&
		strcmp(text, ike->config->ike.identity) == 0)
		written = identity_write_name(bytes_of(der, (size_t)len), body);
	OPENSSL_free(der);
	return written;
}

size_t handshake_write_identity(const struct ike_sa *sa, uint8_t *body)
{
	size_t written = handshake_write_subject(sa->ike, body);
	const char *identity = sa->ike->config->ike.identity;
	char address[ADDRESS_TEXT_LEN];

	if (written)
		return written;
	return identity_write(identity[0] ? identity : address_format(&sa->local.address, address), body);
}

bool handshake_has_clients(const struct config_peer *peer)
{
	bool users = false;

	for (size_t i = 0; i < peer->n_auth; i++)
		users = users || ike_auth_asks_user(peer->auth[i]);
	return users || (peer->pool[0] && !peer->registration) || peer->virtual_address;
}

void handshake_float(struct ike_sa *sa, const struct v1_message *message)
{
	const struct payload_list *list = &message->payloads;
	uint16_t hash = sa->proposal.hash;

	if (sa->natt == NATT_NONE || !payload_find(list, ISAKMP_NAT_D, NULL))
		return;
	/* Of what is forced, keepalives are a part: there may be a firewall that forgets. */
	sa->we_behind_nat = sa->peer->force_udp || !natt_names(list, NATT_FIRST, hash, message->hdr, &message->local);
	sa->peer_behind_nat = !natt_names(list, NATT_OTHERS, hash, message->hdr, &message->remote);
	if (sa->floated || (!sa->we_behind_nat && !sa->peer_behind_nat))
		return;
	sa->floated = true;
	sa->local.port = config_data_port(&sa->ike->config->ike, sa->local.port);
	if (sa->remote.port == PORT_IKE)
		sa->remote.port = PORT_IKE_NAT; /* any other port was mapped for us and stays */
}

void handshake_detect_nat(struct ike_sa *sa, const struct v1_message *message)
{
	const struct payload_list *list = &message->payloads;
	uint16_t hash = sa->proposal.hash;

	if (sa->natt == NATT_NONE)
		return;
	if (!payload_find(list, ISAKMP_NAT_D, NULL)) {
		sa->peer_behind_nat = message->floated; /* it floated, so it has seen one */
		return;
	}
	sa->we_behind_nat = !natt_names(list, NATT_FIRST, hash, message->hdr, &message->local) &&
			    !natt_names(list, NATT_FIRST, hash, message->hdr, &sa->local);
	sa->peer_behind_nat = !natt_names(list, NATT_OTHERS, hash, message->hdr, &message->remote) &&
			      !natt_names(list, NATT_OTHERS, hash, message->hdr, &sa->remote);
}

void handshake_take_over(struct ike_sa *sa, const struct v1_message *message)
{
	sa->local = message->local;
	sa->remote = message->remote;
	sa->floated = message->floated;
	if (message->encrypted)
		memcpy(sa->iv, message->iv, sa->keys.block_len);
}

static void handshake_report_legacy(const struct ike_sa *sa)
{
	const char *legacy = ike_proposal_legacy(&sa->proposal);
	char text[IKE_PROPOSAL_TEXT_LEN];

	if (legacy)
		report_sa(sa, IKE_EVENT_LEGACY, "%s is in use (%s): it is no longer safe", legacy,
			ike_proposal_format(&sa->proposal, text));
}

void handshake_report(struct ike_sa *sa, const struct endpoint *first, const struct endpoint *now, unsigned number)
{
	char from_1[ENDPOINT_TEXT_LEN], from_now[ENDPOINT_TEXT_LEN];

	if (!address_equal(&first->address, &now->address))
		report_sa(sa, IKE_EVENT_ESTABLISHED,
			"message %u came from %s, message 1 from %s: the peer is behind a NAT pool; accepted by cookie "
			"and proof",
			number, endpoint_format(now, from_now), endpoint_format(first, from_1));
	else
		report_sa(sa, IKE_EVENT_ESTABLISHED, "%s",
			sa->peer_behind_nat && sa->we_behind_nat ? "both sides are behind a NAT"
			: sa->peer_behind_nat			 ? "the peer is behind a NAT"
			: sa->we_behind_nat			 ? "we are behind a NAT"
								 : "");
	handshake_report_legacy(sa);
}
