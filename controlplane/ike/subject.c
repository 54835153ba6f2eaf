/* SPDX-License-Identifier: Apache-2.0 */
#include "ike/subject.h"

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <string.h>

bool subject_format(const X509_NAME *name, char *text, size_t size)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *printed;
	long len = -1;

	/* RFC 2253's escapes, but in the order of the name itself, as most who write a name down do. */
	if (out && X509_NAME_print_ex(out, name, 0, ASN1_STRFLGS_RFC2253 | XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN) >= 0)
		len = BIO_get_mem_data(out, &printed);
	if (len > 0 && (size_t)len < size) {
		memcpy(text, printed, (size_t)len);
		text[len] = '\0';
	} else {
		len = -1;
	}
	BIO_free(out);
	return len > 0;
}
