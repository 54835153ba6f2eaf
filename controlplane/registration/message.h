/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of a registration: one JSON object each, 1 to 64 KiB, behind a length of four bytes in network order
 * (channel.h). Both ways between text and plain structures, the same code for gateway and client. The schema is strict:
 * a field that is unknown, missing or of another type makes the message malformed, and so does a value out of range.
 * PROTOCOL.md says which message comes when.
 */
#pragma once

#include "config/config.h"
#include "tables/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	REGISTRATION_VERSION = 1,
	REGISTRATION_MESSAGE_MAX = 64 << 10, /* bytes of JSON */
	REGISTRATION_TOKEN_MAX = 47 << 10,   /* bytes of a GSS token: with base64 it fits a message */
	REGISTRATION_SESSION_LEN = 16,
	REGISTRATION_USER_LEN = 64, /* all with terminators */
	REGISTRATION_PASSWORD_LEN = 256,
	REGISTRATION_SOFTWARE_LEN = 64,
	REGISTRATION_SENTENCE_LEN = 512,
	REGISTRATION_PORTS_MAX = 16,
	REGISTRATION_WHY_LEN = 240,
};

enum registration_type {
	REGISTRATION_HELLO,	   /* client */
	REGISTRATION_OFFER,	   /* gateway */
	REGISTRATION_AUTHENTICATE, /* client */
	REGISTRATION_TOKEN,	   /* both */
	REGISTRATION_REFUSED,	   /* gateway */
	REGISTRATION_ACCEPTED,	   /* gateway */
	REGISTRATION_START,	   /* client */
	REGISTRATION_TYPES
};

/* Sets of methods and of transports are bits, 1 << value. The order is that of preference. */
enum registration_method {
	REGISTRATION_KERBEROS = CONFIG_METHOD_KERBEROS,
	REGISTRATION_CERTIFICATE = CONFIG_METHOD_CERTIFICATE,
	REGISTRATION_PASSWORD = CONFIG_METHOD_PASSWORD,
	REGISTRATION_METHODS = CONFIG_METHODS
};

enum registration_transport {
	REGISTRATION_UDP = CONFIG_TRANSPORT_UDP,
	REGISTRATION_TCP = CONFIG_TRANSPORT_TCP,
	REGISTRATION_TRANSPORTS = CONFIG_TRANSPORTS
};

enum registration_mechanism { REGISTRATION_KRB5, REGISTRATION_IAKERB, REGISTRATION_MECHANISMS };

/* Why the gateway refuses. One code stands for all failures of authentication. */
enum registration_code {
	REGISTRATION_AUTHENTICATION_FAILED,
	REGISTRATION_NOT_ALLOWED,
	REGISTRATION_NO_ADDRESS,
	REGISTRATION_OVERLAP,
	REGISTRATION_BUSY,
	REGISTRATION_MALFORMED,
	REGISTRATION_VERSION_UNKNOWN,
	REGISTRATION_TIMEOUT,
	REGISTRATION_CODES
};

/* As they stand in messages: "hello", "kerberos", "udp", "iakerb", "authentication_failed". */
extern const char *const registration_type_names[REGISTRATION_TYPES];
extern const char *const registration_method_names[REGISTRATION_METHODS + 1]; /* NULL at the end */
extern const char *const registration_transport_names[REGISTRATION_TRANSPORTS + 1];
extern const char *const registration_code_names[REGISTRATION_CODES];

struct registration_hello {
	uint32_t version;
	char software[REGISTRATION_SOFTWARE_LEN]; /* program and version */
	uint32_t methods, transports;		  /* what the client can and wants */
	struct endpoint dialed;			  /* what it dialed, before any port mapping */
	struct endpoint local;			  /* its own end */
	uint16_t udp_port;			  /* its UDP port for IKE and data, at `local`'s address; 0: none */
};

struct registration_offer {
	uint32_t version;
	uint32_t methods, transports;
	uint32_t clock; /* the gateway's: seconds of Unix time */
};

struct registration_authenticate {
	enum registration_method method;
	char user[REGISTRATION_USER_LEN]; /* of a password; else "" */
	char password[REGISTRATION_PASSWORD_LEN];
	enum registration_mechanism mechanism; /* of Kerberos, whose token is the message's */
};

struct registration_refused {
	enum registration_code code;
	char sentence[REGISTRATION_SENTENCE_LEN]; /* for the user */
};

struct registration_timers {
	uint32_t udp_wait;   /* seconds without UDP until the gateway dials */
	uint32_t dial_tries; /* of the gateway */
	uint32_t keepalive;  /* seconds between NAT keepalives; 0: none */
	uint32_t dpd;	     /* seconds of silence until the gateway is asked; 0: never */
};

struct registration_accepted {
	char identity[CONFIG_IDENTITY_LEN];	    /* whom the gateway takes the client for */
	char gateway_identity[CONFIG_IDENTITY_LEN]; /* its own in IKE (IDir) */
	uint8_t session[REGISTRATION_SESSION_LEN];  /* random; context of all keys (keys.h) */
	enum registration_transport transport;
	bool fallback;				/* without UDP the client may register for TCP */
	uint16_t ports[REGISTRATION_PORTS_MAX]; /* UDP ports to try after the one that was dialed */
	uint16_t n_ports;
	struct endpoint seen;		/* where the gateway sees the client's TCP connection come from */
	struct address virtual_address; /* of no family: none */
	struct address dns[CONFIG_DNS_MAX];
	uint16_t n_dns;
	struct prefix gateway_networks[CONFIG_NETWORKS_MAX]; /* behind the gateway; at least one */
	uint16_t n_gateway_networks;
	struct prefix client_networks[CONFIG_NETWORKS_MAX]; /* behind the client, its virtual address among them */
	uint16_t n_client_networks;
	struct registration_timers timers;
};

struct registration_message {
	enum registration_type type;
	union {
		struct registration_hello hello;
		struct registration_offer offer;
		struct registration_authenticate authenticate;
		struct registration_refused refused;
		struct registration_accepted accepted;
	};
	/* GSS's, of `authenticate`, `token` and (where it is the last one) `accepted`. NULL: none. Of a decoded message
	 * it is the message's own memory; of one to be encoded the caller's. */
	uint8_t *token;
	size_t token_len;
};

/*
 * The message as JSON text, in new memory that the caller wipes (it may hold a password) and frees. NULL with ENOMEM,
 * or with EINVAL where it can't be a message: a token that is too long, a text that is no UTF-8.
 */
char *message_encode(const struct registration_message *message, size_t *len);

/*
 * 0 with *out, which the caller clears with message_clear; -EINVAL with `why` (REGISTRATION_WHY_LEN bytes), a clause
 * that begins with a verb and never shows a value, as values can be secret; -ENOMEM.
 */
int message_decode(const char *text, size_t len, struct registration_message *out, char *why);

/* Wipes all of a decoded message and frees its token. */
void message_clear(struct registration_message *message);

/* `session` as messages and logs write it, into 2 * REGISTRATION_SESSION_LEN + 1 bytes; returns it. */
char *message_format_session(const uint8_t session[REGISTRATION_SESSION_LEN], char *text);

/* Has all memory wiped that the JSON library frees. Once, before its first use in the process. */
void message_wipe_json(void);
