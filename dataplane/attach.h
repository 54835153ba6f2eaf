/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data plane's side of the hand-over (tables/share.h): one control plane at a time, and none at all is fine:
 * traffic of installed sessions goes on.
 */
#pragma once

#include "dataplane.h"

struct attach {
	struct dataplane *dataplane;
	int listener;
	int control; /* the connection; -1: no control plane */
	int poll;    /* epoll of the descriptors here */
	uid_t uid;   /* that may attach, beside root */
	struct {
		int changes, events; /* eventfds */
	} wake;
	char path[CONFIG_PATH_LEN];
};

/* Listens at RUNTIME_DIR/dataplane.sock. 0 or negative errno, logged. */
int attach_open(struct attach *attach, struct dataplane *dataplane);
void attach_close(struct attach *attach);

/* Sleeps at most that long, or until somebody asks for something; deals with attaching and its end. */
void attach_wait(struct attach *attach, int milliseconds);

/* Wakes the control plane when events wait. */
void attach_wake(struct attach *attach);
