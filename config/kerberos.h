/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the configuration says of Kerberos: of sluiced, which accepts it at registration, and of sluice-connect, which
 * shows its tickets. config/sluice.cfg and config/connect.cfg describe the settings. Part of config/config.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	CONFIG_KERBEROS_RULES_MAX = 32,
	CONFIG_KERBEROS_NAME_LEN = 128, /* a principal or identity, with terminator */
	CONFIG_KERBEROS_FILE_LEN = 256,
	CONFIG_KERBEROS_PASSWORD_LEN = 256,
};

/* Who a principal is to Sluice; controlplane/auth/principal.h says what the asterisk in both stands for. */
struct config_kerberos_rule {
	char principal[CONFIG_KERBEROS_NAME_LEN]; /* "*@EXAMPLE.COM" */
	char identity[CONFIG_KERBEROS_NAME_LEN];  /* "*"; "": the whole principal */
};

struct config_kerberos {
	char keytab[CONFIG_KERBEROS_FILE_LEN];
	char service[CONFIG_KERBEROS_NAME_LEN]; /* "vpn": vpn/ANY of the keytab; or one principal, "vpn/hq.example" */
	struct config_kerberos_rule rules[CONFIG_KERBEROS_RULES_MAX]; /* the first that fits decides */
	uint16_t n_rules;
	uint32_t token_max;   /* bytes of one token of the peer */
	uint16_t rounds_max;  /* tokens of the peer in one authentication */
	bool iakerb;          /* requests to the KDC are passed on for peers that can't reach it */
	uint32_t kdc_timeout; /* seconds that the KDC may take to answer one of them */
	uint16_t kdc_pending; /* such requests at a time */
};

enum config_iakerb { CONFIG_IAKERB_AUTO, CONFIG_IAKERB_ALWAYS, CONFIG_IAKERB_NEVER };

/* Where tickets come from: keytab or password get them for `principal`; with neither of these, the cache has them. */
struct config_kerberos_client {
	char principal[CONFIG_KERBEROS_NAME_LEN]; /* ours; "": the cache's */
	char service[CONFIG_KERBEROS_NAME_LEN];   /* the gateway's; "": vpn/ and the gateway's name */
	char cache[CONFIG_KERBEROS_FILE_LEN];     /* "": the host's default */
	char keytab[CONFIG_KERBEROS_FILE_LEN];    /* "": none */
	uint8_t password[CONFIG_KERBEROS_PASSWORD_LEN];
	uint16_t password_len;
	uint8_t iakerb;        /* enum config_iakerb */
	uint32_t kdc_patience; /* seconds until a silent KDC is asked through the gateway */
};
