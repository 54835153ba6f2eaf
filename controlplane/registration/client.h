/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client of a registration: dials one TCP port, proves the gateway and then itself, and brings back what was
 * agreed on and the keys, or why not. One attempt, one state machine, one deadline, one end; it is a part of the event
 * loop and never waits. PROTOCOL.md has the messages.
 */
#pragma once

#include "registration/keys.h"
#include "registration/message.h"
#include "registration/tls.h"

#include <event2/event.h>

/* What kind of failure it was, the more telling the later: of several ports tried, the most telling one is told. */
enum registration_failure {
	REGISTRATION_SILENT,	  /* nothing came back */
	REGISTRATION_UNREACHABLE, /* there is no way, by this host or by ICMP */
	REGISTRATION_PORT_CLOSED, /* the SYN was answered with RST */
	REGISTRATION_RESET,	  /* the connection stood and was reset, or ended in the middle */
	REGISTRATION_STALLED,	  /* it stands, and the next message doesn't come */
	REGISTRATION_STRANGER,	  /* what answers isn't our protocol */
	REGISTRATION_UNSUITABLE,  /* gateway and client have no version, method or transport in common */
	REGISTRATION_BAD_CERTIFICATE,
	REGISTRATION_BAD_CLOCK,	   /* the certificate's dates don't fit this host's clock */
	REGISTRATION_NO_CREDENTIAL, /* what we would prove ourselves with is missing or of no use: no ticket */
	REGISTRATION_TURNED_DOWN,  /* the gateway said so: `code` */
	REGISTRATION_LOCAL,	   /* it is this host that can't */
};

enum { REGISTRATION_DETAIL_LEN = 640 };

struct registration_verdict {
	enum registration_failure failure;
	enum registration_code code;	      /* of TURNED_DOWN */
	enum registration_method method;      /* that was tried last */
	bool through_gateway;		      /* and by Kerberos: whether the KDC was asked through the gateway */
	int error;			      /* errno, where there is one */
	int64_t clock_ahead;		      /* seconds, of our clock to the gateway's; 0 while that is unknown */
	char detail[REGISTRATION_DETAIL_LEN]; /* a clause, or "" */
};

struct registration_client;

/* GSS-API's part, where Kerberos is among the methods. It answers from the event loop, not from within these calls. */
struct registration_gss {
	void *context;
	/* The first token is wanted, for a channel with this binding. 0 or negative errno. */
	int (*begin)(void *context, struct registration_client *client, const uint8_t binding[KEYS_CHANNEL_BINDING_LEN]);
	/* The gateway's token. 0 or negative errno. */
	int (*step)(void *context, const uint8_t *token, size_t token_len);
	/* The client ends: no more answers. */
	void (*end)(void *context);
};

struct registration_client_settings {
	struct event_base *base;
	struct tls_context *tls;
	const char *name; /* that the gateway's certificate must carry */
	const char *software;
	struct endpoint gateway; /* to dial */
	struct address local;	 /* to dial from */
	uint16_t udp_port;	 /* of ours, told to the gateway */
	uint32_t methods;	 /* bits of enum registration_method, at least one */
	uint32_t transports;
	const char *user, *password; /* where the password is among the methods */
	struct registration_gss gss;
	uint32_t patience_ms; /* for TCP's handshake, TLS's, and each answer */
};

/* What it points to is wiped when the client is freed. */
struct registration_result {
	const struct registration_accepted *accepted;
	const struct registration_keys *keys;
	enum registration_method method;
	int fd; /* transport TCP: the connection, without TLS now, the callee's; else -1 */
};

struct registration_handler {
	void *context;
	/* One of the two, once; the client may be freed in it, and must be afterwards. */
	void (*done)(void *context, const struct registration_result *result);
	void (*failed)(void *context, const struct registration_verdict *verdict);
};

/*
 * Begins. The texts, the TLS context and what `gss` has must stay until the client is freed. NULL with errno: there is
 * no memory; whatever else fails is told from the loop.
 */
struct registration_client *registration_client_new(
	const struct registration_client_settings *settings, const struct registration_handler *handler);

/* Ends it at any time, without a word. NULL is allowed. */
void registration_client_free(struct registration_client *client);

/*
 * GSS's answer: a token for the gateway (of no length: none) and whether that was the last of it, the gateway being
 * proven. `mechanism` counts for the first one.
 */
void registration_client_token(struct registration_client *client, const uint8_t *token, size_t token_len,
	bool is_complete, enum registration_mechanism mechanism);

/* GSS has failed on our side, for a reason of `failure`; another method is tried where there is one. */
void registration_client_gss_failed(
	struct registration_client *client, enum registration_failure failure, const char *why);
