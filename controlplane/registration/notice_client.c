/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/notice_client.h"

#include <errno.h>
#include <string.h>
#include <openssl/crypto.h>

enum {
	GRACE_MS = 2000, /* that the last dial may take, and our answer to it */
	PROBE_WAIT_MIN_MS = 250,
	PROBE_WAIT_MAX_MS = 2000,
	IPV4_UDP_LEN = 28,
	IPV6_UDP_LEN = 48,
	IPV4_MTU_MIN = 576,
	IPV6_MTU_MIN = 1280,
};

/* Between one hello to a candidate and the next; after the last gap it is the next one's turn. */
static const uint16_t hello_gaps_ms[] = {250, 500, 1000, 1000};

enum { HELLOS = sizeof(hello_gaps_ms) / sizeof(hello_gaps_ms[0]) };

void notice_client_init(struct notice_client *client, const struct notice_client_settings *settings, uint64_t now_ms)
{
	*client = (struct notice_client){
		.settings = *settings,
		.due_ms = now_ms,
		.give_up_ms = now_ms + settings->wait_ms + (uint64_t)settings->dial_tries * NOTICE_DIAL_MS + GRACE_MS,
	};
}

void notice_client_clear(struct notice_client *client)
{
	OPENSSL_cleanse(client->settings.key, sizeof(client->settings.key));
}

static bool is_ipv6(const struct endpoint *endpoint)
{
	return endpoint->address.family == ADDRESS_IPV6;
}

static void write_notice(struct notice_client *client, enum notice_type type, const struct endpoint *to, size_t len,
	uint64_t now_ms, struct notice_datagram *out)
{
	struct notice notice = {
		.type = type,
		.sequence = ++client->sequence,
		.endpoint = client->settings.local,
		.port = to->port,
	};

	memcpy(notice.session, client->settings.session, sizeof(notice.session));
	out->to = *to;
	out->whole = type == NOTICE_PROBE;
	/* What can't be made is as good as lost. */
	out->len = notice_seal(client->settings.key, &notice, out->bytes, len) == 0 ? len : 0;
	client->sent_ms = now_ms;
}

/* --- which way ---------------------------------------------------------------------------------------------------- */

static enum notice_client_step run_hello(struct notice_client *client, uint64_t now_ms, struct notice_datagram *out)
{
	const struct notice_client_settings *settings = &client->settings;

	if (client->dial_waits) {
		client->dial_waits = false;
		write_notice(client, NOTICE_HELLO, &client->dialed_from, NOTICE_LEN, now_ms, out);
		return NOTICE_STEP_SEND;
	}
	if (now_ms < client->due_ms)
		return NOTICE_STEP_NOTHING;
	if (now_ms >= client->give_up_ms) {
		client->state = NOTICE_CLIENT_FAILED;
		client->due_ms = UINT64_MAX;
		return NOTICE_STEP_FAILED;
	}
	if (client->hellos == HELLOS) {
		client->hellos = 0;
		client->all_tried = client->all_tried || client->candidate + 1 == settings->n_candidates;
		client->candidate = (client->candidate + 1) % settings->n_candidates;
	}
	write_notice(client, NOTICE_HELLO, &settings->candidates[client->candidate], NOTICE_LEN, now_ms, out);
	client->due_ms = now_ms + hello_gaps_ms[client->hellos++];
	if (client->due_ms > client->give_up_ms)
		client->due_ms = client->give_up_ms;
	return NOTICE_STEP_SEND;
}

static bool is_candidate(const struct notice_client *client, const struct endpoint *from)
{
	for (size_t i = 0; i < client->settings.n_candidates; i++)
		if (endpoint_equal(&client->settings.candidates[i], from))
			return true;
	return client->dialed_from.port != 0 && endpoint_equal(&client->dialed_from, from);
}

static void begin_probes(struct notice_client *client, uint64_t now_ms)
{
	bool ipv6 = is_ipv6(&client->gateway);
	uint16_t most = NOTICE_LEN_MAX + (ipv6 ? IPV6_UDP_LEN : IPV4_UDP_LEN);
	uint16_t mtu = client->settings.mtu < most ? client->settings.mtu : most;

	path_search_begin(&client->path, ipv6 ? IPV6_MTU_MIN : IPV4_MTU_MIN, mtu);
	client->probed = client->sequence + 1;
	client->due_ms = client->path.size ? now_ms : UINT64_MAX;
}

static void take_answer(
	struct notice_client *client, uint64_t now_ms, const struct endpoint *from, const struct notice *answer)
{
	uint64_t took_ms = answer->sequence == client->sequence ? 3 * (now_ms - client->sent_ms) : PROBE_WAIT_MAX_MS;

	if (client->state != NOTICE_CLIENT_TRYING || !is_candidate(client, from))
		return;
	client->state = NOTICE_CLIENT_REACHED;
	client->news = NOTICE_STEP_REACHED;
	client->gateway = *from;
	client->seen = answer->endpoint;
	client->gateway_port = answer->port;
	client->probe_wait_ms = took_ms < PROBE_WAIT_MIN_MS   ? PROBE_WAIT_MIN_MS
				: took_ms > PROBE_WAIT_MAX_MS ? PROBE_WAIT_MAX_MS
							      : (uint32_t)took_ms;
	begin_probes(client, now_ms);
}

static void take_dial(
	struct notice_client *client, uint64_t now_ms, const struct endpoint *from, const struct notice *dial)
{
	if (client->state != NOTICE_CLIENT_TRYING || dial->sequence <= client->dial || from->port == 0)
		return;
	client->dial = dial->sequence;
	client->dialed_from = *from;
	client->dial_waits = true;
	if (client->give_up_ms < now_ms + GRACE_MS)
		client->give_up_ms = now_ms + GRACE_MS;
}

/* --- how long ----------------------------------------------------------------------------------------------------- */

static void search_goes_on(struct notice_client *client, uint64_t now_ms)
{
	client->due_ms = now_ms;
	if (client->path.tries == 0) /* another size */
		client->probed = client->sequence + 1;
	if (client->path.size)
		return;
	client->path_mtu = path_search_result(&client->path);
	client->news = NOTICE_STEP_MEASURED;
	client->due_ms = UINT64_MAX;
}

static enum notice_client_step run_probe(struct notice_client *client, uint64_t now_ms, struct notice_datagram *out)
{
	bool waited = client->sequence >= client->probed;

	if (client->path.size == 0 || now_ms < client->due_ms)
		return NOTICE_STEP_NOTHING;
	if (waited) {
		path_search_lost(&client->path, false);
		search_goes_on(client, now_ms);
	}
	if (client->path.size == 0)
		return NOTICE_STEP_NOTHING;
	write_notice(client, NOTICE_PROBE, &client->gateway,
		client->path.size - (is_ipv6(&client->gateway) ? IPV6_UDP_LEN : IPV4_UDP_LEN), now_ms, out);
	client->due_ms = now_ms + client->probe_wait_ms;
	return NOTICE_STEP_SEND;
}

/* An answer to any probe of the present size, which is as long as that was. */
static void take_probe_answer(struct notice_client *client, uint64_t now_ms, const struct notice *answer)
{
	if (client->state != NOTICE_CLIENT_REACHED || client->path.size == 0 || answer->sequence < client->probed)
		return;
	path_search_passed(&client->path);
	search_goes_on(client, now_ms);
}

void notice_client_too_long(struct notice_client *client, uint64_t now_ms)
{
	if (client->state != NOTICE_CLIENT_REACHED || client->path.size == 0)
		return;
	path_search_lost(&client->path, true);
	search_goes_on(client, now_ms);
}

/* ------------------------------------------------------------------------------------------------------------------ */

enum notice_client_step notice_client_run(struct notice_client *client, uint64_t now_ms, struct notice_datagram *out)
{
	enum notice_client_step step = client->news;

	client->news = NOTICE_STEP_NOTHING;
	if (step != NOTICE_STEP_NOTHING)
		return step;
	switch (client->state) {
	case NOTICE_CLIENT_TRYING: return run_hello(client, now_ms, out);
	case NOTICE_CLIENT_REACHED:
		step = run_probe(client, now_ms, out);
		return step == NOTICE_STEP_NOTHING && client->news ? notice_client_run(client, now_ms, out) : step;
	default: return NOTICE_STEP_NOTHING;
	}
}

void notice_client_input(struct notice_client *client, uint64_t now_ms, const struct endpoint *from,
	const uint8_t *datagram, size_t len)
{
	struct notice notice;

	if (notice_open(client->settings.key, datagram, len, &notice) < 0 ||
		memcmp(notice.session, client->settings.session, sizeof(notice.session)) != 0)
		return;
	if (notice.type == NOTICE_DIAL) {
		take_dial(client, now_ms, from, &notice);
		return;
	}
	/* An answer bears the number of what it answers. */
	if (notice.sequence > client->sequence)
		return;
	if (notice.type == NOTICE_ANSWER)
		take_answer(client, now_ms, from, &notice);
	else if (notice.type == NOTICE_PROBE_ANSWER)
		take_probe_answer(client, now_ms, &notice);
}
