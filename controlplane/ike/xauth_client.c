/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/notify.h"
#include "ike/report.h"
#include "ike/xauth.h"

#include <string.h>
#include <openssl/crypto.h>

static enum v1_verdict xauth_give_up(struct ike_sa *sa, const char *why)
{
	report_sa(sa, IKE_EVENT_REFUSED, "%s", why);
	notify_delete_sa(sa);
	ike_sa_end(sa);
	return V1_ENDED;
}

/* HDR*, HASH, ATTR(REPLY: TYPE, USER_NAME, USER_PASSWORD): what was asked for of these. */
static enum v1_verdict xauth_reply(struct v1_message *message, const struct attributes *asked)
{
	struct ike_sa *sa = message->sa;
	struct ike_user user = {.name = ""};
	const struct attribute *type = attributes_find(asked, XAUTH_TYPE, NULL);
	struct builder builder;
	int rc;

	if (type && attribute_number(type) != XAUTH_TYPE_GENERIC)
		return xauth_give_up(sa, "the gateway asks for another proof of the user than name and password");
	rc = sa->ike->host.ask_user
		     ? sa->ike->host.ask_user(sa->ike->host.context, sa->peer, sa->handshake->login_tries, &user)
		     : -1;
	sa->handshake->login_tries++;
	if (rc < 0)
		return xauth_give_up(
			sa, sa->handshake->login_tries > 1
				    ? "name or password is wrong: the gateway asked for it again"
				    : "the gateway asks for a user's name and password, and there is none");
	transaction_answer(message->transaction, ISAKMP_CFG_REPLY, &builder);
	attributes_put_basic(&builder, XAUTH_TYPE, XAUTH_TYPE_GENERIC);
	attributes_put(&builder, XAUTH_USER_NAME, user.name, strlen(user.name));
	attributes_put(&builder, XAUTH_USER_PASSWORD, user.password, strlen(user.password));
	OPENSSL_cleanse(&user, sizeof(user));
	rc = transaction_send(message->transaction, &builder);
	return rc < 0 ? V1_ENDED : V1_TAKEN;
}

/* HDR*, HASH, ATTR(ACK: STATUS) */
static enum v1_verdict xauth_acknowledge(struct v1_message *message, const struct attribute *status)
{
	struct ike_sa *sa = message->sa;
	struct builder builder;

	transaction_answer(message->transaction, ISAKMP_CFG_ACK, &builder);
	attributes_put_basic(&builder, XAUTH_STATUS, (uint16_t)attribute_number(status));
	if (transaction_send(message->transaction, &builder) < 0)
		return V1_ENDED;
	if (attribute_number(status) != XAUTH_STATUS_OK) {
		report_sa(sa, IKE_EVENT_REFUSED, "name or password is wrong: the gateway refused the user");
		ike_sa_end(sa);
		return V1_ENDED;
	}
	if (sa->state != V1_XAUTH)
		return V1_TAKEN;
	sa->user_known = true;
	sa->state = V1_ESTABLISHED;
	ike_sa_establish(sa);
	report_sa(sa, IKE_EVENT_ESTABLISHED, "the gateway let the user in");
	v1_wait(sa, NULL, V1_WAIT_LIFETIME);
	v1_established(sa);
	return V1_TAKEN;
}

enum v1_verdict xauth_client_receive(struct v1_message *message, const struct attributes *attributes)
{
	const struct attribute *status = attributes_find(attributes, XAUTH_STATUS, NULL);
	struct ike_sa *sa = message->sa;

	if (sa->initiator && sa->state == V1_XAUTH && attributes->type == ISAKMP_CFG_REQUEST)
		return xauth_reply(message, attributes);
	if (sa->initiator && attributes->type == ISAKMP_CFG_SET && status && sa->handshake)
		return xauth_acknowledge(message, status);
	engine_count(message->ike, IKE_COUNT_UNEXPECTED);
	report_message(message, IKE_EVENT_BAD_MESSAGE, sa->peer, ike_sa_identity(sa),
		"a question of XAUTH that has no place here");
	transaction_end(message->transaction);
	return V1_ENDED;
}
