/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions of a former control plane process that the data plane still serves: taken over when this one attaches, so
 * that traffic goes on and the operator sees them. No IKE SA knows them any more: they can't be renewed from here, and
 * end by their lifetime, by a new session of the same peer, or by the operator.
 */
#pragma once

#include "install.h"
#include "peers.h"

/*
 * Takes over what is LIVE and belongs to a configured peer, and removes what does not (install_open has removed what
 * was left halfway). Called once after install_open, before anything is installed. Returns how many sessions were
 * adopted.
 */
uint32_t adopt_all(struct install *install, const struct peers *peers);

/* Removes adopted child SAs whose time is over. `now` in Unix seconds. */
void adopt_expire(struct install *install, int64_t now);

/* The peer has forgotten what it had with us: removes its adopted child SAs. */
void adopt_forget(struct install *install, const struct config_peer *peer, const char *identity);
