/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/kerberos_attempt.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5/krb5.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATTEMPT_CACHE_LEN = 64 };

/* Tickets of a keytab stay in memory, for this attempt alone. */
static char *attempt_cache(const struct kerberos_attempt *attempt, char name[ATTEMPT_CACHE_LEN])
{
	snprintf(name, ATTEMPT_CACHE_LEN, "MEMORY:sluice-connect-%p", (const void *)attempt);
	return name;
}

static OM_uint32 attempt_import(const char *text, gss_name_t *name, OM_uint32 *minor)
{
	gss_buffer_desc buffer = {.length = strlen(text), .value = (void *)text};

	return gss_import_name(minor, &buffer, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, name);
}

/* Password, keytab, cache: the first of them that there is. */
static OM_uint32 attempt_acquire(struct kerberos_attempt *attempt, gss_name_t name, OM_uint32 *minor)
{
	const struct config_kerberos_client *config = attempt->config;
	gss_buffer_desc password = {.length = config->password_len, .value = (void *)config->password};
	char keytab[CONFIG_KERBEROS_FILE_LEN + 8], cache[ATTEMPT_CACHE_LEN];
	gss_key_value_element_desc from_keytab[] = {
		{"client_keytab", keytab}, {"ccache", attempt_cache(attempt, cache)}};
	gss_key_value_element_desc from_cache[] = {{"ccache", config->cache}};
	gss_key_value_set_desc store = {.count = 2, .elements = from_keytab};
	gss_OID_set_desc wanted = {.count = 1, .elements = (gss_OID)attempt->mechanism};

	if (config->password_len)
		return gss_acquire_cred_with_password(
			minor, name, &password, GSS_C_INDEFINITE, &wanted, GSS_C_INITIATE, &attempt->cred, NULL, NULL);
	snprintf(keytab, sizeof(keytab), "FILE:%s", config->keytab);
	if (!config->keytab[0])
		store = (gss_key_value_set_desc){.count = config->cache[0] ? 1 : 0, .elements = from_cache};
	return gss_acquire_cred_from(
		minor, name, GSS_C_INDEFINITE, &wanted, GSS_C_INITIATE, &store, &attempt->cred, NULL, NULL);
}

/* Whose cache it is: GSS-API does not tell of tickets that have expired. */
static void attempt_name_owner(struct kerberos_attempt *attempt)
{
	const char *cache_name = attempt->config->cache;
	krb5_principal owner = NULL;
	krb5_ccache cache = NULL;
	krb5_context context;
	char *text = NULL;

	if (krb5_init_context(&context) != 0)
		return;
	if ((cache_name[0] ? krb5_cc_resolve(context, cache_name, &cache) : krb5_cc_default(context, &cache)) == 0 &&
		krb5_cc_get_principal(context, cache, &owner) == 0 && krb5_unparse_name(context, owner, &text) == 0)
		snprintf(attempt->principal, sizeof(attempt->principal), "%s", text);
	krb5_free_unparsed_name(context, text);
	krb5_free_principal(context, owner);
	if (cache)
		krb5_cc_close(context, cache);
	krb5_free_context(context);
}

/* Who the tickets say that we are, with the realm that the configuration may have left out. */
static OM_uint32 attempt_name(struct kerberos_attempt *attempt, OM_uint32 *minor)
{
	const struct config_kerberos_client *config = attempt->config;
	gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 ignored, major;

	if (!config->principal[0] && !config->keytab[0])
		attempt_name_owner(attempt);
	if (strchr(attempt->principal, '@'))
		return GSS_S_COMPLETE;
	major = gss_inquire_cred(minor, attempt->cred, &name, NULL, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		major = gss_display_name(minor, name, &text, NULL);
	if (major == GSS_S_COMPLETE)
		snprintf(attempt->principal, sizeof(attempt->principal), "%.*s", (int)text.length,
			(const char *)text.value);
	gss_release_buffer(&ignored, &text);
	gss_release_name(&ignored, &name);
	return major;
}

/*
 * The gateway's principal, in our own realm unless the configuration names another. It is never looked up in the name
 * service: whoever answers there must not choose whom we trust.
 */
static OM_uint32 attempt_target(struct kerberos_attempt *attempt, OM_uint32 *minor)
{
	const char *service = attempt->config->service, *realm = strrchr(attempt->principal, '@');
	char text[KERBEROS_ATTEMPT_NAME_LEN];

	if (service[0])
		snprintf(text, sizeof(text), "%s", service);
	else
		snprintf(text, sizeof(text), "vpn/%.200s", attempt->gateway);
	snprintf(attempt->service, sizeof(attempt->service), "%.200s%.50s", text,
		realm && !strchr(text, '@') ? realm : "");
	return attempt_import(attempt->service, &attempt->target, minor);
}

static OM_uint32 attempt_begin(struct kerberos_attempt *attempt, OM_uint32 *minor)
{
	const char *principal = attempt->config->principal;
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 ignored, major = GSS_S_COMPLETE;

	snprintf(attempt->principal, sizeof(attempt->principal), "%s", principal);
	if (principal[0])
		major = attempt_import(principal, &name, minor);
	if (major == GSS_S_COMPLETE)
		major = attempt_acquire(attempt, name, minor);
	if (major == GSS_S_COMPLETE)
		major = attempt_name(attempt, minor);
	if (major == GSS_S_COMPLETE)
		major = attempt_target(attempt, minor);
	gss_release_name(&ignored, &name);
	return major;
}

/* Without it, anybody who holds the connection could be at its other end. */
static void attempt_judge(struct kerberos_attempt *attempt, OM_uint32 flags)
{
	attempt->state = KERBEROS_CLIENT_COMPLETE;
	if (flags & GSS_C_MUTUAL_FLAG)
		return;
	attempt->state = KERBEROS_CLIENT_FAILED;
	attempt->failure = KERBEROS_CLIENT_BAD_GATEWAY;
	snprintf(attempt->why, sizeof(attempt->why), "the gateway has not proven that it is %s", attempt->service);
}

void kerberos_attempt_work(struct kerberos_attempt *attempt)
{
	const OM_uint32 wanted = GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_CHANNEL_BOUND_FLAG;
	uint8_t binding_data[GSS_BINDING_LEN];
	struct gss_channel_bindings_struct binding = gss_binding_of(attempt->exporter, binding_data);
	gss_buffer_desc input = {.length = attempt->token_len, .value = attempt->token};
	OM_uint32 major = GSS_S_COMPLETE, minor = 0, ignored, flags = 0;

	gss_release_buffer(&ignored, &attempt->reply);
	if (attempt->rounds++ == 0)
		major = attempt_begin(attempt, &minor);
	/* An empty token is a token to IAKERB, not the lack of one. */
	if (major == GSS_S_COMPLETE)
		major = gss_init_sec_context(&minor, attempt->cred, &attempt->gss, attempt->target,
			(gss_OID)attempt->mechanism, wanted, 0, &binding, attempt->token ? &input : GSS_C_NO_BUFFER,
			NULL, &attempt->reply, &flags, NULL);
	if (major == GSS_S_COMPLETE) {
		attempt_judge(attempt, flags);
	} else if (major == GSS_S_CONTINUE_NEEDED) {
		attempt->state = KERBEROS_CLIENT_CONTINUE;
	} else {
		attempt->state = KERBEROS_CLIENT_FAILED;
		kerberos_attempt_explain(attempt, major, minor);
	}
	if (attempt->state == KERBEROS_CLIENT_FAILED)
		gss_release_buffer(&ignored, &attempt->reply);
	free(attempt->token);
	attempt->token = NULL;
	attempt->token_len = 0;
}

static void attempt_destroy_cache(const struct kerberos_attempt *attempt)
{
	char name[ATTEMPT_CACHE_LEN];
	krb5_context context;
	krb5_ccache cache;

	if (!attempt->config->keytab[0] || krb5_init_context(&context) != 0)
		return;
	if (krb5_cc_resolve(context, attempt_cache(attempt, name), &cache) == 0)
		krb5_cc_destroy(context, cache);
	krb5_free_context(context);
}

void kerberos_attempt_clear(struct kerberos_attempt *attempt)
{
	OM_uint32 minor;

	gss_delete_sec_context(&minor, &attempt->gss, GSS_C_NO_BUFFER);
	gss_release_name(&minor, &attempt->target);
	gss_release_cred(&minor, &attempt->cred);
	gss_release_buffer(&minor, &attempt->reply);
	attempt_destroy_cache(attempt);
	free(attempt->token);
	OPENSSL_cleanse(attempt, sizeof(*attempt));
}
