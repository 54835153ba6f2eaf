/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/informational.h"
#include "ike/mode_config.h"
#include "ike/notify.h"
#include "ike/report.h"
#include "ike/xauth.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

bool xauth_is_due(const struct ike_sa *sa)
{
	return ike_auth_asks_user(sa->keys.auth) && !sa->user_known;
}

bool xauth_must_wait(const struct v1_message *message)
{
	const struct ike_sa *sa = message->sa;

	if (message->hdr->exchange == ISAKMP_QUICK)
		return true;
	return message->hdr->exchange == ISAKMP_TRANSACTION && !sa->initiator &&
	       !transaction_find(sa, message->message_id);
}

/* HDR*, HASH, ATTR(REQUEST: TYPE, USER_NAME, USER_PASSWORD) */
static void xauth_ask(struct ike_sa *sa)
{
	struct builder builder;
	struct transaction *transaction = transaction_begin(sa, ISAKMP_CFG_REQUEST, &builder);

	if (!transaction) {
		report_sa(sa, IKE_EVENT_REFUSED, "the user could not be asked for: %s", strerror(errno));
		return; /* it ends by its timeout */
	}
	transaction->purpose = TRANSACTION_XAUTH;
	attributes_put_basic(&builder, XAUTH_TYPE, XAUTH_TYPE_GENERIC);
	attributes_put(&builder, XAUTH_USER_NAME, NULL, 0);
	attributes_put(&builder, XAUTH_USER_PASSWORD, NULL, 0);
	transaction_send(transaction, &builder);
}

void xauth_begin(struct ike_sa *sa)
{
	if (!sa->initiator)
		xauth_ask(sa);
}

/* HDR*, HASH, ATTR(SET: STATUS) */
static void xauth_tell(struct ike_sa *sa, bool right)
{
	struct builder builder;
	struct transaction *transaction = transaction_begin(sa, ISAKMP_CFG_SET, &builder);

	if (!transaction)
		return;
	transaction->purpose = TRANSACTION_XAUTH;
	attributes_put_basic(&builder, XAUTH_STATUS, right ? XAUTH_STATUS_OK : XAUTH_STATUS_FAIL);
	transaction_send(transaction, &builder);
}

/* The user is who it says: from now on the SA is that user's. */
static void xauth_accept(struct ike_sa *sa, const char *user)
{
	bool contact = sa->contact_pending;
	int rc = ike_sa_join(sa, user);

	if (rc < 0) {
		report_sa(sa, IKE_EVENT_REFUSED, "the user can't be taken in: %s", strerror(-rc));
		xauth_tell(sa, false);
		return;
	}
	sa->user_known = true;
	sa->state = V1_ESTABLISHED;
	ike_sa_establish(sa);
	report_sa(sa, IKE_EVENT_ESTABLISHED, "user \"%s\" has logged in", user);
	v1_wait(sa, NULL, V1_WAIT_LIFETIME);
	if (contact)
		informational_take_contact(sa);
	xauth_tell(sa, true);
	v1_established(sa);
}

/* Wrong: once more, as often as the configuration allows. The peer is not told which of both was wrong. */
static void xauth_refuse(struct ike_sa *sa, const char *user, const char *why)
{
	struct ike *ike = sa->ike;

	engine_count(ike, IKE_COUNT_BAD_HASH);
	report_sa(sa, IKE_EVENT_REFUSED, "user \"%s\" was not let in: %s", user, why);
	ike_sa_hint(sa, why);
	if (++sa->handshake->login_tries < ike->config->users.tries) {
		xauth_ask(sa);
		return;
	}
	sa->handshake->login_over = true;
	xauth_tell(sa, false);
}

void ike_login_done(struct ike *ike, const struct ike_login_key *key, const char *user, const char *why)
{
	struct ike_sa *sa = ike_sa_find_number(ike, key->initiator_cookie, key->ike_sa);

	if (sa && sa->state == V1_XAUTH && sa->handshake && sa->handshake->login_attempt == key->attempt) {
		sa->handshake->login_attempt = 0;
		if (why)
			xauth_refuse(sa, user, why);
		else
			xauth_accept(sa, user);
	}
	engine_sweep(ike);
}

/* A text of the peer's: no zero byte in it, and not too long. */
static bool xauth_take_text(const struct attributes *attributes, uint16_t type, char *out, size_t size)
{
	const struct attribute *found = attributes_find(attributes, type, NULL);

	if (!found || found->value.len >= size || memchr(found->value.data, '\0', found->value.len))
		return false;
	memcpy(out, found->value.data, found->value.len);
	out[found->value.len] = '\0';
	return true;
}

/* The answer to our question: to the host with it, which takes its time. */
static enum v1_verdict xauth_take_reply(struct v1_message *message, const struct attributes *attributes)
{
	static uint32_t last_attempt;
	struct ike_sa *sa = message->sa;
	char user[CONFIG_IDENTITY_LEN] = "", password[IKE_PASSWORD_LEN] = "";
	const struct attribute *status = attributes_find(attributes, XAUTH_STATUS, NULL);
	struct ike_login login = {.peer = sa->peer, .user = user, .password = password, .remote = sa->remote};
	bool whole = xauth_take_text(attributes, XAUTH_USER_NAME, user, sizeof(user)) &&
		     xauth_take_text(attributes, XAUTH_USER_PASSWORD, password, sizeof(password));
	int rc;

	/* Where bytes are chosen by the peer they go to the log as they print. */
	for (char *c = user; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '"')
			*c = '?';
	if (status && attribute_number(status) == XAUTH_STATUS_FAIL) {
		report_sa(sa, IKE_EVENT_REFUSED, "the peer gave up its login");
		ike_sa_end(sa);
		return V1_ENDED;
	}
	if (!whole) {
		xauth_refuse(sa, user, "name or password is missing, or has no form that is allowed");
		return V1_TAKEN;
	}
	memcpy(login.key.initiator_cookie, sa->initiator_cookie, IKE_COOKIE_LEN);
	login.key.ike_sa = sa->id;
	login.key.attempt = sa->handshake->login_attempt = ++last_attempt ? last_attempt : ++last_attempt;
	rc = sa->ike->host.login(sa->ike->host.context, &login);
	OPENSSL_cleanse(password, sizeof(password));
	if (rc < 0) {
		sa->handshake->login_attempt = 0;
		xauth_refuse(sa, user, rc == -EBUSY ? "too many logins are under way" : strerror(-rc));
	}
	return V1_TAKEN;
}

enum v1_verdict xauth_server_receive(struct v1_message *message, const struct attributes *attributes)
{
	struct ike_sa *sa = message->sa;

	if (sa->state == V1_XAUTH && attributes->type == ISAKMP_CFG_REPLY && !sa->handshake->login_over &&
		sa->handshake->login_attempt == 0)
		return xauth_take_reply(message, attributes);
	if (sa->state == V1_XAUTH && attributes->type == ISAKMP_CFG_ACK) {
		notify_delete_sa(sa);
		report_sa(sa, IKE_EVENT_EXPIRED, "no password was right");
		ike_sa_end(sa);
		return V1_ENDED;
	}
	if (sa->state == V1_ESTABLISHED && attributes->type == ISAKMP_CFG_ACK)
		mode_config_push(sa);
	return V1_TAKEN;
}
