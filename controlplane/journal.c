/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include "clock.h"
#include "config/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { COOKIES_TEXT_LEN = 4 * IKE_COOKIE_LEN + 2, SUPPRESSED_TEXT_LEN = 32 };

/* What an event is called, and whether a stranger can make it happen at will. */
static const struct {
	const char *what;
	enum log_level level;
	bool limited;
} kinds[] = {
	[IKE_EVENT_STARTED] = {"ike_started", LOG_LEVEL_INFO, true},
	[IKE_EVENT_ESTABLISHED] = {"ike_established", LOG_LEVEL_INFO, false},
	[IKE_EVENT_MOVED] = {"ike_moved", LOG_LEVEL_INFO, true},
	[IKE_EVENT_REFUSED] = {"ike_refused", LOG_LEVEL_WARNING, true},
	[IKE_EVENT_EXPIRED] = {"ike_expired", LOG_LEVEL_INFO, true},
	[IKE_EVENT_DELETED] = {"ike_deleted", LOG_LEVEL_INFO, false},
	[IKE_EVENT_INITIAL_CONTACT] = {"ike_initial_contact", LOG_LEVEL_INFO, false},
	[IKE_EVENT_LEGACY] = {"ike_legacy", LOG_LEVEL_WARNING, true},
	[IKE_EVENT_ASSIGNED] = {"ike_address_assigned", LOG_LEVEL_INFO, false},
	[IKE_EVENT_BAD_MESSAGE] = {"ike_bad_message", LOG_LEVEL_WARNING, true},
	[IKE_EVENT_UNKNOWN_COOKIES] = {"ike_unknown_cookies", LOG_LEVEL_INFO, true},
	[IKE_EVENT_VENDORS] = {"ike_vendors", LOG_LEVEL_DEBUG, false},
	[IKE_EVENT_ENDED] = {"ike_ended", LOG_LEVEL_DEBUG, false},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void format_cookies(const struct ike_event *event, char text[COOKIES_TEXT_LEN])
{
	char *end = text;

	for (int i = 0; i < IKE_COOKIE_LEN; i++)
		end += sprintf(end, "%02x", event->initiator_cookie[i]);
	*end++ = ':';
	for (int i = 0; i < IKE_COOKIE_LEN; i++)
		end += sprintf(end, "%02x", event->responder_cookie[i]);
}

/* True when this line may be written; then also how many of its kind were not. */
static bool pass_limit(enum ike_event_kind kind, char suppressed[SUPPRESSED_TEXT_LEN])
{
	static struct log_limit limits[KINDS];
	struct log_limit *limit = &limits[kind];

	suppressed[0] = '\0';
	if (!kinds[kind].limited)
		return true;
	if (!log_limit_pass(limit, clock_now_ms()))
		return false;
	if (limit->suppressed)
		snprintf(suppressed, SUPPRESSED_TEXT_LEN, " suppressed=%u", limit->suppressed);
	limit->suppressed = 0;
	return true;
}

void journal_ike_event(const struct ike_event *event)
{
	char local[ENDPOINT_TEXT_LEN], remote[ENDPOINT_TEXT_LEN], cookies[COOKIES_TEXT_LEN];
	char suppressed[SUPPRESSED_TEXT_LEN], identity[256], why[1024];

	if ((unsigned)event->kind >= KINDS || !log_wants(kinds[event->kind].level) ||
		!pass_limit(event->kind, suppressed))
		return;
	format_cookies(event, cookies);
	log_write(kinds[event->kind].level,
		"event=%s ike_sa=%" PRIu64 " peer=%s identity=\"%s\" cookies=%s local=%s remote=%s reason=\"%s\"%s",
		kinds[event->kind].what, event->ike_sa, event->peer ? event->peer->name : "unknown",
		log_quotable(event->identity ? event->identity : "", identity, sizeof(identity)), cookies,
		endpoint_format(&event->local, local), endpoint_format(&event->remote, remote),
		log_quotable(event->why, why, sizeof(why)), suppressed);
}
