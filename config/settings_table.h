/* SPDX-License-Identifier: Apache-2.0 */
/* How the tables of settings are written: settings.c has the one of both daemons, connect_settings.c the client's. */
#pragma once

#include "config/settings.h"

/* clang-format off */
#define FIELD(type, member) .offset = offsetof(struct type, member), .size = sizeof(((struct type *)NULL)->member)
#define ARRAY(type, member, counter)                                                                                   \
	.offset = offsetof(struct type, member),                                                                       \
	.size = sizeof(((struct type *)NULL)->member[0]),                                                              \
	.capacity = sizeof(((struct type *)NULL)->member) / sizeof(((struct type *)NULL)->member[0]),                  \
	.count_offset = offsetof(struct type, counter)
#define COUNTED(type, member, counter) FIELD(type, member), .count_offset = offsetof(struct type, counter)
#define RANGE(from, to) .min = (from), .max = (to)

#define NETWORK_EXPECTED "a network such as 192.0.2.0/24 or 2001:db8::/32"
/* tables/suite.h has the list; 32 names would be no help. */
#define SUITE_EXPECTED                                                                                                 \
	"aesNgcm, chacha20poly1305, aesN-HASH, aesNctr-HASH or null-HASH (which does NOT encrypt), where N is 128, "   \
	"192 or 256 and HASH sha1, sha256, sha384 or sha512"
#define AUTH_EXPECTED "psk, rsa, ecdsa256, ecdsa384, ecdsa521, xauth-psk, xauth-rsa, hybrid-rsa or registration"
#define IKE_DEFAULT                                                                                                    \
	"[\"aes256-sha256-modp2048\", \"aes256-sha256-ecp256\", \"aes128-sha256-modp2048\", \"aes128-sha256-ecp256\"]"
#define IKE_EXPECTED                                                                                                   \
	"CIPHER-HASH-GROUP with aes128 aes192 aes256 3des - md5 sha1 sha256 sha384 sha512 - modp1024 modp1536 "        \
	"modp2048 modp3072 modp4096 ecp256 ecp384 ecp521 curve25519"
#define ESP_DEFAULT                                                                                                    \
	"[\"aes256gcm\", \"aes128gcm\", \"aes256-sha256\", \"aes128-sha256\", \"aes256-sha1\", \"aes128-sha1\"]"
#define PFS_EXPECTED                                                                                                   \
	"one of none modp1024 modp1536 modp2048 modp3072 modp4096 ecp256 ecp384 ecp521 curve25519"
/* clang-format on */

extern const char *const settings_level_choices[], *const settings_fragment_choices[];
