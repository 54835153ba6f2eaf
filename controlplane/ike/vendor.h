/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Vendor IDs (RFC 2408 section 3.16): what a peer is, and what it can do beyond RFC 2409. One table of those that are
 * about: the bytes on the wire and the name that the operator is shown.
 */
#pragma once

#include "ike/builder.h"
#include "ike/bytes.h"
#include "ike/payload.h"

enum vendor {
	VENDOR_NATT_RFC3947,
	VENDOR_NATT_DRAFT_03,
	VENDOR_NATT_DRAFT_02,	/* two forms are about, without */
	VENDOR_NATT_DRAFT_02_N, /* and with a line feed in what was hashed */
	VENDOR_NATT_DRAFT_00,
	VENDOR_DPD,
	VENDOR_XAUTH,
	VENDOR_UNITY,
	VENDOR_FRAGMENTATION,
	VENDOR_STRONGSWAN,
	VENDOR_MICROSOFT,
	VENDOR_MICROSOFT_NEGOTIATION,
	VENDOR_RACOON,
	VENDOR_COUNT, /* none of them */
};

/* The body as it is sent, of the versions that there are the first. */
struct bytes vendor_body(enum vendor vendor);

/* Which one this is; versions and flags behind the known part don't matter. VENDOR_COUNT when it is not known. */
enum vendor vendor_find(struct bytes body);

/* The names of all vendor IDs of a message, with commas, into VENDOR_TEXT_LEN bytes; returns it. */
enum { VENDOR_TEXT_LEN = 256 };
char *vendor_format(const struct payload_list *payloads, char *text);
