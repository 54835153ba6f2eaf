/* SPDX-License-Identifier: Apache-2.0 */
#include "arguments.h"

#include "meter.h"
#include "tables/suite.h"

#include <rte_kvargs.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * "imix": seven small packets, four middling ones, one large, spread evenly; the usual mixture, in sizes that fit an
 * MTU of 1,500 bytes as ESP too.
 */
static const uint16_t imix[] = {64, 576, 64, 64, 576, 64, 64, 576, 64, 64, 576, 1420};

static int read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || number < min || number > max)
		return -EINVAL;
	*out = (uint32_t)number;
	return 0;
}

/* The place of `text` in a list of names that ends in NULL; -1: not in it. */
static int read_choice(const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

static int read_size(const char *text, struct arguments *out)
{
	uint32_t size;

	if (strcmp(text, "imix") == 0) {
		memcpy(out->sizes, imix, sizeof(imix));
		out->n_sizes = sizeof(imix) / sizeof(imix[0]);
		return 0;
	}
	if (read_number(text, ARGUMENTS_SIZE_MIN, ARGUMENTS_SIZE_MAX, &size) < 0)
		return -EINVAL;
	out->sizes[0] = (uint16_t)size;
	out->n_sizes = 1;
	return 0;
}

static int read_path(const char *text, char *out)
{
	return snprintf(out, PATH_MAX, "%s", text) < PATH_MAX ? 0 : -EINVAL;
}

static int read_name(const char *key, const char *value, struct arguments *out)
{
	static const char *const modes[] = {"sink", "out", "in", "peers", NULL};
	static const char *const tcps[] = {"no", "plain", "timestamps", NULL};
	static const char *const faults[] = {"none", "key", "silent", NULL};
	static const char *const steers[] = {"owner", "hash", NULL};
	int choice;

	if (strcmp(key, "mode") == 0)
		out->mode = (enum mode)(choice = read_choice(value, modes));
	else if (strcmp(key, "fault") == 0)
		out->fault = (enum fault)(choice = read_choice(value, faults));
	else if (strcmp(key, "tcp") == 0)
		out->tcp = (enum tcp)(choice = read_choice(value, tcps));
	else
		out->steer = (enum steer)(choice = read_choice(value, steers));
	return choice < 0 ? -EINVAL : 0;
}

static int read_one(const char *key, const char *value, struct arguments *out)
{
	uint32_t number;

	if (strcmp(key, "mode") == 0 || strcmp(key, "fault") == 0 || strcmp(key, "steer") == 0 ||
		strcmp(key, "tcp") == 0)
		return read_name(key, value, out);
	if (strcmp(key, "suite") == 0) {
		out->suite = esp_suite_find(value);
		return out->suite == ESP_SUITE_NONE ? -EINVAL : 0;
	}
	if (strcmp(key, "udp") == 0) {
		if (read_number(value, 0, UINT16_MAX, &number) < 0)
			return -EINVAL;
		out->udp = (uint16_t)number;
		return 0;
	}
	if (strcmp(key, "offload") == 0) {
		if (read_number(value, 0, 1, &number) < 0)
			return -EINVAL;
		out->offload = number;
		return 0;
	}
	if (strcmp(key, "acknowledge") == 0)
		return read_number(value, 1, 1000, &out->acknowledge);
	if (strcmp(key, "rtt") == 0)
		return read_number(value, 0, 100000, &out->rtt_us);
	if (strcmp(key, "size") == 0)
		return read_size(value, out);
	if (strcmp(key, "train") == 0)
		return read_number(value, 1, UINT16_MAX, &out->train);
	if (strcmp(key, "warm") == 0)
		return read_number(value, 0, 60000, &out->warm_ms);
	if (strcmp(key, "windows") == 0)
		return read_number(value, 1, METER_WINDOWS_MAX, &out->windows);
	if (strcmp(key, "sessions") == 0)
		return read_path(value, out->sessions);
	return strcmp(key, "result") == 0 ? read_path(value, out->result) : -EINVAL;
}

static int on_argument(const char *key, const char *value, void *context)
{
	int rc = value ? read_one(key, value, context) : -EINVAL;

	if (rc < 0)
		fprintf(stderr, "net_bench: %s=%s is not understood\n", key, value ? value : "");
	return rc;
}

int arguments_parse(const char *text, struct arguments *out)
{
	struct rte_kvargs *list = rte_kvargs_parse(text, NULL);
	int rc;

	*out = (struct arguments){.mode = MODE_SINK,
		.suite = ESP_AES128_GCM,
		.sizes = {64},
		.n_sizes = 1,
		.train = 1,
		.acknowledge = 2,
		.rtt_us = 200,
		.offload = true,
		.warm_ms = 300,
		.windows = 75};
	if (!list)
		return -EINVAL;
	rc = rte_kvargs_process(list, NULL, on_argument, out) < 0 ? -EINVAL : 0;
	if (rc == 0 && (out->mode == MODE_OUT || out->mode == MODE_IN) && (!out->sessions[0] || !out->result[0])) {
		fprintf(stderr, "net_bench: a device that sends needs sessions=FILE and result=FILE\n");
		rc = -EINVAL;
	}
	if (rc == 0 && out->mode == MODE_IN && out->tcp != TCP_NO && esp_suite_get(out->suite)->mode != ESP_MODE_GCM) {
		fprintf(stderr, "net_bench: streams are made of AES-GCM packets alone\n");
		rc = -EINVAL;
	}
	rte_kvargs_free(list);
	return rc;
}
