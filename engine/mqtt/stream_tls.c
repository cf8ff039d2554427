/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS half: OpenSSL on a socket that never waits.
 *
 * Reading takes as many records as are there, since a record holds 16 KiB at most and the caller's buffer many of
 * them. A write that could not go must be tried again with the same bytes; where they lie by then does not matter
 * (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER). OpenSSL writes with write(2), so its BIO is ours: one that sends with
 * MSG_NOSIGNAL. */
#include "engine/mqtt/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/mqtt/stream_int.h"

struct stream_tls {
    SSL_CTX *ctx;
    bool verify_host;
};

struct tls_link {
    SSL *ssl;
    int fd;
    bool more; /* the last read filled its buffer: OpenSSL may hold further bytes. (SSL_has_pending counts those of a
                * record that is not whole yet, too, and would keep its caller busy.) */
};

/* --- the socket as a BIO --- */

static int bio_write(BIO *b, const char *bytes, int len)
{
    const struct tls_link *l = BIO_get_data(b);
    ssize_t n = send(l->fd, bytes, (size_t)len, MSG_NOSIGNAL);
    BIO_clear_retry_flags(b);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_write(b);
    return (int)n;
}

static int bio_read(BIO *b, char *out, int size)
{
    const struct tls_link *l = BIO_get_data(b);
    ssize_t n = recv(l->fd, out, (size_t)size, 0);
    BIO_clear_retry_flags(b);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        BIO_set_retry_read(b);
    if (n == 0)
        BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long bio_ctrl(BIO *b, int command, long num, void *ptr)
{
    (void)num;
    (void)ptr;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
    default:
        return 0;
    }
}

static BIO_METHOD *bio_method;

static void make_bio_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) && BIO_meth_set_ctrl(m, bio_ctrl))
        bio_method = m;
    else
        BIO_meth_free(m);
}

/* Made once for the process, and found again through bio_method at its end, so no leak. */
static const BIO_METHOD *the_bio_method(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    return bio_method;
}

/* --- errors --- */

/* The oldest entry of this thread's error queue names the cause. The queue is left empty. */
static const char *reason(char *text, size_t size)
{
    unsigned long code = ERR_get_error();
    const char *known = code ? ERR_reason_error_string(code) : NULL;
    if (known)
        snprintf(text, size, "%s", known);
    else if (code && ERR_SYSTEM_ERROR(code))
        snprintf(text, size, "%s", strerror(ERR_GET_REASON(code)));
    else
        snprintf(text, size, "unknown reason");
    ERR_clear_error();
    return text;
}

static int fail_file(struct err *e, const char *what, const char *path)
{
    char text[128];
    return err_set(e, ERR_IO, "could not use %s \"%s\": %s", what, path, reason(text, sizeof(text)));
}

/* --- contexts --- */

static int give_password(char *buf, int size, int writing, void *ctx)
{
    const char *password = ctx;
    size_t len = password ? strlen(password) : 0;
    (void)writing;
    if (size < 0 || len > (size_t)size)
        return -1;
    memcpy(buf, password ? password : "", len);
    return (int)len;
}

static int load_key(SSL_CTX *ctx, const struct stream_tls_conf *conf, struct err *e)
{
    const char *key = conf->key_file ? conf->key_file : conf->cert_file;
    if (!conf->cert_file)
        return 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, conf->cert_file) != 1)
        return fail_file(e, "the certificate", conf->cert_file);
    SSL_CTX_set_default_passwd_cb(ctx, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)conf->key_password);
    int ok = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    if (ok != 1)
        return fail_file(e, "the key", key);
    if (SSL_CTX_check_private_key(ctx) != 1)
        return fail_file(e, "with this certificate the key", key);
    return 0;
}

static int load_authorities(SSL_CTX *ctx, const char *path, struct err *e)
{
    if (path && SSL_CTX_load_verify_locations(ctx, path, NULL) != 1)
        return fail_file(e, "the authorities in", path);
    return 0;
}

static struct stream_tls *tls_new(const SSL_METHOD *method, const struct stream_tls_conf *conf, struct err *e)
{
    struct stream_tls *tls = calloc(1, sizeof(*tls));
    ERR_clear_error();
    if (tls && the_bio_method())
        tls->ctx = SSL_CTX_new(method);
    if (!tls || !tls->ctx) {
        err_set(e, ERR_MEMORY, "not enough memory for TLS");
        stream_tls_free(tls);
        return NULL;
    }
    tls->verify_host = conf->verify_host;
    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(tls->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(tls->ctx, 1);
    if (load_key(tls->ctx, conf, e) == 0 && load_authorities(tls->ctx, conf->ca_file, e) == 0)
        return tls;
    stream_tls_free(tls);
    return NULL;
}

struct stream_tls *stream_tls_client(const struct stream_tls_conf *conf, struct err *e)
{
    struct stream_tls *tls = tls_new(TLS_client_method(), conf, e);
    if (!tls)
        return NULL;
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    if (conf->ca_file || SSL_CTX_set_default_verify_paths(tls->ctx) == 1)
        return tls;
    fail_file(e, "the authorities of", "the system");
    stream_tls_free(tls);
    return NULL;
}

static int ask_for_certificates(SSL_CTX *ctx, const struct stream_tls_conf *conf, struct err *e)
{
    static const unsigned char name[] = "sluice";
    if (!conf->ca_file)
        return 0;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(conf->ca_file);
    if (!names)
        return fail_file(e, "the authorities in", conf->ca_file);
    SSL_CTX_set_client_CA_list(ctx, names); /* takes them */
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (conf->require_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    SSL_CTX_set_session_id_context(ctx, name, sizeof(name) - 1); /* sessions with certificates may be resumed */
    return 0;
}

struct stream_tls *stream_tls_server(const struct stream_tls_conf *conf, struct err *e)
{
    struct stream_tls *tls = tls_new(TLS_server_method(), conf, e);
    if (!tls || ask_for_certificates(tls->ctx, conf, e) == 0)
        return tls;
    stream_tls_free(tls);
    return NULL;
}

void stream_tls_free(struct stream_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    free(tls);
}

/* --- links --- */

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* SNI carries names only (RFC 6066, section 3). */
static bool name_host(SSL *ssl, const char *host, bool verify)
{
    if (!is_address(host))
        return SSL_set_tlsext_host_name(ssl, host) == 1 && (!verify || SSL_set1_host(ssl, host) == 1);
    return !verify || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
}

static bool start_link(struct tls_link *l, const struct stream_tls *tls, const char *host)
{
    BIO *bio = BIO_new(the_bio_method());
    l->ssl = bio ? SSL_new(tls->ctx) : NULL;
    if (!l->ssl) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, l);
    BIO_set_init(bio, 1);
    SSL_set_bio(l->ssl, bio, bio);
    if (host)
        SSL_set_connect_state(l->ssl);
    else
        SSL_set_accept_state(l->ssl);
    return !host || name_host(l->ssl, host, tls->verify_host);
}

struct tls_link *tls_link_new(const struct stream_tls *tls, int fd, const char *host, struct err *e)
{
    struct tls_link *l = calloc(1, sizeof(*l));
    if (l) {
        l->fd = fd;
        if (start_link(l, tls, host))
            return l;
    }
    ERR_clear_error();
    err_set(e, ERR_MEMORY, "not enough memory for TLS");
    tls_link_free(l);
    return NULL;
}

void tls_link_free(struct tls_link *l)
{
    if (!l)
        return;
    SSL_free(l->ssl);
    free(l);
}

/* Why a call did nothing. 0: *wait says what for; -1: the link is over. */
static int explain(struct tls_link *l, int rc, enum tls_wait *wait, struct err *e)
{
    char text[128];
    int system = errno;
    switch (SSL_get_error(l->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        *wait = TLS_WAIT_READ;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *wait = TLS_WAIT_WRITE;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
    case SSL_ERROR_SYSCALL:
        ERR_clear_error();
        return err_set(e, ERR_UNREACHABLE, "%s",
                       rc < 0 && system ? strerror(system) : "the peer closed the connection");
    default:
        break;
    }
    long verify = SSL_get_verify_result(l->ssl);
    reason(text, sizeof(text));
    if (verify != X509_V_OK && strcmp(text, "certificate verify failed") == 0)
        return err_set(e, ERR_REFUSED, "%s: %s", text, X509_verify_cert_error_string(verify));
    return err_set(e, ERR_REFUSED, "%s", text);
}

int tls_link_handshake(struct tls_link *l, enum tls_wait *wait, struct err *e)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(l->ssl);
    *wait = TLS_WAIT_NONE;
    return rc == 1 ? 0 : explain(l, rc, wait, e);
}

ssize_t tls_link_read(struct tls_link *l, void *out, size_t size, enum tls_wait *wait, struct err *e)
{
    size_t done = 0;
    *wait = TLS_WAIT_NONE;
    l->more = false;
    while (done < size) {
        size_t n = 0;
        ERR_clear_error();
        errno = 0;
        int rc = SSL_read_ex(l->ssl, (char *)out + done, size - done, &n);
        if (rc == 1) {
            done += n;
            continue;
        }
        if (done > 0) { /* an end shows itself once more in the next call */
            ERR_clear_error();
            return (ssize_t)done;
        }
        return explain(l, rc, wait, e);
    }
    l->more = done == size;
    return (ssize_t)done;
}

ssize_t tls_link_write(struct tls_link *l, const void *bytes, size_t len, enum tls_wait *wait, struct err *e)
{
    size_t n = 0;
    *wait = TLS_WAIT_NONE;
    ERR_clear_error();
    errno = 0;
    int rc = len ? SSL_write_ex(l->ssl, bytes, len, &n) : 1;
    return rc == 1 ? (ssize_t)n : explain(l, rc, wait, e);
}

bool tls_link_has_pending(const struct tls_link *l)
{
    return l->more && SSL_has_pending(l->ssl);
}

void tls_link_bye(struct tls_link *l)
{
    ERR_clear_error();
    SSL_shutdown(l->ssl); /* once: the peer's answer is not waited for */
    ERR_clear_error();
}

bool tls_link_peer_certificate(const struct tls_link *l, char out[65])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    const X509 *cert = SSL_get0_peer_certificate(l->ssl);
    if (!cert || X509_digest(cert, EVP_sha256(), digest, &len) != 1 || len != 32)
        return false;
    for (size_t i = 0; i < 32; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
    return true;
}

unsigned char *tls_link_peer_der(const struct tls_link *l, size_t *len)
{
    const X509 *cert = SSL_get0_peer_certificate(l->ssl);
    int size = cert ? i2d_X509(cert, NULL) : 0;
    unsigned char *der = size > 0 ? malloc((size_t)size) : NULL, *end = der;
    *len = der ? (size_t)i2d_X509(cert, &end) : 0;
    return der;
}
