/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAT traversal: vendor IDs and NAT-D payloads (RFC 3947 section 3, and its drafts 02 and 03), and the vendor IDs of
 * dead peer detection (RFC 3706 section 5.1), XAUTH and Unity, which are told in the same way. A responder answers what it
 * was told and adds nothing: message 2 goes to an address that nothing has proved yet. Pure functions.
 */
#pragma once

#include "ike/builder.h"
#include "ike/payload.h"
#include "ike/prf.h"
#include "tables/address.h"

enum natt_version { NATT_NONE, NATT_DRAFT, NATT_RFC3947 };

/* What a peer's vendor IDs say that it can do. */
struct natt_vendor {
	enum natt_version natt;
	bool dead_peer_detection;
	bool xauth, unity; /* users' logins; networks and more by mode-config */
};
struct natt_vendor natt_read_vendors(const struct payload_list *payloads);

/* Vendor ID payloads: as initiator all that we know; as responder those of the peer's that we know too. */
void natt_write_vendors(struct builder *builder);
void natt_answer_vendors(struct builder *builder, const struct natt_vendor *peer);

/* The same of logins and virtual addresses, where we have either. */
void natt_write_clients(struct builder *builder);
void natt_answer_clients(struct builder *builder, const struct natt_vendor *peer);

/*
 * The two NAT-D payloads: the far end first, then ours. 0 or -EIO. Where `local` is natt_nowhere, which nobody's address
 * is, the peer finds a NAT before us and puts ESP into UDP in any case.
 */
extern const struct endpoint natt_nowhere;
int natt_write_detection(struct builder *builder, enum natt_version natt, uint16_t hash,
	const struct isakmp_hdr *cookies, const struct endpoint *local, const struct endpoint *remote);

/* The two NAT-OA payloads, which UDP-encapsulated transport mode asks for (RFC 3947 section 5.2). */
void natt_write_original(struct builder *builder, enum natt_version natt, const struct address *initiator,
	const struct address *responder);

/* Whether one of the NAT-D payloads, the first or any behind it, is the hash of this endpoint. */
enum natt_side { NATT_FIRST, NATT_OTHERS };
bool natt_names(const struct payload_list *payloads, enum natt_side side, uint16_t hash,
	const struct isakmp_hdr *cookies, const struct endpoint *endpoint);
