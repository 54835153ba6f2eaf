/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of sluice-connect: one gateway to connect to, and how. From a libconfig file, from the command
 * line, or from both, where the command line wins: each setting of the file (config/connect.cfg describes them) is an
 * option of the same name, with "-" for "_".
 */
#pragma once

#include "config/config.h"
#include "config/kerberos.h"

enum {
	CONNECT_PORTS_MAX = 8,
	CONNECT_DNS_MAX = 4,
	CONNECT_GATEWAY_LEN = 256, /* a host name and its terminator */
};

/* What the gateway may choose from to carry the tunnel, where we register. Where IKE does it alone, AUTO means UDP. */
enum connect_transport { CONNECT_TRANSPORT_AUTO, CONNECT_TRANSPORT_UDP, CONNECT_TRANSPORT_TCP };

struct connect_config {
	struct config base;		   /* what the IKE engine reads; its only peer is the gateway */
	struct config_peer peer;	   /* the gateway */
	char gateway[CONNECT_GATEWAY_LEN]; /* address or name */
	uint16_t ports[CONNECT_PORTS_MAX]; /* of the gateway, the one to be dialed first in front */
	uint16_t n_ports;
	uint16_t registration[CONNECT_PORTS_MAX]; /* its TCP ports to register at, the first one in front */
	uint16_t n_registration;
	uint8_t methods[CONFIG_METHODS]; /* enum config_method, by which to register */
	uint16_t n_methods;		 /* 0: we don't, and IKE does it alone */
	bool alone;			 /* IKE could do it alone, with peer.auth */
	uint8_t transport;		 /* enum connect_transport */
	struct config_kerberos_client kerberos;
	uint16_t local_port, local_nat_port; /* 0: any */
	uint16_t exchanges;		     /* begun side by side at each try; the newest is answered */
	uint32_t patience;		     /* seconds for one try */
	uint32_t retry_max;		     /* seconds between two rounds of tries, at most */
	char login[CONFIG_IDENTITY_LEN]; /* the user who registers, or whom the gateway asks for by XAUTH; "": none */
	char password[CONFIG_PASSWORD_LEN];
	uint16_t password_len;
	uint32_t dpd; /* seconds of silence before the gateway is asked whether it is there; 0: never */
	char interface[CONFIG_NAME_LEN];
	uint16_t mtu; /* of the interface, where encrypted packets are what is cut */
	struct address dns[CONNECT_DNS_MAX];
	uint16_t n_dns;
	char dns_file[CONFIG_PATH_LEN]; /* "": resolvers are left alone */
};

/* One option of the command line. */
struct connect_option {
	const char *setting; /* its name in the file */
	const char *value;   /* of a list: elements with commas between; options of one list add up */
};

/*
 * Reads `path` (NULL: none) and the options over it, and checks all. The configuration, which the caller frees with
 * connect_config_free; or NULL with EINVAL and every error passed to `report`, as config_load does it. Where an option
 * is wrong the sentence begins with "command line:".
 */
struct connect_config *connect_config_load(const char *path, const struct connect_option *options, size_t n_options,
	void (*report)(void *context, const char *sentence), void *context);

/* Wipes the secrets and frees all. NULL is allowed. */
void connect_config_free(struct connect_config *config);

/*
 * The settings that may be options: the name of number `i`, and whether it goes without a value (a boolean); NULL
 * behind the last. A secret is none of them: everybody on the host can read a command line.
 */
const char *connect_option_name(size_t i, bool *is_switch);
