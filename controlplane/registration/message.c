/* SPDX-License-Identifier: Apache-2.0 */
/* Which message has which fields: encoding and decoding of each type. Values of fields are message_fields.c's. */
#include "registration/message.h"

#include "registration/message_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const registration_type_names[REGISTRATION_TYPES] = {
	"hello", "offer", "authenticate", "token", "refused", "accepted", "start"};
const char *const registration_method_names[REGISTRATION_METHODS + 1] = {"kerberos", "certificate", "password", NULL};
const char *const registration_transport_names[REGISTRATION_TRANSPORTS + 1] = {"udp", "tcp", NULL};
const char *const registration_code_names[REGISTRATION_CODES] = {"authentication_failed", "not_allowed", "no_address",
	"overlap", "busy", "malformed", "version", "timeout"};

static const char *const mechanism_names[REGISTRATION_MECHANISMS] = {"krb5", "iakerb"};

static json_t *encode_hello(const struct registration_message *message)
{
	const struct registration_hello *hello = &message->hello;

	return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:i}", "type", "hello", "version", (int)hello->version,
		"software", hello->software, "methods", fields_names(registration_method_names, hello->methods),
		"transports", fields_names(registration_transport_names, hello->transports), "dialed",
		fields_endpoint(&hello->dialed), "local", fields_endpoint(&hello->local), "udp_port", hello->udp_port);
}

static json_t *encode_offer(const struct registration_message *message)
{
	const struct registration_offer *offer = &message->offer;

	return json_pack("{s:s, s:i, s:o, s:o, s:I}", "type", "offer", "version", (int)offer->version, "methods",
		fields_names(registration_method_names, offer->methods), "transports",
		fields_names(registration_transport_names, offer->transports), "clock", (json_int_t)offer->clock);
}

static json_t *encode_authenticate(const struct registration_message *message)
{
	const struct registration_authenticate *proof = &message->authenticate;
	const char *method = registration_method_names[proof->method];

	switch (proof->method) {
	case REGISTRATION_PASSWORD:
		return json_pack("{s:s, s:s, s:s, s:s}", "type", "authenticate", "method", method, "user", proof->user,
			"password", proof->password);
	case REGISTRATION_KERBEROS:
		return json_pack("{s:s, s:s, s:s, s:o}", "type", "authenticate", "method", method, "mechanism",
			mechanism_names[proof->mechanism], "token", fields_token(message->token, message->token_len));
	default: return json_pack("{s:s, s:s}", "type", "authenticate", "method", method);
	}
}

static json_t *encode_token(const struct registration_message *message)
{
	return json_pack("{s:s, s:o}", "type", "token", "token", fields_token(message->token, message->token_len));
}

static json_t *encode_refused(const struct registration_message *message)
{
	return json_pack("{s:s, s:s, s:s}", "type", "refused", "code", registration_code_names[message->refused.code],
		"sentence", message->refused.sentence);
}

static json_t *encode_accepted(const struct registration_message *message)
{
	const struct registration_accepted *accepted = &message->accepted;
	const struct registration_timers *timers = &accepted->timers;

	/* "*": a value that isn't there is left out. */
	return json_pack("{s:s, s:o*, s:s, s:s, s:o, s:s, s:b, s:o, s:o, s:o*, s:o, s:o, s:{s:i, s:i, s:i, s:i}}", "type",
		"accepted", "token", message->token ? fields_token(message->token, message->token_len) : NULL, "identity",
		accepted->identity, "gateway_identity", accepted->gateway_identity, "session",
		fields_session(accepted->session), "transport", registration_transport_names[accepted->transport],
		"fallback", (int)accepted->fallback, "ports", fields_ports(accepted->ports, accepted->n_ports), "seen",
		fields_endpoint(&accepted->seen), "virtual_address", fields_virtual_address(accepted),
		"gateway_networks", fields_networks(accepted->gateway_networks, accepted->n_gateway_networks),
		"client_networks", fields_networks(accepted->client_networks, accepted->n_client_networks), "timers",
		"udp_wait", (int)timers->udp_wait, "dial_tries", (int)timers->dial_tries, "keepalive",
		(int)timers->keepalive, "dpd", (int)timers->dpd);
}

static json_t *encode_start(const struct registration_message *message)
{
	(void)message;
	return json_pack("{s:s}", "type", "start");
}

char *message_encode(const struct registration_message *message, size_t *len)
{
	static json_t *(*const encoders[REGISTRATION_TYPES])(const struct registration_message *) = {encode_hello,
		encode_offer, encode_authenticate, encode_token, encode_refused, encode_accepted, encode_start};
	json_t *object = encoders[message->type](message);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (!text) {
		errno = EINVAL;
		return NULL;
	}
	*len = strlen(text);
	return text;
}

static bool decode_hello(struct fields *fields, json_t *object, struct registration_message *out)
{
	struct registration_hello *hello = &out->hello;
	json_t *software, *methods, *transports, *dialed, *local;
	json_int_t version, udp_port;

	return fields_unpack(fields, object, "{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:I}", "type", &fields->type, "version",
		       &version, "software", &software, "methods", &methods, "transports", &transports, "dialed", &dialed,
		       "local", &local, "udp_port", &udp_port) &&
	       fields_take_number(fields, "version", version, 0, UINT32_MAX, &hello->version) &&
	       fields_take_text(fields, "software", software, hello->software, sizeof(hello->software)) &&
	       fields_take_names(fields, "methods", methods, registration_method_names, &hello->methods) &&
	       fields_take_names(fields, "transports", transports, registration_transport_names, &hello->transports) &&
	       fields_take_endpoint(fields, "dialed", dialed, &hello->dialed) &&
	       fields_take_endpoint(fields, "local", local, &hello->local) &&
	       fields_take_port(fields, "udp_port", udp_port, 0, &hello->udp_port);
}

static bool decode_offer(struct fields *fields, json_t *object, struct registration_message *out)
{
	struct registration_offer *offer = &out->offer;
	json_t *methods, *transports;
	json_int_t version, clock;

	return fields_unpack(fields, object, "{s:s, s:I, s:o, s:o, s:I}", "type", &fields->type, "version", &version,
		       "methods", &methods, "transports", &transports, "clock", &clock) &&
	       fields_take_number(fields, "clock", clock, 0, UINT32_MAX, &offer->clock) &&
	       fields_take_number(fields, "version", version, 0, UINT32_MAX, &offer->version) &&
	       fields_take_names(fields, "methods", methods, registration_method_names, &offer->methods) &&
	       fields_take_names(fields, "transports", transports, registration_transport_names, &offer->transports);
}

static bool decode_password(struct fields *fields, json_t *object, struct registration_message *out)
{
	struct registration_authenticate *proof = &out->authenticate;
	json_t *user, *password;

	return fields_unpack(fields, object, "{s:s, s:s, s:o, s:o}", "type", &fields->type, "method", &fields->method,
		       "user", &user, "password", &password) &&
	       fields_take_text(fields, "user", user, proof->user, sizeof(proof->user)) &&
	       fields_take_text(fields, "password", password, proof->password, sizeof(proof->password));
}

static bool decode_kerberos(struct fields *fields, json_t *object, struct registration_message *out)
{
	json_t *token, *mechanism;
	unsigned choice = 0;

	if (!fields_unpack(fields, object, "{s:s, s:s, s:o, s:o}", "type", &fields->type, "method", &fields->method,
		    "mechanism", &mechanism, "token", &token) ||
		!fields_take_choice(fields, "mechanism", mechanism, mechanism_names, REGISTRATION_MECHANISMS, &choice))
		return false;
	out->authenticate.mechanism = choice;
	return fields_take_token(fields, token, out);
}

static bool decode_authenticate(struct fields *fields, json_t *object, struct registration_message *out)
{
	unsigned method = 0;

	if (!fields_take_choice(fields, "method", json_object_get(object, "method"), registration_method_names,
		    REGISTRATION_METHODS, &method))
		return false;
	out->authenticate.method = method;
	switch (out->authenticate.method) {
	case REGISTRATION_PASSWORD: return decode_password(fields, object, out);
	case REGISTRATION_KERBEROS: return decode_kerberos(fields, object, out);
	default:
		return fields_unpack(
			fields, object, "{s:s, s:s}", "type", &fields->type, "method", &fields->method);
	}
}

static bool decode_token(struct fields *fields, json_t *object, struct registration_message *out)
{
	json_t *token;

	return fields_unpack(fields, object, "{s:s, s:o}", "type", &fields->type, "token", &token) &&
	       fields_take_token(fields, token, out);
}

static bool decode_refused(struct fields *fields, json_t *object, struct registration_message *out)
{
	json_t *code, *sentence;
	unsigned choice = 0;

	if (!fields_unpack(fields, object, "{s:s, s:o, s:o}", "type", &fields->type, "code", &code, "sentence",
		    &sentence) ||
		!fields_take_choice(fields, "code", code, registration_code_names, REGISTRATION_CODES, &choice))
		return false;
	out->refused.code = choice;
	return fields_take_text(
		fields, "sentence", sentence, out->refused.sentence, sizeof(out->refused.sentence));
}

static bool decode_timers(struct fields *fields, json_t *object, struct registration_timers *timers)
{
	json_int_t udp_wait, dial_tries, keepalive, dpd;

	return fields_unpack(fields, object, "{s:I, s:I, s:I, s:I}", "udp_wait", &udp_wait, "dial_tries", &dial_tries,
		       "keepalive", &keepalive, "dpd", &dpd) &&
	       fields_take_number(fields, "udp_wait", udp_wait, 0, 3600, &timers->udp_wait) &&
	       fields_take_number(fields, "dial_tries", dial_tries, 0, 100, &timers->dial_tries) &&
	       fields_take_number(fields, "keepalive", keepalive, 0, 3600, &timers->keepalive) &&
	       fields_take_number(fields, "dpd", dpd, 0, 3600, &timers->dpd);
}

static bool decode_virtual_address(struct fields *fields, json_t *object, struct registration_accepted *accepted)
{
	json_t *address, *dns;

	return !object ||
	       (fields_unpack(fields, object, "{s:o, s:o}", "address", &address, "dns", &dns) &&
		       fields_take_address(fields, "address", address, &accepted->virtual_address) &&
		       fields_take_addresses(
			       fields, "dns", dns, accepted->dns, CONFIG_DNS_MAX, &accepted->n_dns));
}

static bool decode_accepted(struct fields *fields, json_t *object, struct registration_message *out)
{
	struct registration_accepted *accepted = &out->accepted;
	json_t *token = NULL, *identity, *gateway_identity, *session, *transport, *ports, *seen, *virtual_address = NULL,
	       *gateway_networks, *client_networks, *timers;
	unsigned choice = 0;
	int fallback;

	if (!fields_unpack(fields, object,
		    "{s:s, s?o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s?o, s:o, s:o, s:o}", "type", &fields->type, "token",
		    &token, "identity", &identity, "gateway_identity", &gateway_identity, "session", &session,
		    "transport", &transport, "fallback", &fallback, "ports", &ports, "seen", &seen, "virtual_address",
		    &virtual_address, "gateway_networks", &gateway_networks, "client_networks", &client_networks,
		    "timers", &timers) ||
		!fields_take_choice(fields, "transport", transport, registration_transport_names,
			REGISTRATION_TRANSPORTS, &choice))
		return false;
	accepted->transport = choice;
	accepted->fallback = fallback;
	return fields_take_text(fields, "identity", identity, accepted->identity, sizeof(accepted->identity)) &&
	       fields_take_text(fields, "gateway_identity", gateway_identity, accepted->gateway_identity,
		       sizeof(accepted->gateway_identity)) &&
	       fields_take_session(fields, session, accepted->session) &&
	       fields_take_ports(fields, ports, accepted->ports, &accepted->n_ports) &&
	       fields_take_endpoint(fields, "seen", seen, &accepted->seen) &&
	       decode_virtual_address(fields, virtual_address, accepted) &&
	       fields_take_networks(fields, "gateway_networks", gateway_networks, accepted->gateway_networks,
		       &accepted->n_gateway_networks) &&
	       fields_take_networks(fields, "client_networks", client_networks, accepted->client_networks,
		       &accepted->n_client_networks) &&
	       decode_timers(fields, timers, &accepted->timers) && (!token || fields_take_token(fields, token, out));
}

static bool decode_start(struct fields *fields, json_t *object, struct registration_message *out)
{
	(void)out;
	return fields_unpack(fields, object, "{s:s}", "type", &fields->type);
}

int message_decode(const char *text, size_t len, struct registration_message *out, char *why)
{
	static bool (*const decoders[REGISTRATION_TYPES])(struct fields *, json_t *, struct registration_message *) = {
		decode_hello, decode_offer, decode_authenticate, decode_token, decode_refused, decode_accepted,
		decode_start};
	struct fields fields = {.why = why};
	unsigned type = 0;
	json_t *object;
	bool good;

	memset(out, 0, sizeof(*out));
	why[0] = '\0';
	object = fields_parse(&fields, text, len);
	good = object && fields_take_choice(&fields, "type", json_object_get(object, "type"), registration_type_names,
				 REGISTRATION_TYPES, &type);
	out->type = type;
	good = good && decoders[type](&fields, object, out);
	json_decref(object);
	if (!good)
		message_clear(out);
	return good ? 0 : fields.no_memory ? -ENOMEM : -EINVAL;
}

void message_clear(struct registration_message *message)
{
	if (message->token)
		explicit_bzero(message->token, message->token_len);
	free(message->token);
	explicit_bzero(message, sizeof(*message));
}
