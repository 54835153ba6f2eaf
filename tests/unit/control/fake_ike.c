/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_ike.h"

#include <string.h>

struct fake_ike fake_ike;
static int engine; /* whose address stands for the engine */

struct ike *ike_new(const struct config *config, const struct ike_host *host)
{
	(void)config;
	(void)host;
	return (struct ike *)&engine;
}

void ike_free(struct ike *ike)
{
	(void)ike;
}

void ike_input(struct ike *ike, const struct endpoint *local, const struct endpoint *remote, bool floated,
	const uint8_t *datagram, size_t datagram_len)
{
	(void)ike;
	fake_ike.n_inputs++;
	fake_ike.input_local = *local;
	fake_ike.input_remote = *remote;
	fake_ike.input_floated = floated;
	fake_ike.input_len = datagram_len < sizeof(fake_ike.input) ? datagram_len : sizeof(fake_ike.input);
	memcpy(fake_ike.input, datagram, fake_ike.input_len);
}

void ike_job_run(struct ike_job *job)
{
	(void)job;
}

void ike_job_done(struct ike_job *job)
{
	(void)job;
}

uint64_t ike_run_timers(struct ike *ike)
{
	(void)ike;
	return UINT64_MAX;
}

int ike_child_rekey(struct ike *ike, uint32_t spi_in)
{
	(void)ike;
	fake_ike.rekeyed = spi_in;
	fake_ike.n_rekeyed++;
	return fake_ike.rekey_result;
}

int ike_child_delete(struct ike *ike, uint32_t spi_in)
{
	(void)ike;
	fake_ike.deleted = spi_in;
	fake_ike.n_deleted++;
	return fake_ike.delete_result;
}

int ike_identity_probe(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	(void)ike;
	(void)peer;
	(void)identity;
	fake_ike.n_probes++;
	return fake_ike.probe_result;
}

uint64_t ike_identity_heard(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	(void)ike;
	(void)peer;
	(void)identity;
	return fake_ike.heard_ms;
}

void ike_peer_follow(struct ike *ike, const struct config_peer *peer, const char *identity,
	const struct endpoint *local, const struct endpoint *remote)
{
	(void)ike;
	(void)peer;
	(void)identity;
	fake_ike.n_followed++;
	fake_ike.followed_local = *local;
	fake_ike.followed_remote = *remote;
}

size_t ike_peer_delete(struct ike *ike, const struct config_peer *peer, const char *identity)
{
	(void)ike;
	(void)peer;
	(void)identity;
	fake_ike.n_peer_deleted++;
	return fake_ike.peer_sas;
}

void ike_each(const struct ike *ike, void (*each)(void *context, const struct ike_sa_status *status), void *context)
{
	(void)ike;
	if (fake_ike.sa.id)
		each(context, &fake_ike.sa);
}

const char *ike_counter_name(enum ike_counter counter)
{
	static const char names[] = "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n";

	_Static_assert(sizeof(names) == 2 * IKE_COUNTER_COUNT, "one letter for each");
	return &names[2 * counter];
}

uint64_t ike_counter(const struct ike *ike, enum ike_counter counter)
{
	(void)ike;
	return counter + 100;
}

void ike_login_done(struct ike *ike, const struct ike_login_key *key, const char *user, const char *why)
{
	(void)ike;
	(void)key;
	(void)user;
	(void)why;
}

void ike_identity_keep_newest(struct ike *ike, const struct config_peer *peer, const char *identity, const char *why)
{
	(void)ike;
	(void)peer;
	(void)identity;
	(void)why;
	fake_ike.n_kept_newest++;
}

bool ike_peer_is_known(const struct ike *ike, const struct config_peer *peer, const char *identity)
{
	(void)ike;
	(void)peer;
	(void)identity;
	return false;
}

void ike_use_credentials(struct ike *ike, const struct credentials *credentials)
{
	(void)ike;
	(void)credentials;
}
