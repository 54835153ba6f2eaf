/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events to the host, each with one sentence. Work without an SA too: most refusals happen before there is one.
 */
#pragma once

#include "ike/engine.h"
#include "ike/ike_sa.h"
#include "ike/v1.h"

void report_sa(const struct ike_sa *sa, enum ike_event_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* About a message that has no SA, or not its SA's addresses. Peer and identity may be NULL. */
void report_message(const struct v1_message *message, enum ike_event_kind kind, const struct config_peer *peer,
	const char *identity, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* What the vendor IDs of this message are, where it has any. */
void report_vendors(const struct v1_message *message);

/* About a party as such; its SA may be gone. */
void report_party(struct ike *ike, enum ike_event_kind kind, const struct party *party, uint64_t ike_sa,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
