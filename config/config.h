/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of both processes as one plain structure, read once at start from a libconfig file. Every setting
 * has its default in one place (settings.c) and is described in config/sluice.cfg. A file with anything wrong in it is
 * refused as a whole; each error names file and line, the setting, the value found and what is expected.
 */
#pragma once

#include "config/kerberos.h"
#include "config/proposal.h"
#include "tables/address.h"
#include "tables/suite.h"
#include "tables/tunnel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONFIG_WORKERS_MAX = 64,
	CONFIG_PORTS_MAX = 16,
	CONFIG_NETWORKS_MAX = 16,
	CONFIG_MEMBER_NETWORKS_MAX = CONFIG_NETWORKS_MAX - 1, /* its address is one more */
	CONFIG_PROPOSALS_MAX = 16,
	CONFIG_AUTH_MAX = 8,
	CONFIG_FILES_MAX = 8,
	CONFIG_FILE_LEN = 256,
	CONFIG_LISTEN_MAX = 16,
	CONFIG_NAT_PORTS_MAX = 8,
	CONFIG_TCP_PORTS_MAX = 8,
	CONFIG_POOLS_MAX = 64,
	CONFIG_DNS_MAX = 4,
	CONFIG_REGISTRATION_PORTS_MAX = 16,
	CONFIG_RULES_MAX = 256,
	CONFIG_NAME_LEN = 64,     /* with terminator */
	CONFIG_IDENTITY_LEN = 128,
	CONFIG_PATH_LEN = 108,    /* fits a Unix socket's address */
	CONFIG_DEVICE_LEN = 256,
	CONFIG_SECRET_LEN = 256,
	CONFIG_PASSWORD_LEN = 256, /* with terminator */
};

enum config_poll { CONFIG_POLL_ADAPTIVE, CONFIG_POLL_BUSY };
enum config_huge_pages { CONFIG_HUGE_PAGES_AUTO, CONFIG_HUGE_PAGES_REQUIRE, CONFIG_HUGE_PAGES_NEVER };
/* What encrypts: the fastest, or what has a name in config_crypto_names; the last one is for AES-GCM alone. */
enum config_crypto {
	CONFIG_CRYPTO_AUTO,
	CONFIG_CRYPTO_SSE,
	CONFIG_CRYPTO_AVX,
	CONFIG_CRYPTO_AVX2,
	CONFIG_CRYPTO_AVX512,
	CONFIG_CRYPTO_VAES,
};
extern const char *const config_crypto_names[];
enum config_mode { CONFIG_MODE_TUNNEL, CONFIG_MODE_TRANSPORT };
enum config_exception { CONFIG_EXCEPTION_TAP, CONFIG_EXCEPTION_VIRTIO_USER };

/* One DPDK port and the kernel interface that stands for it. */
struct config_port {
	char name[CONFIG_NAME_LEN];              /* "hq0", also the kernel interface's name, at most 15 characters */
	char device[CONFIG_DEVICE_LEN];          /* PCI address or vdev string */
	enum config_exception exception;         /* how frames go to and from the kernel */
	uint16_t mtu;                            /* bytes of an IP packet */
	uint16_t rx_descriptors, tx_descriptors; /* per queue */
	bool promiscuous;
};

struct config_dataplane {
	uint16_t main_core;
	uint16_t worker_cores[CONFIG_WORKERS_MAX];
	uint16_t n_workers;
	enum config_poll poll;
	enum config_crypto crypto_gcm, crypto_others; /* of AES-GCM, and of all other suites */
	enum config_huge_pages huge_pages;
	uint32_t memory; /* MiB for DPDK */
	uint32_t packet_buffers;
	uint32_t max_sessions, max_children;
	uint32_t max_routes;            /* addresses, routes and neighbours mirrored from the kernel */
	uint32_t replay_window;         /* packets, a power of two */
	uint32_t exception_rate;        /* packets a second and worker towards the kernel, */
	uint32_t stream_rate;           /* and segments of peers' TCP connections */
	uint32_t fragments_pending;     /* packets in reassembly, per worker */
	uint32_t fragments_per_source;  /* of these, from one source address */
	uint32_t fragments_timeout;     /* milliseconds */
	struct config_port ports[CONFIG_PORTS_MAX];
	uint16_t n_ports;
};

struct config_ike {
	struct address listen[CONFIG_LISTEN_MAX]; /* none: every local address of both families */
	uint16_t n_listen;
	uint16_t port;                    /* 500 */
	uint16_t nat_ports[CONFIG_NAT_PORTS_MAX]; /* 4500 first: the one that a peer which dialed `port` goes on at */
	uint16_t n_nat_ports;
	uint16_t tcp_ports[CONFIG_TCP_PORTS_MAX]; /* RFC 9329; none: nobody connects without having registered */
	uint16_t n_tcp_ports;
	uint32_t tcp_delay;               /* milliseconds that ESP waits for room in its TCP connection, at most */
	bool tcp_takeover;                /* connections of sessions move into the data plane's workers */
	char identity[CONFIG_IDENTITY_LEN];
	char certificate[CONFIG_FILE_LEN], key[CONFIG_FILE_LEN]; /* PEM files; "": none */
	char authorities[CONFIG_FILES_MAX][CONFIG_FILE_LEN];     /* whom we trust */
	uint16_t n_authorities;
	char crls[CONFIG_FILES_MAX][CONFIG_FILE_LEN];
	uint16_t n_crls;
	bool require_crl;                 /* a certificate whose issuer has no CRL here is refused */
	bool legacy;
	uint32_t half_open_max;           /* exchanges not yet authenticated, all peers together */
	uint32_t half_open_per_source;    /* of these, from one address and port */
	uint32_t half_open_timeout;       /* seconds */
	uint32_t lifetime;                /* seconds, of an IKE SA, at most; the peer may ask for less */
	uint32_t keepalive;               /* seconds between NAT keepalives; 0: none */
	uint16_t fragment_size;           /* of an IKE message with IP and UDP headers, bytes; 0: never in pieces */
	uint32_t dpd_delay, dpd_timeout;  /* seconds of silence until a peer is probed, 0: never; and is given up */
};

/* Whether IKE with a marker and ESP in UDP share this port of ours (RFC 3948 section 2). */
static inline bool config_is_nat_port(const struct config_ike *ike, uint16_t port)
{
	for (uint16_t i = 0; i < ike->n_nat_ports; i++)
		if (ike->nat_ports[i] == port)
			return true;
	return false;
}

/* Where ESP in UDP goes of a peer whose IKE uses `port` of ours: the same one where it can. */
static inline uint16_t config_data_port(const struct config_ike *ike, uint16_t port)
{
	return config_is_nat_port(ike, port) ? port : ike->nat_ports[0];
}

/* What is remembered of attempts to connect (controlplane/timeline.h). */
struct config_timeline {
	uint32_t attempts;      /* whose IKE SA is gone, all together */
	uint32_t per_peer;      /* of these, of one peer that was authenticated, and as many that were not */
	uint32_t per_source;    /* of these, from one address by nobody who is configured */
	uint16_t attempt_bytes; /* of entries in each */
};

/* Users who log in with name and password: where they stand, and how often one may be wrong. */
struct config_users {
	char file[CONFIG_PATH_LEN];
	uint32_t guesses_per_user, guesses_per_address; /* wrong passwords within the window */
	uint32_t guess_window;                          /* seconds */
	uint32_t tries;                                 /* passwords of one exchange */
	uint32_t timeout;                               /* seconds that a login may take, typing included */
};

/* Virtual addresses, IPv4, from first to last; what is not set is filled in from the network. */
struct config_pool {
	char name[CONFIG_NAME_LEN];
	struct prefix network;
	struct address first, last;
	struct address dns[CONFIG_DNS_MAX];
	uint16_t n_dns;
};

enum config_assign { CONFIG_ASSIGN_PULL, CONFIG_ASSIGN_PUSH };

/* How somebody who registers proves who it is, and what carries its session. The numbers are the choices' places. */
enum config_method { CONFIG_METHOD_KERBEROS, CONFIG_METHOD_CERTIFICATE, CONFIG_METHOD_PASSWORD, CONFIG_METHODS };
enum config_transport { CONFIG_TRANSPORT_UDP, CONFIG_TRANSPORT_TCP, CONFIG_TRANSPORTS };
extern const char *const config_method_names[], *const config_transport_names[];

/* Somebody who registers and has something of its own: a branch with its network, a user with a fixed address. */
struct config_member {
	char identity[CONFIG_IDENTITY_LEN];
	char subject[CONFIG_IDENTITY_LEN];  /* of a certificate that stands for it; "": none */
	char group[CONFIG_NAME_LEN];        /* "": as the users file says */
	uint8_t methods[CONFIG_METHODS];    /* enum config_method; none: all of the group's */
	uint16_t n_methods;
	struct address address;             /* IPv4, in place of one from a pool; of no family: none */
	struct prefix networks[CONFIG_MEMBER_NETWORKS_MAX]; /* behind it */
	uint16_t n_networks;
};

/* Registration over TCP and TLS (controlplane/registration/PROTOCOL.md). */
struct config_registration {
	uint16_t ports[CONFIG_REGISTRATION_PORTS_MAX]; /* TCP; none: nobody registers */
	uint16_t n_ports;
	uint8_t methods[CONFIG_METHODS];       /* enum config_method, the best first */
	uint16_t n_methods;
	uint8_t transports[CONFIG_TRANSPORTS]; /* enum config_transport, the best first */
	uint16_t n_transports;
	bool fallback;                         /* to TCP, where UDP does not get through */
	uint32_t udp_wait, dial_tries;         /* seconds for UDP to come, and how often we dial the peer after that */
	uint32_t timeout;                      /* seconds, of the whole exchange */
	uint32_t key_timeout;                  /* seconds in which IKE must have used the key */
	uint32_t connections, connections_per_address; /* not yet accepted, all together and from one address */
	struct config_kerberos kerberos;
	struct config_member *members;
	size_t n_members;
};

/* A branch or client that may connect with configured credentials. */
struct config_peer {
	char name[CONFIG_NAME_LEN];
	char identity[CONFIG_IDENTITY_LEN]; /* what it sends as IDii: FQDN, user@FQDN, key ID or address */
	struct address address;             /* where it is; of no family: anywhere */
	uint8_t secret[CONFIG_SECRET_LEN];  /* pre-shared key */
	uint16_t secret_len;
	bool secret_once;                   /* it is for one IKE SA, whose successor the host sees to */
	bool registration;                  /* many, each of whom has registered: identity and key come from there */
	uint8_t methods[CONFIG_METHODS];    /* by which they may have registered; none: by all that are on */
	uint16_t n_methods;
	bool users;                         /* many clients, each of which logs in as a user besides: auth says so */
	char user_group[CONFIG_NAME_LEN];   /* of which the users must be; "": all */
	char pool[CONFIG_NAME_LEN];         /* virtual addresses instead of remote_networks; "": none */
	bool virtual_address;               /* we are the client, and ask it for an address */
	uint8_t assign;                     /* enum config_assign: who speaks first of the address */
	bool ikev1, aggressive;             /* RFC 9395: off unless said so */
	uint16_t auth[CONFIG_AUTH_MAX];     /* enum ike_auth, in order of preference */
	uint16_t n_auth;
	struct ike_proposal ike[CONFIG_PROPOSALS_MAX]; /* in order of preference */
	uint16_t n_ike;
	uint8_t esp[CONFIG_PROPOSALS_MAX];  /* enum esp_suite_id, in order of preference */
	uint16_t n_esp;
	uint16_t pfs;                       /* enum ike_group; IKE_GROUP_NONE: quick mode without KE accepted */
	struct prefix local_networks[CONFIG_NETWORKS_MAX];
	uint16_t n_local;
	struct prefix remote_networks[CONFIG_NETWORKS_MAX];
	uint16_t n_remote;
	uint8_t mode;                       /* enum config_mode */
	bool force_udp;                     /* ESP goes in UDP even where there is no NAT */
	bool esn;                           /* 64-bit sequence numbers are offered and taken (RFC 4304) */
	uint32_t lifetime;                  /* seconds, of a child SA, at most */
	uint64_t lifetime_bytes;            /* 0: none */
	struct tunnel_settings tunnel;      /* what it does not say itself is the group's */
};

enum config_action { CONFIG_ACTION_BYPASS, CONFIG_ACTION_DISCARD };
enum { CONFIG_PROTOCOL_ANY = 256 }; /* beside the numbers that fit an IP header */

/* Destination ports; 0 and 0: the rule says nothing of ports. */
struct config_port_range {
	uint16_t first, last;
};

/* A bypass or discard entry of the SPD (RFC 4301 section 4.4.1). */
struct config_rule {
	enum config_action action;
	struct prefix source, destination;
	uint16_t protocol; /* of the IP header, or CONFIG_PROTOCOL_ANY */
	struct config_port_range port;
};

struct config {
	char runtime_dir[CONFIG_PATH_LEN - 32]; /* sockets are made here */
	char state_dir[CONFIG_PATH_LEN - 32];   /* what outlives the process: leases */
	char user[CONFIG_NAME_LEN];             /* sluiced runs as this user; "": as the one that started it */
	char control_group[CONFIG_NAME_LEN];    /* members may use the control socket; "": root and `user` alone */
	int log_level;                          /* enum log_level */
	struct config_dataplane dataplane;
	struct config_ike ike;
	struct config_timeline timeline;
	struct config_users users;
	struct config_registration registration;
	struct config_pool pools[CONFIG_POOLS_MAX];
	uint16_t n_pools;
	struct config_rule rules[CONFIG_RULES_MAX]; /* the first that matches a packet decides */
	uint16_t n_rules;
	struct tunnel_settings tunnel;          /* of peers that say nothing else */
	struct config_peer *peers;
	size_t n_peers;
};

/* Whether peers' TCP connections come to this port of ours: to register, and to stay (RFC 9329). */
static inline bool config_is_tcp_port(const struct config *config, uint16_t port)
{
	for (uint16_t i = 0; i < config->ike.n_tcp_ports; i++)
		if (config->ike.tcp_ports[i] == port)
			return true;
	for (uint16_t i = 0; i < config->registration.n_ports; i++)
		if (config->registration.ports[i] == port)
			return true;
	return false;
}

enum { CONFIG_DEFAULT_PEERS_MAX = 100000, CONFIG_MEMBERS_MAX = 100000, CONFIG_ERROR_LEN = 512 };

/*
 * Reads and checks `path`. Returns the configuration, which the caller frees with config_free; or NULL with EINVAL, and
 * every error found passed to `report`, one sentence each, which lasts for the call alone
 * ("/etc/sluice.cfg:12: ike.port: 70000 is not a port; expected 1 to 65535").
 */
struct config *config_load(const char *path, void (*report)(void *context, const char *sentence), void *context);

/* Wipes the secrets and frees all. NULL is allowed. */
void config_free(struct config *config);

/* A `report` that writes to standard error. */
void config_report_stderr(void *context, const char *sentence);
