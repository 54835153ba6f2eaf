/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script of what a network and a hostile peer can do, played to two engines: messages lost, doubled and altered, raw
 * datagrams with and without the cookies of a living SA, messages that are authentic and yet made of arbitrary
 * payloads, time that passes, verbs of the host. Clock and randomness are the script's, so that a finding repeats.
 */
#include "../unit/ike/exchange.h"

#include "ike/ike_sa.h"
#include "ike/message.h"
#include "ike/quick.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	DELIVER,
	LOSE,
	DOUBLE,
	ALTER,	     /* 16-bit place, mask */
	PASS,	     /* seconds */
	RAW,	     /* length, bytes: to the gateway */
	RAW_COOKIES, /* the same with cookies of its newest SA and a fitting length */
	AUTHENTIC,   /* exchange, first payload, length, bytes: sealed with the branch's keys */
	VERB,	     /* which */
	NAT,	     /* which */
	MODE,	     /* main mode, or aggressive mode again, for what is begun from now on */
	STEPS,
};

/* A script that begins with this is played to a client whose user logs in and gets a virtual address. */
enum { WITH_USERS = 0xff, ANSWER_LOGIN = 0x80 };

static struct exchange x;
static struct bytes script;

static uint8_t next_byte(void)
{
	uint8_t byte = script.len ? *script.data : 0;

	if (script.len)
		script = bytes_of(script.data + 1, script.len - 1);
	return byte;
}

static struct bytes next_bytes(void)
{
	size_t len = next_byte();
	struct bytes taken = bytes_of(script.data, len < script.len ? len : script.len);

	script = bytes_of(script.data + taken.len, script.len - taken.len);
	return taken;
}

static struct ike_sa *newest(int side)
{
	return TAILQ_LAST(&x.sides[side].ike->sas, ike_sa_list);
}

static void send_raw(bool cookies)
{
	struct bytes raw = next_bytes();
	uint8_t *copy = malloc(raw.len ? raw.len : 1);
	struct exchange_message message = {BRANCH, x.sides[BRANCH].endpoint, x.sides[GATEWAY].endpoint, copy, raw.len};
	const struct ike_sa *sa = newest(GATEWAY);

	if (raw.len)
		memcpy(copy, raw.data, raw.len);
	if (cookies && raw.len >= sizeof(struct isakmp_hdr)) {
		if (sa) {
			memcpy(copy, sa->initiator_cookie, IKE_COOKIE_LEN);
			memcpy(copy + IKE_COOKIE_LEN, sa->responder_cookie, IKE_COOKIE_LEN);
		}
		copy[offsetof(struct isakmp_hdr, version)] = ISAKMP_VERSION_1;
		bytes_put32(copy + offsetof(struct isakmp_hdr, length), (uint32_t)raw.len);
	}
	exchange_hand_over(&x, &message);
	free(copy);
}

/* A message of a peer that has the keys and means no good. */
static void send_authentic(void)
{
	uint8_t which = next_byte(), first = next_byte();
	uint8_t exchange = which & 2 ? ISAKMP_TRANSACTION : which & 1 ? ISAKMP_QUICK : ISAKMP_INFORMATIONAL;
	struct ike_sa *sa = newest(BRANCH);
	struct bytes chain = next_bytes();
	uint8_t iv[CIPHER_BLOCK_MAX];
	struct builder builder;
	uint32_t id;

	if (!sa || (sa->state != V1_ESTABLISHED && sa->state != V1_XAUTH))
		return;
	id = ike_sa_new_id(sa);
	message_begin_hashed(&builder, sa, exchange, id);
	builder.data[builder.next_at] = first;
	builder_put(&builder, chain.data, chain.len);
	if (keymat_iv_phase2(&sa->keys, sa->iv, id, iv) == 0 &&
		message_seal_hashed(&builder, sa, id, bytes_of(NULL, 0), iv) == 0)
		engine_send(sa->ike, &sa->local, &sa->remote, builder.data, builder.len);
}

static void alter(void)
{
	size_t at = (size_t)next_byte() << 8;

	at |= next_byte();
	if (x.queued)
		x.queue[0].data[at % x.queue[0].len] ^= next_byte();
}

static void verb(uint8_t which)
{
	struct exchange_side *side = &x.sides[which & 1];
	uint32_t spi = side->n_children ? side->children[which % side->n_children].terms.spi_in : 0;

	if (which & ANSWER_LOGIN) {
		if (x.sides[GATEWAY].login_waits)
			exchange_answer_login(&x);
		return;
	}
	switch (which >> 1 & 3) {
	case 0: ike_child_rekey(side->ike, spi); break;
	case 1:
		if (ike_child_delete(side->ike, spi) == 0)
			side->children[which % side->n_children].gone = true;
		break;
	case 2: ike_peer_delete(side->ike, &side->peers[0], NULL); break;
	default: exchange_begin(&x); break;
	}
}

static void step(uint8_t what)
{
	switch (what % STEPS) {
	case DELIVER:
		if (x.queued)
			exchange_deliver(&x);
		break;
	case LOSE:
		if (x.queued)
			exchange_lose(&x);
		break;
	case DOUBLE:
		if (x.queued)
			exchange_hand_over(&x, &x.queue[0]);
		break;
	case ALTER: alter(); break;
	case PASS: exchange_pass_silent(&x, (uint64_t)next_byte() * 1000); break;
	case RAW: send_raw(false); break;
	case RAW_COOKIES: send_raw(true); break;
	case AUTHENTIC: send_authentic(); break;
	case VERB: verb(next_byte()); break;
	case MODE: x.sides[BRANCH].peers[0].aggressive = next_byte() & 1; break;
	case NAT: x.nat = (enum exchange_nat)(next_byte() % 3); break;
	}
}

static void prepare_users(size_t size)
{
	(void)next_byte();
	for (int i = 0; i < 2; i++) {
		x.sides[i].peers[0].auth[0] = IKE_AUTH_XAUTH_INIT_PSK;
		x.sides[i].peers[0].users = true;
		x.sides[i].peers[0].assign = size & 2 ? CONFIG_ASSIGN_PUSH : CONFIG_ASSIGN_PULL;
	}
	strcpy(x.sides[GATEWAY].peers[0].pool, "clients");
	x.sides[BRANCH].peers[0].virtual_address = true;
	x.sides[BRANCH].user = EXCHANGE_USER;
	x.sides[BRANCH].password = size & 4 ? EXCHANGE_PASSWORD : "wrong";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	script = bytes_of(data, size);
	exchange_prepare(&x);
	for (int side = 0; size % 2 && side < 2; side++) /* a script of odd length: messages go in pieces */
		x.sides[side].config.ike.fragment_size = 200;
	if (size && data[0] == WITH_USERS)
		prepare_users(size);
	exchange_open(&x);
	exchange_begin(&x);
	while (script.len && x.logged < EXCHANGE_LOG_MAX / 2 && x.queued < EXCHANGE_QUEUE_MAX / 2 &&
		x.sides[BRANCH].n_children < EXCHANGE_CHILDREN_MAX - 20 &&
		x.sides[GATEWAY].n_children < EXCHANGE_CHILDREN_MAX - 20)
		step(next_byte());
	exchange_stop(&x);
	return 0;
}
