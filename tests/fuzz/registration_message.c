/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of registration, as strangers send them before and after they have proved anything: what is taken keeps to
 * its bounds and reads the same once it has been written; what is not has its clause.
 */
#include "registration/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* A text within its array, not empty, without control characters. */
static void check_text(const char *text, size_t size)
{
	check(text[0] && memchr(text, '\0', size));
}

static void check_accepted(const struct registration_accepted *accepted)
{
	check_text(accepted->identity, sizeof(accepted->identity));
	check_text(accepted->gateway_identity, sizeof(accepted->gateway_identity));
	check(accepted->transport < REGISTRATION_TRANSPORTS);
	check(accepted->n_ports <= REGISTRATION_PORTS_MAX && accepted->n_dns <= CONFIG_DNS_MAX);
	check(accepted->n_gateway_networks > 0 && accepted->n_gateway_networks <= CONFIG_NETWORKS_MAX);
	check(accepted->n_client_networks <= CONFIG_NETWORKS_MAX);
}

static void check_bounds(const struct registration_message *message)
{
	check(message->token_len <= REGISTRATION_TOKEN_MAX && !message->token == !message->token_len);
	switch (message->type) {
	case REGISTRATION_HELLO:
		check_text(message->hello.software, sizeof(message->hello.software));
		check(message->hello.methods < 1u << REGISTRATION_METHODS);
		check(message->hello.transports < 1u << REGISTRATION_TRANSPORTS);
		break;
	case REGISTRATION_AUTHENTICATE:
		check(message->authenticate.method < REGISTRATION_METHODS);
		if (message->authenticate.method == REGISTRATION_PASSWORD) {
			check_text(message->authenticate.user, REGISTRATION_USER_LEN);
			check_text(message->authenticate.password, REGISTRATION_PASSWORD_LEN);
		}
		check((message->authenticate.method == REGISTRATION_KERBEROS) == (message->token != NULL));
		break;
	case REGISTRATION_REFUSED:
		check(message->refused.code < REGISTRATION_CODES);
		check_text(message->refused.sentence, REGISTRATION_SENTENCE_LEN);
		break;
	case REGISTRATION_ACCEPTED: check_accepted(&message->accepted); break;
	default: check(message->type < REGISTRATION_TYPES);
	}
}

/* Written and read again it is the same text. */
static void check_round(const struct registration_message *message)
{
	struct registration_message again;
	char why[REGISTRATION_WHY_LEN], *first, *second;
	size_t first_len, second_len;

	first = message_encode(message, &first_len);
	check(first && first_len > 0 && first_len <= REGISTRATION_MESSAGE_MAX);
	check(message_decode(first, first_len, &again, why) == 0);
	second = message_encode(&again, &second_len);
	check(second && second_len == first_len && memcmp(first, second, first_len) == 0);
	message_clear(&again);
	free(first);
	free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN] = "";

	if (size > REGISTRATION_MESSAGE_MAX)
		return 0;
	if (message_decode((const char *)data, size, &message, why) < 0) {
		check_text(why, sizeof(why));
		return 0;
	}
	check_bounds(&message);
	check_round(&message);
	message_clear(&message);
	return 0;
}
