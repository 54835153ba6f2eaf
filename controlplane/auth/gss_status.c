/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/gss_status.h"

#include <stdio.h>
#include <string.h>

const gss_OID_desc gss_mechanism_krb5 = {9, "\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"}; /* 1.2.840.113554.1.2.2 */
const gss_OID_desc gss_mechanism_iakerb = {6, "\x2b\x06\x01\x05\x02\x05"};	     /* 1.3.6.1.5.2.5 */

char *gss_status_text(OM_uint32 major, OM_uint32 minor, const gss_OID_desc *mechanism, char *text, size_t size)
{
	gss_buffer_desc words = GSS_C_EMPTY_BUFFER;
	OM_uint32 ignored, more = 0;
	OM_uint32 rc = minor ? gss_display_status(&ignored, minor, GSS_C_MECH_CODE, (gss_OID)mechanism, &more, &words)
			     : gss_display_status(&ignored, major, GSS_C_GSS_CODE, GSS_C_NO_OID, &more, &words);

	text[0] = '\0';
	if (rc != GSS_S_COMPLETE)
		return text;
	snprintf(text, size, "%.*s", (int)words.length, (const char *)words.value);
	gss_release_buffer(&ignored, &words);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == '"')
			*c = '\'';
	return text;
}

struct gss_channel_bindings_struct gss_binding_of(
	const uint8_t exporter[GSS_BINDING_EXPORTER_LEN], uint8_t data[GSS_BINDING_LEN])
{
	memcpy(data, "tls-exporter:", GSS_BINDING_LEN - GSS_BINDING_EXPORTER_LEN);
	memcpy(data + GSS_BINDING_LEN - GSS_BINDING_EXPORTER_LEN, exporter, GSS_BINDING_EXPORTER_LEN);
	return (struct gss_channel_bindings_struct){.initiator_addrtype = GSS_C_AF_UNSPEC,
		.acceptor_addrtype = GSS_C_AF_UNSPEC,
		.application_data = {.length = GSS_BINDING_LEN, .value = data}};
}
