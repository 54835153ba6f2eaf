/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/dialog_state.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEAVE_SECONDS = 5 }; /* for the other side's part of the end */

void dialog_tell(struct dialog *dialog, enum timeline_what what, const char *text)
{
	dialog->told = dialog->told || what != TIMELINE_REGISTRATION;
	dialog->host->tell(dialog->host->context, &dialog->about, what, text);
}

void dialog_over(struct dialog *dialog)
{
	dialog->owner.over(dialog->owner.context);
}

static void dialog_set_timeout(struct dialog *dialog, uint32_t seconds)
{
	struct timeval timeout = {.tv_sec = seconds};

	event_add(dialog->timeout, &timeout);
}

void dialog_leave(struct dialog *dialog)
{
	dialog->state = DIALOG_LEAVING;
	channel_close(dialog->channel);
	dialog_set_timeout(dialog, LEAVE_SECONDS);
}

static void on_message(void *context, const char *text, size_t len)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;
	struct registration_message message;
	char why[REGISTRATION_WHY_LEN];
	int rc;

	if (dialog->state == DIALOG_LEAVING)
		return;
	rc = message_decode(text, len, &message, why);
	if (rc == 0) {
		dialog_take(dialog, &message);
		message_clear(&message);
	} else if (rc == -EINVAL) {
		dialog_refuse_malformed(dialog, why);
	} else {
		dialog_refuse_no_memory(dialog);
	}
	host->settle(host->context);
}

static void on_opened(void *context)
{
	struct dialog *dialog = context;

	dialog->state = DIALOG_HELLO;
	dialog_tell(dialog, TIMELINE_REGISTRATION, "connected by TCP, and TLS 1.3 is set up");
}

/* Both have said all: for TCP the connection goes on in other hands, otherwise it is closed. */
static void dialog_check_end(struct dialog *dialog)
{
	const struct registrar_host *host = dialog->host;
	struct registration *registration;

	if (dialog->state != DIALOG_LEAVING || !dialog->closed || !dialog->sent_all)
		return;
	registration = dialog->started ? registry_find(host->registry, dialog->registration.number) : NULL;
	if (registration && registration->transport == REGISTRATION_TCP) {
		int fd = channel_release(dialog->channel);

		dialog->channel = NULL;
		host->started(host->context, registration, fd);
	}
	dialog_over(dialog);
	host->settle(host->context);
}

static void on_closed(void *context)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;

	dialog->closed = true;
	if (dialog->state == DIALOG_LEAVING) {
		dialog_check_end(dialog);
		return;
	}
	dialog->counters->broken_off++;
	if (!dialog->told || dialog->state == DIALOG_START)
		dialog_tell(dialog, TIMELINE_UNREGISTERED, dialog_text_gone(dialog->state == DIALOG_START));
	dialog_over(dialog);
	host->settle(host->context);
}

static void on_sent_all(void *context)
{
	struct dialog *dialog = context;

	dialog->sent_all = true;
	/* Our FIN is the first. */
	if (!dialog->started || dialog->registration.transport == REGISTRATION_UDP)
		shutdown(dialog->fd, SHUT_WR);
	dialog_check_end(dialog);
}

/* Nothing to register: all that it needs is the connection. */
static void on_is_stream(void *context)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;
	int fd = channel_release(dialog->channel);

	dialog->channel = NULL;
	dialog->counters->streams++;
	dialog->told = true;
	host->is_stream(host->context, fd);
	dialog_over(dialog);
	host->settle(host->context);
}

static void on_failed(void *context, enum tls_failure failure, const char *reason)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;
	char why[DIALOG_TEXT_LEN];

	if (dialog->state != DIALOG_LEAVING) {
		if (failure == TLS_FAILURE_PROTOCOL && dialog->state == DIALOG_TLS)
			dialog->counters->tls_failed++;
		else if (failure == TLS_FAILURE_PROTOCOL)
			dialog->counters->malformed++;
		else
			dialog->counters->broken_off++;
		snprintf(why, sizeof(why), "%s%s",
			dialog->state == DIALOG_TLS ? "the TLS handshake came to nothing: " : "", reason);
		dialog_tell(dialog, TIMELINE_UNREGISTERED, why);
	}
	dialog_over(dialog);
	host->settle(host->context);
}

/* The exchange as a whole has its time, so it does not help to send a byte now and then. */
static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct dialog *dialog = context;
	const struct registrar_host *host = dialog->host;
	char text[DIALOG_TEXT_LEN];

	(void)fd;
	(void)what;
	if (dialog->state == DIALOG_LEAVING) {
		dialog_over(dialog);
	} else {
		dialog->counters->timed_out++;
		snprintf(text, sizeof(text), "not through within %u s (registration.timeout): %s",
			host->config->registration.timeout, dialog_text_waiting(dialog->state));
		if (dialog->state == DIALOG_TLS) {
			dialog_tell(dialog, TIMELINE_UNREGISTERED, text);
			dialog_over(dialog);
		} else {
			dialog_refuse(dialog, REGISTRATION_TIMEOUT, dialog_text_sentence(REGISTRATION_TIMEOUT), text);
		}
	}
	host->settle(host->context);
}

static int dialog_open(struct dialog *dialog, struct tls_context *context)
{
	struct channel_handler handler = {
		.context = dialog,
		.opened = on_opened,
		.message = on_message,
		.closed = on_closed,
		.sent_all = on_sent_all,
		.is_stream = dialog->host->is_stream ? on_is_stream : NULL,
		.failed = on_failed,
	};
	struct event_base *base = dialog->host->proof.base;
	struct tls *tls = tls_new(context, dialog->fd, NULL);

	dialog->timeout = evtimer_new(base, on_timeout, dialog);
	dialog->channel = tls && dialog->timeout ? channel_new(base, dialog->fd, tls, &handler) : NULL;
	if (!dialog->channel) {
		tls_free(tls);
		return -ENOMEM;
	}
	dialog_set_timeout(dialog, dialog->host->config->registration.timeout);
	return 0;
}

struct dialog *dialog_new(const struct dialog_owner *owner, const struct registrar_host *host, struct tls_context *tls,
	struct registrar_counters *counters, int fd, const struct endpoint *local, const struct endpoint *remote)
{
	struct dialog *dialog = calloc(1, sizeof(*dialog));
	struct registration *registration = dialog ? &dialog->registration : NULL;

	if (!dialog)
		goto fail;
	dialog->owner = *owner;
	dialog->host = host;
	dialog->counters = counters;
	dialog->fd = fd;
	registration->number = registry_number(host->registry);
	registration->local = *local;
	registration->seen = *remote;
	dialog->about = (struct timeline_registration){
		.number = registration->number, .session = registration->session, .local = *local, .remote = *remote};
	if (RAND_bytes(registration->session, sizeof(registration->session)) == 1 && dialog_open(dialog, tls) == 0)
		return dialog;
	if (dialog->timeout)
		event_free(dialog->timeout);
	free(dialog);
fail:
	close(fd);
	return NULL;
}

void dialog_free(struct dialog *dialog, const char *why)
{
	struct registration *registration =
		dialog->registered ? registry_find(dialog->host->registry, dialog->registration.number) : NULL;

	if (!dialog->told)
		dialog_tell(dialog, TIMELINE_UNREGISTERED, why);
	proof_end(dialog->proof);
	event_free(dialog->timeout);
	channel_free(dialog->channel);
	if (registration && !dialog->started)
		registry_end(dialog->host->registry, registration, dialog_text_gone(true));
	else if (!dialog->registered)
		dialog->host->over(dialog->host->context, &dialog->about);
	OPENSSL_cleanse(dialog, sizeof(*dialog));
	free(dialog);
}

bool dialog_waits(const struct dialog *dialog)
{
	return dialog->state == DIALOG_TLS || dialog->state == DIALOG_HELLO || dialog->state == DIALOG_AUTHENTICATE;
}
