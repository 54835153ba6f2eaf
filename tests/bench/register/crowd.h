/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that register, so many of them at the same time. By Kerberos each has what sluice-connect has for it
 * (connect/ticket.h). An error of this side ends the process.
 */
#pragma once

#include "connect/ticket.h"
#include "plan.h"
#include "registration/client.h"

#include <stdint.h>
#include <time.h>

enum { LATENCIES_MAX = 1 << 20 };

struct crowd;

struct one {
	struct crowd *crowd;
	struct registration_client *client;
	struct ticket ticket;
	struct timespec began;
};

struct crowd {
	const struct plan *plan;
	struct registration_client_settings settings;
	struct config_kerberos_client kerberos;
	struct one *ones;
	size_t begun, done, failed, wanted; /* of this run */
	bool paced;			    /* one that ends is not followed by another at once */
	uint32_t *latencies_us;
};

/* Nobody has begun yet. `plan` must stay. */
void crowd_open(struct crowd *crowd, const struct plan *plan, const struct endpoint *gateway);

/* So many registrations: each that ends is followed by another. Returns when all have ended. */
void crowd_run(struct crowd *crowd, size_t wanted);

/* One more registration, of one that is free. */
void one_begin(struct one *one);

uint64_t crowd_since_us(const struct timespec *from);
