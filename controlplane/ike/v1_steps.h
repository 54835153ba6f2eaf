/* SPDX-License-Identifier: Apache-2.0 */
/* Inside v1*.c only: the steps on which messages of phase 1 and of what follows it meet. */
#pragma once

#include "ike/v1.h"

/* v1.c: the message ends here. It is counted and reported, with the IKE SA's peer if it has one. */
void v1_drop(struct v1_message *message, enum ike_counter counter, const char *why);

/* v1.c: opens a message and holds it against its row; false when it has been dropped. `iv` goes on with the chain. */
bool v1_admit(struct v1_message *message, const struct v1_row *row, uint8_t *iv);

/*
 * v1.c: has the message handled. What it answers is told with the number that it then has in its exchange, which
 * `messages` counts; NULL: it counts itself.
 */
enum v1_verdict v1_take(struct v1_message *message, const struct v1_row *row, uint8_t *messages);

/*
 * v1_phase2.c: one that belongs to an exchange under message->sa: row, key and IV are found, then nothing is done
 * before the hash is right.
 */
void v1_phase2(struct v1_message *message);
