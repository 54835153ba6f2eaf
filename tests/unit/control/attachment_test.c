/* SPDX-License-Identifier: Apache-2.0 */
/* The attachment to a data plane that starts late, wakes us, ends, and comes again. */
#include "test.h"

#include "config/log.h"
#include "attachment.h"
#include "tables/share.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_TURNS = 100 };

static struct event_base *base;
static unsigned n_attached, n_detached, n_events, n_bundles;
static size_t bundle_len;
static struct tables *seen;
static int answer;

static int on_attached(void *context, struct tables *tables, int changes_fd)
{
	(void)context;
	(void)changes_fd;
	if (answer == 0) {
		n_attached++;
		seen = tables;
	}
	return answer;
}

static void on_detached(void *context)
{
	(void)context;
	/* Still mapped. */
	assert_int_equal(seen->header->magic, TABLES_MAGIC);
	n_detached++;
	seen = NULL;
}

static void on_bundle(void *context, uint8_t *bytes, size_t len)
{
	(void)context;
	(void)bytes;
	n_bundles++;
	bundle_len = len;
}

static void on_events(void *context)
{
	(void)context;
	n_events++;
}

struct plane {
	char path[64];
	struct tables tables;
	struct share_descriptors descriptors;
	int listener, connection;
	pthread_t thread;
};

static void *accept_one(void *context)
{
	struct plane *plane = context;

	plane->connection = share_accept(plane->listener, geteuid(), NULL, &plane->descriptors);
	return NULL;
}

static void plane_start(struct plane *plane)
{
	struct tables_dimensions dimensions = {
		.n_sessions = 4, .n_children = 4, .n_workers = 1, .n_ports = 1, .port_names = {"none"}};
	char error[TABLES_ERROR_LEN];

	assert_int_equal(tables_create(&plane->tables, &dimensions, error), 0);
	plane->descriptors = (struct share_descriptors){
		.tables = plane->tables.fd, .changes = eventfd(0, EFD_CLOEXEC), .events = eventfd(0, EFD_CLOEXEC)};
	plane->listener = share_listen(plane->path, geteuid());
	assert_true(plane->listener >= 0);
	assert_int_equal(pthread_create(&plane->thread, NULL, accept_one, plane), 0);
}

static void plane_joined(struct plane *plane)
{
	pthread_join(plane->thread, NULL);
	assert_true(plane->connection >= 0);
}

static void plane_end(struct plane *plane)
{
	close(plane->connection);
	close(plane->listener);
	close(plane->descriptors.changes);
	close(plane->descriptors.events);
	tables_unmap(&plane->tables);
	unlink(plane->path);
}

/* Turns of the loop, each of them ends with an event; there is one a second at least. */
static void turn_until(const unsigned *counter, unsigned wanted)
{
	for (int i = 0; i < PATIENCE_TURNS && *counter < wanted; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(*counter, wanted);
}

static void test_whole_life(void **state)
{
	struct attachment_hooks hooks = {.attached = on_attached, .detached = on_detached, .events = on_events,
		.bundle = on_bundle};
	char directory[] = "/tmp/sluice-attachment-XXXXXX";
	struct iovec parts[] = {{.iov_base = "head", .iov_len = 4}, {.iov_base = "tail", .iov_len = 4}};
	struct attachment *attachment;
	struct plane plane;
	uint64_t one = 1;
	char bundle[20];

	(void)state;
	log_open("test", LOG_LEVEL_ERROR);
	assert_non_null(mkdtemp(directory));
	snprintf(plane.path, sizeof(plane.path), "%s/dataplane.sock", directory);
	base = event_base_new();
	attachment = attachment_new(base, plane.path, &hooks);
	assert_non_null(attachment);
	event_base_loop(base, EVLOOP_ONCE);
	assert_non_null(strstr(attachment_waits_for(attachment), "is sluice-dataplane running?"));
	for (unsigned life = 1; life <= 2; life++) {
		n_events = 0;
		plane_start(&plane);
		turn_until(&n_attached, life);
		plane_joined(&plane);
		assert_string_equal(attachment_waits_for(attachment), "");
		/* What may wait from before is looked for without being woken. */
		turn_until(&n_events, 1);
		assert_int_equal(write(plane.descriptors.events, &one, sizeof(one)), sizeof(one));
		turn_until(&n_events, 2);
		attachment_events_again(attachment);
		turn_until(&n_events, 3);
		/* Packets of streams go both ways on the connection that stays open. */
		n_bundles = 0;
		assert_int_equal(send(plane.connection, "to sluiced", 10, 0), 10);
		turn_until(&n_bundles, 1);
		assert_int_equal(bundle_len, 10);
		assert_int_equal(attachment_send_bundle(attachment, parts, 2), 0);
		assert_int_equal(recv(plane.connection, bundle, sizeof(bundle), 0), 8);
		assert_memory_equal(bundle, "headtail", 8);
		plane_end(&plane);
		turn_until(&n_detached, life);
		assert_int_equal(attachment_send_bundle(attachment, parts, 2), -ENOTCONN);
		assert_non_null(strstr(attachment_waits_for(attachment), "has ended"));
	}
	/* Tables that can't be used: it is tried again later. */
	answer = -ENOMEM;
	plane_start(&plane);
	for (int i = 0; i < PATIENCE_TURNS && !strstr(attachment_waits_for(attachment), "no memory"); i++)
		event_base_loop(base, EVLOOP_ONCE);
	plane_joined(&plane);
	assert_non_null(strstr(attachment_waits_for(attachment), "no memory"));
	assert_int_equal(n_detached, 2);
	plane_end(&plane);
	attachment_free(attachment);
	event_base_free(base);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole_life)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
