/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "clock.h"

#include <stdio.h>
#include <string.h>

json_t *status_text(const char *text, size_t max)
{
	char copy[STATUS_TEXT_MAX + 1];
	json_t *string;

	snprintf(copy, sizeof(copy), "%.*s", (int)max, text);
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	string = json_string(copy);
	if (string)
		return string;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(copy);
}

json_t *status_address(const struct address *address)
{
	char text[ADDRESS_TEXT_LEN];

	return json_string(address_format(address, text));
}

json_t *status_prefix(const struct prefix *prefix)
{
	char text[PREFIX_TEXT_LEN];

	return json_string(prefix_format(prefix, text));
}

json_t *status_endpoint(const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_LEN];

	return json_string(endpoint_format(endpoint, text));
}

json_t *status_dataplane(const struct gateway *gateway)
{
	if (!gateway->install)
		return json_pack("{s:b, s:s}", "attached", 0, "waits_for",
			gateway->attachment ? attachment_waits_for(gateway->attachment) : "");
	return json_pack("{s:b, s:I, s:I, s:i}", "attached", 1, "attached_at", (json_int_t)gateway->attached_at,
		"started_at", (json_int_t)gateway->tables->header->started_at, "adopted", (int)gateway->adopted);
}

static json_t *spi_text(uint32_t spi)
{
	char text[16];

	snprintf(text, sizeof(text), "%08x", spi);
	return json_string(text);
}

static int put_traffic(json_t *object, const struct session_traffic *traffic)
{
	json_t *numbers = json_pack("{s:I, s:I, s:I, s:I}", "packets_in", (json_int_t)traffic->packets_in, "bytes_in",
		(json_int_t)traffic->bytes_in, "packets_out", (json_int_t)traffic->packets_out, "bytes_out",
		(json_int_t)traffic->bytes_out);
	int rc = numbers ? json_object_update(object, numbers) : -1;

	json_decref(numbers);
	return rc;
}

/* JSON's integers have a sign, and 64-bit sequence numbers end beyond them. */
static json_int_t limit_of(uint64_t limit)
{
	return limit > INT64_MAX ? (json_int_t)INT64_MAX : (json_int_t)limit;
}

/* When a successor is negotiated, and when it carries nothing any more. */
static int put_limits(json_t *object, const struct tables_child *record)
{
	json_t *limits = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "installed_at", (json_int_t)record->installed_at,
		"expires_at", (json_int_t)record->expires_at, "soft_bytes", limit_of(record->soft_bytes), "hard_bytes",
		limit_of(record->hard_bytes), "soft_packets", limit_of(record->soft_packets), "hard_packets",
		limit_of(record->hard_packets));
	int rc = limits ? json_object_update(object, limits) : -1;

	json_decref(limits);
	return rc;
}

static const char *child_state(const struct session_child *child)
{
	if (!child->live)
		return "installing";
	if (sessions_child_adopted(child))
		return "adopted";
	return "live";
}

static json_t *child_status(const struct gateway *gateway, uint32_t index)
{
	const struct session_child *child = &gateway->install->sessions->children[index];
	const struct tables_child *record = &gateway->tables->children[index];
	const struct esp_suite *suite = esp_suite_get(record->suite);
	struct session_traffic traffic = sessions_child_traffic(gateway->install->sessions, index);
	json_t *object = json_pack("{s:o, s:o, s:s, s:s, s:b, s:s, s:b, s:o, s:o, s:i, s:i}", "spi_in",
		spi_text(child->spi_in), "spi_out", spi_text(record->spi_out), "suite", suite ? suite->name : "unknown",
		"mode", record->mode == TABLES_TRANSPORT ? "transport" : "tunnel", "esn", record->extended == 1,
		"state", child_state(child), "active", child->active, "local_network",
		status_prefix(&record->local_network), "remote_network", status_prefix(&record->remote_network),
		"replay_window", (int)record->replay_window, "inner_mtu",
		(int)atomic_load_explicit(&record->inner_mtu, memory_order_relaxed));

	if (object && (put_limits(object, record) < 0 || put_traffic(object, &traffic) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* One whose TCP connection has ended waits for its peer to come again. */
static const char *session_state(const struct gateway *gateway, uint32_t index, const struct place *place)
{
	uint64_t id = gateway->install->sessions->sessions[index].id;

	if (place->encapsulation == TABLES_ENCAPSULATION_STREAM && !streams_carry(gateway->streams, index, id))
		return "paused";
	return sessions_adopted(gateway->install->sessions, index) ? "adopted" : "established";
}

static json_t *session_status(const struct gateway *gateway, uint32_t index)
{
	const struct sessions *sessions = gateway->install->sessions;
	const struct session *session = &sessions->sessions[index];
	const struct tables_session *record = &gateway->tables->sessions[index];
	struct place place = sessions_where(sessions, index);
	struct session_traffic traffic = sessions_traffic(sessions, index);
	json_t *children = json_array();
	json_t *object = json_pack("{s:I, s:o, s:o, s:s, s:o, s:o, s:s, s:I, s:O}", "id", (json_int_t)session->id,
		"peer", status_text(session->peer->name, CONFIG_NAME_LEN), "identity",
		status_text(record->identity, TABLES_IDENTITY_LEN), "state",
		session_state(gateway, index, &place), "local", status_endpoint(&place.local), "remote", status_endpoint(&place.remote), "encapsulation",
		install_encapsulation_name(place.encapsulation), "established_at",
		(json_int_t)record->established_at, "children", children);
	int rc = object ? put_traffic(object, &traffic) : -1;

	for (uint32_t c = session->first_child; rc == 0 && c != TABLES_NONE; c = sessions->children[c].next)
		rc = json_array_append_new(children, child_status(gateway, c));
	json_decref(children);
	if (rc < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *status_sessions(const struct gateway *gateway)
{
	json_t *list = json_array();

	for (uint32_t i = 0; gateway->install && i < gateway->tables->n_sessions; i++)
		if (gateway->install->sessions->sessions[i].peer &&
			json_array_append_new(list, session_status(gateway, i)) < 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:o, s:I, s:o}", "dataplane", status_dataplane(gateway), "now", (json_int_t)clock_unix(),
		"sessions", list);
}

struct ike_walk {
	json_t *list;
	uint64_t now_ms;
	int64_t now_unix;
};

static json_t *cookie_text(const uint8_t cookie[IKE_COOKIE_LEN])
{
	char text[2 * IKE_COOKIE_LEN + 1];

	for (int i = 0; i < IKE_COOKIE_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", cookie[i]);
	return json_string(text);
}

/* Monotonic milliseconds as Unix seconds. */
static json_int_t unix_of(const struct ike_walk *walk, uint64_t ms)
{
	return walk->now_unix + ((int64_t)ms - (int64_t)walk->now_ms) / 1000;
}

static void ike_sa_status(void *context, const struct ike_sa_status *sa)
{
	struct ike_walk *walk = context;
	char proposal[IKE_PROPOSAL_TEXT_LEN];

	json_array_append_new(walk->list,
		json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:b, s:b, s:s, s:I, s:I}", "id",
			(json_int_t)sa->id, "peer", status_text(sa->peer ? sa->peer->name : "", CONFIG_NAME_LEN),
			"identity", status_text(sa->identity ? sa->identity : "", CONFIG_IDENTITY_LEN), "cookies",
			json_pack("[o, o]", cookie_text(sa->initiator_cookie), cookie_text(sa->responder_cookie)),
			"state", sa->state, "exchange", sa->exchange, "initiator", sa->initiator, "established",
			sa->established, "local", status_endpoint(&sa->local), "remote", status_endpoint(&sa->remote),
			"peer_behind_nat", sa->peer_behind_nat, "we_behind_nat", sa->we_behind_nat, "proposal",
			sa->proposal.cipher ? ike_proposal_format(&sa->proposal, proposal) : "", "created_at",
			unix_of(walk, sa->created_ms), "expires_at",
			sa->expires_ms ? unix_of(walk, sa->expires_ms) : (json_int_t)0));
}

json_t *status_ike(const struct gateway *gateway)
{
	struct ike_walk walk = {.list = json_array(), .now_ms = clock_now_ms(), .now_unix = clock_unix()};

	if (walk.list)
		ike_each(gateway->ike, ike_sa_status, &walk);
	return json_pack("{s:I, s:o}", "now", (json_int_t)walk.now_unix, "ike_sas", walk.list);
}
