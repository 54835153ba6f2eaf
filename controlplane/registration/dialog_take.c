/* SPDX-License-Identifier: Apache-2.0 */
/* What the client says, and what is answered. */
#include "registration/dialog_state.h"

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dialog_refuse(struct dialog *dialog, enum registration_code code, const char *sentence, const char *why)
{
	struct registration_message refused = {.type = REGISTRATION_REFUSED, .refused.code = code};

	snprintf(refused.refused.sentence, sizeof(refused.refused.sentence), "%s", sentence);
	proof_end(dialog->proof);
	dialog->proof = NULL;
	dialog_tell(dialog, TIMELINE_UNREGISTERED, why);
	if (channel_send_message(dialog->channel, &refused) == 0)
		dialog_leave(dialog);
	else
		dialog_over(dialog);
}

void dialog_refuse_no_memory(struct dialog *dialog)
{
	dialog->counters->busy++;
	dialog_refuse(dialog, REGISTRATION_BUSY, dialog_text_sentence(REGISTRATION_BUSY),
		"there is no memory or no randomness for it");
}

void dialog_refuse_malformed(struct dialog *dialog, const char *what)
{
	char why[REGISTRATION_WHY_LEN + 64];

	snprintf(why, sizeof(why), "the client's message is malformed: it %s", what);
	dialog->counters->malformed++;
	dialog_refuse(dialog, REGISTRATION_MALFORMED, why, why);
}

static void dialog_take_hello(struct dialog *dialog, const struct registration_hello *hello)
{
	const struct config_registration *config = &dialog->host->config->registration;
	uint32_t methods = dialog_text_bits(config->methods, config->n_methods);
	uint32_t transports = dialog_text_bits(config->transports, config->n_transports);
	struct registration_message offer = {.type = REGISTRATION_OFFER};
	char text[DIALOG_TEXT_LEN];

	dialog_tell(dialog, TIMELINE_REGISTRATION, dialog_text_hello(hello, text));
	dialog->registration.own = hello->local;
	dialog->registration.udp_port = hello->udp_port;
	if (hello->version != REGISTRATION_VERSION) {
		dialog->counters->malformed++;
		snprintf(text, sizeof(text), "version %u of registration was offered, version %d is spoken here",
			hello->version, REGISTRATION_VERSION);
		dialog_refuse(dialog, REGISTRATION_VERSION_UNKNOWN, text, text);
		return;
	}
	/* The client sees it in the offer, and says it in its own words; whatever it goes by is refused. */
	if (!(hello->methods & methods) || !(hello->transports & transports)) {
		dialog->counters->not_allowed++;
		dialog_tell(
			dialog, TIMELINE_UNREGISTERED, dialog_text_nothing_in_common(hello, methods, transports, text));
	} else {
		dialog->methods = methods;
	}
	/* Of the transports that both can, the one that our configuration likes best. */
	for (size_t i = config->n_transports; i-- > 0;)
		if (hello->transports & 1u << config->transports[i])
			dialog->registration.transport = (enum registration_transport)config->transports[i];
	dialog->registration.fallback = dialog->registration.transport == REGISTRATION_UDP && config->fallback &&
					(transports & 1u << REGISTRATION_TCP);
	offer.offer = (struct registration_offer){.version = REGISTRATION_VERSION,
		.methods = methods,
		.transports = transports,
		.clock = (uint32_t)clock_unix()};
	if (channel_send_message(dialog->channel, &offer) < 0)
		dialog_refuse_no_memory(dialog);
	else
		dialog->state = DIALOG_AUTHENTICATE;
}

static void on_proof(void *context, const struct proof_answer *answer);

static void dialog_take_authenticate(struct dialog *dialog, const struct registration_message *message)
{
	const struct registration_authenticate *authenticate = &message->authenticate;
	char text[DIALOG_TEXT_LEN];

	dialog_text_claim(authenticate->user, dialog->claimed);
	dialog->about.identity = dialog->claimed[0] ? dialog->claimed : NULL;
	dialog_tell(dialog, TIMELINE_REGISTRATION, dialog_text_authenticate(authenticate, dialog->claimed, text));
	dialog->registration.method = authenticate->method;
	if (!(dialog->methods & 1u << authenticate->method)) {
		dialog->counters->not_allowed++;
		dialog_refuse(dialog, REGISTRATION_NOT_ALLOWED, "this method was not offered",
			"the client chose a method that was not offered");
		return;
	}
	dialog->state = DIALOG_PROVING;
	dialog->proof = proof_begin(&dialog->host->proof, message, channel_tls(dialog->channel),
		&dialog->registration.seen.address, on_proof, dialog);
	if (dialog->proof)
		return;
	dialog->counters->busy++;
	snprintf(text, sizeof(text), "the client can't be authenticated now: %s",
		errno == EBUSY ? "too many others are being" : strerror(errno));
	dialog_refuse(dialog, REGISTRATION_BUSY, dialog_text_sentence(REGISTRATION_BUSY), text);
}

static void dialog_take_token(struct dialog *dialog, const struct registration_message *message)
{
	int rc = proof_step(dialog->proof, message->token, message->token_len);

	dialog->state = DIALOG_PROVING;
	if (rc == 0)
		return;
	dialog->counters->busy += rc != -EPROTO;
	if (rc == -EPROTO)
		dialog_refuse_malformed(dialog, "has a token, which this method does not know");
	else
		dialog_refuse(dialog, REGISTRATION_BUSY, dialog_text_sentence(REGISTRATION_BUSY), strerror(-rc));
}

/* Of one identity only the newest goes on: what IKE has not used yet is over, what it has goes when ours is used. */
static void dialog_replace(struct dialog *dialog)
{
	struct registry *registry = dialog->host->registry;
	struct registration *other;
	char from[ENDPOINT_TEXT_LEN], text[DIALOG_TEXT_LEN];

	while ((other = registry_other(registry, &dialog->registration)) && other->ike_sa == 0) {
		snprintf(text, sizeof(text), "takes the place of the registration from %s, which IKE had not used yet",
			endpoint_format(&other->seen, from));
		dialog_tell(dialog, TIMELINE_REGISTRATION, text);
		snprintf(text, sizeof(text),
			"the same identity has registered again, from %s: the newest wins, and this one is over",
			endpoint_format(&dialog->registration.seen, from));
		registry_end(registry, other, text);
	}
}

/* Everything is there: keys, registry, and the answer. 0 or negative errno. */
static int dialog_accept(struct dialog *dialog, const struct proof_answer *answer)
{
	struct registration *registration = &dialog->registration;
	struct registration_message accepted = {.type = REGISTRATION_ACCEPTED};
	int rc = keys_derive(channel_tls(dialog->channel), registration->session, &registration->keys);

	if (rc < 0)
		return rc;
	dialog_replace(dialog);
	if (!registry_add(dialog->host->registry, registration, clock_now_ms()))
		return -errno;
	explicit_bzero(&registration->keys, sizeof(registration->keys));
	dialog->registered = true;
	dialog_text_accepted(dialog->host->config, registration, &dialog->grant, &accepted.accepted);
	accepted.token_len = answer->token_len;
	accepted.token = answer->token ? malloc(answer->token_len) : NULL;
	if (answer->token && !accepted.token)
		return -ENOMEM;
	if (answer->token)
		memcpy(accepted.token, answer->token, answer->token_len);
	rc = channel_send_message(dialog->channel, &accepted);
	free(accepted.token);
	return rc;
}

static void dialog_grant(struct dialog *dialog, const struct proof_answer *answer)
{
	struct registration *registration = &dialog->registration;
	char why[GRANT_WHY_LEN], text[DIALOG_TEXT_LEN];
	enum registration_code code;
	int rc;

	snprintf(registration->identity, sizeof(registration->identity), "%s", answer->identity);
	dialog->about.identity = registration->identity;
	rc = grant_make(&dialog->host->grant, answer->group, registration, &dialog->grant, &code, why);
	dialog->about.peer = registration->peer;
	if (rc < 0) {
		dialog->counters->not_allowed++;
		dialog_refuse(dialog, code, dialog_text_sentence(code), why);
		return;
	}
	if (dialog_accept(dialog, answer) < 0) {
		dialog_refuse_no_memory(dialog);
		return;
	}
	proof_end(dialog->proof);
	dialog->proof = NULL;
	dialog->state = DIALOG_START;
	(*(registration->method == REGISTRATION_KERBEROS	   ? &dialog->counters->accepted_kerberos
		: registration->method == REGISTRATION_CERTIFICATE ? &dialog->counters->accepted_certificate
								   : &dialog->counters->accepted_password))++;
	dialog_tell(dialog, TIMELINE_REGISTERED, dialog_text_registered(dialog->host->config, registration, text));
}

static void on_proof(void *context, const struct proof_answer *answer)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;
	struct registration_message token = {.type = REGISTRATION_TOKEN, .token_len = answer->token_len};

	if (answer->said[0])
		dialog_tell(dialog, TIMELINE_REGISTRATION, answer->said);
	if (answer->why[0]) {
		dialog->counters->not_authenticated++;
		dialog_refuse(dialog, REGISTRATION_AUTHENTICATION_FAILED,
			dialog_text_sentence(REGISTRATION_AUTHENTICATION_FAILED), answer->why);
	} else if (answer->more) {
		token.token = (uint8_t *)answer->token;
		if (channel_send_message(dialog->channel, &token) < 0)
			dialog_refuse_no_memory(dialog);
		else
			dialog->state = DIALOG_TOKEN;
	} else {
		dialog_grant(dialog, answer);
	}
	host->settle(host->context);
}

/* The client has all that it needs. For UDP we end the connection, and first; for TCP it goes on without TLS. */
static void dialog_take_start(struct dialog *dialog)
{
	struct registration *registration = registry_find(dialog->host->registry, dialog->registration.number);

	dialog->started = registration;
	if (registration && registration->transport == REGISTRATION_UDP)
		dialog->host->started(dialog->host->context, registration, -1);
	dialog_leave(dialog);
}

void dialog_take(struct dialog *dialog, const struct registration_message *message)
{
	if (dialog->state == DIALOG_HELLO && message->type == REGISTRATION_HELLO)
		dialog_take_hello(dialog, &message->hello);
	else if (dialog->state == DIALOG_AUTHENTICATE && message->type == REGISTRATION_AUTHENTICATE)
		dialog_take_authenticate(dialog, message);
	else if (dialog->state == DIALOG_TOKEN && message->type == REGISTRATION_TOKEN)
		dialog_take_token(dialog, message);
	else if (dialog->state == DIALOG_START && message->type == REGISTRATION_START)
		dialog_take_start(dialog);
	else
		dialog_refuse_malformed(dialog, "is not one that may come at this place");
}
