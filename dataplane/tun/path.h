/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data path of a client: TUN device on one side, the UDP port that ESP and IKE share on the other (RFC 3948).
 *
 *   TUN -> read a burst -> SA by networks -> MSS -> number -> esp_seal -> sendmmsg          (outbound.c)
 *   recvmmsg -> IKE? to the handler -> SA by SPI -> window -> esp_open -> window, networks, ECN, MSS -> TUN (inbound.c)
 *
 * Or, in place of that port, a TCP connection of the owner's (RFC 9329), which takes and gives bursts of ESP packets.
 *
 * ESP is that of dataplane/esp, as the workers have it. The kernel has counted TTLs down, keeps inner packets within
 * the device's MTU, and cuts and joins outer ones. Every packet that does not get through is counted by why. One
 * thread.
 */
#pragma once

#include "tables/tunnel.h"
#include "tun/child.h"
#include "tun/device.h"
#include "tun/socket.h"

/* clang-format off */
#define TUN_COUNTERS(X)                                                                                                \
	X(FROM_TUN,       "from_tun",       "packets read from the device")                                            \
	X(TO_TUN,         "to_tun",         "packets written to the device")                                           \
	X(ESP_IN,         "esp_in",         "ESP packets received")                                                    \
	X(ESP_OUT,        "esp_out",        "ESP packets sent")                                                        \
	X(IKE_IN,         "ike_in",         "IKE messages received")                                                   \
	X(NOTICES_IN,     "notices_in",     "notices of the gateway received")                                         \
	X(KEEPALIVES_IN,  "keepalives_in",  "NAT keepalives received")                                                 \
	X(MALFORMED,      "malformed",      "datagrams that are neither ESP nor IKE")                                  \
	X(UNKNOWN_SPI,    "unknown_spi",    "ESP packets for no SA that there is")                                     \
	X(REPLAYED,       "replayed",       "ESP packets that came before, or too late for the window")                \
	X(BAD_LENGTH,     "bad_length",     "ESP packets that are no whole packet of their suite")                     \
	X(BAD_ICV,        "bad_icv",        "ESP packets that are not authentic")                                      \
	X(BAD_PAD,        "bad_pad",        "authentic ESP packets with wrong padding")                                \
	X(CRYPTO,         "crypto",         "packets that the crypto library refused")                                 \
	X(DUMMY,          "dummy",          "dummy packets (RFC 4303 section 2.6)")                                    \
	X(BAD_INNER,      "bad_inner",      "decrypted packets that are no valid IP packet of the SA's family")        \
	X(SELECTOR_IN,    "selector_in",    "decrypted packets outside their SA's networks")                           \
	X(ECN,            "ecn",            "decrypted packets that met congestion and can't say so (RFC 6040)")       \
	X(SELECTOR_OUT,   "selector_out",   "packets from the device that no SA is for")                               \
	X(USED_UP,        "used_up",        "packets beyond the end of their SA, in bytes or numbers")                 \
	X(TUN_FAILED,     "tun_failed",     "packets that the device did not take")                                    \
	X(SEND_FAILED,    "send_failed",    "ESP packets that the socket did not take")
/* clang-format on */

enum tun_counter {
#define X(id, name, help) TUN_COUNT_##id,
	TUN_COUNTERS(X)
#undef X
		TUN_COUNTER_COUNT,
};
const char *tun_counter_name(enum tun_counter counter);

struct tun_handler {
	void *context;
	/* One IKE message, without marker. It may change the children. `floated`: it came to the common port. */
	void (*message)(void *context, const struct endpoint *local, const struct endpoint *remote, bool floated,
		const uint8_t *message, size_t message_len);
	/* What came to the common port and is neither IKE nor, by its top bit, ESP of ours. NULL: nobody wants it. */
	void (*notice)(void *context, const struct endpoint *remote, const uint8_t *datagram, size_t datagram_len);
	/* ESP packets to be sent, where `stream` is set. Returns how many can be. */
	size_t (*stream)(void *context, const struct tun_departure *packets, size_t count);
	/* A limit of this child is near: it wants a successor. Called between bursts. */
	void (*soft_limit)(void *context, uint32_t spi_in);
};

struct tun_path {
	struct tun_device device;
	struct tun_socket socket; /* the common port */
	struct tun_socket plain;  /* IKE alone, without marker */
	struct endpoint remote;	  /* where ESP goes */
	bool stream;		  /* ESP goes to handler.stream, whose TCP cuts it: any length fits */
	struct esp_engine *engine;
	struct tun_children children;
	struct tunnel_settings tunnel;
	uint32_t outer_mtu; /* of the path to `remote`, bytes */
	uint32_t inner_mtu; /* the longest inner packet that needs no cutting; 0: no SA yet */
	uint64_t authentic; /* packets that came and were authentic: who counts them knows that the peer is there */
	uint64_t counters[TUN_COUNTER_COUNT];
	struct tun_handler handler;
	struct tun_buffers *buffers;
};

/* Neither device nor socket yet. 0 or negative errno. `seed`: unpredictable. */
int tun_path_init(
	struct tun_path *path, const struct tunnel_settings *tunnel, const struct tun_handler *handler, uint32_t seed);

/* Closes and wipes all. Safe after a failed init. */
void tun_path_free(struct tun_path *path);

/* To be called when the device is readable, or a socket. They return after a few bursts, though there be more. */
void tun_path_device_readable(struct tun_path *path);
void tun_path_socket_readable(struct tun_path *path);
void tun_path_plain_readable(struct tun_path *path);

/* ESP packets that came in the TCP connection, in their order; they are changed in place. */
void tun_path_take_packets(struct tun_path *path, const struct tun_departure *packets, size_t count);

/* One IKE message, from the socket whose port `local` has, with the marker where it needs one. 0 or negative errno. */
int tun_path_send_message(const struct tun_path *path, const struct endpoint *local, const struct endpoint *remote,
	const uint8_t *message, size_t message_len);

/* The one byte that keeps NATs from forgetting (RFC 3948 section 2.3), from the common port. */
int tun_path_send_keepalive(const struct tun_path *path, const struct endpoint *remote);

/* A datagram as it is, from the common port. `whole`: it may not be cut. 0 or negative errno; EMSGSIZE: it is too long. */
int tun_path_send_notice(
	const struct tun_path *path, const struct endpoint *remote, const uint8_t *datagram, size_t len, bool whole);

/*
 * Computes inner_mtu from outer_mtu and the suite that leaves the least, and tells the device its MTU: `whole` where
 * encrypted packets are what is cut (TUNNEL_FRAGMENT_AFTER), else inner_mtu, if less. To be called when outer_mtu,
 * remote or the children have changed. Returns the device's MTU; 0 while there is no child; negative errno.
 */
int tun_path_fit(struct tun_path *path, uint32_t whole);

/* Bytes of UDP and IP header before an ESP packet to `remote`. */
uint32_t tun_path_outer_len(const struct tun_path *path);

static inline void tun_path_count(struct tun_path *path, enum tun_counter counter, uint64_t by)
{
	path->counters[counter] += by;
}
