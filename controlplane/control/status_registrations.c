/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "clock.h"

static void put_registration(void *context, const struct registration *registration)
{
	char session[2 * REGISTRATION_SESSION_LEN + 1];
	json_t *networks = json_array();

	for (size_t i = 0; i < registration->n_networks; i++)
		json_array_append_new(networks, status_prefix(&registration->networks[i]));
	json_array_append_new(context,
		json_pack("{s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I}", "identity",
			status_text(registration->identity, CONFIG_IDENTITY_LEN), "peer", registration->peer->name,
			"session", message_format_session(registration->session, session), "method",
			registration_method_names[registration->method], "transport",
			registration_transport_names[registration->transport], "seen",
			status_endpoint(&registration->seen), "local", status_endpoint(&registration->local), "address",
			registration->address.family == ADDRESS_NONE ? json_string("")
								     : status_address(&registration->address),
			"networks", networks, "age_ms", (json_int_t)(clock_now_ms() - registration->accepted_ms),
			"ike_sa", (json_int_t)registration->ike_sa));
}

json_t *status_registrations(const struct gateway *gateway)
{
	const struct registrar *registrar = registrations_registrar(gateway->registrations);
	const struct registry *registry = registrations_registry(gateway->registrations);
	json_t *list = json_array();

	if (registry && list)
		registry_each(registry, put_registration, list);
	return json_pack("{s:b, s:I, s:o}", "listening", registrar != NULL, "under_way",
		(json_int_t)(registrar ? registrar_count(registrar) : 0), "registrations", list);
}

json_t *status_registration_counters(const struct gateway *gateway)
{
	const struct registrar *registrar = registrations_registrar(gateway->registrations);
	const struct registrar_counters *c = registrar ? registrar_counters(registrar) : NULL;
	const struct notices_counters *notices =
		registrar ? notices_counters(registrations_notices(gateway->registrations)) : NULL;
	json_t *object = json_object();

#define X(name)                                                                                                        \
	if (c)                                                                                                         \
		json_object_set_new(object, #name, json_integer((json_int_t)c->name));
	REGISTRAR_COUNTERS(X)
#undef X
#define X(name)                                                                                                        \
	if (notices)                                                                                                   \
		json_object_set_new(object, "notices_" #name, json_integer((json_int_t)notices->name));
	NOTICES_COUNTERS(X)
#undef X
	return object;
}
