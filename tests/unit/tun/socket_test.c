/* SPDX-License-Identifier: Apache-2.0 */
/* UDP in bursts over the loopback interface: what is sent arrives, whole and in order, be it many in one message. */
#include "tun/socket.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 200, SEGMENT_MAX = 1400 };

static struct tun_socket sender, receiver;
static struct tun_arrivals arrivals;
static uint8_t sent[MANY][2000];
static struct tun_departure departures[MANY];

static int setup(void **state)
{
	struct endpoint local = {.port = 0};

	(void)state;
	if (address_parse("127.0.0.1", &local.address) < 0 || tun_socket_open(&sender, &local) < 0 ||
		tun_socket_open(&receiver, &local) < 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tun_socket_close(&sender);
	tun_socket_close(&receiver);
	return 0;
}

static void depart(size_t i, uint32_t len, uint8_t tos)
{
	memset(sent[i], (int)(i + 1), len);
	departures[i] = (struct tun_departure){.data = sent[i], .len = len, .tos = tos};
}

/* Takes the next burst; fails when none comes. */
static void arrive(void)
{
	struct pollfd fd = {.fd = receiver.fd, .events = POLLIN};

	assert_int_equal(poll(&fd, 1, 10000), 1);
	(void)tun_socket_receive(&receiver, &arrivals);
	assert_true(arrivals.count > 0);
}

/* All `count` come as they were sent. Returns how many messages they came in. */
static size_t expect(size_t count)
{
	size_t next = 0, messages = 0;

	while (next < count) {
		arrive();
		messages += arrivals.count;
		for (size_t i = 0; i < arrivals.count; i++) {
			const struct tun_arrival *arrival = &arrivals.items[i];

			assert_int_equal(arrival->remote.port, sender.local.port);
			for (uint32_t at = 0; at < arrival->len; at += arrival->segment_len, next++) {
				uint32_t left = arrival->len - at;

				assert_true(next < count);
				assert_int_equal(left < arrival->segment_len ? left : arrival->segment_len,
					departures[next].len);
				assert_memory_equal(arrival->data + at, departures[next].data, departures[next].len);
				assert_int_equal(arrival->tos, departures[next].tos);
			}
		}
	}
	return messages;
}

/* Those of one length travel together, where the kernel can do it. */
static void test_many_alike(void **state)
{
	size_t messages;

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		depart(i, 1000, 0);
	assert_int_equal(tun_socket_send(&sender, &receiver.local, departures, MANY, SEGMENT_MAX), MANY);
	messages = expect(MANY);
	if (sender.segmentation)
		assert_true(messages < MANY / 2);
}

/* Lengths, and what the outer header says, end a message. None is longer than what fits. */
static void test_many_kinds(void **state)
{
	static const uint32_t lengths[] = {1000, 1000, 900, 1000, 1, 1, 2, 1400, 1400, 1401, 1401, 2000, 2000, 20};

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		depart(i, lengths[i % (sizeof(lengths) / sizeof(lengths[0]))], (uint8_t)(i % 5 / 3 * 0xb8 | 2));
	assert_int_equal(tun_socket_send(&sender, &receiver.local, departures, MANY, SEGMENT_MAX), MANY);
	expect(MANY);
}

/* A kernel that refuses messages of several is sent each by itself, and none is lost. */
static void test_without_segmentation(void **state)
{
	(void)state;
	sender.segmentation = false;
	for (size_t i = 0; i < MANY; i++)
		depart(i, 1000, 0);
	assert_int_equal(tun_socket_send(&sender, &receiver.local, departures, MANY, SEGMENT_MAX), MANY);
	expect(MANY);
}

static void test_parts(void **state)
{
	(void)state;
	memcpy(sent[0], "headtail", 8);
	departures[0] = (struct tun_departure){.data = sent[0], .len = 8};
	assert_int_equal(tun_socket_send_parts(&sender, &receiver.local, "head", 4, "tail", 4), 0);
	assert_int_equal(expect(1), 1);
	assert_int_equal(tun_socket_send_parts(&sender, &receiver.local, NULL, 0, sent[0], 8), 0);
	assert_int_equal(expect(1), 1);
}

/* Nobody listens there: ICMP says so, and says at which port. What comes is received all the same. */
static void test_complaint(void **state)
{
	struct endpoint nobody = receiver.local;
	struct pollfd fd = {.fd = sender.fd, .events = POLLIN};
	struct tun_complaint complaint;

	(void)state;
	assert_false(tun_socket_complaint(&sender, &complaint));
	tun_socket_close(&receiver);
	assert_int_equal(tun_socket_send_parts(&sender, &nobody, NULL, 0, "x", 1), 0);
	assert_int_equal(poll(&fd, 1, 10000), 1);
	(void)tun_socket_receive(&sender, &arrivals);
	assert_int_equal(arrivals.count, 0);
	assert_true(tun_socket_complaint(&sender, &complaint));
	assert_int_equal(complaint.error, ECONNREFUSED);
	assert_int_equal(complaint.remote_port, nobody.port);
	assert_false(tun_socket_complaint(&sender, &complaint));
}

static void test_route(void **state)
{
	struct address local;
	uint32_t mtu;

	(void)state;
	assert_int_equal(tun_socket_route(&receiver.local, &local, &mtu), 0);
	assert_true(address_equal(&local, &receiver.local.address));
	assert_true(mtu >= 1500);
}

static void test_ports(void **state)
{
	struct tun_socket other;

	(void)state;
	assert_int_not_equal(sender.local.port, 0);
	assert_int_not_equal(sender.local.port, receiver.local.port);
	assert_int_equal(tun_socket_open(&other, &sender.local), -EADDRINUSE);
	assert_int_equal(other.fd, -1);
}

int main(void)
{
#define SOCKET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		SOCKET_TEST(test_many_alike),
		SOCKET_TEST(test_many_kinds),
		SOCKET_TEST(test_without_segmentation),
		SOCKET_TEST(test_parts),
		SOCKET_TEST(test_complaint),
		SOCKET_TEST(test_route),
		SOCKET_TEST(test_ports),
	};

	return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
