/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kerberos_explain.h"

#include "auth/gss_status.h"
#include "auth/kerberos_clock.h"

#include <krb5/krb5.h>
#include <profile.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What stands in an AP-REQ, in words. */
struct ap_req {
	char client[128];
	int64_t sent, ends, starts; /* Unix time: the peer's clock, and the ticket's life */
};

/*
 * A context of the library that lets any clock pass: clockskew is only read from a file. Ten years, so that sums of it
 * and today stay within 32 bits.
 */
static krb5_context patient_context(void)
{
	static const char settings[] = "[libdefaults]\n\tclockskew = 315360000\n";
	krb5_context context = NULL;
	profile_t profile = NULL;
	char path[32];
	const char *files[] = {path, NULL};
	int fd = memfd_create("krb5.conf", MFD_CLOEXEC);

	if (fd < 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write(fd, settings, sizeof(settings) - 1) == sizeof(settings) - 1 && profile_init(files, &profile) == 0) {
		if (krb5_init_context_profile(profile, 0, &context) != 0)
			context = NULL;
		profile_release(profile);
	}
	close(fd);
	return context;
}

static void ap_req_keep(krb5_context context, const krb5_ticket *ticket, krb5_auth_context auth, struct ap_req *ap_req)
{
	krb5_authenticator *authenticator = NULL;
	char *name = NULL;

	/* Times are 32 bits without sign (RFC 4120 has no such limit, the library has). */
	ap_req->ends = (uint32_t)ticket->enc_part2->times.endtime;
	ap_req->starts = (uint32_t)(ticket->enc_part2->times.starttime ? ticket->enc_part2->times.starttime
								       : ticket->enc_part2->times.authtime);
	if (krb5_auth_con_getauthenticator(context, auth, &authenticator) == 0)
		ap_req->sent = (uint32_t)authenticator->ctime;
	if (krb5_unparse_name(context, ticket->enc_part2->client, &name) == 0)
		snprintf(ap_req->client, sizeof(ap_req->client), "%s", name);
	krb5_free_unparsed_name(context, name);
	krb5_free_authenticator(context, authenticator);
}

/* Decrypts it, whatever the times in it. False: it is not to be read even so. */
static bool ap_req_read(const struct kerberos_refusal *refusal, struct ap_req *ap_req)
{
	krb5_data data = {.data = (char *)refusal->message, .length = (unsigned int)refusal->message_len};
	krb5_context context = patient_context();
	krb5_auth_context auth = NULL;
	krb5_keytab keytab = NULL;
	krb5_ticket *ticket = NULL;
	bool read = false;

	memset(ap_req, 0, sizeof(*ap_req));
	if (!context)
		return false;
	/* No flags: nothing is kept for the replay cache. */
	if (krb5_kt_resolve(context, refusal->keytab, &keytab) == 0 && krb5_auth_con_init(context, &auth) == 0 &&
		krb5_auth_con_setflags(context, auth, 0) == 0 &&
		krb5_rd_req(context, &auth, &data, NULL, keytab, NULL, &ticket) == 0) {
		ap_req_keep(context, ticket, auth, ap_req);
		read = true;
	}
	krb5_free_ticket(context, ticket);
	krb5_auth_con_free(context, auth);
	if (keytab)
		krb5_kt_close(context, keytab);
	krb5_free_context(context);
	return read;
}

static void explain_skew(const struct kerberos_refusal *refusal, char *why, size_t size)
{
	char theirs[KERBEROS_CLOCK_LEN], ours[KERBEROS_CLOCK_LEN], apart[KERBEROS_SPAN_LEN];
	int64_t now = kerberos_clock_now();
	struct ap_req ap_req;

	if (!ap_req_read(refusal, &ap_req))
		snprintf(why, size, "the clocks of the peer and of this gateway are too far apart for Kerberos");
	else
		snprintf(why, size,
			"the clock of %s shows %s, ours %s: they are %s apart, more than Kerberos allows (5 minutes, "
			"unless "
			"clockskew in krb5.conf says otherwise); set both by NTP",
			ap_req.client, kerberos_clock_format(ap_req.sent, theirs), kerberos_clock_format(now, ours),
			kerberos_span_format(now - ap_req.sent, apart));
}

static void explain_life(const struct kerberos_refusal *refusal, bool ended, char *why, size_t size)
{
	char edge[KERBEROS_CLOCK_LEN], ours[KERBEROS_CLOCK_LEN], theirs[KERBEROS_CLOCK_LEN];
	struct ap_req ap_req;

	if (!ap_req_read(refusal, &ap_req))
		snprintf(why, size, "the peer's ticket is %s", ended ? "no longer valid" : "not yet valid");
	else if (ended)
		snprintf(why, size,
			"the ticket of %s ended at %s, and our clock shows %s (its own %s): it needs a new one (kinit)",
			ap_req.client, kerberos_clock_format(ap_req.ends, edge),
			kerberos_clock_format(kerberos_clock_now(), ours), kerberos_clock_format(ap_req.sent, theirs));
	else
		snprintf(why, size,
			"the ticket of %s begins only at %s, and our clock shows %s (its own %s): is our clock slow?",
			ap_req.client, kerberos_clock_format(ap_req.starts, edge),
			kerberos_clock_format(kerberos_clock_now(), ours), kerberos_clock_format(ap_req.sent, theirs));
}

/* Of the rest, the library's words say what was looked for where. */
static const char *explain_advice(long code)
{
	switch (code) {
	case KRB5KRB_AP_ERR_BADKEYVER:
	case KRB5_KT_KVNONOTFOUND:
		return "the ticket is for another version of the service's key than the keytab has: whichever is older "
		       "must be "
		       "renewed (the keytab by kadmin: ktadd; the ticket by kinit)";
	case KRB5KRB_AP_ERR_BAD_INTEGRITY:
		return "the ticket is encrypted with another key than the keytab has for this service and version: "
		       "write the "
		       "keytab anew (kadmin: ktadd)";
	case KRB5KRB_AP_ERR_NOT_US:
	case KRB5KRB_AP_WRONG_PRINC:
		return "the ticket is for another service than registration.kerberos.service: the peer must name this "
		       "one";
	case KRB5KRB_AP_ERR_NOKEY:
		return "the keytab has no key of registration.kerberos.service, or can't be read by sluiced's user";
	case KRB5_RC_IO_UNKNOWN:
	case KRB5_RC_IO_SPACE:
	case KRB5_RC_IO_PERM:
		return "the replay cache (in state_dir) can't be written, and nobody is accepted without it";
	default: return NULL;
	}
}

void kerberos_explain(const struct kerberos_refusal *refusal, char *why, size_t size)
{
	const long code = gss_status_code(refusal->minor, refusal->mechanism);
	const char *advice = explain_advice(code);
	char text[256];

	/* First, since later calls of the library overwrite its words. */
	gss_status_text(refusal->major, refusal->minor, refusal->mechanism, text, sizeof(text));
	if (GSS_ROUTINE_ERROR(refusal->major) == GSS_S_BAD_BINDINGS)
		snprintf(why, size,
			"the peer's token is bound to another TLS channel than this one: somebody between the two "
			"relays it, or its "
			"client binds otherwise than by tls-exporter (RFC 9266)");
	else if (code == KRB5KRB_AP_ERR_SKEW)
		explain_skew(refusal, why, size);
	else if (code == KRB5KRB_AP_ERR_TKT_EXPIRED)
		explain_life(refusal, true, why, size);
	else if (code == KRB5KRB_AP_ERR_TKT_NYV)
		explain_life(refusal, false, why, size);
	else if (code == KRB5KRB_AP_ERR_REPEAT)
		snprintf(why, size, "the peer's token was used before (replay): somebody has recorded it");
	else if (advice)
		snprintf(why, size, "%s (%s)", text, advice);
	else
		snprintf(why, size, "the library refuses the peer's token: %s", text[0] ? text : "it says no more");
}

void kerberos_explain_kdc(const uint8_t *reply, size_t reply_len, char *text, size_t size)
{
	krb5_data data = {.data = (char *)reply, .length = (unsigned int)reply_len};
	krb5_context context = NULL;
	krb5_error *error = NULL;

	snprintf(text, size, "it gave one");
	if (reply_len == 0 || krb5_init_context(&context) != 0)
		return;
	if (krb5_rd_error(context, &data, &error) == 0) {
		krb5_error_code code = (krb5_error_code)(ERROR_TABLE_BASE_krb5 + (krb5_error_code)error->error);
		const char *words = krb5_get_error_message(context, code);

		if (code == KRB5KDC_ERR_PREAUTH_REQUIRED)
			snprintf(text, size, "it asks for the password's proof first, as usual");
		else
			snprintf(text, size, "it refused: %s", words);
		krb5_free_error_message(context, words);
	}
	krb5_free_error(context, error);
	krb5_free_context(context);
}
