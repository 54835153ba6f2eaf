/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_PRE_SHARED "EXPORTER-sluice-pre-shared-key"
#define LABEL_IDENTITY "EXPORTER-sluice-identity"
#define LABEL_NOTICE "EXPORTER-sluice-notice"
#define LABEL_CHANNEL_BINDING "EXPORTER-Channel-Binding" /* RFC 9266 section 4.2 */

enum { IDENTITY_BYTES = 16 };

static void format_hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

int keys_derive(const struct tls *tls, const uint8_t session[REGISTRATION_SESSION_LEN], struct registration_keys *out)
{
	uint8_t identity[IDENTITY_BYTES];
	int rc;

	memset(out, 0, sizeof(*out));
	rc = tls_export(tls, LABEL_PRE_SHARED, session, REGISTRATION_SESSION_LEN, out->pre_shared, KEYS_PRE_SHARED_LEN);
	if (rc == 0)
		rc = tls_export(tls, LABEL_IDENTITY, session, REGISTRATION_SESSION_LEN, identity, sizeof(identity));
	if (rc == 0)
		rc = tls_export(tls, LABEL_NOTICE, session, REGISTRATION_SESSION_LEN, out->notice, KEYS_NOTICE_LEN);
	if (rc < 0) {
		explicit_bzero(out, sizeof(*out));
		return rc;
	}
	format_hex(identity, sizeof(identity), out->identity);
	strcat(out->identity, "@registered");
	return 0;
}

int keys_channel_binding(const struct tls *tls, uint8_t out[KEYS_CHANNEL_BINDING_LEN])
{
	/* RFC 9266 section 4.2: a context of no bytes, which in TLS 1.3 is the same as none. */
	return tls_export(tls, LABEL_CHANNEL_BINDING, (const uint8_t *)"", 0, out, KEYS_CHANNEL_BINDING_LEN);
}
