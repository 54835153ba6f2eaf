/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quick mode (RFC 2409 section 5.5): one exchange under an IKE SA that ends in a pair of ESP SAs. Both roles, whoever
 * began the IKE SA. An exchange that is done is remembered for a while, to answer messages that come again.
 */
#pragma once

#include "ike/child_sa.h"
#include "ike/ike_sa.h"
#include "ike/phase2.h"

struct quick {
	struct ike_sa *sa;
	TAILQ_ENTRY(quick) in_sa; /* or in the engine's list of those that ended */
	uint32_t message_id;
	bool initiator;
	uint8_t messages; /* by both sides so far */
	enum v1_state state;
	struct endpoint local, remote; /* responder: where message 1 came from */
	uint8_t iv[CIPHER_BLOCK_MAX];
	uint8_t seen[ENGINE_DIGEST_LEN]; /* the peer's last message */
	uint8_t nonce_i[ISAKMP_NONCE_MAX], nonce_r[ISAKMP_NONCE_MAX];
	size_t nonce_i_len, nonce_r_len;
	struct dh *dh;
	uint16_t group;
	struct ike_child terms; /* without key material; id 0 until it is installed */
	bool spi_reserved;
	uint64_t replaces; /* id and SPI of the child SA that this one renews; 0: none */
	uint32_t replaces_spi;
	uint8_t *sent;
	size_t sent_len;
	unsigned tries;
	struct deadline due;
};

/*
 * Begins one as initiator; `renewed` is the child SA that it replaces, or NULL. 0 or negative errno; -EALREADY when one
 * that renews the same child SA is under way.
 */
int quick_begin(struct ike_sa *sa, const struct prefix *local_network, const struct prefix *remote_network,
	const struct child_sa *renewed);

/* Initiator of the IKE SA: begins the next pair of the peer's networks, when there is one. */
void quick_begin_next_pair(struct ike_sa *sa);

/* Handlers of the table in v1_states.c. */
enum v1_verdict quick_receive_1(struct v1_message *message);
enum v1_verdict quick_receive_2(struct v1_message *message);
enum v1_verdict quick_receive_3(struct v1_message *message);

/* The exchange with this message ID, NULL when there is none. */
struct quick *quick_find(const struct ike_sa *sa, uint32_t message_id);

/* The peer has refused one of ours by a notification: by its SPI, or the only one that waits. */
void quick_refused_by_peer(struct ike_sa *sa, uint32_t spi, uint16_t type);

/* Its message came again, or its answer did not come: sends the last one again. */
void quick_repeat(struct quick *quick);

/* Ends it; what it has installed and not activated goes with it. */
void quick_end(struct quick *quick);
void quick_free(struct quick *quick);

/* Common to both roles. A new exchange, NULL with errno. */
struct quick *quick_new(struct ike_sa *sa, uint32_t message_id, bool initiator);

/* Draws what the exchange needs: SPI and our nonce. 0 or negative errno. */
int quick_draw(struct quick *quick, uint8_t *nonce, size_t *nonce_len);

/*
 * Derives both directions' keys, with what the key exchange has made where there is one, and has the pair installed. 0
 * or negative errno.
 */
int quick_install(struct quick *quick, const uint8_t *secret);

/*
 * The terms of the offer that was chosen. What a NAT changes of the hosts' addresses they tell each other where the
 * mode asks for it. NULL, or why these terms go with no traffic: in transport mode who talks is whom the selectors
 * name.
 */
void quick_take_terms(struct quick *quick, const struct phase2_offer *chosen);
void quick_write_original(struct quick *quick, struct builder *builder, uint16_t mode);
const char *quick_check_hosts(const struct quick *quick);

/* The network of one address: what is meant where no selectors are sent (RFC 2409 section 5.5). */
struct prefix quick_host_network(const struct address *address);

/* The child SA that it installed, NULL when that is gone. */
struct child_sa *quick_child(const struct quick *quick);

/* The exchange is done: wipes what the keys were made of. */
void quick_forget_secrets(struct quick *quick);

/* Keeps a sealed message for repetition and sends it. 0 or negative errno. */
int quick_send(struct quick *quick, const struct builder *builder);
