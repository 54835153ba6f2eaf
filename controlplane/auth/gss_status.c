/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/gss_status.h"

#include <krb5/krb5.h>
#include <pthread.h>
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

/* The library's two tables of codes, and how many each may have. */
static const long code_tables[] = {ERROR_TABLE_BASE_krb5, ERROR_TABLE_BASE_asn1};
enum { CODE_TABLES = sizeof(code_tables) / sizeof(code_tables[0]), CODE_TABLE_LEN = 256, CODE_WORDS_LEN = 256 };

struct code_words {
	OM_uint32 minor;
	const gss_OID_desc *mechanism;
	char words[CODE_WORDS_LEN];
};

static void *code_ask(void *context)
{
	struct code_words *asked = context;

	gss_status_text(GSS_S_FAILURE, asked->minor, asked->mechanism, asked->words, sizeof(asked->words));
	return NULL;
}

static long code_of_words(const char *words, long otherwise)
{
	krb5_context context;
	long code = otherwise;

	if (!words[0] || krb5_init_context(&context) != 0)
		return otherwise;
	for (int i = 0; i < CODE_TABLES * CODE_TABLE_LEN && code == otherwise; i++) {
		long candidate = code_tables[i / CODE_TABLE_LEN] + i % CODE_TABLE_LEN;
		const char *meaning = krb5_get_error_message(context, (krb5_error_code)candidate);

		if (strcmp(meaning, words) == 0)
			code = candidate;
		krb5_free_error_message(context, meaning);
	}
	krb5_free_context(context);
	return code;
}

/*
 * A code that both mechanisms have met is the code itself for the first of them alone; the other's is some number of
 * the GSS library's, which nothing translates back but its words. In the thread of the failure they name what it was
 * about; in any other they are those of the table.
 */
long gss_status_code(OM_uint32 minor, const gss_OID_desc *mechanism)
{
	struct code_words asked = {.minor = minor, .mechanism = mechanism};
	const long code = (krb5_error_code)minor;
	pthread_t other;

	for (int i = 0; i < CODE_TABLES; i++)
		if (code >= code_tables[i] && code < code_tables[i] + CODE_TABLE_LEN)
			return code;
	if (minor == 0 || pthread_create(&other, NULL, code_ask, &asked) != 0)
		return code;
	pthread_join(other, NULL);
	return code_of_words(asked.words, code);
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
