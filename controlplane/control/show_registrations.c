/* SPDX-License-Identifier: Apache-2.0 */
#include "show.h"

#include "format.h"

#include <inttypes.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void put_networks(struct format_table *table, const json_t *registration)
{
	const json_t *networks = json_object_get(registration, "networks"), *network;
	char text[FORMAT_LEN * 8] = "";
	size_t i, len = 0;

	json_array_foreach(networks, i, network)
		if (len < sizeof(text))
			len += (size_t)snprintf(
				text + len, sizeof(text) - len, "%s%s", i ? ", " : "", json_string_value(network));
	format_table_put(table, text);
}

void show_registrations(const json_t *reply, bool wide, FILE *out)
{
	static const char *const headings[] = {
		"IDENTITY", "PEER", "METHOD", "TRANSPORT", "SEEN AT", "NETWORKS", "IKE SA", ">AGE", NULL};
	struct format_table *table = format_table_new(headings);
	const json_t *registration;
	size_t i;

	(void)wide;
	json_array_foreach(json_object_get(reply, "registrations"), i, registration) {
		json_int_t ike_sa = json_integer_value(json_object_get(registration, "ike_sa"));
		char text[FORMAT_LEN];

		format_table_put(table, text_of(registration, "identity"));
		format_table_put(table, text_of(registration, "peer"));
		format_table_put(table, text_of(registration, "method"));
		format_table_put(table, text_of(registration, "transport"));
		format_table_put(table, text_of(registration, "seen"));
		put_networks(table, registration);
		snprintf(text, sizeof(text), "%" PRId64, (int64_t)ike_sa);
		format_table_put(table, ike_sa ? text : "waits for it");
		format_table_put(table,
			format_age((int64_t)json_integer_value(json_object_get(registration, "age_ms")) / 1000, text));
	}
	format_table_end(table, out,
		json_is_true(json_object_get(reply, "listening"))
			? "Nobody is registered."
			: "Nobody can register: the configuration has no ports for it (registration.ports).");
	if (json_integer_value(json_object_get(reply, "under_way")) > 0)
		fprintf(out, "\n%" PRId64 " registrations are under way.\n",
			(int64_t)json_integer_value(json_object_get(reply, "under_way")));
}
