/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between text and structures: each type there and back, and each way of being malformed. */
#include "registration/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ACCEPTED_HEAD                                                                                                  \
	"{\"type\":\"accepted\",\"identity\":\"anna\",\"gateway_identity\":\"hq.example\",\"transport\":\"udp\","         \
	"\"fallback\":true,\"seen\":{\"address\":\"198.51.100.7\",\"port\":50000},"                                      \
	"\"client_networks\":[\"10.0.0.0/8\"],\"timers\":{\"udp_wait\":20,\"dial_tries\":6,\"keepalive\":20,\"dpd\":10},"
#define SESSION "\"session\":\"000102030405060708090a0b0c0d0e0f\","

static struct endpoint endpoint(const char *address, uint16_t port)
{
	struct endpoint made = {.port = port};

	assert_int_equal(address_parse(address, &made.address), 0);
	return made;
}

static struct prefix network(const char *text)
{
	struct prefix made;

	assert_int_equal(prefix_parse(text, &made), 0);
	return made;
}

/* There and back, in memory of exactly that size: a byte read behind it is seen by the sanitizer. */
static void there_and_back(const struct registration_message *message, struct registration_message *back)
{
	char why[REGISTRATION_WHY_LEN];
	char *text, *copy;
	size_t len;

	text = message_encode(message, &len);
	assert_non_null(text);
	assert_true(len <= REGISTRATION_MESSAGE_MAX);
	copy = malloc(len);
	assert_non_null(copy);
	memcpy(copy, text, len);
	if (message_decode(copy, len, back, why) != 0)
		fail_msg("%.*s %s", (int)len, text, why);
	assert_int_equal(back->type, message->type);
	free(copy);
	free(text);
}

static void refused(const char *text, const char *part)
{
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN];

	if (message_decode(text, strlen(text), &message, why) == 0)
		fail_msg("taken: %s", text);
	if (!strstr(why, part))
		fail_msg("\"%s\" is not in \"%s\"", part, why);
	assert_null(message.token);
}

static void taken(const char *text)
{
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN];

	if (message_decode(text, strlen(text), &message, why) != 0)
		fail_msg("%s %s", text, why);
	message_clear(&message);
}

static void hello_and_offer(void **state)
{
	struct registration_message back, message = {.type = REGISTRATION_HELLO,
						.hello = {.version = 1,
							.software = "sluice-connect 0.1",
							.methods = 1 << REGISTRATION_KERBEROS | 1 << REGISTRATION_PASSWORD,
							.transports = 1 << REGISTRATION_TCP,
							.dialed = endpoint("203.0.113.1", 88),
							.local = endpoint("2001:db8::7", 40000),
							.udp_port = 4009}};

	(void)state;
	there_and_back(&message, &back);
	assert_memory_equal(&back.hello, &message.hello, sizeof(message.hello));
	message_clear(&back);
	message = (struct registration_message){
		.type = REGISTRATION_OFFER, .offer = {.version = 2, .methods = 7, .transports = 3, .clock = 1800000000}};
	there_and_back(&message, &back);
	assert_memory_equal(&back.offer, &message.offer, sizeof(message.offer));
	message_clear(&back);
}

static void proofs(void **state)
{
	static uint8_t token[REGISTRATION_TOKEN_MAX];
	struct registration_message back, message = {.type = REGISTRATION_AUTHENTICATE,
						.authenticate = {.method = REGISTRATION_PASSWORD,
							.user = "anna",
							.password = "p\xc3\xa4ss \"word\" \\ \xe2\x82\xac"}};

	(void)state;
	there_and_back(&message, &back);
	assert_memory_equal(&back.authenticate, &message.authenticate, sizeof(message.authenticate));
	message_clear(&back);
	message.authenticate = (struct registration_authenticate){.method = REGISTRATION_CERTIFICATE};
	there_and_back(&message, &back);
	assert_int_equal(back.authenticate.method, REGISTRATION_CERTIFICATE);
	message_clear(&back);
	message.authenticate = (struct registration_authenticate){
		.method = REGISTRATION_KERBEROS, .mechanism = REGISTRATION_IAKERB};
	for (size_t i = 0; i < sizeof(token); i++)
		token[i] = (uint8_t)(i * 7 + i / 256);
	message.token = token;
	/* Each kind of padding, and the longest. */
	for (size_t len = 1; len <= sizeof(token); len = len < 5 ? len + 1 : len < 6 ? sizeof(token) - 2 : len + 1) {
		message.token_len = len;
		there_and_back(&message, &back);
		assert_int_equal(back.authenticate.mechanism, REGISTRATION_IAKERB);
		assert_int_equal(back.token_len, len);
		assert_memory_equal(back.token, token, len);
		message_clear(&back);
	}
}

static void answers(void **state)
{
	static uint8_t token[] = {1, 2, 3, 4};
	struct registration_message back, message = {.type = REGISTRATION_TOKEN, .token = token, .token_len = 4};
	struct registration_accepted *accepted = &message.accepted;

	(void)state;
	there_and_back(&message, &back);
	assert_memory_equal(back.token, token, 4);
	message_clear(&back);
	message = (struct registration_message){.type = REGISTRATION_REFUSED,
		.refused = {.code = REGISTRATION_TIMEOUT, .sentence = "It took too long."}};
	there_and_back(&message, &back);
	assert_int_equal(back.refused.code, REGISTRATION_TIMEOUT);
	assert_string_equal(back.refused.sentence, "It took too long.");
	message_clear(&back);
	message = (struct registration_message){.type = REGISTRATION_ACCEPTED,
		.accepted = {.identity = "branch1@EXAMPLE.NET",
			.gateway_identity = "hq.example",
			.session = {0xde, 0xad, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 255},
			.transport = REGISTRATION_TCP,
			.fallback = true,
			.ports = {4500, 4009},
			.n_ports = 2,
			.seen = endpoint("198.51.100.7", 50000),
			.virtual_address = endpoint("10.99.0.7", 0).address,
			.dns = {endpoint("192.168.2.53", 0).address},
			.n_dns = 1,
			.gateway_networks = {network("192.168.2.0/24")},
			.n_gateway_networks = 1,
			.client_networks = {network("10.99.0.7/32"), network("192.168.1.0/24")},
			.n_client_networks = 2,
			.timers = {.udp_wait = 20, .dial_tries = 6, .keepalive = 20, .dpd = 10}}};
	there_and_back(&message, &back);
	assert_memory_equal(&back.accepted, accepted, sizeof(*accepted));
	assert_null(back.token);
	message_clear(&back);
	message.token = token;
	message.token_len = 3;
	accepted->virtual_address = (struct address){.family = ADDRESS_NONE};
	accepted->n_dns = 0;
	there_and_back(&message, &back);
	assert_int_equal(back.accepted.virtual_address.family, ADDRESS_NONE);
	assert_int_equal(back.token_len, 3);
	message_clear(&back);
	message = (struct registration_message){.type = REGISTRATION_START};
	there_and_back(&message, &back);
	message_clear(&back);
}

static void not_json(void **state)
{
	char text[] = "{\"type\":\"start\"}\0";
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN];

	(void)state;
	refused("", "is no JSON");
	refused("{\"type\":\"start\"", "is no JSON");
	refused("[]", "is no JSON object");
	refused("{\"type\":\"start\"}{\"type\":\"start\"}", "is no JSON");
	refused("{\"type\":\"start\",\"type\":\"start\"}", "is no JSON");
	refused("{\"type\":\"sta\\u0000rt\"}", "is no JSON");
	refused("{\"type\":\"\xff\"}", "is no JSON");
	assert_int_not_equal(message_decode(text, sizeof(text) - 1, &message, why), 0);
}

static void schema(void **state)
{
	(void)state;
	refused("{}", "\"type\"");
	refused("{\"type\":7}", "\"type\"");
	refused("{\"type\":\"greeting\"}", "\"type\"");
	refused("{\"type\":\"start\",\"more\":1}", "more");
	refused("{\"type\":\"offer\",\"version\":1,\"methods\":[]}", "transports");
	refused("{\"type\":\"offer\",\"version\":\"1\",\"methods\":[],\"transports\":[],\"clock\":1}", "integer");
	refused("{\"type\":\"offer\",\"version\":1.0,\"methods\":[],\"transports\":[],\"clock\":1}", "integer");
	refused("{\"type\":\"offer\",\"version\":-1,\"methods\":[],\"transports\":[],\"clock\":1}", "\"version\"");
	refused("{\"type\":\"offer\",\"version\":1,\"methods\":{},\"transports\":[],\"clock\":1}", "\"methods\"");
	refused("{\"type\":\"offer\",\"version\":1,\"methods\":[1],\"transports\":[],\"clock\":1}", "\"methods\"");
	taken("{\"type\":\"offer\",\"version\":1,\"methods\":[\"saml\"],\"transports\":[],\"clock\":1}");
	refused("{\"type\":\"authenticate\"}", "\"method\"");
	refused("{\"type\":\"authenticate\",\"method\":\"certificate\",\"user\":\"anna\"}", "user");
	refused("{\"type\":\"refused\",\"code\":\"why\",\"sentence\":\"x\"}", "\"code\"");
	refused("{\"type\":\"refused\",\"code\":\"busy\",\"sentence\":\"a\\nevent=forged\"}", "\"sentence\"");
}

static void tokens(void **state)
{
	static char text[REGISTRATION_MESSAGE_MAX + 64];
	size_t len = REGISTRATION_TOKEN_MAX / 3 * 4 + 4;

	(void)state;
	refused("{\"type\":\"token\",\"token\":\"\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"abc\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"a===\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"=aaa\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"aa=a\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"aa a\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":\"aaa\\n\"}", "\"token\"");
	refused("{\"type\":\"token\",\"token\":null}", "\"token\"");
	strcpy(text, "{\"type\":\"token\",\"token\":\"");
	memset(text + strlen(text), 'a', len);
	strcat(text, "\"}");
	refused(text, "\"token\"");
}

/* What stands in a message must not come to light where it is said what is wrong with it. */
static void secrets_stay(void **state)
{
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN], text[512];

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		snprintf(text, sizeof(text), "{\"type\":\"authenticate\",\"method\":\"password\",\"user\":\"anna\",\"password\":%s",
			kind == 0   ? "\"sesame\""
			: kind == 1 ? "[\"sesame\"]}"
				    : "\"sesame\\n\"}");
		assert_int_not_equal(message_decode(text, strlen(text), &message, why), 0);
		assert_null(strstr(why, "sesame"));
		assert_true(why[0]);
	}
	/* Nor may a stranger's field name write what it likes into a log. */
	refused("{\"type\":\"start\",\"a\\\"\\nb\":1}", "a??b");
}

static void values(void **state)
{
	(void)state;
	taken(ACCEPTED_HEAD SESSION "\"ports\":[],\"gateway_networks\":[\"0.0.0.0/0\"]}");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[0],\"gateway_networks\":[\"0.0.0.0/0\"]}", "\"ports\"");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[65536],\"gateway_networks\":[\"0.0.0.0/0\"]}", "\"ports\"");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[\"1\"],\"gateway_networks\":[\"0.0.0.0/0\"]}", "\"ports\"");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17],"
				      "\"gateway_networks\":[\"0.0.0.0/0\"]}",
		"\"ports\"");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[],\"gateway_networks\":[]}", "\"gateway_networks\"");
	refused(ACCEPTED_HEAD SESSION "\"ports\":[],\"gateway_networks\":[\"10.0.0.0/33\"]}", "\"gateway_networks\"");
	refused(ACCEPTED_HEAD SESSION
		"\"ports\":[],\"gateway_networks\":[\"0.0.0.0/0\"],\"virtual_address\":{\"address\":\"10.0.0.300\",\"dns\":[]}}",
		"\"address\"");
	refused(ACCEPTED_HEAD SESSION
		"\"ports\":[],\"gateway_networks\":[\"0.0.0.0/0\"],\"virtual_address\":{\"address\":\"10.0.0.3\"}}",
		"dns");
	refused(ACCEPTED_HEAD "\"session\":\"00010203\",\"ports\":[],\"gateway_networks\":[\"0.0.0.0/0\"]}", "\"session\"");
	refused(ACCEPTED_HEAD "\"session\":\"0001020304050607080g0a0b0c0d0e0f\",\"ports\":[],\"gateway_networks\":[\"0.0.0.0/"
			      "0\"]}",
		"\"session\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello_and_offer),
		cmocka_unit_test(proofs),
		cmocka_unit_test(answers),
		cmocka_unit_test(not_json),
		cmocka_unit_test(schema),
		cmocka_unit_test(tokens),
		cmocka_unit_test(secrets_stay),
		cmocka_unit_test(values),
	};

	message_wipe_json();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
