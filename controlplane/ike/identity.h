/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ID payloads (RFC 2407 section 4.6.2): identities of phase 1 as the text that the configuration compares, and traffic
 * selectors of phase 2 as prefixes.
 */
#pragma once

#include "config/config.h"
#include "ike/bytes.h"
#include "tables/address.h"

enum { IDENTITY_NAME_MAX = 512, IDENTITY_BODY_MAX = 4 + IDENTITY_NAME_MAX };

/*
 * The text of an identity into CONFIG_IDENTITY_LEN bytes; characters that don't print appear as '?'. 0; -EBADMSG when
 * type, port, length (IDENTITY_BODY_MAX at most) or characters are not allowed, with a sentence in *why: the text is
 * then for the log only.
 */
int identity_read(struct bytes body, char *text, const char **why);

/* The body of an ID payload for a text: address, user@name, or name. Returns its length. */
size_t identity_write(const char *text, uint8_t body[IDENTITY_BODY_MAX]);

/* The same for a distinguished name in DER, of at most IDENTITY_NAME_MAX bytes. */
size_t identity_write_name(struct bytes der, uint8_t body[IDENTITY_BODY_MAX]);

enum { IDENTITY_SELECTOR_MAX = 4 + 32 };

/* A network out of IDci or IDcr. 0; -EBADMSG, -ENOTSUP (ranges, single protocols and ports) with a sentence in *why. */
int identity_read_selector(struct bytes body, struct prefix *out, const char **why);

/* Returns the length of the body. */
size_t identity_write_selector(const struct prefix *network, uint8_t body[IDENTITY_SELECTOR_MAX]);
