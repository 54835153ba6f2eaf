/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second implementation's tunnels through the whole packet path: each packet that scapy made for HQ leaves as scapy
 * says, and HQ makes of each packet of the LAN what scapy made of it, byte by byte. Argument 1 is the file,
 * tests/vectors/tunnel_scapy.txt; tunnel_scapy.py says what its lines mean.
 */
#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAS = 8, FIELDS_MAX = 7, FAMILIES = 2, ENCAPSULATIONS = 2 };

enum direction { TO_HQ, FROM_HQ, DIRECTIONS };

struct bytes {
	size_t len;
	uint8_t bytes[512];
};

static const char *vectors_path;
static unsigned int line_number;
static struct bytes lan[SAS][DIRECTIONS], keymat[DIRECTIONS], packet;
static uint32_t suite;
static struct wire_frame frame;
static struct peer peer; /* the SA of the line before */
static unsigned int seen[ESP_SUITE_COUNT][FAMILIES][FAMILIES][ENCAPSULATIONS][DIRECTIONS];

static void parse_hex(const char *text, struct bytes *out)
{
	out->len = strlen(text) / 2;
	assert_in_range(out->len, 0, sizeof(out->bytes));
	for (size_t i = 0; i < out->len; i++)
		assert_int_equal(sscanf(text + 2 * i, "%2hhx", &out->bytes[i]), 1);
}

static enum direction direction_of(const char *word)
{
	return strcmp(word, "to_hq") == 0 ? TO_HQ : FROM_HQ;
}

/* lan NUMBER DIRECTION PACKET */
static void read_lan(char **fields)
{
	unsigned long number = strtoul(fields[1], NULL, 10);

	assert_in_range(number, 0, SAS - 1);
	parse_hex(fields[3], &lan[number][direction_of(fields[2])]);
}

/* suite NAME KEYMAT_TO_HQ KEYMAT_FROM_HQ: in a data plane of its own, so that SAs get the slots that their SPIs say. */
static void read_suite(char **fields)
{
	suite = esp_suite_find(fields[1]);
	assert_int_not_equal(suite, ESP_SUITE_NONE);
	for (int i = 0; i < DIRECTIONS; i++) {
		parse_hex(fields[2 + i], &keymat[i]);
		assert_int_equal(keymat[i].len, esp_suite_keymat_len(esp_suite_get(suite)));
	}
	harness_open(&(struct harness_options){0});
}

/* sa OUTER INNER ENCAPSULATION NUMBERS SPI_TO_HQ SPI_FROM_HQ */
static void read_sa(char **fields)
{
	uint32_t spi = (uint32_t)strtoul(fields[5], NULL, 16), index = tables_spi_index(spi);
	struct peer_options options = {.suite = suite,
		.outer_ipv6 = fields[1][0] == '6',
		.inner_ipv6 = fields[2][0] == '6',
		.bare = strcmp(fields[3], "bare") == 0,
		.extended = strcmp(fields[4], "extended") == 0,
		.spi_out = (uint32_t)strtoul(fields[6], NULL, 16),
		.keymat_to_hq = keymat[TO_HQ].bytes,
		.keymat_from_hq = keymat[FROM_HQ].bytes,
		.df = TUNNEL_DF_COPY};

	assert_in_range(index, 0, SAS - 1);
	if (options.extended)
		options.soft_packets = options.hard_packets = UINT64_MAX;
	/* A record's generation is raised when it is claimed. */
	harness.tables.children[index].generation = (spi >> TABLES_SPI_INDEX_BITS) - 1;
	peer_open(&peer, index + 1, &options);
	assert_int_equal(peer.to_hq.spi, spi);
}

static void expect_frame(uint16_t port, const uint8_t *to, const struct bytes *ip)
{
	uint8_t expected[WIRE_ETHERNET_LEN + sizeof(ip->bytes)];
	size_t len = wire_ethernet(expected, to, harness_port_mac(port),
		wire_is_ipv6(ip->bytes) ? WIRE_TYPE_IPV6 : WIRE_TYPE_IPV4, ip->bytes, ip->len);

	if (frame.len != len)
		fail_msg("%s:%u: %u bytes came out, %zu should", vectors_path, line_number, frame.len, len);
	for (size_t i = 0; i < len; i++)
		if (frame.bytes[i] != expected[i])
			fail_msg("%s:%u: byte %zu of the frame that came out is %02x, it should be %02x", vectors_path,
				line_number, i, frame.bytes[i], expected[i]);
	assert_false(harness_receive(0, &frame) || harness_receive(1, &frame));
}

static void turn(uint16_t from, uint16_t to, uint32_t neighbour, const struct bytes *ip)
{
	harness_send_ip(from, 0, neighbour, ip->bytes, ip->len);
	harness_turn();
	if (!harness_receive(to, &frame))
		fail_msg("%s:%u: nothing came out", vectors_path, line_number);
}

/* DIRECTION SEQUENCE PACKET */
static void read_to_hq(char **fields)
{
	uint8_t mac[WIRE_MAC_LEN];

	parse_hex(fields[2], &packet);
	if (peer.inner_ipv6)
		harness_mac_6(LAN_HOST_6, mac);
	else
		harness_mac(LAN_HOST, mac);
	turn(0, 1, GATEWAY, &packet);
	expect_frame(1, mac, &lan[peer.number - 1][TO_HQ]);
}

static void read_from_hq(char **fields)
{
	uint8_t mac[WIRE_MAC_LEN];

	parse_hex(fields[2], &packet);
	sa_numbers(&harness.dataplane.sas, peer.child)->sequence = strtoull(fields[1], NULL, 10) - 1;
	turn(1, 0, LAN_HOST, &lan[peer.number - 1][FROM_HQ]);
	if (peer.outer_ipv6) {
		harness_mac_6(GATEWAY_6, mac);
	} else {
		harness_mac(GATEWAY, mac);
		/* HQ chooses IPv4's identification. */
		memcpy(packet.bytes + 4, frame.bytes + WIRE_ETHERNET_LEN + 4, 2);
		wire_ipv4_checksum(packet.bytes);
	}
	expect_frame(0, mac, &packet);
}

static const struct {
	const char *word;
	size_t n_fields;
	void (*read)(char **fields);
} lines[] = {
	{"lan", 4, read_lan},
	{"suite", 4, read_suite},
	{"sa", 7, read_sa},
	{"to_hq", 3, read_to_hq},
	{"from_hq", 3, read_from_hq},
};

static void read_line(char *line)
{
	char *fields[FIELDS_MAX], *rest = NULL;
	size_t n_fields = 0, kind = 0;

	for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		assert_true(n_fields < FIELDS_MAX);
		fields[n_fields++] = word;
	}
	while (kind < sizeof(lines) / sizeof(lines[0]) && strcmp(lines[kind].word, fields[0]) != 0)
		kind++;
	if (kind == sizeof(lines) / sizeof(lines[0]) || lines[kind].n_fields != n_fields)
		fail_msg("%s:%u: no such line", vectors_path, line_number);
	lines[kind].read(fields);
	if (lines[kind].n_fields == 3)
		seen[suite][peer.outer_ipv6][peer.inner_ipv6][peer.udp][direction_of(fields[0])]++;
}

static void test_scapy(void **state)
{
	FILE *file = fopen(vectors_path, "r");
	char *line = NULL;
	size_t size = 0;

	(void)state;
	assert_non_null(file);
	for (line_number = 1; getline(&line, &size, file) > 0; line_number++)
		if (line[0] != '#')
			read_line(line);
	free(line);
	fclose(file);
	for (suite = ESP_SUITE_NONE + 1; suite < ESP_SUITE_COUNT; suite++)
		for (int choice = 0; choice < FAMILIES * FAMILIES * ENCAPSULATIONS * DIRECTIONS; choice++)
			assert_true(seen[suite][choice / 8][choice / 4 % 2][choice / 2 % 2][choice % 2] > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scapy, harness_setup, harness_teardown),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s tunnel_scapy.txt\n", argv[0]);
		return 2;
	}
	vectors_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
