/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose IKE message is looked at first. A key exchange takes a thousand times as long as an answer to a peer that asks
 * whether we are there, and strangers may ask for one whenever they like. So what is cheap goes on to the engine as it
 * comes; what may cost a key exchange waits, and one of those is taken after each look at the sockets: exchanges that
 * have begun first, since their peers lose patience, then new ones in the order of their arrival. Nobody waits longer
 * than one key exchange but those who want one.
 *
 *     sockets --> ike_turn_of --- now ------------------------> ike_input
 *                     |--- begun --> queue -- one each turn --->   ^
 *                     '--- new ----> queue -- when that is empty --'
 *
 * What waits is bounded in number and bytes; beyond that the newest are dropped, and their peers send again.
 */
#pragma once

#include "ike/ike.h"

#include <event2/event.h>

struct admission;

enum {
	ADMISSION_WAITING_MAX = 4096, /* messages in each queue */
	ADMISSION_BYTES_MAX = 4 << 20,
};

struct admission_handler {
	void *context;
	enum ike_turn (*turn_of)(void *context, const uint8_t *message, size_t message_len);
	/* As of struct sockets_handler. */
	void (*input)(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
		const uint8_t *message, size_t message_len);
	void (*settle)(void *context);
};

/* NULL when there is no memory. */
struct admission *admission_new(struct event_base *base, const struct admission_handler *handler);
void admission_free(struct admission *admission);

/* One message from a socket. */
void admission_input(struct admission *admission, const struct endpoint *local, const struct endpoint *remote,
	bool floated, const uint8_t *message, size_t message_len);

/* How many wait, and how many were dropped since the start because too many did. */
size_t admission_waiting(const struct admission *admission);
uint64_t admission_dropped(const struct admission *admission);
