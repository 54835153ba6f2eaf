/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/explain.h"

#include "ike/isakmp.h"
#include "ike/names.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PORTS_TEXT_LEN = 128 };

void explain_round_begin(struct explain_round *round)
{
	*round = (struct explain_round){.count = 0};
}

void explain_try_begin(struct explain_round *round, uint16_t port, bool tcp)
{
	if (round->count < CONNECT_PORTS_MAX)
		round->tries[round->count++] = (struct explain_try){.port = port, .tcp = tcp};
}

struct explain_try *explain_note(struct explain_round *round, enum explain_outcome outcome, const char *detail)
{
	struct explain_try *now = round->count ? &round->tries[round->count - 1] : NULL;

	if (!now || outcome < now->outcome)
		return now;
	now->outcome = outcome;
	if (detail)
		snprintf(now->detail, sizeof(now->detail), "%s", detail);
	return now;
}

void explain_set(struct explain_verdict *out, const char *code, const char *format, ...)
{
	va_list arguments;

	out->code = code;
	va_start(arguments, format);
	vsnprintf(out->sentence, sizeof(out->sentence), format, arguments);
	va_end(arguments);
}

void explain_name(const char *name, const char *why, struct explain_verdict *out)
{
	explain_set(out, "name",
		"the gateway's name \"%s\" could not be looked up: %s; check the name, and that this host's name "
		"server "
		"answers, or give the gateway's address",
		name, why);
}

/* What its port is of. A round's tries are all of one kind. */
static const char *protocol(const struct explain_try *try)
{
	return try->tcp ? "TCP" : "UDP";
}

/* "UDP port 500", "ports 500 and 4500", "ports 88, 500 and 4500" of all tries. */
static const char *ports_text(const struct explain_round *round, char text[PORTS_TEXT_LEN])
{
	size_t len = (size_t)snprintf(
		text, PORTS_TEXT_LEN, "%s port%s", protocol(&round->tries[0]), round->count == 1 ? "" : "s");

	for (size_t i = 0; i < round->count; i++)
		len += (size_t)snprintf(text + len, PORTS_TEXT_LEN - len, "%s%u",
			i == 0			? " "
			: i + 1 == round->count ? " and "
						: ", ",
			round->tries[i].port);
	return text;
}

static void explain_silent(const struct explain_round *round, const struct connect_config *config, const char *gateway,
	struct explain_verdict *out)
{
	char ports[PORTS_TEXT_LEN];

	explain_set(out, "silent",
		"no answer from %s at %s within %u s%s: a firewall on the way drops what we send or what comes "
		"back, no gateway runs there, or it has no word for whom it does not know as \"%s\"; check that "
		"the firewall in front of it maps %s to it, that these are the ports to dial (ports), and the "
		"gateway's log",
		gateway, ports_text(round, ports), config->patience, round->count > 1 ? " each" : "",
		config->base.ike.identity,
		round->tries[0].tcp ? "TCP" : "UDP, beside TCP,");
}

static void explain_icmp(const struct explain_try *try, const char *gateway, struct explain_verdict *out)
{
	char from[ADDRESS_TEXT_LEN] = "this host";

	if (try->from.family != ADDRESS_NONE)
		address_format(&try->from, from);
	if (try->outcome == EXPLAIN_REFUSED)
		explain_set(out, "refused",
			"%s refuses UDP port %u, says %s (ICMP): no IKE service listens there, or a firewall rejects "
			"it; "
			"check that the gateway runs and that its port is the one to dial (ports)",
			gateway, try->port, from);
	else
		explain_set(out, "unreachable",
			"there is no way to %s, says %s: %s; check this host's address and default route", gateway,
			from, strerror(try->error));
}

/* What TCP itself says: its SYN was refused or found no way, or the connection did not last. */
static void explain_tcp(const struct explain_try *try, const char *gateway, struct explain_verdict *out)
{
	if (try->outcome == EXPLAIN_REFUSED)
		explain_set(out, "refused",
			"%s refuses TCP port %u: no gateway listens there, or a firewall rejects it; check that the firewall "
			"in front of the gateway maps this port to it, that its tcp_ports has the mapped one, and that it "
			"runs",
			gateway, try->port);
	else if (try->outcome == EXPLAIN_CLOSED)
		explain_set(out, "closed",
			"%s took the connection to TCP port %u and then: %s; check that it is a Sluice gateway that "
			"answers there, and the gateway's log",
			gateway, try->port, try->detail);
	else
		explain_set(out, "unreachable",
			"there is no way to %s by TCP port %u: %s; check this host's address and default route, and that "
			"no firewall drops it",
			gateway, try->port, strerror(try->error));
}

static void explain_not_accepted(const char *says, const struct connect_config *config, const char *gateway,
	struct explain_verdict *out)
{
	explain_set(out, "not_accepted",
		"%s does not accept this host as \"%s\": %s; compare identity, and secret or certificate, with the "
		"gateway's configuration, its log says which check failed",
		gateway, config->base.ike.identity, says);
}

static void explain_notified(const struct explain_try *try, const struct connect_config *config, const char *gateway,
	struct explain_verdict *out)
{
	const char *name = ike_notify_name(try->notify);
	char proposal[IKE_PROPOSAL_TEXT_LEN], says[EXPLAIN_DETAIL_LEN];

	snprintf(says, sizeof(says), "%s port %u answers with %s (%u, not authenticated)", protocol(try), try->port,
		name ? name : "a refusal", try->notify);
	if (try->notify == ISAKMP_AUTHENTICATION_FAILED)
		explain_not_accepted(says, config, gateway, out);
	else if (try->notify == ISAKMP_INVALID_ID_INFORMATION)
		explain_set(out, "unknown_identity",
			"%s knows no peer \"%s\" that may use aggressive mode: its %s; compare identity and aggressive "
			"with the gateway's configuration",
			gateway, config->base.ike.identity, says);
	else
		explain_set(out, "no_proposal",
			"%s accepts none of our IKE proposals (%s%s) in this mode, or knows no peer with the identity "
			"\"%s\": its %s; compare ike and identity with the gateway's configuration, its log says which",
			gateway, ike_proposal_format(&config->peer.ike[0], proposal),
			config->peer.n_ike > 1 ? " ..." : "", config->base.ike.identity, says);
}

/* By what the engine said: keys, identities, the rest. */
static void explain_disproved(const struct explain_try *try, const struct connect_config *config, const char *gateway,
	struct explain_verdict *out)
{
	if (strstr(try->detail, "certificate") || strstr(try->detail, "SIG_"))
		explain_set(out, "certificate",
			"%s at %s port %u does not prove that it is \"%s\": %s; check authorities and crls here, and "
			"the "
			"gateway's certificate",
			gateway, protocol(try), try->port, config->peer.identity, try->detail);
	else if (strstr(try->detail, "pre-shared keys differ"))
		explain_set(out, "wrong_key",
			"%s at %s port %u does not prove the pre-shared key that we have for \"%s\": the keys differ, "
			"or "
			"somebody else answers; give both sides the same secret for the identity \"%s\"",
			gateway, protocol(try), try->port, config->peer.identity, config->base.ike.identity);
	else if (strstr(try->detail, "identity"))
		explain_set(out, "wrong_identity",
			"%s at %s port %u is not \"%s\": %s; set gateway_identity to what the gateway calls itself, "
			"if "
			"that is the right one",
			gateway, protocol(try), try->port, config->peer.identity, try->detail);
	else
		explain_set(out, "bad_answer", "%s at %s port %u answers, but not as it should: %s", gateway,
			protocol(try), try->port, try->detail);
}

/* The gateway is the one that is meant; what it refuses is the user, an address, or what the data needs. */
static void explain_denied(const struct explain_try *try, const struct connect_config *config, const char *gateway,
	struct explain_verdict *out)
{
	if (strstr(try->detail, "AUTHENTICATION-FAILED"))
		explain_not_accepted(try->detail, config, gateway, out);
	else if (strstr(try->detail, "password"))
		explain_set(out, "wrong_login",
			"%s does not let the user \"%s\" in: %s; check login and password_file, and that the gateway has "
			"such a user, who has not been wrong too often of late (its log says which)",
			gateway, config->login, try->detail);
	else if (strstr(try->detail, "no virtual address"))
		explain_set(out, "no_address",
			"%s knows us, but has no address for this host: %s; the gateway's log says which, or name "
			"local_networks here where it is to have none",
			gateway, try->detail);
	else
		explain_set(out, "denied",
			"%s knows us, but refuses: %s; compare local_networks, remote_networks, esp and pfs with the "
			"gateway's configuration for \"%s\"",
			gateway, try->detail, config->base.ike.identity);
}

static const struct explain_try *most_telling(const struct explain_round *round)
{
	const struct explain_try *most = NULL;

	for (size_t i = 0; i < round->count; i++)
		if (!most || round->tries[i].outcome > most->outcome)
			most = &round->tries[i];
	return most;
}

void explain_verdict(const struct explain_round *round, const struct connect_config *config,
	const struct address *gateway, struct explain_verdict *out)
{
	const struct explain_try *try = most_telling(round);
	char text[ADDRESS_TEXT_LEN];

	address_format(gateway, text);
	switch (try ? try->outcome : EXPLAIN_SILENT) {
	case EXPLAIN_SILENT: explain_silent(round, config, text, out); break;
	case EXPLAIN_UNREACHABLE:
	case EXPLAIN_REFUSED:
		if (try->tcp)
			explain_tcp(try, text, out);
		else
			explain_icmp(try, text, out);
		break;
	case EXPLAIN_CLOSED: explain_tcp(try, text, out); break;
	case EXPLAIN_NOTIFIED: explain_notified(try, config, text, out); break;
	case EXPLAIN_HALF:
		explain_set(out, "half",
			"%s at %s port %u proved its key, then did not answer within %u s: %s%s", text, protocol(try),
			try->port, config->patience, try->detail[0] ? try->detail : "quick mode got no answer",
			try->tcp ? ""
				 : "; UDP port 4500 may be closed on the way, where all goes once a NAT was seen");
		break;
	case EXPLAIN_DISPROVED: explain_disproved(try, config, text, out); break;
	case EXPLAIN_DENIED: explain_denied(try, config, text, out); break;
	case EXPLAIN_LOCAL: explain_set(out, "local", "this host can't connect: %s", try->detail); break;
	}
}
