/* SPDX-License-Identifier: Apache-2.0 */
/* Why an exchange of phase 1 came to nothing, as one sentence for the one who administers this side. */
#pragma once

#include "ike/ike_sa.h"

/*
 * It ended because nothing came: what was waited for and how often we asked, what came instead, and otherwise the
 * likeliest reason. Into VERDICT_TEXT_LEN bytes; returns it.
 */
enum { VERDICT_TEXT_LEN = 1024 };
char *verdict_silent(const struct ike_sa *sa, char *text);

/*
 * An encrypted informational message came while the last message of phase 1 is waited for. Our keys are there: a peer
 * that has the same and gave up can be read, and the SA is gone then (true). What can't be read was sent after the last
 * message, which it overtook, or with other keys: it is to be held, and that is remembered (false).
 */
bool verdict_read_refusal(struct v1_message *message);

/* An informational message that nothing protects: anybody could have written it, so it is remembered and no more. */
void verdict_note_refusal(struct v1_message *message);
