/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluiced's answers as a person reads them. Each function prints one view of a reply to `out`; `wide` asks for what is
 * left out otherwise (child SAs under sessions, counters that are zero, instructions that were not chosen).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

void show_sessions(const json_t *reply, bool wide, FILE *out);
void show_sas(const json_t *reply, bool wide, FILE *out);
void show_ike(const json_t *reply, bool wide, FILE *out);
void show_counters(const json_t *reply, bool wide, FILE *out);
void show_workers(const json_t *reply, bool wide, FILE *out);
void show_crypto(const json_t *reply, bool wide, FILE *out);
void show_leases(const json_t *reply, bool wide, FILE *out);
void show_registrations(const json_t *reply, bool wide, FILE *out);
void show_net(const json_t *reply, bool wide, FILE *out);
