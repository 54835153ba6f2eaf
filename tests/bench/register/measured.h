/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway that is measured: a registrar in a process of its own, with no sessions behind it. CPU time is the whole
 * process's: TLS, messages, helper threads, system calls.
 */
#pragma once

#include "plan.h"
#include "registration/registrar.h"

#include <stdint.h>

/* What it has to say of itself, through a pipe. */
struct account {
	uint16_t port;
	uint64_t cpu_us; /* since it was asked to begin */
	struct registrar_counters counters;
};

/*
 * Never returns. An account is written to `answer` when the port is open, and another one when something comes in at
 * `ask`, which is the end; but after 'b' the counting of CPU time begins.
 */
void gateway_run(const struct plan *plan, int ask, int answer) __attribute__((noreturn));
