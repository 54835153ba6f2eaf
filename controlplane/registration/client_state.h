/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the registration's client only: what it knows, and the seam between its connection (client.c) and what is said
 * over it (client_talk.c). */
#pragma once

#include "registration/channel.h"
#include "registration/client.h"

enum client_state {
	CLIENT_CONNECTING,    /* SYN is out */
	CLIENT_SHAKING,	      /* TLS */
	CLIENT_GREETED,	      /* hello is out */
	CLIENT_GSS,	      /* GSS computes the next token */
	CLIENT_AUTHENTICATED, /* all is said that we have to say */
	CLIENT_PROVING,	      /* accepted; GSS looks at the gateway's last token */
	CLIENT_STARTED,	      /* start is out, and our close_notify */
	CLIENT_ENDING,	      /* UDP: TLS is over, and the gateway's FIN is to come */
	CLIENT_OVER,	      /* the verdict is to be told, or was */
};

struct registration_client {
	enum client_state state;
	struct registration_client_settings settings;
	struct registration_handler handler;
	struct event *socket, *deadline;
	int fd;	   /* before the channel has it, and after */
	int error; /* why there is none */
	struct channel *channel;
	struct endpoint local;
	enum registration_method method;
	uint32_t methods; /* not yet tried in vain */
	bool gss_begun, gss_complete;
	unsigned gss_rounds;
	bool sent_all, closed; /* both ends of TLS */
	struct registration_accepted accepted;
	struct registration_keys keys;
	struct registration_verdict verdict;
};

/* Ends with a verdict, which is told from the loop: the client is still there when this returns. */
void client_fail(struct registration_client *client, enum registration_failure failure, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* From now on so long until it is given up. */
void client_wait(struct registration_client *client, uint32_t ms);

/* TLS stands: begins to talk. */
void client_say_hello(struct registration_client *client);
void client_take_message(struct registration_client *client, const char *text, size_t len);
