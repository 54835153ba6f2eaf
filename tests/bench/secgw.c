/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same sessions for the peer of the comparison, DPDK's ipsec-secgw: prints its configuration, and publishes its
 * inbound SPIs for the traffic device. Bare ESP: it knows no UDP encapsulation in software.
 */
#include "plan.h"
#include "tables/address.h"
#include "tables/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPI_IN = 0x100000 };

static const char usage[] = "usage: secgw FILE SESSIONS SUITE lookaside|cpu-crypto\n"
			    "  exit status 3 where ipsec-secgw has no such suite\n";

static void print_key(const uint8_t *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%s%02x", i ? ":" : " ", key[i]);
}

static const char *text_of(uint32_t host_order, char *text)
{
	struct address address = address_ipv4(host_order);

	return address_format(&address, text);
}

/* In its words; false where it lacks them. */
static bool print_algorithms(const struct esp_suite *suite, const uint8_t *keymat)
{
	static const char *const modes[ESP_MODE_COUNT] = {[ESP_MODE_CBC] = "cbc", [ESP_MODE_CTR] = "ctr"};
	static const char *const hashes[ESP_INTEGRITY_COUNT] = {[ESP_INTEGRITY_SHA1_96] = "sha1",
		[ESP_INTEGRITY_SHA256_128] = "sha256",
		[ESP_INTEGRITY_SHA384_192] = "sha384",
		[ESP_INTEGRITY_SHA512_256] = "sha512"};
	unsigned int key_bits = suite->key_len * 8u;

	if (suite->mode == ESP_MODE_GCM || suite->mode == ESP_MODE_CHACHA20_POLY1305) {
		if (suite->mode == ESP_MODE_GCM)
			printf(" aead_algo aes-%u-gcm aead_key", key_bits);
		else
			printf(" aead_algo chacha20-poly1305 aead_key");
		print_key(keymat, (size_t)suite->key_len + suite->salt_len);
		return true;
	}
	if (!modes[suite->mode] || !hashes[suite->integrity])
		return false;
	printf(" cipher_algo aes-%u-%s cipher_key", key_bits, modes[suite->mode]);
	print_key(keymat, (size_t)suite->key_len + suite->salt_len);
	printf(" auth_algo %s-hmac auth_key", hashes[suite->integrity]);
	print_key(keymat + suite->key_len + suite->salt_len, suite->auth_key_len);
	return true;
}

static bool print_sa(const char *direction, uint32_t spi, uint32_t source, uint32_t destination,
	const struct esp_suite *suite, const uint8_t *keymat, const char *type)
{
	char from[ADDRESS_TEXT_LEN], to[ADDRESS_TEXT_LEN];

	printf("sa %s %" PRIu32, direction, spi);
	if (!print_algorithms(suite, keymat))
		return false;
	printf(" mode ipv4-tunnel src %s dst %s", text_of(source, from), text_of(destination, to));
	printf("%s%s\n", type ? " type " : "", type ? type : "");
	return true;
}

static void print_policies(uint32_t session)
{
	char branch[ADDRESS_TEXT_LEN], lan[ADDRESS_TEXT_LEN];

	text_of(plan_branch_network(session), branch);
	text_of(plan_lan, lan);
	printf("sp ipv4 out esp protect %" PRIu32 " pri 1 src %s/24 dst %s/24 sport 0:65535 dport 0:65535\n",
		PLAN_SPI_OUT + session, lan, branch);
	printf("sp ipv4 in esp protect %" PRIu32 " pri 1 src %s/24 dst %s/24 sport 0:65535 dport 0:65535\n",
		SPI_IN + session, branch, lan);
}

static void print_net(void)
{
	char text[ADDRESS_TEXT_LEN];
	uint8_t mac[6];

	printf("rt ipv4 dst %s/24 port 0\n", text_of(plan_lan, text));
	printf("rt ipv4 dst %s/15 port 1\n", text_of(plan_branch(0) & 0xfffe0000, text));
	for (uint16_t port = 0; port < 2; port++) {
		plan_station(port, mac);
		printf("neigh port %u %02x:%02x:%02x:%02x:%02x:%02x\n", port, mac[0], mac[1], mac[2], mac[3], mac[4],
			mac[5]);
	}
}

static bool print_all(uint32_t sessions, const struct esp_suite *suite, const char *type)
{
	uint8_t keymat[ESP_KEYMAT_MAX];

	plan_keymat(keymat, esp_suite_keymat_len(suite));
	for (uint32_t i = 0; i < sessions; i++)
		print_policies(i);
	for (uint32_t i = 0; i < sessions; i++)
		if (!print_sa("out", PLAN_SPI_OUT + i, plan_gateway, plan_branch(i), suite, keymat, type) ||
			!print_sa("in", SPI_IN + i, plan_branch(i), plan_gateway, suite, keymat, type))
			return false;
	print_net();
	return true;
}

int main(int argc, char **argv)
{
	static uint32_t spis[PLAN_SESSIONS_MAX];
	const struct esp_suite *suite = argc == 5 ? esp_suite_get(esp_suite_find(argv[3])) : NULL;
	unsigned long sessions = argc == 5 ? strtoul(argv[2], NULL, 10) : 0;
	const char *type = NULL;
	int rc;

	if (!suite || sessions == 0 || sessions > PLAN_SESSIONS_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	if (strcmp(argv[4], "cpu-crypto") == 0)
		type = argv[4];
	if (!print_all((uint32_t)sessions, suite, type))
		return 3;
	for (uint32_t i = 0; i < sessions; i++)
		spis[i] = SPI_IN + i;
	rc = plan_publish(argv[1], spis, (uint32_t)sessions);
	if (rc < 0)
		fprintf(stderr, "secgw: %s: %s\n", argv[1], strerror(-rc));
	return rc < 0;
}
