/* SPDX-License-Identifier: Apache-2.0 */
/* What the GSS library says of a failure, and our channel bindings: for acceptor and initiator alike. */
#pragma once

#include <gssapi/gssapi.h>
#include <stddef.h>
#include <stdint.h>

/* Both mechanisms: Kerberos 5 (RFC 4121) and IAKERB. */
extern const gss_OID_desc gss_mechanism_krb5, gss_mechanism_iakerb;

/*
 * The library's words, without line ends and quotes; "" when it has none. In the thread that the failure came up in.
 * Returns `text`.
 */
char *gss_status_text(OM_uint32 major, OM_uint32 minor, const gss_OID_desc *mechanism, char *text, size_t size);

/*
 * The code of the Kerberos library (krb5.h, KRB5KRB_AP_ERR_SKEW and so on) behind a minor status; the minor status
 * itself when it is none of that library's.
 */
long gss_status_code(OM_uint32 minor, const gss_OID_desc *mechanism);

enum { GSS_BINDING_EXPORTER_LEN = 32, GSS_BINDING_LEN = sizeof("tls-exporter:") - 1 + GSS_BINDING_EXPORTER_LEN };

/*
 * Channel bindings of a TLS channel (RFC 5056 section 2.1, RFC 9266): unique prefix, then what the exporter gave. Fills
 * `data`, which must stay as long as the bindings are used.
 */
struct gss_channel_bindings_struct gss_binding_of(
	const uint8_t exporter[GSS_BINDING_EXPORTER_LEN], uint8_t data[GSS_BINDING_LEN]);
