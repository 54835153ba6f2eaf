/* SPDX-License-Identifier: Apache-2.0 */
/* Framing of GSS-API tokens, and the names that come out of them: what is found lies in what was given. */
#include "auth/gss_token.h"
#include "auth/principal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_inside(const uint8_t *data, size_t size, const void *part, size_t len)
{
	const uint8_t *at = part;

	if (!part && len == 0)
		return;
	if (at < data || len > size || at > data + size - len)
		abort();
}

/* The bytes as a principal: an identity has an end, and none of the characters that rules don't take. */
static void map_principal(const uint8_t *data, size_t size)
{
	static const struct config_kerberos_rule rules[] = {
		{"host/gw-*@EXAMPLE.COM", "*.gw"}, {"*@EXAMPLE.COM", "*"}, {"*@A", ""}};
	char principal[256], identity[CONFIG_KERBEROS_NAME_LEN];

	if (size >= sizeof(principal))
		return;
	memcpy(principal, data, size);
	principal[size] = '\0';
	if (principal_map(rules, 3, principal, identity)) {
		if (identity[0])
			abort();
		return;
	}
	if (!memchr(identity, '\0', sizeof(identity)) || strpbrk(identity, " \"\\\n/"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gss_token token = gss_token_read(data, size);

	expect_inside(data, size, token.message, token.message_len);
	expect_inside(data, size, token.realm, token.realm_len);
	if (gss_token_is_for_kdc(&token) && !token.realm)
		abort();
	if ((token.kind == GSS_TOKEN_IAKERB_AS_REQ || token.kind == GSS_TOKEN_IAKERB_TGS_REQ) && token.message_len < 2)
		abort();
	map_principal(data, size);
	return 0;
}
