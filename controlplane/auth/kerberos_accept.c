/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kerberos_accept.h"

#include "auth/kerberos_explain.h"
#include "auth/principal.h"

#include <ctype.h>
#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void peer_refuse(struct kerberos_peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void peer_refuse(struct kerberos_peer *peer, const char *format, ...)
{
	va_list arguments;

	peer->state = KERBEROS_REFUSED;
	va_start(arguments, format);
	vsnprintf(peer->why, sizeof(peer->why), format, arguments);
	va_end(arguments);
}

/* The service's name: "vpn" is every vpn/HOST of the keytab, one with "/" or "@" is that principal. */
static OM_uint32 service_import(const char *service, OM_uint32 *minor, gss_name_t *name)
{
	gss_buffer_desc text = {.length = strlen(service), .value = (void *)service};

	return gss_import_name(minor, &text,
		strpbrk(service, "/@") ? (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME : GSS_C_NT_HOSTBASED_SERVICE, name);
}

int kerberos_acquire(const struct config_kerberos *config, const char *replay_cache, gss_cred_id_t *cred, char *why)
{
	char keytab[CONFIG_KERBEROS_FILE_LEN + 8], cache[CONFIG_KERBEROS_FILE_LEN + 8], text[256];
	gss_key_value_element_desc elements[] = {{"keytab", keytab}, {"rcache", cache}};
	gss_key_value_set_desc store = {.count = 2, .elements = elements};
	gss_OID_desc mechanisms[] = {gss_mechanism_krb5, gss_mechanism_iakerb};
	gss_OID_set_desc wanted = {.count = config->iakerb ? 2 : 1, .elements = mechanisms};
	OM_uint32 major, minor, ignored;
	gss_name_t name = GSS_C_NO_NAME;

	*cred = GSS_C_NO_CREDENTIAL;
	snprintf(keytab, sizeof(keytab), "FILE:%s", config->keytab);
	snprintf(cache, sizeof(cache), "file2:%s", replay_cache);
	major = service_import(config->service, &minor, &name);
	if (major == GSS_S_COMPLETE)
		major = gss_acquire_cred_from(
			&minor, name, GSS_C_INDEFINITE, &wanted, GSS_C_ACCEPT, &store, cred, NULL, NULL);
	if (major != GSS_S_COMPLETE)
		snprintf(why, KERBEROS_WHY_LEN,
			"Kerberos can't be accepted: no key of service \"%s\" can be used from keytab %s: %s; expected "
			"a "
			"file that sluiced's user can read, with that service's keys (kadmin: ktadd)",
			config->service, config->keytab,
			gss_status_text(major, minor, &gss_mechanism_krb5, text, sizeof(text)));
	gss_release_name(&ignored, &name);
	return major == GSS_S_COMPLETE ? 0 : -EINVAL;
}

/*
 * Whether the library may see it. An AP-REQ of IAKERB comes only after the requests to the KDC: taken as the first
 * token, MIT's library before 1.22 would leave a context behind that crashes whoever uses it.
 */
static bool peer_takes(struct kerberos_peer *peer, const struct gss_token *token)
{
	const bool first = peer->gss == GSS_C_NO_CONTEXT;

	switch (token->kind) {
	case GSS_TOKEN_NOISE:
		peer_refuse(peer, "the peer's token of %zu bytes is no GSS-API token", peer->token_len);
		return false;
	case GSS_TOKEN_OTHER_MECHANISM:
		peer_refuse(peer,
			"the peer's token is of another mechanism (SPNEGO or NTLM perhaps); Kerberos 5%s is taken",
			peer->config->iakerb ? " or IAKERB" : "");
		return false;
	case GSS_TOKEN_AP_REQ:
		if (first)
			return true;
		break;
	case GSS_TOKEN_IAKERB_AP_REQ:
		if (!first)
			return true;
		break;
	case GSS_TOKEN_IAKERB_AS_REQ:
	case GSS_TOKEN_IAKERB_TGS_REQ: return true;
	case GSS_TOKEN_IAKERB_OTHER:
	case GSS_TOKEN_OTHER_MESSAGE: break;
	}
	peer_refuse(peer, "the peer's token %u is no message of Kerberos that may stand here", peer->rounds);
	return false;
}

char *kerberos_realm_quote(const struct gss_token *token, char text[KERBEROS_REALM_LEN])
{
	size_t len = token->realm_len < KERBEROS_REALM_LEN ? token->realm_len : KERBEROS_REALM_LEN - 1;

	for (size_t i = 0; i < len; i++)
		text[i] = isalnum((unsigned char)token->realm[i]) || strchr(".-_", token->realm[i]) ? token->realm[i]
												    : '?';
	text[len] = '\0';
	return text;
}

/* What is for a KDC goes to none that the rules don't know: a stranger must not choose whom this host talks to. */
static bool peer_may_ask(struct kerberos_peer *peer, const struct gss_token *token)
{
	const struct config_kerberos *config = peer->config;
	char realm[KERBEROS_REALM_LEN];

	if (!config->iakerb)
		peer_refuse(peer,
			"the peer wants to reach the KDC of realm %s through this gateway (IAKERB), which "
			"registration.kerberos.iakerb does not allow",
			kerberos_realm_quote(token, realm));
	else if (!principal_realm_known(config->rules, config->n_rules, token->realm, token->realm_len))
		peer_refuse(peer,
			"the peer wants to reach the KDC of realm %s, for which there is no rule in "
			"registration.kerberos.rules",
			kerberos_realm_quote(token, realm));
	return peer->state != KERBEROS_REFUSED;
}

/* The peer's name as Kerberos writes it. */
static void peer_name(struct kerberos_peer *peer, gss_name_t name)
{
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;

	if (name == GSS_C_NO_NAME || gss_display_name(&minor, name, &text, NULL) != GSS_S_COMPLETE)
		return;
	if (text.length < sizeof(peer->principal) && !memchr(text.value, '\0', text.length))
		snprintf(peer->principal, sizeof(peer->principal), "%.*s", (int)text.length, (const char *)text.value);
	gss_release_buffer(&minor, &text);
}

/*
 * The library is content; are we? It takes a peer that leaves its bindings out, and one that asks for no proof of ours:
 * either could be somebody who relays what was meant for another server.
 */
static void peer_judge(struct kerberos_peer *peer, OM_uint32 flags)
{
	const char *nobody = principal_map(peer->config->rules, peer->config->n_rules, peer->principal, peer->identity);

	if (!(flags & GSS_C_CHANNEL_BOUND_FLAG))
		peer_refuse(peer,
			"%s has a good ticket, but its token is not bound to this TLS channel: its client sends no "
			"channel bindings (tls-exporter, RFC 9266), without which it might be relayed by a third party",
			peer->principal);
	else if (!(flags & GSS_C_MUTUAL_FLAG))
		peer_refuse(peer, "%s has a good ticket, but its client does not ask for mutual authentication",
			peer->principal);
	else if (flags & GSS_C_ANON_FLAG)
		peer_refuse(peer, "the peer has a ticket for anonymous use");
	else if (nobody)
		peer_refuse(peer, "%s has a good ticket, but is nobody here: %s", peer->principal, nobody);
	else
		peer->state = KERBEROS_ACCEPTED;
}

/* Of a request to the KDC: what came of it. The token is for the peer in any case. */
static void peer_asked(struct kerberos_peer *peer, const struct gss_token *token)
{
	struct gss_token reply = gss_token_read(peer->reply.value, peer->reply.length);
	char realm[KERBEROS_REALM_LEN], answer[KERBEROS_SAID_LEN / 2];

	peer->state = KERBEROS_CONTINUE;
	kerberos_explain_kdc(reply.message, reply.message_len, answer, sizeof(answer));
	snprintf(peer->said, sizeof(peer->said), "asked the KDC of %s for %s on the peer's behalf (IAKERB): %s",
		kerberos_realm_quote(token, realm),
		token->kind == GSS_TOKEN_IAKERB_AS_REQ ? "a first ticket" : "a service's ticket", answer);
}

/*
 * A request that did not come through. MIT's library before 1.22 wants to tell the peer that no KDC answers, and
 * stumbles over its own message.
 */
static void peer_explain_kdc(
	struct kerberos_peer *peer, OM_uint32 major, OM_uint32 minor, const struct gss_token *token)
{
	const long code = gss_status_code(minor, &gss_mechanism_iakerb);
	char realm[KERBEROS_REALM_LEN], text[256];

	if (code == ASN1_MISSING_FIELD || code == KRB5_KDC_UNREACH || code == KRB5_REALM_UNKNOWN)
		peer_refuse(peer,
			"no KDC of %s answers this gateway, which asks it on the peer's behalf (IAKERB): is one "
			"running, "
			"and does krb5.conf name its address?",
			kerberos_realm_quote(token, realm));
	else
		peer_refuse(peer, "the peer's request can't be passed on to the KDC of %s: %s",
			kerberos_realm_quote(token, realm),
			gss_status_text(major, minor, &gss_mechanism_iakerb, text, sizeof(text)));
}

static void peer_explain(struct kerberos_peer *peer, OM_uint32 major, OM_uint32 minor, const struct gss_token *token)
{
	const struct kerberos_refusal refusal = {.major = major,
		.minor = minor,
		.mechanism = token->kind == GSS_TOKEN_AP_REQ ? &gss_mechanism_krb5 : &gss_mechanism_iakerb,
		.keytab = peer->config->keytab,
		.message = token->message,
		.message_len = token->message_len};

	peer->state = KERBEROS_REFUSED;
	if (gss_token_is_for_kdc(token))
		peer_explain_kdc(peer, major, minor, token);
	else
		kerberos_explain(&refusal, peer->why, sizeof(peer->why));
}

static void peer_accept(struct kerberos_peer *peer, const struct gss_token *token)
{
	uint8_t binding_data[GSS_BINDING_LEN];
	struct gss_channel_bindings_struct binding = gss_binding_of(peer->exporter, binding_data);
	gss_buffer_desc input = {.length = peer->token_len, .value = peer->token};
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 major, minor, ignored, flags = 0;

	major = gss_accept_sec_context(
		&minor, &peer->gss, peer->cred, &input, &binding, &name, NULL, &peer->reply, &flags, NULL, NULL);
	if (major == GSS_S_COMPLETE) {
		peer_name(peer, name);
		peer_judge(peer, flags);
	} else if (major == GSS_S_CONTINUE_NEEDED && gss_token_is_for_kdc(token)) {
		peer_asked(peer, token);
	} else {
		peer_explain(peer, major, minor, token);
	}
	gss_release_name(&ignored, &name);
}

void kerberos_accept(struct kerberos_peer *peer)
{
	const struct config_kerberos *config = peer->config;
	struct gss_token token;
	OM_uint32 minor;

	gss_release_buffer(&minor, &peer->reply);
	peer->said[0] = '\0';
	peer->state = KERBEROS_CONTINUE;
	peer->rounds++;
	if (peer->token_len > config->token_max) {
		peer_refuse(peer, "the peer's token has %zu bytes, and registration.kerberos.token_max is %u",
			peer->token_len, config->token_max);
	} else if (peer->rounds > config->rounds_max) {
		peer_refuse(peer, "the peer sent more than %u tokens (registration.kerberos.rounds_max)",
			config->rounds_max);
	} else {
		token = gss_token_read(peer->token, peer->token_len);
		if (peer_takes(peer, &token) && (!gss_token_is_for_kdc(&token) || peer_may_ask(peer, &token)))
			peer_accept(peer, &token);
	}
	if (peer->state == KERBEROS_REFUSED)
		gss_release_buffer(&minor, &peer->reply);
	free(peer->token);
	peer->token = NULL;
}

void kerberos_peer_clear(struct kerberos_peer *peer)
{
	OM_uint32 minor;

	gss_delete_sec_context(&minor, &peer->gss, GSS_C_NO_BUFFER);
	gss_release_buffer(&minor, &peer->reply);
	free(peer->token);
	OPENSSL_cleanse(peer, sizeof(*peer));
}
