/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP a second time, for tests: one packet, buffers apart, straight from RFC 4303 and those of the ciphers over
 * OpenSSL. It shares nothing with dataplane/esp but the list of suites, and takes any IV, padding and trailer, wrong
 * ones too.
 */
#pragma once

#include "tables/suite.h"

#include <stdbool.h>

/* One direction of an SA. */
struct reference_sa {
	const struct esp_suite *suite;
	uint8_t keymat[ESP_KEYMAT_MAX];
	uint32_t spi;
	bool extended; /* 64-bit sequence numbers */
	uint32_t high; /* with these, what reference_decrypt takes for their high half */
};

/* Payload, padding and trailer as RFC 4303 wants them; `plaintext` has room for payload_len + 17. Its length. */
size_t reference_pad(const struct reference_sa *sa, const uint8_t *payload, size_t payload_len, uint8_t next_header,
	uint8_t *plaintext);

/*
 * The ESP packet around a padded plaintext, whatever its padding says. `esp` has room for plaintext_len + 56. Its
 * length. Of `sequence` the high half counts with extended numbers alone.
 */
size_t reference_encrypt(const struct reference_sa *sa, uint64_t sequence, const uint8_t *iv, const uint8_t *plaintext,
	size_t plaintext_len, uint8_t *esp);

/* Verifies and decrypts up to and with the trailer. False when it is not authentic. */
bool reference_decrypt(
	const struct reference_sa *sa, const uint8_t *esp, size_t esp_len, uint8_t *plaintext, size_t *plaintext_len);

/* The HMAC, cut to the suite's ICV, over `len` bytes and, with extended numbers, the high half; for suites with one. */
void reference_hmac(const struct reference_sa *sa, uint32_t high, const uint8_t *data, size_t len, uint8_t *icv);

/* One AES block under the SA's encryption key. */
void reference_encrypt_block(const struct reference_sa *sa, const uint8_t *in, uint8_t *out);
