/* SPDX-License-Identifier: Apache-2.0 */
#include "registration/tls.h"

#include "registration/tls_verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static const unsigned char alpn[] = "\x08sluice/1";
enum { ALPN_LEN = sizeof(alpn) - 1, CHAIN_MAX = 8 };

struct tls_context {
	SSL_CTX *ssl;
	const struct credentials *credentials;
	bool server;
};

struct tls {
	SSL *ssl;
	struct tls_verify verify;
	enum tls_failure failure;
	char why[TLS_WHY_LEN];
	bool server;
};

/* OpenSSL's newest words on what went wrong; all of its errors are forgotten. */
static const char *last_error(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error ? ERR_reason_error_string(error) : NULL;

	ERR_clear_error();
	return reason ? reason : "no reason was given";
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
	unsigned int offered_len, void *context)
{
	unsigned char *chosen;

	(void)ssl;
	(void)context;
	if (SSL_select_next_proto(&chosen, out_len, alpn, ALPN_LEN, offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool use_certificate(SSL_CTX *ssl, const struct credentials *credentials)
{
	if (!credentials->certificate || !credentials->key)
		return true;
	return SSL_CTX_use_certificate(ssl, credentials->certificate) == 1 &&
	       SSL_CTX_use_PrivateKey(ssl, credentials->key) == 1 &&
	       (!credentials->chain || SSL_CTX_set1_chain(ssl, credentials->chain) == 1);
}

/* What both roles have alike. */
static bool set_up(SSL_CTX *ssl, const struct credentials *credentials)
{
	/* What isn't read of a message stays in the kernel (no read ahead): the connection outlives TLS. */
	SSL_CTX_set_read_ahead(ssl, 0);
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify_depth(ssl, CHAIN_MAX);
	return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
	       SSL_CTX_set_max_early_data(ssl, 0) == 1 && use_certificate(ssl, credentials);
}

static struct tls_context *context_new(
	const SSL_METHOD *method, const struct credentials *credentials, bool server, char *why)
{
	struct tls_context *context = calloc(1, sizeof(*context));

	if (context)
		context->ssl = SSL_CTX_new(method);
	if (!context || !context->ssl || !set_up(context->ssl, credentials)) {
		snprintf(why, TLS_WHY_LEN, "TLS can't be set up: %s", last_error());
		tls_context_free(context);
		return NULL;
	}
	context->credentials = credentials_hold(credentials);
	context->server = server;
	return context;
}

struct tls_context *tls_context_server(const struct credentials *credentials, bool ask, char *why)
{
	struct tls_context *context;

	if (!credentials || !credentials->certificate || !credentials->key) {
		snprintf(why, TLS_WHY_LEN, "TLS needs a certificate and its key");
		return NULL;
	}
	context = context_new(TLS_server_method(), credentials, true, why);
	if (!context)
		return NULL;
	SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, NULL);
	if (!ask)
		return context;
	/* Named in the request, so that a client with several certificates can choose. */
	for (int i = 0; i < sk_X509_num(credentials->authorities); i++)
		if (SSL_CTX_add_client_CA(context->ssl, sk_X509_value(credentials->authorities, i)) != 1)
			ERR_clear_error();
	if (SSL_CTX_set1_verify_cert_store(context->ssl, credentials->store) != 1) {
		snprintf(why, TLS_WHY_LEN, "TLS can't be set up: %s", last_error());
		tls_context_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, tls_verify_client);
	return context;
}

struct tls_context *tls_context_client(const struct credentials *credentials, char *why)
{
	struct tls_context *context;

	if (!credentials || sk_X509_num(credentials->authorities) <= 0) {
		snprintf(why, TLS_WHY_LEN, "TLS needs an authority to know the gateway by");
		return NULL;
	}
	context = context_new(TLS_client_method(), credentials, false, why);
	if (!context)
		return NULL;
	SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, tls_verify_gateway);
	if (SSL_CTX_set1_verify_cert_store(context->ssl, credentials->store) != 1 ||
		SSL_CTX_set_alpn_protos(context->ssl, alpn, ALPN_LEN) != 0) {
		snprintf(why, TLS_WHY_LEN, "TLS can't be set up: %s", last_error());
		tls_context_free(context);
		return NULL;
	}
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ssl);
	credentials_free(context->credentials);
	free(context);
}

struct tls *tls_new(struct tls_context *context, int fd, const char *name)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->server = context->server;
	tls->verify.credentials = credentials_hold(context->credentials);
	tls->verify.name = name;
	tls->ssl = SSL_new(context->ssl);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1 || SSL_set_app_data(tls->ssl, &tls->verify) != 1 ||
		(!tls->server && !tls_verify_expect(tls->ssl, name))) {
		ERR_clear_error();
		tls_free(tls);
		return NULL;
	}
	/* The name is the caller's, and is only needed for sentences until the handshake is done. */
	if (context->server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	credentials_free(tls->verify.credentials);
	free(tls);
}

static enum tls_status fail(struct tls *tls, enum tls_failure failure, const char *why)
{
	tls->failure = failure;
	snprintf(tls->why, sizeof(tls->why), "%s", why);
	return TLS_FAILED;
}

/* Of errors of the socket; EOF without close_notify is an error of 0 in older OpenSSL, and has a reason in 3.0. */
static enum tls_status fail_by_socket(struct tls *tls, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		return fail(tls, TLS_FAILURE_RESET, "the connection was reset");
	if (error == 0)
		return fail(tls, TLS_FAILURE_ENDED, "the connection ended in the middle");
	return fail(tls, TLS_FAILURE_SYSTEM, strerror(error));
}

static enum tls_status fail_by_protocol(struct tls *tls)
{
	char why[TLS_WHY_LEN];

	if (tls->verify.failure != TLS_FAILURE_NONE && !tls->server) {
		ERR_clear_error();
		return fail(tls, tls->verify.failure, tls->verify.why);
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return fail_by_socket(tls, 0);
	}
	snprintf(why, sizeof(why), "TLS failed: %s", last_error());
	return fail(tls, TLS_FAILURE_PROTOCOL, why);
}

static enum tls_status status_of(struct tls *tls, int rc, int error)
{
	if (tls->failure != TLS_FAILURE_NONE)
		return TLS_FAILED;
	switch (SSL_get_error(tls->ssl, rc)) {
	case SSL_ERROR_NONE: return TLS_DONE;
	case SSL_ERROR_WANT_READ: return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE: return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN: return TLS_CLOSED;
	case SSL_ERROR_SYSCALL: return fail_by_socket(tls, error);
	default: return fail_by_protocol(tls);
	}
}

/* Each call starts with no error of another session's in the thread's queue, as SSL_get_error looks there. */
static void prepare(void)
{
	ERR_clear_error();
	errno = 0;
}

enum tls_status tls_handshake(struct tls *tls)
{
	const unsigned char *chosen;
	enum tls_status status;
	unsigned int len;
	int rc;

	prepare();
	rc = SSL_do_handshake(tls->ssl);
	status = status_of(tls, rc, errno);
	if (status != TLS_DONE)
		return status;
	SSL_get0_alpn_selected(tls->ssl, &chosen, &len);
	if (len != alpn[0] || memcmp(chosen, alpn + 1, len) != 0)
		return fail(tls, TLS_FAILURE_PROTOCOL, "TLS failed: the other side doesn't speak sluice/1");
	tls->verify.name = NULL;
	return TLS_DONE;
}

enum tls_status tls_read(struct tls *tls, void *data, size_t size, size_t *len)
{
	int rc;

	prepare();
	rc = SSL_read_ex(tls->ssl, data, size, len);
	return status_of(tls, rc, errno);
}

enum tls_status tls_write(struct tls *tls, const void *data, size_t len, size_t *written)
{
	int rc;

	prepare();
	rc = SSL_write_ex(tls->ssl, data, len, written);
	return status_of(tls, rc, errno);
}

enum tls_status tls_close(struct tls *tls)
{
	int rc;

	prepare();
	/* 0: ours is sent and theirs has not come, which tls_read tells. */
	rc = SSL_shutdown(tls->ssl);
	return rc >= 0 ? TLS_DONE : status_of(tls, rc, errno);
}

enum tls_failure tls_failure(const struct tls *tls)
{
	return tls->failure;
}

const char *tls_why(const struct tls *tls)
{
	return tls->why;
}

X509 *tls_peer_certificate(const struct tls *tls)
{
	return SSL_get0_peer_certificate(tls->ssl);
}

bool tls_peer_verified(const struct tls *tls, char *why)
{
	if (!tls_peer_certificate(tls)) {
		snprintf(why, TLS_WHY_LEN, "no certificate was shown");
		return false;
	}
	snprintf(why, TLS_WHY_LEN, "%s", tls->verify.why);
	return tls->verify.failure == TLS_FAILURE_NONE;
}

int tls_export(const struct tls *tls, const char *label, const uint8_t *context, size_t context_len, uint8_t *out,
	size_t out_len)
{
	if (!SSL_is_init_finished(tls->ssl) || SSL_export_keying_material(tls->ssl, out, out_len, label, strlen(label),
						       context, context_len, 1) != 1) {
		ERR_clear_error();
		return -EIO;
	}
	return 0;
}
