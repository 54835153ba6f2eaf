/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/proof.h"

#include "auth/kerberos.h"
#include "auth/login.h"
#include "ike/subject.h"
#include "registration/keys.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct proof {
	const struct proof_means *means;
	const struct tls *tls;
	void (*done)(void *context, const struct proof_answer *answer);
	void *context;
	struct event *soon; /* certificate: the answer is known, and waits for the loop */
	struct kerberos_context *kerberos;
	bool logging_in; /* a helper works for it */
	bool ended;	 /* nobody waits any more: freed when the helper is through */
};

static void proof_free(struct proof *proof)
{
	kerberos_end(proof->kerberos);
	if (proof->soon)
		event_free(proof->soon);
	free(proof);
}

static void proof_tell(struct proof *proof, const struct proof_answer *answer)
{
	if (!proof->ended)
		proof->done(proof->context, answer);
}

/* Who is no UTF-8 or has no place in a log is nobody: identities are printable, and without quotes. */
static bool identity_is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f || text[i] == '"')
			return false;
	return len > 0 && len < CONFIG_IDENTITY_LEN;
}

/* The first alternative name of this kind; false when there is none that could be an identity. */
static bool certificate_name(X509 *certificate, int kind, char *identity)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const char *text;
		size_t len;

		if (name->type != kind)
			continue;
		text = (const char *)ASN1_STRING_get0_data(name->d.ia5);
		len = (size_t)ASN1_STRING_length(name->d.ia5);
		if (!identity_is_clean(text, len))
			continue;
		memcpy(identity, text, len);
		identity[len] = '\0';
		found = true;
	}
	GENERAL_NAMES_free(names);
	return found;
}

/* The member whose subject it has, else its mail address, else its host name. */
static bool certificate_identity(
	const struct members *members, X509 *certificate, char *identity, char subject[CONFIG_IDENTITY_LEN * 2])
{
	const struct config_member *member = NULL;

	if (!subject_format(X509_get_subject_name(certificate), subject, (size_t)CONFIG_IDENTITY_LEN * 2))
		subject[0] = '\0';
	member = members_find_subject(members, subject);
	if (member)
		snprintf(identity, CONFIG_IDENTITY_LEN, "%s", member->identity);
	return member || certificate_name(certificate, GEN_EMAIL, identity) ||
	       certificate_name(certificate, GEN_DNS, identity);
}

static void on_certificate(evutil_socket_t fd, short what, void *context)
{
	struct proof *proof = context;
	struct proof_answer answer = {.identity = "", .group = "", .said = "", .why = ""};
	char identity[CONFIG_IDENTITY_LEN], subject[CONFIG_IDENTITY_LEN * 2] = "";
	char reason[TLS_WHY_LEN], why[PROOF_WHY_LEN];

	(void)fd;
	(void)what;
	if (!tls_peer_verified(proof->tls, reason)) {
		snprintf(why, sizeof(why), "its certificate is not accepted: %s", reason);
		answer.why = why;
	} else if (!certificate_identity(proof->means->members, tls_peer_certificate(proof->tls), identity, subject)) {
		snprintf(why, sizeof(why),
			"its certificate is good, but stands for nobody: \"%s\" is no member's subject, and there is "
			"no "
			"mail address or host name in it",
			subject);
		answer.why = why;
	} else {
		answer.identity = identity;
		snprintf(why, sizeof(why), "certificate of \"%s\"", subject);
		answer.said = why;
	}
	proof_tell(proof, &answer);
}

static int proof_by_certificate(struct proof *proof)
{
	static const struct timeval at_once;

	proof->soon = evtimer_new(proof->means->base, on_certificate, proof);
	return proof->soon && event_add(proof->soon, &at_once) == 0 ? 0 : -ENOMEM;
}

static void on_login(void *context, const void *key, const struct login_answer *login)
{
	struct proof *proof = context;
	struct proof_answer answer = {.identity = "", .group = "", .said = "", .why = ""};
	char why[PROOF_WHY_LEN];

	(void)key;
	proof->logging_in = false;
	if (proof->ended) {
		proof_free(proof);
		return;
	}
	if (login->why) {
		snprintf(why, sizeof(why), "user \"%s\" was not let in: %s", login->user, login->why);
		answer.why = why;
	} else {
		answer.identity = login->user;
		answer.group = login->group;
	}
	proof_tell(proof, &answer);
}

static int proof_by_password(
	struct proof *proof, const struct registration_authenticate *authenticate, const struct address *remote)
{
	static const uint8_t no_key[LOGIN_KEY_LEN];
	char address[ADDRESS_TEXT_LEN];
	struct login_request request = {
		.user = authenticate->user,
		.password = authenticate->password,
		.group = "",
		.address = address_format(remote, address),
	};
	int rc = proof->means->login ? login_begin(proof->means->login, &request, no_key, on_login, proof) : -ENOTSUP;

	proof->logging_in = rc == 0;
	return rc;
}

static void on_kerberos(void *context, const struct kerberos_answer *kerberos)
{
	struct proof *proof = context;
	struct proof_answer answer = {
		.more = kerberos->state == KERBEROS_CONTINUE,
		.identity = kerberos->identity,
		.group = "",
		.token = kerberos->token,
		.token_len = kerberos->token_len,
		.said = kerberos->said,
		.why = kerberos->why,
	};
	char said[PROOF_WHY_LEN];

	if (kerberos->state == KERBEROS_ACCEPTED) {
		snprintf(said, sizeof(said), "Kerberos ticket of %s", kerberos->principal);
		answer.said = said;
	}
	proof_tell(proof, &answer);
}

static int proof_by_kerberos(struct proof *proof, const struct registration_message *authenticate)
{
	uint8_t binding[KEYS_CHANNEL_BINDING_LEN];
	int rc;

	_Static_assert(sizeof(binding) == KERBEROS_BINDING_LEN, "both are RFC 9266's");
	if (!proof->means->kerberos)
		return -ENOTSUP;
	rc = keys_channel_binding(proof->tls, binding);
	if (rc < 0)
		return rc;
	proof->kerberos = kerberos_begin(proof->means->kerberos, binding, on_kerberos, proof);
	return proof->kerberos ? kerberos_step(proof->kerberos, authenticate->token, authenticate->token_len) : -errno;
}

struct proof *proof_begin(const struct proof_means *means, const struct registration_message *authenticate,
	const struct tls *tls, const struct address *remote,
	void (*done)(void *context, const struct proof_answer *answer), void *context)
{
	struct proof *proof = calloc(1, sizeof(*proof));
	int rc = -ENOTSUP;

	if (!proof)
		return NULL;
	proof->means = means;
	proof->tls = tls;
	proof->done = done;
	proof->context = context;
	switch (authenticate->authenticate.method) {
	case REGISTRATION_CERTIFICATE: rc = proof_by_certificate(proof); break;
	case REGISTRATION_PASSWORD: rc = proof_by_password(proof, &authenticate->authenticate, remote); break;
	case REGISTRATION_KERBEROS: rc = proof_by_kerberos(proof, authenticate); break;
	default: break;
	}
	if (rc == 0)
		return proof;
	proof_free(proof);
	errno = -rc;
	return NULL;
}

int proof_step(struct proof *proof, const uint8_t *token, size_t token_len)
{
	return proof->kerberos ? kerberos_step(proof->kerberos, token, token_len) : -EPROTO;
}

void proof_end(struct proof *proof)
{
	if (!proof)
		return;
	proof->ended = true;
	if (!proof->logging_in)
		proof_free(proof);
}
