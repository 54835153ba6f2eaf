/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include "format.h"

#include <stdint.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && text[0] ? text : "-";
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void put_size(struct format_table *table, const json_t *object, const char *key)
{
	char text[FORMAT_LEN];

	format_table_put(table, format_size(number_of(object, key), text));
}

static void put_count(struct format_table *table, uint64_t count)
{
	char text[FORMAT_LEN];

	format_table_put(table, format_count(count, text));
}

static void put_age(struct format_table *table, int64_t seconds)
{
	char text[FORMAT_LEN];

	format_table_put(table, format_age(seconds, text));
}

/* Where no data plane is attached, that comes first: nothing else below it can be as expected. */
static void head_dataplane(const json_t *reply, FILE *out)
{
	const json_t *dataplane = json_object_get(reply, "dataplane");

	if (json_is_true(json_object_get(dataplane, "attached")))
		return;
	fprintf(out, "No data plane is attached: %s\n\n", text_of(dataplane, "waits_for"));
}

/* "10.1.0.0/16 10.2.0.0/16", each network once. */
static void put_networks(struct format_table *table, const json_t *session, const char *key)
{
	char text[512] = "";
	const json_t *child;
	size_t i;

	json_array_foreach(json_object_get(session, "children"), i, child) {
		const char *network = text_of(child, key);
		size_t len = strlen(text);

		/* An old child and its successor have the same ones. */
		if (strstr(text, network))
			continue;
		snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", network);
	}
	format_table_put(table, text[0] ? text : "-");
}

void show_sessions(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"PEER", "IDENTITY", "STATE", "REMOTE", "VIA", "LOCAL NETWORK",
		"REMOTE NETWORK", ">SINCE", ">IN", ">OUT", ">PACKETS IN", ">PACKETS OUT", NULL};
	struct format_table *table = format_table_new(headings);
	int64_t now = (int64_t)number_of(reply, "now");
	const json_t *session;
	size_t i;

	head_dataplane(reply, out);
	json_array_foreach(json_object_get(reply, "sessions"), i, session) {
		format_table_put(table, text_of(session, "peer"));
		format_table_put(table, text_of(session, "identity"));
		format_table_put(table, text_of(session, "state"));
		format_table_put(table, text_of(session, "remote"));
		format_table_put(table, text_of(session, "encapsulation"));
		put_networks(table, session, "local_network");
		put_networks(table, session, "remote_network");
		put_age(table, now - (int64_t)number_of(session, "established_at"));
		put_size(table, session, "bytes_in");
		put_size(table, session, "bytes_out");
		put_count(table, number_of(session, "packets_in"));
		put_count(table, number_of(session, "packets_out"));
	}
	format_table_end(table, out, "No sessions.");
	if (wide) {
		fputc('\n', out);
		show_sas(reply, true, out);
	}
}

static void put_sa(struct format_table *table, const json_t *session, const json_t *child, int64_t now)
{
	format_table_put(table, text_of(session, "peer"));
	format_table_put(table, text_of(child, "spi_in"));
	format_table_put(table, text_of(child, "spi_out"));
	format_table_put(table, text_of(child, "suite"));
	format_table_put(table, text_of(child, "mode"));
	format_table_put(table, json_is_true(json_object_get(child, "esn")) ? "yes" : "no");
	format_table_put(table, text_of(child, "state"));
	format_table_put(table, json_is_true(json_object_get(child, "active")) ? "yes" : "no");
	format_table_put(table, text_of(child, "local_network"));
	format_table_put(table, text_of(child, "remote_network"));
	put_count(table, number_of(child, "inner_mtu"));
	put_age(table, now - (int64_t)number_of(child, "installed_at"));
	put_age(table, (int64_t)number_of(child, "expires_at") - now);
	put_size(table, child, "bytes_in");
	put_size(table, child, "bytes_out");
}

void show_sas(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"PEER", "SPI IN", "SPI OUT", "SUITE", "MODE", "ESN", "STATE", "SENDS",
		"LOCAL NETWORK", "REMOTE NETWORK", ">INNER MTU", ">SINCE", ">EXPIRES IN", ">IN", ">OUT", NULL};
	struct format_table *table = format_table_new(headings);
	int64_t now = (int64_t)number_of(reply, "now");
	const json_t *session, *child;
	size_t i, j;

	if (!wide)
		head_dataplane(reply, out);
	json_array_foreach(json_object_get(reply, "sessions"), i, session) {
		json_array_foreach(json_object_get(session, "children"), j, child)
			put_sa(table, session, child, now);
	}
	format_table_end(table, out, "No child SAs.");
}

void show_ike(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"PEER", "IDENTITY", "STATE", "ROLE", "LOCAL", "REMOTE", "NAT",
		"PROPOSAL", "COOKIES", ">SINCE", ">EXPIRES IN", NULL};
	struct format_table *table = format_table_new(headings);
	int64_t now = (int64_t)number_of(reply, "now");
	const json_t *sa;
	size_t i;

	(void)wide;
	json_array_foreach(json_object_get(reply, "ike_sas"), i, sa) {
		bool peer_nat = json_is_true(json_object_get(sa, "peer_behind_nat"));
		bool our_nat = json_is_true(json_object_get(sa, "we_behind_nat"));
		const json_t *cookies = json_object_get(sa, "cookies");
		const char *first = json_string_value(json_array_get(cookies, 0));
		const char *second = json_string_value(json_array_get(cookies, 1));
		char text[64];

		format_table_put(table, text_of(sa, "peer"));
		format_table_put(table, text_of(sa, "identity"));
		format_table_put(table, text_of(sa, "state"));
		format_table_put(table, json_is_true(json_object_get(sa, "initiator")) ? "initiator" : "responder");
		format_table_put(table, text_of(sa, "local"));
		format_table_put(table, text_of(sa, "remote"));
		format_table_put(table, peer_nat && our_nat ? "both" : peer_nat ? "peer" : our_nat ? "us" : "none");
		format_table_put(table, text_of(sa, "proposal"));
		snprintf(text, sizeof(text), "%.16s:%.16s", first ? first : "", second ? second : "");
		format_table_put(table, text);
		put_age(table, now - (int64_t)number_of(sa, "created_at"));
		if (number_of(sa, "expires_at"))
			put_age(table, (int64_t)number_of(sa, "expires_at") - now);
		else
			format_table_put(table, "-");
	}
	format_table_end(table, out, "No IKE SAs.");
}

static void group_counters(struct format_table *table, const char *group, const json_t *counters, bool all)
{
	const json_t *value;
	const char *name;

	/* jansson's iterator wants what it does not change to be changeable. */
	json_object_foreach((json_t *)counters, name, value) {
		if (!json_is_integer(value) || (!all && json_integer_value(value) == 0))
			continue;
		format_table_put(table, group);
		format_table_put(table, name);
		put_count(table, (uint64_t)json_integer_value(value));
	}
}

void show_counters(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"PART", "COUNTER", ">VALUE", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *reasons = json_object_get(reply, "reasons");

	head_dataplane(reply, out);
	group_counters(table, "packets in", json_object_get(reasons, "in"), wide);
	group_counters(table, "packets out", json_object_get(reasons, "out"), wide);
	group_counters(table, "dropped", json_object_get(reasons, "drop"), wide);
	group_counters(table, "noted", json_object_get(reasons, "note"), wide);
	group_counters(table, "state", json_object_get(reply, "gauges"), wide);
	group_counters(table, "ike", json_object_get(reply, "ike"), wide);
	group_counters(table, "registration", json_object_get(reply, "registration"), wide);
	group_counters(table, "sockets", json_object_get(reply, "sockets"), wide);
	group_counters(table, "streams", json_object_get(reply, "streams"), wide);
	group_counters(table, "control", json_object_get(reply, "control"), wide);
	/* What stands at the top itself: events lost, changes refused. */
	group_counters(table, "tables", reply, wide);
	format_table_end(table, out, "All counters are zero.");
}

void show_workers(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {
		">WORKER", ">CORE", ">BUSY", ">LOOPS", ">WITH PACKETS", ">EVENTS LOST", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *worker;
	size_t i;

	(void)wide;
	head_dataplane(reply, out);
	json_array_foreach(json_object_get(reply, "workers"), i, worker) {
		char text[FORMAT_LEN];

		put_count(table, number_of(worker, "worker"));
		put_count(table, number_of(worker, "core"));
		format_table_put(
			table, format_share(number_of(worker, "busy_cycles"), number_of(worker, "cycles"), text));
		put_count(table, number_of(worker, "loops"));
		put_count(table, number_of(worker, "busy_loops"));
		put_count(table, number_of(worker, "events_lost"));
	}
	format_table_end(table, out, "No workers.");
}

/* `measured` may be NULL: figures of 0. */
static void put_crypto(struct format_table *table, const json_t *suite, const char *instructions, const char *by,
	const json_t *measured)
{
	static const char *const sizes[] = {"64", "512", "1420"};
	const json_t *cycles = json_object_get(measured, "cycles");

	format_table_put(table, text_of(suite, "suite"));
	format_table_put(table, instructions);
	format_table_put(table, by);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		put_count(table, (uint64_t)json_real_value(json_object_get(cycles, sizes[i])));
}

/* What serves each suite; wide: what else was measured, too. */
void show_crypto(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {
		"SUITE", "INSTRUCTIONS", "CHOSEN BY", ">CYCLES AT 64 B", ">512 B", ">1,420 B", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *suite, *measured;
	size_t i, k;

	head_dataplane(reply, out);
	json_array_foreach(json_object_get(reply, "suites"), i, suite) {
		const char *chosen = text_of(suite, "instructions");
		const json_t *of_chosen = NULL;

		json_array_foreach(json_object_get(suite, "measured"), k, measured) {
			if (strcmp(text_of(measured, "instructions"), chosen) == 0)
				of_chosen = measured;
		}
		put_crypto(table, suite, chosen, text_of(suite, "by"), of_chosen);
		json_array_foreach(json_object_get(suite, "measured"), k, measured) {
			if (wide && measured != of_chosen)
				put_crypto(table, suite, text_of(measured, "instructions"), "", measured);
		}
	}
	format_table_end(table, out, "No suite is in use.");
}

void show_leases(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {"ADDRESS", "IDENTITY", "PEER", "POOL", "CONNECTED", ">GIVEN", NULL};
	struct format_table *table = format_table_new(headings);
	int64_t now = (int64_t)number_of(reply, "now");
	const json_t *lease;
	size_t i;

	(void)wide;
	json_array_foreach(json_object_get(reply, "leases"), i, lease) {
		format_table_put(table, text_of(lease, "address"));
		format_table_put(table, text_of(lease, "identity"));
		format_table_put(table, text_of(lease, "peer"));
		format_table_put(table, text_of(lease, "pool"));
		format_table_put(table, json_is_true(json_object_get(lease, "connected")) ? "yes" : "no");
		put_age(table, now - (int64_t)number_of(lease, "used_at"));
	}
	format_table_end(table, out, "No leases.");
}

static void net_addresses(const json_t *reply, FILE *out)
{
	static const char *const headings[] = {"ADDRESS", "INTERFACE", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(reply, "addresses"), i, entry) {
		format_table_put(table, text_of(entry, "address"));
		format_table_put(table, text_of(entry, "interface"));
	}
	format_table_end(table, out, "No addresses.");
}

static void net_routes(const json_t *reply, FILE *out)
{
	static const char *const headings[] = {"ROUTE", "GATEWAY", "INTERFACE", ">METRIC", "USED", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(reply, "routes"), i, entry) {
		format_table_put(table, text_of(entry, "prefix"));
		format_table_put(table, text_of(entry, "gateway"));
		format_table_put(table, text_of(entry, "interface"));
		put_count(table, number_of(entry, "metric"));
		format_table_put(table, json_is_true(json_object_get(entry, "used")) ? "yes" : "no");
	}
	format_table_end(table, out, "No routes.");
}

static void net_neighbours(const json_t *reply, FILE *out)
{
	static const char *const headings[] = {"NEIGHBOUR", "INTERFACE", "MAC", "STATE", "KEPT FRESH", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(reply, "neighbours"), i, entry) {
		format_table_put(table, text_of(entry, "address"));
		format_table_put(table, text_of(entry, "interface"));
		format_table_put(table, text_of(entry, "mac"));
		format_table_put(table, text_of(entry, "state"));
		format_table_put(table, json_is_true(json_object_get(entry, "managed")) ? "yes" : "no");
	}
	format_table_end(table, out, "No neighbours.");
}

void show_net(const json_t *reply, bool wide, FILE *out)
{
	const json_t *port;
	size_t i;

	(void)wide;
	head_dataplane(reply, out);
	json_array_foreach(json_object_get(reply, "ports"), i, port) {
		if (!json_is_true(json_object_get(port, "present")))
			fprintf(out, "Interface %s does not exist.\n", text_of(port, "interface"));
	}
	net_addresses(reply, out);
	fputc('\n', out);
	net_routes(reply, out);
	fputc('\n', out);
	net_neighbours(reply, out);
}
