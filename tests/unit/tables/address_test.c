/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, prefixes and endpoints: text and sockets there and back, what is refused, what contains what. */
#include "tables/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct address address_of(const char *text)
{
	struct address address;

	if (address_parse(text, &address) < 0)
		fail_msg("%s is not taken for an address", text);
	return address;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) < 0)
		fail_msg("%s is not taken for a prefix", text);
	return prefix;
}

static void test_address_round_trip(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0",
		"192.168.2.200",
		"255.255.255.255",
		"::",
		"::1",
		"2001:db8::4009",
		"fe80::1",
		"::ffff:198.51.100.7",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	char text[ADDRESS_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = address_of(texts[i]);

		assert_int_equal(address.family, strchr(texts[i], ':') ? ADDRESS_IPV6 : ADDRESS_IPV4);
		assert_ptr_equal(address_format(&address, text), text);
		assert_string_equal(text, texts[i]);
	}
	assert_string_equal(address_format(&(struct address){0}, text), "none");
}

/* Two equal addresses are equal byte by byte, whatever lay in the memory before. */
static void test_address_is_whole(void **state)
{
	struct address a, b;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0x55, sizeof(b));
	assert_int_equal(address_parse("10.1.2.3", &a), 0);
	assert_int_equal(address_parse("10.1.2.3", &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	a = address_ipv4(0x0a010203);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(address_to_ipv4(&b), 0x0a010203);
	b = address_of("2001:db8::1");
	assert_int_equal(address_to_ipv4(&b), 0);
	assert_false(address_equal(&a, &b));
	b = (struct address){.family = ADDRESS_IPV6, .bytes = {10, 1, 2, 3}};
	assert_false(address_equal(&a, &b));
}

static void test_address_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"10",
		"10.1.2",
		"10.1.2.3.4",
		"10.1.2.256",
		"10.1.2.-3",
		"10.1.2.3 ",
		" 10.1.2.3",
		"10.1.2.3:88",
		"10.1.2.3/24",
		"0x0a.1.2.3",
		"010.1.2.3",
		"2001:db8",
		"2001::db8::1",
		"[2001:db8::1]",
		"2001:db8::1%eth0",
		"2001:db8::10000",
		"1:2:3:4:5:6:7:8:9",
		"gateway.example",
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (address_parse(texts[i], &address) != -EINVAL)
			fail_msg("'%s' is taken for an address", texts[i]);
}

static void test_prefix_round_trip(void **state)
{
	static const struct {
		const char *text, *canonical;
	} rows[] = {
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"255.255.255.255/0", "0.0.0.0/0"},
		{"255.255.255.255/1", "128.0.0.0/1"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.3/32", "10.1.2.3/32"},
		{"10.1.2.3/31", "10.1.2.2/31"},
		{"10.1.2.255/25", "10.1.2.128/25"},
		{"10.1.2.3/24", "10.1.2.0/24"},
		{"10.255.2.3/9", "10.128.0.0/9"},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"2001:db8::1", "2001:db8::1/128"},
		{"2001:db8::1/127", "2001:db8::/127"},
		{"2001:db8:ffff::/33", "2001:db8:8000::/33"},
		{"2001:db8::1/0", "::/0"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};
	char text[PREFIX_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix prefix = prefix_of(rows[i].text), again;

		assert_ptr_equal(prefix_format(&prefix, text), text);
		assert_string_equal(text, rows[i].canonical);
		again = prefix_of(text);
		assert_memory_equal(&prefix, &again, sizeof(prefix));
		assert_true(prefix_equal(&prefix, &again));
	}
}

static void test_prefix_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"/24",
		"10.1.2.3/",
		"10.1.2.3/33",
		"10.1.2.3/-1",
		"10.1.2.3/+8",
		"10.1.2.3/ 8",
		"10.1.2.3/8 ",
		"10.1.2.3/8/8",
		"10.1.2.3//8",
		"10.1.2.3/255.0.0.0",
		"10.1.2.3/0x8",
		"10.1.2.3/256",
		"10.1.2.3/18446744073709551624",
		"10.1/16",
		"2001:db8::/129",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/1288",
		"10.1.2.3/000000000000000000000000000000000000000000000000000000024",
	};
	struct prefix prefix;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (prefix_parse(texts[i], &prefix) != -EINVAL)
			fail_msg("'%s' is taken for a prefix", texts[i]);
}

/* Every length, against the bits counted one by one. */
static void test_prefix_make(void **state)
{
	struct address ones = {.family = ADDRESS_IPV6};

	(void)state;
	memset(ones.bytes, 0xff, sizeof(ones.bytes));
	for (unsigned int len = 0; len <= 128; len++) {
		struct prefix prefix = prefix_make(&ones, (uint8_t)len);

		assert_int_equal(prefix.len, len);
		for (unsigned int bit = 0; bit < 128; bit++)
			assert_int_equal(prefix.address.bytes[bit / 8] >> (7 - bit % 8) & 1, bit < len);
	}
}

static void test_prefix_contains(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contains;
	} rows[] = {
		{"0.0.0.0/0", "0.0.0.0/0", true},
		{"0.0.0.0/0", "10.1.2.3/32", true},
		{"0.0.0.0/0", "255.255.255.255/32", true},
		{"10.1.2.3/32", "0.0.0.0/0", false},
		{"10.0.0.0/8", "10.0.0.0/8", true},
		{"10.0.0.0/8", "10.255.255.0/24", true},
		{"10.0.0.0/8", "11.0.0.0/24", false},
		{"10.0.0.0/8", "0.0.0.0/0", false},
		{"10.0.0.0/8", "10.0.0.0/7", false},
		{"10.0.0.0/9", "10.128.0.0/16", false},
		{"10.1.2.2/31", "10.1.2.2/32", true},
		{"10.1.2.2/31", "10.1.2.3/32", true},
		{"10.1.2.2/31", "10.1.2.4/32", false},
		{"10.1.2.2/31", "10.1.2.1/32", false},
		{"10.1.2.3/32", "10.1.2.3/32", true},
		{"10.1.2.3/32", "10.1.2.2/32", false},
		{"10.1.2.3/32", "10.1.2.2/31", false},
		{"::/0", "2001:db8::/32", true},
		{"::/0", "::/0", true},
		{"2001:db8::/32", "2001:db8:ffff::/48", true},
		{"2001:db8::/32", "2001:db9::/48", false},
		{"2001:db8::/127", "2001:db8::1/128", true},
		{"2001:db8::/127", "2001:db8::2/128", false},
		{"2001:db8::1/128", "2001:db8::1/128", true},
		{"2001:db8::1/128", "2001:db8::/128", false},
		{"::/0", "10.0.0.0/8", false},
		{"0.0.0.0/0", "::/0", false},
		{"0.0.0.0/0", "::ffff:10.0.0.1/128", false},
		{"::ffff:10.0.0.0/104", "10.0.0.1/32", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix outer = prefix_of(rows[i].outer), inner = prefix_of(rows[i].inner);

		if (prefix_contains(&outer, &inner) != rows[i].contains)
			fail_msg("%s contains %s: wrong answer", rows[i].outer, rows[i].inner);
		/* A host's prefix and the host are the same question. */
		if (inner.len == (inner.address.family == ADDRESS_IPV4 ? 32 : 128))
			assert_int_equal(prefix_contains_address(&outer, &inner.address), rows[i].contains);
	}
}

static void test_endpoint_format(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		const char *text;
		enum endpoint_transport transport;
	} rows[] = {
		{"198.51.100.7", 4500, "198.51.100.7:4500", ENDPOINT_UDP},
		{"198.51.100.7", 0, "198.51.100.7", ENDPOINT_UDP},
		{"198.51.100.7", 4500, "198.51.100.7:4500/tcp", ENDPOINT_TCP},
		{"2001:db8::1", 500, "[2001:db8::1]:500", ENDPOINT_UDP},
		{"2001:db8::1", 0, "2001:db8::1", ENDPOINT_UDP},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535/tcp", ENDPOINT_TCP},
	};
	char text[ENDPOINT_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct endpoint endpoint = {.address = address_of(rows[i].address),
			.port = rows[i].port,
			.transport = rows[i].transport};

		assert_ptr_equal(endpoint_format(&endpoint, text), text);
		assert_string_equal(text, rows[i].text);
	}
	assert_string_equal(endpoint_format(&(struct endpoint){0}, text), "none");
}

static void test_endpoint_sockaddr(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4009)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(2012)};
	struct endpoint endpoint, again;
	struct sockaddr_storage out;

	(void)state;
	inet_pton(AF_INET, "192.168.2.200", &in.sin_addr);
	inet_pton(AF_INET6, "2001:db8::76", &in6.sin6_addr);
	memset(&endpoint, 0xff, sizeof(endpoint));
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&in, &endpoint), 0);
	assert_int_equal(endpoint.port, 4009);
	assert_int_equal(address_to_ipv4(&endpoint.address), 0xc0a802c8);
	again = (struct endpoint){.address = address_of("192.168.2.200"), .port = 4009};
	assert_memory_equal(&endpoint, &again, sizeof(endpoint));
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(endpoint_to_sockaddr(&endpoint, &out), sizeof(in));
	assert_memory_equal(&out, &in, sizeof(in));

	memset(&endpoint, 0xff, sizeof(endpoint));
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&in6, &endpoint), 0);
	again = (struct endpoint){.address = address_of("2001:db8::76"), .port = 2012};
	assert_memory_equal(&endpoint, &again, sizeof(endpoint));
	assert_true(endpoint_equal(&endpoint, &again));
	again.transport = ENDPOINT_TCP;
	assert_false(endpoint_equal(&endpoint, &again));
	again.transport = ENDPOINT_UDP;
	memset(&out, 0xff, sizeof(out));
	assert_int_equal(endpoint_to_sockaddr(&endpoint, &out), sizeof(in6));
	assert_memory_equal(&out, &in6, sizeof(in6));

	again.port++;
	assert_false(endpoint_equal(&endpoint, &again));
	assert_int_equal(endpoint_from_sockaddr(&(struct sockaddr){.sa_family = AF_UNIX}, &endpoint), -EAFNOSUPPORT);
	assert_int_equal(endpoint.address.family, ADDRESS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_round_trip),
		cmocka_unit_test(test_address_is_whole),
		cmocka_unit_test(test_address_refused),
		cmocka_unit_test(test_prefix_round_trip),
		cmocka_unit_test(test_prefix_refused),
		cmocka_unit_test(test_prefix_make),
		cmocka_unit_test(test_prefix_contains),
		cmocka_unit_test(test_endpoint_format),
		cmocka_unit_test(test_endpoint_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
