/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Copies a JSON string that fits and has no zero byte in it. */
static int take_text(const json_t *value, char *out, size_t size)
{
	size_t len;

	if (!json_is_string(value))
		return -EINVAL;
	len = json_string_length(value);
	if (len == 0 || len >= size || strlen(json_string_value(value)) != len)
		return -EINVAL;
	memcpy(out, json_string_value(value), len + 1);
	return 0;
}

static int take_arguments(const json_t *list, struct control_request *out)
{
	if (!list)
		return 0;
	if (!json_is_array(list) || json_array_size(list) > REQUEST_ARGUMENTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (take_text(json_array_get(list, i), out->arguments[out->n_arguments++], REQUEST_ARGUMENT_LEN) < 0)
			return -EINVAL;
	return 0;
}

static int take_members(json_t *object, struct control_request *out, char error[REQUEST_ERROR_LEN])
{
	const char *key;
	json_t *value;

	if (!json_is_object(object)) {
		snprintf(error, REQUEST_ERROR_LEN, "a request is one JSON object");
		return -EINVAL;
	}
	json_object_foreach(object, key, value) {
		if (strcmp(key, "command") != 0 && strcmp(key, "arguments") != 0) {
			snprintf(error, REQUEST_ERROR_LEN, "a request has \"command\" and \"arguments\", not \"%.64s\"",
				key);
			return -EINVAL;
		}
	}
	if (take_text(json_object_get(object, "command"), out->command, sizeof(out->command)) < 0) {
		snprintf(error, REQUEST_ERROR_LEN, "\"command\" is a text of 1 to %d bytes", REQUEST_COMMAND_LEN - 1);
		return -EINVAL;
	}
	if (take_arguments(json_object_get(object, "arguments"), out) < 0) {
		snprintf(error, REQUEST_ERROR_LEN, "\"arguments\" is a list of at most %d texts of 1 to %d bytes",
			REQUEST_ARGUMENTS_MAX, REQUEST_ARGUMENT_LEN - 1);
		return -EINVAL;
	}
	return 0;
}

int request_parse(const char *text, size_t len, struct control_request *out, char error[REQUEST_ERROR_LEN])
{
	json_error_t where;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
	int rc;

	*out = (struct control_request){0};
	if (!object) {
		snprintf(error, REQUEST_ERROR_LEN, "this is no JSON: %.160s", where.text);
		return -EINVAL;
	}
	rc = take_members(object, out, error);
	json_decref(object);
	return rc;
}
