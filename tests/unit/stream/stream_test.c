/* SPDX-License-Identifier: Apache-2.0 */
/* A stream on a TCP connection over the loopback interface: its other end is another stream, or plain bytes. */
#include "stream/stream.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 20, LOG_MAX = 8192 };

/* One end, and what it was told: a letter each, ESP in lower case and IKE in upper case. */
struct end {
	struct stream *stream;
	char log[LOG_MAX];
	size_t log_len, ends;
	char why[128];
	void (*on_ike)(struct end *end);
	void (*on_esp)(struct end *end);
};

static struct event_base *base;
static struct stream_loop *loop;
static struct end us, them;
static size_t settled;
static int plain; /* the other end, where it is no stream */

static const struct stream_options defaults = {
	.payload_max = FRAMING_PAYLOAD_MAX,
	.queue = {.esp_bytes = 1 << 20, .esp_ms = 60000, .ike_bytes = 64 << 10},
	.keepalive = 20,
};

static void note(struct end *end, uint8_t name, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], name);
	assert_true(end->log_len < LOG_MAX - 1);
	end->log[end->log_len++] = (char)name;
}

static void on_ike(void *context, struct stream *stream, const uint8_t *message, size_t message_len)
{
	struct end *end = context;

	assert_ptr_equal(stream, end->stream);
	if (end->on_ike)
		end->on_ike(end);
	/* The message is there for as long as the call lasts, whatever becomes of the stream. */
	note(end, message[0], message, message_len);
}

static void on_esp(void *context, struct stream *stream, const struct stream_packet *packets, size_t count)
{
	struct end *end = context;

	(void)stream;
	assert_in_range(count, 1, STREAM_BURST_MAX);
	for (size_t i = 0; i < count; i++) {
		note(end, packets[i].data[0], packets[i].data, packets[i].len);
		memset(packets[i].data, 0, packets[i].len); /* it is the callee's to change */
	}
	if (end->on_esp)
		end->on_esp(end);
}

static void on_settle(void *context)
{
	++*(size_t *)context;
}

static void on_ended(void *context, struct stream *stream, const char *why)
{
	struct end *end = context;

	end->ends++;
	strncpy(end->why, why, sizeof(end->why) - 1);
	if (end->stream == stream) {
		stream_free(end->stream);
		end->stream = NULL;
	}
}

static void connect_pair(int fds[2])
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(name);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &len), 0);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&name, sizeof(name)), 0);
	fds[1] = accept(listener, NULL, NULL);
	assert_true(fds[1] >= 0);
	close(listener);
}

static struct stream *open_end(struct end *end, int fd, const struct stream_options *options)
{
	const struct stream_handler handler = {
		.context = end, .ike = on_ike, .esp = on_esp, .ended = on_ended};

	return end->stream = stream_open(loop, fd, options, &handler);
}

/* A stream of ours that did not dial, and one that did. */
static void open_both(void)
{
	struct stream_options dialed = defaults;
	int fds[2];

	connect_pair(fds);
	dialed.originator = true;
	assert_non_null(open_end(&us, fds[1], &defaults));
	assert_non_null(open_end(&them, fds[0], &dialed));
}

static void open_plain(const struct stream_options *options)
{
	int fds[2];

	connect_pair(fds);
	assert_non_null(open_end(&us, fds[1], options));
	plain = fds[0];
}

static int setup(void **state)
{
	(void)state;
	base = event_base_new();
	loop = base ? stream_loop_new(base, on_settle, &settled) : NULL;
	us = them = (struct end){0};
	plain = -1;
	settled = 0;
	return loop ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	stream_free(us.stream);
	stream_free(them.stream);
	if (plain >= 0)
		close(plain);
	stream_loop_free(loop);
	event_base_free(base);
	return 0;
}

static void on_impatient(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	*(bool *)context = true;
}

/* Runs the loop until *value reaches `least`; fails when it does not. */
static void run_until(const size_t *value, size_t least)
{
	static const struct timeval patience = {.tv_sec = PATIENCE_S};
	bool over = false;
	struct event *timer = evtimer_new(base, on_impatient, &over);

	event_add(timer, &patience);
	while (*value < least && !over)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
	assert_true(*value >= least);
}

static void send_esp(struct end *end, const char *names, size_t len)
{
	struct stream_packet packets[300];
	uint8_t *bytes = malloc(strlen(names) * len);
	size_t count = strlen(names);

	for (size_t i = 0; i < count; i++) {
		packets[i] = (struct stream_packet){.data = bytes + i * len, .len = (uint32_t)len};
		memset(packets[i].data, names[i], len);
	}
	stream_send_esp(end->stream, packets, count);
	free(bytes);
}

static int send_ike(struct end *end, char name, size_t len)
{
	uint8_t message[2000];

	memset(message, name, len);
	return stream_send_ike(end->stream, message, len);
}

static void send_plain(const void *bytes, size_t len)
{
	assert_int_equal(send(plain, bytes, len, MSG_NOSIGNAL), len);
}

static void test_both_ways_in_order(void **state)
{
	(void)state;
	open_both();
	assert_int_equal(send_ike(&them, 'A', 300), 0);
	send_esp(&them, "bcd", 1500);
	assert_int_equal(send_ike(&them, 'E', 2000), 0);
	run_until(&us.log_len, 5);
	assert_string_equal(us.log, "AbcdE");
	assert_int_equal(send_ike(&us, 'F', 40), 0);
	send_esp(&us, "gh", 60);
	run_until(&them.log_len, 3);
	assert_string_equal(them.log, "Fgh");
	assert_true(settled > 0);
	assert_int_equal(stream_counters(us.stream)->esp_in, 3);
	assert_int_equal(stream_counters(us.stream)->esp_in_bytes, 4500);
	assert_int_equal(stream_counters(them.stream)->ike_out, 2);
}

static void test_both_ends_know_each_other(void **state)
{
	(void)state;
	open_both();
	assert_true(endpoint_equal(stream_local(us.stream), stream_remote(them.stream)));
	assert_true(endpoint_equal(stream_remote(us.stream), stream_local(them.stream)));
	assert_int_equal(stream_local(us.stream)->transport, ENDPOINT_TCP);
}

static void test_many_in_one_call(void **state)
{
	char names[3 * STREAM_BURST_MAX + 2] = {0};

	(void)state;
	memset(names, 'x', sizeof(names) - 1);
	open_both();
	send_esp(&them, names, 1000);
	run_until(&us.log_len, sizeof(names) - 1);
	assert_string_equal(us.log, names);
}

/* Prefix, IKE, ESP, the longest ESP, a keepalive, ESP: byte by byte as far as that takes no time. */
static void test_pieces_of_any_size(void **state)
{
	static uint8_t longest[FRAMING_HEAD_LEN + FRAMING_PAYLOAD_MAX];
	static const uint8_t begin[] = {
		'I', 'K', 'E', 'T', 'C', 'P', 0, 8, 0, 0, 0, 0, 'A', 'A', 0, 7, 'b', 'b', 'b', 'b', 'b'};
	static const uint8_t end[] = {0, 3, 0xff, 0, 4, 1, 2, 0, 7, 'd', 'd', 'd', 'd', 'd'};
	size_t at, sizes[] = {1, 2, 5000, 60000};

	(void)state;
	open_plain(&defaults);
	for (at = 0; at < sizeof(begin); at++) {
		size_t before = settled;

		send_plain(begin + at, 1);
		run_until(&settled, before + 1);
	}
	framing_write_head(longest, FRAMING_PAYLOAD_MAX);
	memset(longest + FRAMING_HEAD_LEN, 'c', FRAMING_PAYLOAD_MAX);
	for (size_t i = at = 0; at < sizeof(longest); i++) {
		size_t size = sizes[i % 4] < sizeof(longest) - at ? sizes[i % 4] : sizeof(longest) - at;

		send_plain(longest + at, size);
		at += size;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	send_plain(end, sizeof(end));
	run_until(&us.log_len, 4);
	assert_string_equal(us.log, "Abcd");
	assert_int_equal(stream_counters(us.stream)->keepalives_in, 1);
	assert_int_equal(stream_counters(us.stream)->runts_in, 1);
}

static void expect_refusal(const void *bytes, size_t len, const char *why)
{
	open_plain(&defaults);
	send_plain(bytes, len);
	run_until(&us.ends, 1);
	assert_non_null(strstr(us.why, why));
	assert_null(us.stream);
	close(plain);
	us = (struct end){0};
}

static void test_what_is_no_stream_ends_it(void **state)
{
	static const uint8_t zero[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 5, 'a', 'a', 'a', 0, 0};
	static const uint8_t one[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 1, 0};

	(void)state;
	expect_refusal("GET / HTTP/1.1\r\n", 16, "IKETCP");
	expect_refusal(zero, sizeof(zero), "0 or 1");
	expect_refusal(one, sizeof(one), "0 or 1");
	plain = -1;
}

static void test_cap(void **state)
{
	static const uint8_t bytes[] = {'I', 'K', 'E', 'T', 'C', 'P', 0, 103};
	struct stream_options options = defaults;

	(void)state;
	options.payload_max = 100;
	open_plain(&options);
	send_plain(bytes, sizeof(bytes));
	run_until(&us.ends, 1);
	assert_non_null(strstr(us.why, "longer"));
}

static void test_ends_once_when_the_other_side_goes(void **state)
{
	(void)state;
	open_both();
	stream_end(them.stream, "told to");
	assert_int_equal(them.ends, 1);
	assert_string_equal(them.why, "told to");
	assert_null(them.stream);
	run_until(&us.ends, 1);
	assert_non_null(strstr(us.why, "closed"));
	assert_int_equal(us.ends, 1);
}

static void end_within(struct end *end)
{
	stream_end(end->stream, "from within");
}

static void free_within(struct end *end)
{
	stream_free(end->stream);
	end->stream = NULL;
}

static void test_may_end_from_within(void **state)
{
	(void)state;
	open_both();
	us.on_ike = end_within;
	assert_int_equal(send_ike(&them, 'A', 30), 0);
	assert_int_equal(send_ike(&them, 'B', 30), 0);
	run_until(&us.ends, 1);
	assert_string_equal(us.log, "A");
	assert_string_equal(us.why, "from within");
}

static void test_may_be_freed_from_within(void **state)
{
	static const uint8_t bytes[] = {
		'I', 'K', 'E', 'T', 'C', 'P', 0, 8, 0, 0, 0, 0, 'A', 'A', 0, 8, 0, 0, 0, 0, 'B', 'B'};

	(void)state;
	/* The message in pieces, so that it lies in memory of the stream's. */
	open_plain(&defaults);
	us.on_ike = free_within;
	send_plain(bytes, 9);
	run_until(&settled, 1);
	send_plain(bytes + 9, sizeof(bytes) - 9);
	run_until(&us.log_len, 1);
	assert_string_equal(us.log, "A");
	assert_int_equal(us.ends, 0);
}

static void test_freed_from_within_a_burst(void **state)
{
	(void)state;
	open_both();
	us.on_esp = free_within;
	send_esp(&them, "abc", 100);
	run_until(&us.log_len, 1);
	assert_int_equal(us.ends, 0);
	run_until(&them.ends, 1);
}

static void test_must_be_confirmed(void **state)
{
	struct stream_options options = defaults;

	(void)state;
	options.confirm_ms = 1;
	open_plain(&options);
	run_until(&us.ends, 1);
	assert_non_null(strstr(us.why, "proved"));
}

static void test_confirmed_stays(void **state)
{
	struct stream_options options = defaults;

	(void)state;
	options.confirm_ms = 1;
	options.idle_ms = 50;
	open_plain(&options);
	stream_confirm(us.stream);
	/* What ends it is the other limit. */
	run_until(&us.ends, 1);
	assert_non_null(strstr(us.why, "nothing has come"));
}

/* Reads what there is at the plain end and counts frames by kind; they must be whole. */
static void drain_plain(size_t esp_len, size_t *esp, size_t *ike)
{
	static uint8_t bytes[4 << 20];
	struct framing framing = {.payload_max = FRAMING_PAYLOAD_MAX};
	struct framing_frame frame;
	size_t len = 0, at = 0, taken;
	struct pollfd wait = {.fd = plain, .events = POLLIN};

	*esp = *ike = 0;
	while (*ike == 0) {
		ssize_t received;

		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(poll(&wait, 1, PATIENCE_S * 1000), 1);
		assert_true(len < sizeof(bytes));
		received = recv(plain, bytes + len, sizeof(bytes) - len, MSG_DONTWAIT);
		assert_true(received > 0);
		len += (size_t)received;
		while ((taken = framing_read(&framing, bytes + at, len - at, &frame)) > 0) {
			*esp += frame.kind == FRAMING_ESP;
			*ike += frame.kind == FRAMING_IKE;
			assert_int_equal(frame.payload_len, frame.kind == FRAMING_ESP ? esp_len : 77);
			at += taken;
		}
	}
}

static void test_a_reader_that_is_slow_loses_esp_and_no_ike(void **state)
{
	enum { BURSTS = 100, LEN = 1500 };
	struct stream_options options = defaults;
	size_t esp, ike;
	int small = 1 << 16;
	int fds[2];

	(void)state;
	options.queue.esp_bytes = 100 * LEN;
	connect_pair(fds);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_non_null(open_end(&us, fds[1], &options));
	plain = fds[0];
	for (size_t i = 0; i < BURSTS; i++)
		send_esp(&us, "0123456789012345678901234567890123456789", LEN);
	assert_int_equal(send_ike(&us, 'I', 77), 0);
	assert_true(stream_queue(us.stream)->dropped_full > 0);
	assert_true(stream_queue(us.stream)->esp_bytes <= options.queue.esp_bytes);
	drain_plain(LEN, &esp, &ike);
	assert_int_equal(ike, 1);
	assert_true(esp > 0);
	/* IKE overtook what waited, and the rest arrives, too. */
	assert_true(esp + stream_queue(us.stream)->dropped_full <= 40 * BURSTS);
}

static void test_ike_that_nobody_reads(void **state)
{
	int rc = 0;

	(void)state;
	open_plain(&defaults);
	for (size_t i = 0; i < 100000 && rc == 0; i++)
		rc = send_ike(&us, 'A', 2000);
	assert_int_equal(rc, -ENOBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_ends_know_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_in_one_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces_of_any_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_no_stream_ends_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_once_when_the_other_side_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_may_end_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_may_be_freed_from_within, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_from_within_a_burst, setup, teardown),
		cmocka_unit_test_setup_teardown(test_must_be_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_confirmed_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_that_is_slow_loses_esp_and_no_ike, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ike_that_nobody_reads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
