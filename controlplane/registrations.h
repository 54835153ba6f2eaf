/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How registration (registration/registrar.h) meets the rest of sluiced: IKE asks here whose one-time identity it sees,
 * addresses come from the pools, what happens goes to log and timeline, and of two sessions of one identity the newest
 * stays. Opened after privileges are given up, where the configuration has ports for it.
 */
#pragma once

#include "ike/ike.h"
#include "registration/notices.h"
#include "registration/registrar.h"

struct gateway;
struct registrations;

/* NULL with errno. The gateway must stay; its engine may come later. */
struct registrations *registrations_new(struct gateway *gateway);

/* Listens from now on. 0, or negative errno after a line in the log. */
int registrations_listen(struct registrations *registrations);
void registrations_free(struct registrations *registrations);

/* All of the following allow NULL: nobody registers. */

/* Certificates that were read anew. 0; -EINVAL with a sentence in `why`. NULL is allowed. */
int registrations_use_credentials(
	struct registrations *registrations, const struct credentials *credentials, char why[TLS_WHY_LEN]);

/* Hooks of struct ike_host, see there. */
int registrations_find(struct registrations *registrations, const char *identity, struct ike_registered *out);
int registrations_take(struct registrations *registrations, uint64_t number, uint64_t ike_sa);

/* An IKE SA is gone. */
void registrations_ike_ended(struct registrations *registrations, uint64_t ike_sa);

/* Outbound traffic goes through a child SA of this IKE SA: what it replaces may go. */
void registrations_activated(struct registrations *registrations, uint64_t ike_sa);

/* Once a second; and after every callback of the loop, when the engine may be called. */
void registrations_tick(struct registrations *registrations, uint64_t now_ms);
void registrations_settle(struct registrations *registrations);

/* A datagram to a data port that notice_is_one. */
void registrations_notice(struct registrations *registrations, const struct endpoint *local,
	const struct endpoint *remote, const uint8_t *datagram, size_t len);

/* What UDP of a registration turned out to do. Where it doesn't get through, the registration ends. */
void registrations_udp_news(struct registrations *registrations, struct registration *registration,
	enum notices_news news, const char *sentence);

/* Runs what is due; milliseconds until the next call is needed, UINT64_MAX when nothing waits. */
uint64_t registrations_run_timers(struct registrations *registrations);

/*
 * The operator ends what is registered of a peer's entry or an identity (NULL: of any), and IKE has not come for: what
 * it has goes with its IKE SAs. Returns how many there were.
 */
size_t registrations_delete(struct registrations *registrations, const struct config_peer *peer, const char *identity);

/* Whether somebody is registered with this identity, so that its address must stay. */
bool registrations_hold(const struct registrations *registrations, const char *identity);

/*
 * Whether one of these networks of `identity` leads to somebody else at present; then who and which in `why`. The
 * configuration can't bring it about, but a session that outlived a change of it can.
 */
bool registrations_overlap(const struct registrations *registrations, const char *identity,
	const struct prefix *networks, size_t count, char why[GRANT_WHY_LEN]);

/* NULL where nobody registers. */
struct registry *registrations_registry(const struct registrations *registrations);
const struct registrar *registrations_registrar(const struct registrations *registrations);
const struct notices *registrations_notices(const struct registrations *registrations);
