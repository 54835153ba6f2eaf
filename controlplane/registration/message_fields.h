/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of a registration message's fields, from and to JSON. Making returns a new value, or NULL where there is no
 * memory, which json_pack passes on. Taking stores a value that was checked, or says in `why` what is wrong with the
 * field; the value itself is never shown, as it may be a secret.
 */
#pragma once

#include "registration/message.h"

#include <jansson.h>

struct fields {
	char *why; /* REGISTRATION_WHY_LEN bytes */
	bool no_memory;
	const char *type, *method; /* of the object at hand, as json_unpack wants a place for each field */
};

json_t *fields_names(const char *const *names, uint32_t bits);
json_t *fields_endpoint(const struct endpoint *endpoint);
json_t *fields_ports(const uint16_t *ports, size_t count);
json_t *fields_networks(const struct prefix *networks, size_t count);
json_t *fields_session(const uint8_t *session);
json_t *fields_token(const uint8_t *token, size_t len);
json_t *fields_virtual_address(const struct registration_accepted *accepted); /* NULL where there is none, too */

/* The text as an object, which the caller releases; NULL: it is none. */
json_t *fields_parse(struct fields *fields, const char *text, size_t len);

/* json_unpack, strictly: the object has these fields and no other. */
bool fields_unpack(struct fields *fields, json_t *object, const char *format, ...);

bool fields_take_number(struct fields *fields, const char *name, json_int_t value, json_int_t min, json_int_t max,
	uint32_t *out);
bool fields_take_port(struct fields *fields, const char *name, json_int_t value, json_int_t min, uint16_t *out);
bool fields_take_text(struct fields *fields, const char *name, json_t *value, char *out, size_t size);
bool fields_take_choice(struct fields *fields, const char *name, json_t *value, const char *const *names, unsigned count,
	unsigned *out);
/* Names that nobody here knows are passed over: a newer peer may have more. */
bool fields_take_names(
	struct fields *fields, const char *name, json_t *value, const char *const *names, uint32_t *bits);
bool fields_take_address(struct fields *fields, const char *name, json_t *value, struct address *out);
bool fields_take_addresses(struct fields *fields, const char *name, json_t *value, struct address *out, size_t max,
	uint16_t *count);
bool fields_take_endpoint(struct fields *fields, const char *name, json_t *value, struct endpoint *out);
bool fields_take_ports(struct fields *fields, json_t *value, uint16_t *ports, uint16_t *count);
bool fields_take_networks(
	struct fields *fields, const char *name, json_t *value, struct prefix *networks, uint16_t *count);
bool fields_take_session(struct fields *fields, json_t *value, uint8_t *session);
bool fields_take_token(struct fields *fields, json_t *value, struct registration_message *out);
