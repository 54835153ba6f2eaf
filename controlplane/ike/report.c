/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/report.h"

#include "ike/vendor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { REPORT_WHY_LEN = 1024 };

static void report_event(struct ike *ike, struct ike_event *event, const char *format, va_list arguments)
{
	char why[REPORT_WHY_LEN];

	vsnprintf(why, sizeof(why), format, arguments);
	event->why = why;
	ike->host.event(ike->host.context, event);
}

void report_sa(const struct ike_sa *sa, enum ike_event_kind kind, const char *format, ...)
{
	struct ike_event event = {
		.kind = kind,
		.ike_sa = sa->id,
		.peer = sa->peer,
		.identity = ike_sa_identity(sa),
		.local = sa->local,
		.remote = sa->remote,
	};
	va_list arguments;

	memcpy(event.initiator_cookie, sa->initiator_cookie, IKE_COOKIE_LEN);
	memcpy(event.responder_cookie, sa->responder_cookie, IKE_COOKIE_LEN);
	va_start(arguments, format);
	report_event(sa->ike, &event, format, arguments);
	va_end(arguments);
}

void report_message(const struct v1_message *message, enum ike_event_kind kind, const struct config_peer *peer,
	const char *identity, const char *format, ...)
{
	struct ike_event event = {
		.kind = kind,
		.ike_sa = message->sa ? message->sa->id : 0,
		.peer = peer,
		.identity = identity,
		.local = message->local,
		.remote = message->remote,
	};
	va_list arguments;

	if (message->hdr) {
		memcpy(event.initiator_cookie, message->hdr->initiator_cookie, IKE_COOKIE_LEN);
		memcpy(event.responder_cookie, message->hdr->responder_cookie, IKE_COOKIE_LEN);
	}
	va_start(arguments, format);
	report_event(message->ike, &event, format, arguments);
	va_end(arguments);
}

void report_vendors(const struct v1_message *message)
{
	const struct config_peer *peer = message->sa ? message->sa->peer : NULL;
	char text[VENDOR_TEXT_LEN];

	if (message->payloads.present & PAYLOAD_BIT(ISAKMP_VENDOR_ID))
		report_message(message, IKE_EVENT_VENDORS, peer, message->sa ? ike_sa_identity(message->sa) : NULL,
			"%s", vendor_format(&message->payloads, text));
}

void report_party(
	struct ike *ike, enum ike_event_kind kind, const struct party *party, uint64_t ike_sa, const char *format, ...)
{
	struct ike_event event = {.kind = kind, .ike_sa = ike_sa, .peer = party->peer, .identity = party->identity};
	va_list arguments;

	va_start(arguments, format);
	report_event(ike, &event, format, arguments);
	va_end(arguments);
}
