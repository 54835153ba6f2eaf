/* SPDX-License-Identifier: Apache-2.0 */
#include "connect/status.h"

#include "clock.h"
#include "control/format.h"
#include "control/server.h"

#include <inttypes.h>
#include <string.h>

static json_t *text_of_address(const struct address *address)
{
	char text[ADDRESS_TEXT_LEN];

	return address->family == ADDRESS_NONE ? json_null() : json_string(address_format(address, text));
}

static json_t *text_of_endpoint(const struct endpoint *endpoint)
{
	char text[ENDPOINT_TEXT_LEN];

	return endpoint->address.family == ADDRESS_NONE ? json_null() : json_string(endpoint_format(endpoint, text));
}

static json_t *text_of_prefix(const struct prefix *prefix)
{
	char text[PREFIX_TEXT_LEN];

	return json_string(prefix_format(prefix, text));
}

static json_t *child_of(const struct tun_child *child)
{
	const struct tun_child_traffic *traffic = &child->traffic;
	char spi_in[16], spi_out[16];

	snprintf(spi_in, sizeof(spi_in), "%08x", child->spi_in);
	snprintf(spi_out, sizeof(spi_out), "%08x", child->spi_out);
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o, s:o, s:I, s:I, s:I, s:I}", "spi_in", spi_in, "spi_out",
		spi_out, "suite", esp_suite_get(child->suite)->name, "current", child->current, "esn",
		esp_key_extended(child->in), "local", text_of_prefix(&child->local_network), "remote",
		text_of_prefix(&child->remote_network), "packets_in", (json_int_t)traffic->packets_in, "bytes_in",
		(json_int_t)traffic->bytes_in, "packets_out", (json_int_t)traffic->packets_out, "bytes_out",
		(json_int_t)traffic->bytes_out);
}

static json_t *children_of(const struct connection *connection)
{
	json_t *list = json_array();

	for (size_t i = 0; i < TUN_CHILDREN_MAX; i++)
		if (connection->path.children.slots[i].installed)
			json_array_append_new(list, child_of(&connection->path.children.slots[i]));
	return list;
}

static json_t *routes_of(const struct connection *connection)
{
	char text[ROUTES_TEXT_LEN];
	json_t *list = json_array();

	for (size_t i = 0; i < connection->routes.count; i++)
		json_array_append_new(list, json_string(route_format(&connection->routes.items[i], text)));
	return list;
}

static json_t *counters_of(const struct connection *connection)
{
	const struct connection_counters *own = &connection->counters;
	json_t *object = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "connected", (json_int_t)own->connected,
		"lost", (json_int_t)own->lost, "resumed", (json_int_t)own->resumed, "rounds_in_vain",
		(json_int_t)own->rounds_in_vain, "probes", (json_int_t)own->probes, "renewals",
		(json_int_t)own->renewals, "network_changes", (json_int_t)own->network_changes);

	for (unsigned i = 0; i < TUN_COUNTER_COUNT; i++)
		json_object_set_new(
			object, tun_counter_name(i), json_integer((json_int_t)connection->path.counters[i]));
	return object;
}

static json_t *dns_of(const struct connection *connection)
{
	json_t *list = json_array();
	const struct address *servers;
	size_t count;

	servers = connection_dns(connection, &count);
	for (size_t i = 0; connection->dns_set && i < count; i++)
		json_array_append_new(list, text_of_address(&servers[i]));
	return list;
}

json_t *status_of(const struct connection *connection)
{
	const struct connect_config *config = connection->config;
	const struct tun_path *path = &connection->path;
	bool up = connection->dial.state == DIAL_UP;
	json_t *failure = json_null(), *resumed = json_null();

	if (connection->resuming.told[0])
		resumed = json_pack(
			"{s:I, s:s}", "at", (json_int_t)connection->resuming.told_at, "why", connection->resuming.told);
	if (connection->verdict.code)
		failure =
			json_pack("{s:s, s:s}", "code", connection->verdict.code, "why", connection->verdict.sentence);
	return json_pack("{s:b, s:s, s:s, s:o, s:s, s:s, s:b, s:o, s:s, s:o, s:i, s:i, s:I, s:I, s:o, s:o, s:o, s:o, "
			 "s:o, s:s, s:o}",
		"ok", 1, "state", resuming_is_on(connection) ? "resuming" : dial_state_name(connection->dial.state),
		"gateway", config->gateway, "remote", text_of_endpoint(up ? &path->remote : &connection->gateway),
		"gateway_identity", config->peer.identity, "identity",
		connection->phase == CONNECTION_REGISTERED ? connection->registered_as : config->base.ike.identity,
		"registered", connection->phase == CONNECTION_REGISTERED, "local",
		text_of_endpoint(connection->tcp.current ? stream_local(connection->tcp.current) : &path->socket.local),
		"interface", config->interface, "virtual_address", text_of_address(&connection->assignment.address),
		"mtu", connection->mtu, "uncut", (int)path->inner_mtu, "since",
		(json_int_t)(up ? connection->up_since : 0), "tries", (json_int_t)connection->dial.tries, "failure",
		failure, "children", children_of(connection), "routes", routes_of(connection), "dns",
		dns_of(connection), "counters", counters_of(connection), "transport", path->stream ? "tcp" : "udp",
		"resumed", resumed);
}

static const char *text_in(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

static uint64_t number_in(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static void show_children(const json_t *children, FILE *out)
{
	static const char *const headings[] = {"LOCAL", "REMOTE", "SUITE", "SPI IN", "SPI OUT", ">IN", ">OUT", NULL};
	struct format_table *table = format_table_new(headings);
	char size[FORMAT_LEN];
	const json_t *child;
	size_t i;

	json_array_foreach(children, i, child) {
		if (!json_is_true(json_object_get(child, "current")))
			continue;
		format_table_put(table, text_in(child, "local"));
		format_table_put(table, text_in(child, "remote"));
		format_table_put(table, text_in(child, "suite"));
		format_table_put(table, text_in(child, "spi_in"));
		format_table_put(table, text_in(child, "spi_out"));
		format_table_put(table, format_size(number_in(child, "bytes_in"), size));
		format_table_put(table, format_size(number_in(child, "bytes_out"), size));
	}
	format_table_end(table, out, "No child SA.");
}

void status_show(const json_t *reply, FILE *out)
{
	const json_t *failure = json_object_get(reply, "failure"), *resumed = json_object_get(reply, "resumed");
	char age[FORMAT_LEN];

	fprintf(out, "%s: %s (%s) from %s as %s, interface %s", text_in(reply, "state"),
		text_in(reply, "gateway_identity"), text_in(reply, "remote"), text_in(reply, "local"),
		text_in(reply, "identity"), text_in(reply, "interface"));
	if (json_is_string(json_object_get(reply, "virtual_address")))
		fprintf(out, ", virtual address %s", text_in(reply, "virtual_address"));
	if (number_in(reply, "since"))
		fprintf(out, ", for %s", format_age(clock_unix() - (int64_t)number_in(reply, "since"), age));
	fprintf(out, "\n");
	if (json_is_object(failure))
		fprintf(out, "last failure: %s\n", text_in(failure, "why"));
	if (json_is_object(resumed))
		fprintf(out, "%s ago: %s\n", format_age(clock_unix() - (int64_t)number_in(resumed, "at"), age),
			text_in(resumed, "why"));
	if (json_array_size(json_object_get(reply, "children")) > 0)
		show_children(json_object_get(reply, "children"), out);
}

static json_t *run_status(struct connection *connection)
{
	return status_of(connection);
}

static json_t *run_rekey(struct connection *connection)
{
	unsigned begun = connection_rekey(connection);

	if (begun == 0)
		return server_refusal("there is no child SA that could be renewed");
	return json_pack("{s:b, s:i}", "ok", 1, "rekeys_begun", (int)begun);
}

static json_t *run_renew(struct connection *connection)
{
	if (connection->dial.state != DIAL_UP)
		return server_refusal("there is no IKE SA that could be renewed");
	connection->renew = true;
	return json_pack("{s:b}", "ok", 1);
}

json_t *status_run(void *context, const struct control_request *request)
{
	static const struct {
		const char *name;
		json_t *(*run)(struct connection *connection);
	} commands[] = {{"status", run_status}, {"rekey", run_rekey}, {"renew", run_renew}};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(request->command, commands[i].name) == 0 && request->n_arguments == 0)
			return commands[i].run(context);
	return server_refusal("there is no command \"%s\" with %u arguments: status, rekey and renew, without any",
		request->command, request->n_arguments);
}
