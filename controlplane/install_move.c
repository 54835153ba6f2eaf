/* SPDX-License-Identifier: Apache-2.0 */
/* Where sessions go. Two sides say so: IKE through us, and the data plane, which follows packets by itself. */
#include "install.h"

static bool same_place(const struct place *a, const struct place *b)
{
	return a->encapsulation == b->encapsulation && endpoint_equal(&a->local, &b->local) &&
	       endpoint_equal(&a->remote, &b->remote);
}

/* What was asked for last. */
static struct place asked_place(const struct install *install, uint32_t session)
{
	const struct tables_session *record = &install->tables->sessions[session];

	return (struct place){.local = record->local, .remote = record->remote, .encapsulation = record->encapsulation};
}

bool install_session_move(struct install *install, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, enum tables_encapsulation encapsulation)
{
	struct place asked = asked_place(install, session), now = sessions_where(install->sessions, session);
	struct place next = {.local = *local, .remote = *remote, .encapsulation = encapsulation};

	if (encapsulation == TABLES_ENCAPSULATION_ESP)
		next.local.port = next.remote.port = 0;
	/* Unless it is on the way, what is in force counts: the peer may have moved since. */
	if (same_place(&next, &asked) && (install->sessions->sessions[session].n_moves > 0 || same_place(&next, &now)))
		return false;
	install->sessions->sessions[session].n_moves++;
	writer_session_move(install->writer, session, &next.local, &next.remote, encapsulation);
	return true;
}

enum tables_encapsulation install_place_of(const struct install *install, uint32_t session, struct endpoint *local)
{
	uint32_t now = install->tables->sessions[session].encapsulation;

	if (local->transport == ENDPOINT_TCP)
		return TABLES_ENCAPSULATION_STREAM;
	local->port = config_data_port(&install->config->ike, local->port);
	/* Out of a stream it goes in UDP: both are what passes a NAT. */
	return now == TABLES_ENCAPSULATION_STREAM ? TABLES_ENCAPSULATION_UDP : (enum tables_encapsulation)now;
}

bool install_session_follow(struct install *install, uint32_t session)
{
	struct place asked = asked_place(install, session), now = sessions_where(install->sessions, session);

	if (same_place(&asked, &now))
		return false;
	writer_session_follow(install->writer, session, &now);
	return true;
}

void install_move_done(struct install *install, const struct tables_event *event)
{
	struct session *session;

	if (event->index >= install->tables->n_sessions)
		return;
	session = &install->sessions->sessions[event->index];
	if (!session->peer || session->id != event->id)
		return;
	if (session->n_moves > 0)
		session->n_moves--;
	if (session->n_moves == 0)
		install_session_follow(install, event->index);
}

int install_connection_hold(struct install *install, uint32_t session, const struct endpoint *local,
	const struct endpoint *remote, uint32_t *connection)
{
	return writer_connection_hold(install->writer, session, local, remote, connection);
}

void install_connection_release(struct install *install, uint32_t connection)
{
	writer_connection_release(install->writer, connection);
}

void install_connection_follow(struct install *install, uint32_t connection, uint32_t session)
{
	struct place place = asked_place(install, session);

	writer_connection_follow(install->writer, connection, session);
	/* Where it goes already: with the move the data plane looks for its connection anew. */
	install->sessions->sessions[session].n_moves++;
	writer_session_move(install->writer, session, &place.local, &place.remote, place.encapsulation);
}

void install_connection_end(struct install *install, uint32_t connection, bool at_once)
{
	writer_connection_end(install->writer, connection, at_once);
}
