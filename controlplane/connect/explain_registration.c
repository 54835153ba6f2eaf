/* SPDX-License-Identifier: Apache-2.0 */
/* Why a registration came to nothing, in one sentence: the most telling of the ports that were tried. */
#include "auth/kerberos_clock.h"
#include "connect/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing stands at TCP, or nothing of ours: what that may mean for who administers the port mapping. */
static void explain_no_tcp(const struct registration_verdict *verdict, const char *gateway, uint16_t port,
	const struct connect_config *config, struct explain_verdict *out)
{
	switch (verdict->failure) {
	case REGISTRATION_PORT_CLOSED:
		explain_set(out, "refused",
			"%s refuses TCP port %u (RST): no registration service listens there, or a firewall in front of the "
			"gateway maps only UDP to it; registering needs the TCP port, so map TCP %u, too, or name the port "
			"that is mapped (registration)",
			gateway, port, port);
		return;
	case REGISTRATION_UNREACHABLE:
		explain_set(out, "unreachable",
			"there is no way to %s, TCP port %u: %s; check this host's address and default route", gateway,
			port, verdict->detail);
		return;
	case REGISTRATION_RESET:
		explain_set(out, "reset",
			"%s, TCP port %u: the connection stood, and then %s; a firewall that knows nothing but its own "
			"protocols may do this, or the gateway was restarted",
			gateway, port, verdict->detail);
		return;
	case REGISTRATION_STALLED:
		explain_set(out, "timeout",
			"%s, TCP port %u: the connection stands, but %s in vain for %u s; what listens there is perhaps "
			"no Sluice gateway, or is overloaded",
			gateway, port, verdict->detail, config->patience);
		return;
	default:
		explain_set(out, "silent",
			"no answer from %s at TCP port %u within %u s: a firewall on the way drops what we send or what comes "
			"back, or the gateway is down; check that its port mapping has TCP %u",
			gateway, port, config->patience, port);
	}
}

/*
 * The gateway keeps its reasons to itself; but of two clocks that are too far apart for Kerberos we know, as its offer
 * has its time.
 */
static void explain_ticket(const struct registration_verdict *verdict, const char *gateway, struct explain_verdict *out)
{
	char theirs[KERBEROS_CLOCK_LEN], ours[KERBEROS_CLOCK_LEN], apart[KERBEROS_SPAN_LEN];
	int64_t now = kerberos_clock_now();

	if (llabs(verdict->clock_ahead) >= KERBEROS_SKEW_ALLOWED)
		explain_set(out, "clock",
			"%s does not accept our Kerberos ticket, since its clock and this host's are %s apart, and "
			"Kerberos allows 5 minutes: this one shows %s, the gateway's %s; set both by NTP",
			gateway, kerberos_span_format(verdict->clock_ahead, apart), kerberos_clock_format(now, ours),
			kerberos_clock_format(now - verdict->clock_ahead, theirs));
	else
		explain_set(out, "not_accepted",
			"%s does not accept our Kerberos ticket: %s; check that the gateway's keytab is that of its "
			"service, and, where tickets come through it (iakerb), that it may and can ask the KDC (its log says which)",
			gateway, verdict->detail);
}

/* The gateway's words, and which of our settings they are about. */
static void explain_turned_down(const struct registration_verdict *verdict, const char *gateway,
	const struct connect_config *config, struct explain_verdict *out)
{
	switch (verdict->code) {
	case REGISTRATION_AUTHENTICATION_FAILED:
		if (verdict->method == REGISTRATION_PASSWORD)
			explain_set(out, "wrong_login",
				"%s does not let the user \"%s\" in: the password is wrong, or there is no such user, or it "
				"was wrong too often of late; check login and password_file (the gateway's log says which)",
				gateway, config->login);
		else if (verdict->method == REGISTRATION_KERBEROS && verdict->through_gateway)
			explain_set(out, "no_ticket",
				"this host can't reach the KDC, and got no ticket through %s either: %s; check that the KDC runs "
				"and krb5.conf names it, or that the gateway passes requests on (registration.kerberos.iakerb "
				"there), and principal and its key here",
				gateway, verdict->detail);
		else if (verdict->method == REGISTRATION_KERBEROS)
			explain_ticket(verdict, gateway, out);
		else
			explain_set(out, "not_accepted",
				"%s does not accept our certificate: it has not expired, been revoked, or come from another "
				"authority? The gateway's log says which",
				gateway);
		return;
	case REGISTRATION_NO_ADDRESS:
		explain_set(out, "no_address", "%s knows us, but has no address for this host: %s", gateway, verdict->detail);
		return;
	case REGISTRATION_BUSY:
		explain_set(out, "busy", "%s has too much to do: %s", gateway, verdict->detail);
		return;
	default: explain_set(out, "denied", "%s refuses us: %s", gateway, verdict->detail);
	}
}

/* Appends to a sentence. */
static void add(struct explain_verdict *verdict, const char *format, const char *more)
{
	size_t len = strlen(verdict->sentence);

	snprintf(verdict->sentence + len, sizeof(verdict->sentence) - len, format, more);
}

void explain_registration(const struct registration_verdict *verdict, const struct address *gateway, uint16_t port,
	const struct connect_config *config, struct explain_verdict *out)
{
	char text[ADDRESS_TEXT_LEN];

	address_format(gateway, text);
	switch (verdict->failure) {
	case REGISTRATION_STRANGER:
		explain_set(out, "stranger",
			"what answers at %s, TCP port %u, is no Sluice gateway, or something on the way meddles: %s; check "
			"which port is its own (registration)",
			text, port, verdict->detail);
		break;
	case REGISTRATION_UNSUITABLE: explain_set(out, "unsuitable", "%s and we don't fit: %s", text, verdict->detail); break;
	case REGISTRATION_BAD_CERTIFICATE:
		explain_set(out, "certificate",
			"%s, TCP port %u, does not prove that it is \"%s\": %s; nothing of ours was sent; check authorities, "
			"crls and gateway_identity here, and the gateway's certificate",
			text, port, config->peer.identity, verdict->detail);
		break;
	case REGISTRATION_BAD_CLOCK:
		explain_set(out, "clock", "%s, TCP port %u: %s; set this host's clock, if it is that which is wrong", text,
			port, verdict->detail);
		break;
	case REGISTRATION_NO_CREDENTIAL:
		explain_set(out, "no_ticket", "this host can't prove itself to %s: %s", text, verdict->detail);
		break;
	case REGISTRATION_TURNED_DOWN: explain_turned_down(verdict, text, config, out); break;
	case REGISTRATION_LOCAL: explain_set(out, "local", "this host can't register at %s: %s", text, verdict->detail); break;
	default: explain_no_tcp(verdict, text, port, config, out);
	}
	if (explain_is_about_tcp(verdict) && !config->alone)
		add(out, "; %s",
			"without TCP there is no way to connect with what is configured here: IKE alone wants a certificate, "
			"a user's password or a secret");
}

void explain_alone(const struct registration_verdict *registration, const struct address *gateway, uint16_t port,
	const struct connect_config *config, struct explain_verdict *verdict)
{
	struct explain_verdict before;

	explain_registration(registration, gateway, port, config, &before);
	if (strcmp(verdict->code, "silent") == 0) {
		*verdict = before;
		add(verdict, "; %s", "nor is IKE alone answered, by UDP at the ports of registration and ports");
	} else {
		add(verdict, "; IKE was tried alone because registering came to nothing: %s", before.sentence);
	}
}

void explain_registered(const struct explain_round *round, struct explain_verdict *verdict)
{
	if (strcmp(verdict->code, "silent") != 0 || round->count == 0 || round->tries[0].tcp)
		return;
	verdict->code = "no_udp";
	add(verdict, "; %s",
		"registering by TCP went well, so it is UDP that does not get through: map the same ports for UDP, too");
}

bool explain_is_about_tcp(const struct registration_verdict *verdict)
{
	return verdict->failure <= REGISTRATION_STRANGER;
}
