/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of sluiced: those whose sessions stand come first. What strangers can cause in any number, and what
 * costs public-key arithmetic (the TLS of registration), runs in the background: a few callbacks at a time, between
 * which the loop looks whether anything else has come.
 */
#pragma once

#include <event2/event.h>

enum { LOOP_BACKGROUND_AT_ONCE = 4 };

/* NULL: no memory. */
struct event_base *loop_new(void);

/* Before the event is added. In a loop that was not made here it stays as it is. */
void loop_background(struct event *event);
