/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packet comes next on a queue: the sessions that it serves, one train each, and the mixture of sizes.
 */
#pragma once

#include "meter.h"
#include "template.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct peers;

/* What the queues of a device have in common. */
struct source_device {
	const struct arguments *arguments; /* must stay */
	struct rte_ether_addr mac;	   /* the gateway's address on it */
	uint16_t port;
	uint16_t n_queues;
	struct templates templates;	       /* queue 0: makes */
	atomic_bool ready;		       /* there are templates; queue 0: sets */
	struct peers *peers[METER_QUEUES_MAX]; /* where it sends TCP segments: those of the queue */
};

/* A session of the queue. */
struct turn_session {
	uint32_t session;
	uint32_t sequence; /* the last one given out */
};

struct turn {
	const struct source_device *device;
	const struct traffic *traffic;
	struct turn_session *sessions;
	uint32_t n_sessions;
	uint32_t at, left; /* in the list of sessions; of its train */
	uint32_t place;	   /* in the mixture of sizes */
};

/* For queue `number`, when the templates are there. 0 or -ENOMEM. */
int turn_make(struct turn *turn, const struct source_device *device, uint16_t number);
void turn_free(struct turn *turn);

/* Moves on by one packet. */
static inline const struct template_shape *turn_take(
	struct turn *turn, struct turn_session **session, const struct template_session **own)
{
	const struct source_device *device = turn->device;
	uint8_t shape = device->templates.shape_of[turn->place];

	*session = &turn->sessions[turn->at];
	*own = template_session(&device->templates, (*session)->session, shape);
	if (++turn->place == device->arguments->n_sizes)
		turn->place = 0;
	if (--turn->left == 0) {
		turn->left = device->arguments->train;
		if (++turn->at == turn->n_sessions)
			turn->at = 0;
	}
	return &device->templates.shapes[shape];
}

/* A fresh sequence number for a frame of a shape that is patched. */
static inline void turn_number(struct turn_session *session, const struct template_shape *shape, uint8_t *frame)
{
	uint32_t wire;

	session->sequence++;
	wire = rte_cpu_to_be_32(session->sequence);
	__builtin_memcpy(frame + shape->esp_at + 4, &wire, sizeof(wire));
	patch_apply(shape->patch, session->sequence, frame + shape->icv_at);
}
