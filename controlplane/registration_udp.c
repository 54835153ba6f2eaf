/* SPDX-License-Identifier: Apache-2.0 */
#include "registration_udp.h"

#include "clock.h"
#include "gateway.h"

#include <assert.h>
#include <string.h>

static_assert((int)NOTICE_SESSION_LEN == (int)REGISTRATION_SESSION_LEN && (int)NOTICE_KEY_LEN == (int)KEYS_NOTICE_LEN,
	"one session, one key");

static uint64_t on_now(void *context)
{
	(void)context;
	return clock_now_ms();
}

static void on_send(void *context, const struct endpoint *local, const struct endpoint *remote, const uint8_t *datagram,
	size_t len, bool whole)
{
	struct gateway *gateway = context;

	sockets_send_notice(gateway->sockets, local, remote, datagram, len, whole);
}

static void on_news(void *context, struct notice_session *session, enum notices_news news, const char *sentence)
{
	struct gateway *gateway = context;

	registrations_udp_news(
		gateway->registrations, hashmap_owner(session, struct registration, notices), news, sentence);
}

struct notices *registration_udp_new(struct gateway *gateway)
{
	struct notices_host host = {.context = gateway, .now_ms = on_now, .send = on_send, .news = on_news};

	return notices_new(gateway->config, &host);
}

void registration_udp_begin(struct notices *notices, struct registration *registration)
{
	struct notice_session *session = &registration->notices;

	*session = (struct notice_session){
		.local = registration->local,
		.remote = registration->seen,
		.udp_port = registration->udp_port,
	};
	memcpy(session->session, registration->session, sizeof(session->session));
	memcpy(session->key, registration->keys.notice, sizeof(session->key));
	notices_begin(notices, session);
}
