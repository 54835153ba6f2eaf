/* SPDX-License-Identifier: Apache-2.0 */
#include "install.h"

#include "clock.h"
#include "config/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	SOFT_PERCENT = 80,	   /* of a limit: negotiate the successor */
	SEQUENCE_MARGIN = 1 << 16, /* numbers that bursts under way may still take */
};

int install_open(struct install *install, const struct config *config, struct tables *tables, int changes_fd)
{
	*install = (struct install){.config = config, .tables = tables};
	install->writer = writer_new(tables, changes_fd);
	install->sessions = sessions_new(tables);
	if (!install->writer || !install->sessions) {
		install_close(install);
		return -ENOMEM;
	}
	return 0;
}

void install_close(struct install *install)
{
	if (install->writer)
		writer_flush(install->writer);
	writer_free(install->writer);
	sessions_free(install->sessions);
	*install = (struct install){0};
}

int install_spi_reserve(struct install *install, uint32_t *spi_in)
{
	uint32_t index;
	int rc = writer_child_claim(install->writer, &index, spi_in);

	if (rc < 0)
		return rc;
	sessions_child_reserve(install->sessions, index);
	return 0;
}

void install_spi_release(struct install *install, uint32_t spi_in)
{
	uint32_t index = sessions_child_find(install->sessions, spi_in);

	if (index == TABLES_NONE || install->sessions->children[index].session != TABLES_NONE)
		return;
	sessions_child_drop(install->sessions, index);
	writer_child_unclaim(install->writer, index);
}

/* The data's endpoints from those of IKE: RFC 3948 data shares IKE's ports, bare ESP has none. */
static void outer_endpoints(
	const struct install *install, const struct ike_child *child, struct endpoint *local, struct endpoint *remote)
{
	*local = child->local;
	*remote = child->remote;
	if (local->transport == ENDPOINT_TCP)
		return;
	local->port = child->udp_encapsulation ? config_data_port(&install->config->ike, local->port) : 0;
	remote->port = child->udp_encapsulation ? remote->port : 0;
}

/* A stream carries whatever was agreed on. */
static enum tables_encapsulation child_encapsulation(const struct ike_child *child)
{
	if (child->local.transport == ENDPOINT_TCP)
		return TABLES_ENCAPSULATION_STREAM;
	return child->udp_encapsulation ? TABLES_ENCAPSULATION_UDP : TABLES_ENCAPSULATION_ESP;
}

static int session_begin(struct install *install, const struct ike_child *child, uint32_t *index)
{
	struct tables_session values = {
		.encapsulation = child_encapsulation(child),
		.established_at = clock_unix(),
	};
	int rc;

	outer_endpoints(install, child, &values.local, &values.remote);
	snprintf(values.peer, sizeof(values.peer), "%s", child->peer->name);
	snprintf(values.identity, sizeof(values.identity), "%s", child->identity);
	rc = writer_session_claim(install->writer, &values, index);
	if (rc < 0)
		return rc;
	sessions_add(install->sessions, *index, child->peer, child->identity);
	return 0;
}

/* RFC 4303 section 3.3.3: the last one, 2^32 - 1 without extended numbers and 2^64 - 1 with them, must never wrap. */
static uint64_t last_number(const struct ike_child *child)
{
	return child->extended ? UINT64_MAX : UINT32_MAX;
}

static uint64_t soft_of(uint64_t hard)
{
	return hard / 100 * SOFT_PERCENT + hard % 100 * SOFT_PERCENT / 100;
}

/* In transport mode our host is known by its own address, whatever the peer calls it through our NAT. */
static struct prefix our_network(const struct ike_child *child)
{
	return child->transport && child->we_behind_nat ? prefix_make(&child->local.address, 32) : child->local_network;
}

static struct tables_child child_values(const struct install *install, const struct ike_child *child, uint32_t session)
{
	uint32_t window = install->config->dataplane.replay_window;
	int64_t now = clock_unix();

	return (struct tables_child){
		.session = session,
		.spi_out = child->spi_out,
		.suite = child->suite,
		.replay_window = window < install->tables->replay_window ? window : install->tables->replay_window,
		.mode = child->transport ? TABLES_TRANSPORT : TABLES_TUNNEL,
		.extended = child->extended,
		.tunnel = child->peer->tunnel,
		.local_network = our_network(child),
		.remote_network = child->remote_network,
		.soft_bytes = soft_of(child->lifetime_bytes),
		.hard_bytes = child->lifetime_bytes,
		.soft_packets = soft_of(last_number(child)),
		.hard_packets = last_number(child) - SEQUENCE_MARGIN,
		.installed_at = now,
		/* Not before IKE's own clock says so, and the present second has begun already. */
		.expires_at = now + child->lifetime + 1,
	};
}

static void log_child(const struct install *install, uint32_t index, const char *what)
{
	const struct session_child *child = &install->sessions->children[index];
	const struct tables_child *record = &install->tables->children[index];
	const struct session *session = &install->sessions->sessions[child->session];
	const struct esp_suite *suite = esp_suite_get(record->suite);
	char local[PREFIX_TEXT_LEN], remote[PREFIX_TEXT_LEN];

	log_info("event=child_%s session=%" PRIu64
		 " peer=%s identity=\"%s\" spi_in=%08x spi_out=%08x suite=%s mode=%s esn=%s local=%s remote=%s",
		what, session->id, session->peer->name, session->identity, child->spi_in, record->spi_out,
		suite ? suite->name : "unknown", record->mode == TABLES_TRANSPORT ? "transport" : "tunnel",
		record->extended ? "yes" : "no", prefix_format(&record->local_network, local),
		prefix_format(&record->remote_network, remote));
}

const char *install_encapsulation_name(uint32_t encapsulation)
{
	switch (encapsulation) {
	case TABLES_ENCAPSULATION_UDP: return "udp";
	case TABLES_ENCAPSULATION_STREAM: return "tcp";
	default: return "esp";
	}
}

static void log_session(const struct install *install, uint32_t index, const char *what)
{
	const struct session *session = &install->sessions->sessions[index];
	const struct tables_session *record = &install->tables->sessions[index];
	char local[ENDPOINT_TEXT_LEN], remote[ENDPOINT_TEXT_LEN];

	log_info("event=session_%s session=%" PRIu64 " peer=%s identity=\"%s\" local=%s remote=%s encapsulation=%s",
		what, session->id, session->peer->name, session->identity, endpoint_format(&record->local, local),
		endpoint_format(&record->remote, remote),
		install_encapsulation_name(record->encapsulation));
}

int install_child(struct install *install, const struct ike_child *child)
{
	const struct esp_suite *suite = esp_suite_get(child->suite);
	uint32_t index = sessions_child_find(install->sessions, child->spi_in);
	uint32_t session = sessions_find(install->sessions, child->peer, child->identity);
	bool first = session == TABLES_NONE;
	struct endpoint local, remote;
	struct tables_child values;
	int rc = suite ? 0 : -EINVAL;

	if (index == TABLES_NONE || install->sessions->children[index].session != TABLES_NONE)
		return -ENOENT;
	if (rc == 0 && first)
		rc = session_begin(install, child, &session);
	if (rc < 0)
		goto release;
	values = child_values(install, child, session);
	rc = writer_child_install(
		install->writer, index, &values, child->keymat_in, child->keymat_out, esp_suite_keymat_len(suite));
	if (rc < 0)
		goto undo_session;
	sessions_child_join(install->sessions, index, session, child->id);
	if (first)
		log_session(install, session, "established");
	/* Who negotiates over another IKE SA says with it where it is now; moves of one IKE SA are told by themselves.
	 */
	outer_endpoints(install, child, &local, &remote);
	if (install->sessions->sessions[session].ike_sa != child->ike_sa ||
		install->tables->sessions[session].encapsulation != child_encapsulation(child))
		install_session_move(install, session, &local, &remote, child_encapsulation(child));
	install->sessions->sessions[session].ike_sa = child->ike_sa;
	log_child(install, index, "installed");
	return 0;
undo_session:
	if (first) {
		sessions_drop(install->sessions, session);
		writer_session_unclaim(install->writer, session);
	}
release:
	log_error("event=child_not_installed peer=%s identity=\"%s\" spi_in=%08x reason=\"%s\"", child->peer->name,
		child->identity, child->spi_in, strerror(-rc));
	install_spi_release(install, child->spi_in);
	return rc;
}

static bool same_selectors(const struct install *install, uint32_t a, uint32_t b)
{
	const struct tables_child *x = &install->tables->children[a], *y = &install->tables->children[b];

	return prefix_equal(&x->local_network, &y->local_network) &&
	       prefix_equal(&x->remote_network, &y->remote_network);
}

/* Takes it out without looking at its session. */
static void child_remove(struct install *install, uint32_t index, const char *what)
{
	log_child(install, index, what);
	sessions_child_drop(install->sessions, index);
	writer_child_remove(install->writer, index);
}

void install_child_activate(struct install *install, uint32_t spi_in)
{
	struct sessions *sessions = install->sessions;
	uint32_t index = sessions_child_find(sessions, spi_in), other, next;

	if (index == TABLES_NONE || sessions->children[index].session == TABLES_NONE ||
		sessions->children[index].active)
		return;
	writer_child_activate(install->writer, index);
	sessions->children[index].active = sessions->children[index].activated = true;
	other = sessions->sessions[sessions->children[index].session].first_child;
	for (; other != TABLES_NONE; other = next) {
		next = sessions->children[other].next;
		if (other == index || !same_selectors(install, other, index))
			continue;
		sessions->children[other].active = false;
		if (sessions_child_adopted(&sessions->children[other]))
			child_remove(install, other, "replaced");
	}
}

/* After its removal a child that is still there may have to carry its traffic again. */
static void activate_instead(struct install *install, uint32_t session, uint32_t gone)
{
	struct sessions *sessions = install->sessions;
	uint32_t other = sessions->sessions[session].first_child;

	for (; other != TABLES_NONE; other = sessions->children[other].next)
		if (sessions->children[other].activated && same_selectors(install, other, gone)) {
			install_child_activate(install, sessions->children[other].spi_in);
			return;
		}
}

static void log_session_end(const struct install *install, uint32_t index, const char *why)
{
	const struct session *session = &install->sessions->sessions[index];
	struct session_traffic sum = sessions_traffic(install->sessions, index);

	log_info("event=session_ended session=%" PRIu64 " peer=%s identity=\"%s\" seconds=%" PRId64
		 " packets_in=%" PRIu64 " bytes_in=%" PRIu64 " packets_out=%" PRIu64 " bytes_out=%" PRIu64
		 " reason=\"%s\"",
		session->id, session->peer->name, session->identity,
		clock_unix() - install->tables->sessions[index].established_at, sum.packets_in, sum.bytes_in,
		sum.packets_out, sum.bytes_out, why);
}

/* The children must be gone. */
static void session_end(struct install *install, uint32_t index, const char *why)
{
	log_session_end(install, index, why);
	sessions_drop(install->sessions, index);
	writer_session_remove(install->writer, index);
}

int install_child_remove(struct install *install, uint32_t spi_in)
{
	struct sessions *sessions = install->sessions;
	uint32_t index = sessions_child_find(sessions, spi_in), session;
	bool was_active;

	if (index == TABLES_NONE || sessions->children[index].session == TABLES_NONE)
		return -ENOENT;
	session = sessions->children[index].session;
	was_active = sessions->children[index].active;
	child_remove(install, index, "removed");
	if (sessions->sessions[session].n_children == 0)
		session_end(install, session, "its last child SA is gone");
	else if (was_active)
		activate_instead(install, session, index);
	return 0;
}

void install_session_remove(struct install *install, uint32_t session, const char *why)
{
	struct sessions *sessions = install->sessions;

	/* One by one, so that each slot's end is told by a TABLES_EVENT_DONE of its own. */
	while (sessions->sessions[session].first_child != TABLES_NONE)
		child_remove(install, sessions->sessions[session].first_child, "removed");
	session_end(install, session, why);
}

void install_discard_child(struct install *install, uint32_t index)
{
	writer_child_remove(install->writer, index);
}

void install_discard_session(struct install *install, uint32_t index)
{
	writer_session_remove(install->writer, index);
}

void install_net_change(struct install *install, enum tables_change_kind kind, const struct writer_net *net)
{
	writer_net_change(install->writer, kind, net);
}

static uint32_t child_refused(struct install *install, uint32_t index, int result)
{
	struct session_child *child = &install->sessions->children[index];
	uint32_t spi_in = child->spi_in, session = child->session;

	log_error("event=child_refused peer=%s spi_in=%08x reason=\"%s\"",
		install->sessions->sessions[session].peer->name, spi_in, strerror(-result));
	sessions_child_drop(install->sessions, index);
	if (install->sessions->sessions[session].n_children == 0)
		session_end(install, session, "the data plane refused its child SA");
	return spi_in;
}

uint32_t install_done(struct install *install, const struct tables_event *event)
{
	struct session_child *child =
		event->index < install->tables->n_children ? &install->sessions->children[event->index] : NULL;
	uint32_t refused = 0;

	/* What was gone already needed no removal. */
	if (event->result < 0 && event->change != TABLES_REMOVE_CHILD && event->change != TABLES_REMOVE_SESSION)
		install->refused++;
	if (event->change == TABLES_MOVE)
		install_move_done(install, event);
	if (event->change == TABLES_INSTALL && child && child->id == event->id && child->session != TABLES_NONE) {
		if (event->result < 0)
			refused = child_refused(install, event->index, event->result);
		else
			child->live = true;
	}
	writer_done(install->writer, event);
	return refused;
}

size_t install_flush(struct install *install)
{
	return writer_flush(install->writer);
}
