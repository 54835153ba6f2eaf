/* SPDX-License-Identifier: Apache-2.0 */
#include "streams_state.h"

#include "config/log.h"
#include "tables/layout.h"

#include <openssl/rand.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	UNPROVED_FRAME_MAX = 16 << 10, /* of a peer that has not proved who it is; long certificate chains fit */
	QUEUE_ESP_MAX = 4 << 20,
	QUEUE_IKE_MAX = 256 << 10,
};

static uint64_t hash_of(const struct streams *streams, const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint key[2];

	/* Endpoints have bytes that nobody writes. */
	memset(key, 0, sizeof(key));
	for (int i = 0; i < 2; i++) {
		const struct endpoint *end = i ? remote : local;

		key[i].address.family = end->address.family;
		memcpy(key[i].address.bytes, end->address.bytes, sizeof(key[i].address.bytes));
		key[i].port = end->port;
	}
	return hashmap_hash(&streams->by_ends, key, sizeof(key));
}

struct streams_one *streams_find(
	const struct streams *streams, const struct endpoint *local, const struct endpoint *remote)
{
	struct hashmap_node *node = hashmap_first(&streams->by_ends, hash_of(streams, local, remote));

	for (; node; node = hashmap_next(node)) {
		struct streams_one *one = hashmap_owner(node, struct streams_one, by_ends);

		if (endpoint_equal(&one->local, local) && endpoint_equal(&one->remote, remote))
			return one;
	}
	return NULL;
}

void streams_list_remove(struct streams_one *one)
{
	struct streams *streams = one->all;

	if (one->proved) {
		TAILQ_REMOVE(&streams->proved, one, next);
	} else {
		TAILQ_REMOVE(&streams->unproved, one, next);
		streams->n_unproved--;
	}
}

void streams_sums_add(struct streams_counters *sums, const struct stream *stream)
{
	const struct stream_counters *counters = stream_counters(stream);
	const struct send_queue *queue = stream_queue(stream);

	sums->ike_in += counters->ike_in;
	sums->ike_out += counters->ike_out;
	sums->esp_in += counters->esp_in;
	sums->esp_out += counters->esp_out;
	sums->dropped_full += queue->dropped_full;
	sums->dropped_late += queue->dropped_late;
}

void streams_forget(struct streams_one *one)
{
	struct streams *streams = one->all;

	streams_list_remove(one);
	hashmap_remove(&streams->by_ends, &one->by_ends);
	streams_session_set(one, TABLES_NONE, 0);
	/* The kernel has the last word in one that was only held. */
	if (one->owner == STREAMS_HOLDING && streams->install)
		install_connection_release(streams->install, one->connection);
	streams_connection_forget(one);
	if (one->stream)
		streams_sums_add(&streams->counters, one->stream);
	streams->counters.ended++;
	stream_free(one->stream);
	free(one);
}

static void on_ended(void *context, struct stream *stream, const char *why)
{
	struct streams_one *one = context;
	struct streams *streams = one->all;
	struct endpoint remote = *stream_remote(stream);
	uint32_t session = one->session;
	uint64_t id = one->id;
	char text[ENDPOINT_TEXT_LEN];

	/* Of strangers there may be any number. */
	log_write(one->proved ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		"event=stream_ended remote=%s proved=%s reason=\"%s\"", endpoint_format(&remote, text),
		one->proved ? "yes" : "no", why);
	/* Out of all lists before anybody is told. */
	streams_forget(one);
	if (session != TABLES_NONE)
		streams->handler.lost(streams->handler.context, session, id, &remote, why);
}

static void on_settle(void *context)
{
	struct streams *streams = context;

	streams->handler.settle(streams->handler.context);
}

static void on_ike(void *context, struct stream *stream, const uint8_t *message, size_t message_len)
{
	struct streams_one *one = context;
	/* Copies: what IKE does with it may end the stream. */
	struct endpoint local = *stream_local(stream), remote = *stream_remote(stream);

	one->all->handler.ike(one->all->handler.context, &local, &remote, message, message_len);
}

static void on_esp(void *context, struct stream *stream, const struct stream_packet *packets, size_t count)
{
	struct streams_one *one = context;

	(void)stream;
	if (one->proved)
		one->all->handler.esp(one->all->handler.context, packets, count);
	else
		one->all->counters.esp_unproved += count;
}

/* The oldest of those that have not said who they are makes room. */
static void make_room(struct streams *streams)
{
	struct streams_one *oldest = TAILQ_FIRST(&streams->unproved);

	if (streams->n_unproved < streams->unproved_max || !oldest)
		return;
	streams->counters.pushed_out++;
	stream_end(oldest->stream, "too many others have not proved either who they are");
}

struct streams_one *streams_add(struct streams *streams, struct stream *stream, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct streams_one *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	*one = (struct streams_one){.all = streams,
		.stream = stream,
		.local = *local,
		.remote = *remote,
		.session = TABLES_NONE,
		.connection = TABLES_NONE};
	TAILQ_INSERT_TAIL(&streams->unproved, one, next);
	streams->n_unproved++;
	hashmap_add(&streams->by_ends, &one->by_ends, hash_of(streams, local, remote));
	return one;
}

int streams_take(struct streams *streams, int fd)
{
	struct stream_handler handler = {.ike = on_ike, .esp = on_esp, .ended = on_ended};
	char local[ENDPOINT_TEXT_LEN], remote[ENDPOINT_TEXT_LEN];
	struct stream *stream = stream_open(streams->loop, fd, &streams->options, &handler);
	struct streams_one *one;

	if (!stream)
		return -errno;
	make_room(streams);
	one = streams_add(streams, stream, stream_local(stream), stream_remote(stream));
	if (!one) {
		stream_free(stream);
		return -ENOMEM;
	}
	stream_set_context(stream, one);
	streams->counters.opened++;
	log_debug("event=stream_opened local=%s remote=%s", endpoint_format(&one->local, local),
		endpoint_format(&one->remote, remote));
	return 0;
}

static void on_accepted(void *context, int fd, const struct endpoint *local, const struct endpoint *remote)
{
	char text[ENDPOINT_TEXT_LEN];
	int rc = streams_take(context, fd);

	(void)local;
	if (rc < 0)
		log_warning(
			"event=stream_refused remote=%s reason=\"%s\"", endpoint_format(remote, text), strerror(-rc));
}

static int listen_all(struct streams *streams, struct event_base *base, const struct config_ike *config)
{
	const struct listeners_ports ports = {config->tcp_ports, config->n_tcp_ports, "ike.tcp_ports"};
	const struct listeners_handler handler = {.context = streams, .accepted = on_accepted, .settle = on_settle};

	if (ports.count == 0)
		return 0;
	streams->listeners = listeners_open(base, config, &ports, &handler);
	return streams->listeners ? 0 : -errno;
}

struct streams *streams_open(
	struct event_base *base, const struct config_ike *config, const struct streams_handler *handler)
{
	struct streams *streams = calloc(1, sizeof(*streams));
	uint64_t seed = 0;
	int rc = -ENOMEM;

	if (!streams)
		return NULL;
	streams->handler = *handler;
	streams->unproved_max = config->half_open_max;
	streams->takeover = config->tcp_takeover;
	streams->options = (struct stream_options){
		.payload_max = UNPROVED_FRAME_MAX,
		.queue = {.esp_bytes = QUEUE_ESP_MAX, .esp_ms = config->tcp_delay, .ike_bytes = QUEUE_IKE_MAX},
		.confirm_ms = config->half_open_timeout * 1000,
		.keepalive = config->keepalive,
	};
	TAILQ_INIT(&streams->unproved);
	TAILQ_INIT(&streams->proved);
	(void)RAND_bytes((unsigned char *)&seed, sizeof(seed));
	streams->loop = stream_loop_new(base, on_settle, streams);
	if (streams->loop)
		rc = hashmap_init(&streams->by_ends, seed);
	if (rc == 0)
		rc = listen_all(streams, base, config);
	if (rc == 0)
		return streams;
	streams_close(streams);
	errno = -rc;
	return NULL;
}

static void close_list(struct streams_list *list)
{
	while (!TAILQ_EMPTY(list))
		streams_forget(TAILQ_FIRST(list));
}

void streams_close(struct streams *streams)
{
	if (!streams)
		return;
	listeners_close(streams->listeners);
	close_list(&streams->unproved);
	close_list(&streams->proved);
	hashmap_free(&streams->by_ends);
	stream_loop_free(streams->loop);
	free(streams->by_session);
	free(streams->by_connection);
	free(streams);
}

static int send_ike(struct streams_one *one, const uint8_t *message, size_t message_len)
{
	int rc;

	if (one->owner != STREAMS_TAKEN)
		return stream_send_ike(one->stream, message, message_len);
	rc = streams_connection_send(one, message, message_len);
	if (rc == 0)
		one->all->counters.ike_out++;
	return rc;
}

void streams_send_ike(struct streams *streams, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len)
{
	struct streams_one *one = streams_find(streams, local, remote);
	char text[ENDPOINT_TEXT_LEN];
	int rc = one ? send_ike(one, message, message_len) : -ENOTCONN;

	if (rc == 0)
		return;
	streams->counters.ike_refused++;
	log_debug("event=ike_not_sent remote=%s reason=\"%s\"", endpoint_format(remote, text), strerror(-rc));
}

struct streams_counters streams_counters(const struct streams *streams)
{
	struct streams_counters sums = streams->counters;
	const struct streams_one *one;

	for (one = TAILQ_FIRST(&streams->unproved); one; one = TAILQ_NEXT(one, next))
		streams_sums_add(&sums, one->stream);
	for (one = TAILQ_FIRST(&streams->proved); one; one = TAILQ_NEXT(one, next))
		if (one->stream)
			streams_sums_add(&sums, one->stream);
	return sums;
}

static void each_of(const struct streams_list *list,
	void (*each)(void *context, const struct streams_status *status), void *context)
{
	const struct streams_one *one;

	for (one = TAILQ_FIRST(list); one; one = TAILQ_NEXT(one, next))
		each(context, &(struct streams_status){
				      .local = &one->local,
				      .remote = &one->remote,
				      .stream = one->stream,
				      .connection = one->connection,
				      .proved = one->proved,
				      .moving = one->owner == STREAMS_HOLDING || one->owner == STREAMS_MOVING,
				      .session = one->session,
				      .id = one->id,
				      .stays = one->stays,
				      .stays_error = one->stays_error,
			      });
}

void streams_each(const struct streams *streams, void (*each)(void *context, const struct streams_status *status),
	void *context)
{
	each_of(&streams->unproved, each, context);
	each_of(&streams->proved, each, context);
}
