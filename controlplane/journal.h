/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the IKE engine tells, as lines of the log: one event, one line, with peer, cookies and addresses. Lines that
 * strangers can cause are limited, each kind by itself, and the next one says how many were left out.
 */
#pragma once

#include "ike/ike.h"

void journal_ike_event(const struct ike_event *event);
