/* SPDX-License-Identifier: Apache-2.0 */
/* What a failure of the GSS library means to whoever runs sluice-connect, and what to do about it. */
#include "auth/kerberos_clock.h"
#include "connect/kerberos_attempt.h"

#include <krb5/krb5.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void attempt_fail(struct kerberos_attempt *attempt, enum kerberos_client_failure failure, const char *format,
	...) __attribute__((format(printf, 3, 4)));

static void attempt_fail(
	struct kerberos_attempt *attempt, enum kerberos_client_failure failure, const char *format, ...)
{
	va_list arguments;

	attempt->failure = failure;
	va_start(arguments, format);
	vsnprintf(attempt->why, sizeof(attempt->why), format, arguments);
	va_end(arguments);
}

static const char *attempt_user(const struct kerberos_attempt *attempt)
{
	return attempt->principal[0] ? attempt->principal : "USER@REALM";
}

static void fail_without_ticket(struct kerberos_attempt *attempt, const char *words)
{
	const struct config_kerberos_client *config = attempt->config;

	if (config->keytab[0])
		attempt_fail(attempt, KERBEROS_CLIENT_NO_TICKET,
			"no Kerberos ticket can be had by keytab %s: %s; is it readable, and has it a key of %s?",
			config->keytab, words, attempt_user(attempt));
	else
		attempt_fail(attempt, KERBEROS_CLIENT_NO_TICKET,
			"there is no Kerberos ticket: run kinit %s, or give a keytab or a password (settings keytab, "
			"password) (%s)",
			attempt_user(attempt), words);
}

static void fail_without_kdc(struct kerberos_attempt *attempt, const char *words)
{
	if (kerberos_attempt_through_gateway(attempt))
		attempt_fail(attempt, KERBEROS_CLIENT_KDC_UNREACHABLE,
			"the gateway, which was asked to (IAKERB), can't reach the KDC for %s: %s",
			attempt_user(attempt), words);
	else
		attempt_fail(attempt, KERBEROS_CLIENT_KDC_UNREACHABLE,
			"the KDC for %s can't be reached from here: %s; name it in krb5.conf, or let the gateway ask "
			"it "
			"(setting iakerb)",
			attempt_user(attempt), words);
}

static void fail_by_expiry(struct kerberos_attempt *attempt)
{
	char clock[KERBEROS_CLOCK_LEN];

	attempt_fail(attempt, KERBEROS_CLIENT_TICKET_EXPIRED,
		"the Kerberos ticket of %s has expired (this host's clock shows %s): run kinit %s",
		attempt_user(attempt), kerberos_clock_format(kerberos_clock_now(), clock), attempt_user(attempt));
}

static void fail_by_key(struct kerberos_attempt *attempt, const char *words)
{
	const struct config_kerberos_client *config = attempt->config;

	/* Once the service's ticket is there, it is the gateway's proof that a wrong key was found in. */
	if (attempt->rounds > 1 && !kerberos_attempt_through_gateway(attempt))
		attempt_fail(attempt, KERBEROS_CLIENT_BAD_GATEWAY, "the gateway has not the key of %s: %s",
			attempt->service, words);
	else
		attempt_fail(attempt, KERBEROS_CLIENT_WRONG_PASSWORD, "the KDC does not take the %s of %s: %s",
			config->password_len ? "password"
			: config->keytab[0]  ? "keytab's key"
					     : "ticket",
			attempt_user(attempt), words);
}

static void fail_by_clock(struct kerberos_attempt *attempt)
{
	char clock[KERBEROS_CLOCK_LEN];

	attempt_fail(attempt, KERBEROS_CLIENT_CLOCK_SKEW,
		"the clocks of this host and of the KDC are more than 5 minutes apart, which Kerberos does not allow: "
		"this one "
		"shows %s; set it by NTP",
		kerberos_clock_format(kerberos_clock_now(), clock));
}

void kerberos_attempt_explain(struct kerberos_attempt *attempt, OM_uint32 major, OM_uint32 minor)
{
	char words[256];

	gss_status_text(major, minor, attempt->mechanism, words, sizeof(words));
	switch (gss_status_code(minor, attempt->mechanism)) {
	case KRB5_KDC_UNREACH:
	case KRB5_REALM_UNKNOWN:
	case KRB5_REALM_CANT_RESOLVE:
	case KRB5KRB_AP_ERR_IAKERB_KDC_NOT_FOUND:
	case KRB5KRB_AP_ERR_IAKERB_KDC_NO_RESPONSE: fail_without_kdc(attempt, words); return;
	case KRB5KRB_AP_ERR_TKT_EXPIRED: fail_by_expiry(attempt); return;
	case KRB5KRB_AP_ERR_SKEW:
	case KRB5_KDCREP_SKEW: fail_by_clock(attempt); return;
	case KRB5KRB_AP_ERR_BAD_INTEGRITY:
	case KRB5KDC_ERR_PREAUTH_FAILED:
	case KRB5KRB_AP_ERR_MUT_FAIL: fail_by_key(attempt, words); return;
	case KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN:
		attempt_fail(attempt, KERBEROS_CLIENT_UNKNOWN_PRINCIPAL, "the KDC does not know %s: %s",
			attempt_user(attempt), words);
		return;
	case KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN:
		attempt_fail(attempt, KERBEROS_CLIENT_UNKNOWN_SERVICE,
			"the KDC does not know the gateway's service %s (setting service): %s", attempt->service,
			words);
		return;
	case KRB5KDC_ERR_KEY_EXP:
		attempt_fail(attempt, KERBEROS_CLIENT_WRONG_PASSWORD,
			"the password of %s has expired: change it with kpasswd", attempt_user(attempt));
		return;
	default: break;
	}
	if (GSS_ROUTINE_ERROR(major) == GSS_S_NO_CRED)
		fail_without_ticket(attempt, words);
	else if (GSS_ROUTINE_ERROR(major) == GSS_S_CREDENTIALS_EXPIRED)
		fail_by_expiry(attempt);
	else if (attempt->rounds > 1 && GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN)
		attempt_fail(attempt, KERBEROS_CLIENT_BAD_GATEWAY, "the gateway's answer is no token of Kerberos: %s",
			words);
	else
		attempt_fail(attempt, KERBEROS_CLIENT_OTHER, "Kerberos failed for %s towards %s: %s",
			attempt_user(attempt), attempt->service[0] ? attempt->service : "the gateway", words);
}
