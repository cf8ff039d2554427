/* SPDX-License-Identifier: Apache-2.0 */
/* Stream: bytes to and from one peer over TCP, plain or under TLS, without ever waiting.
 *
 * The owner has an epoll set (or poll) of its own. A stream says by stream_events what it waits for; when that came,
 * the owner calls what it wanted to do once more. TLS may want to read in order to write and the other way round;
 * stream_events knows.
 *
 *     stream_connect / stream_accept ──► CONNECTING ──stream_step──► (TLS handshake) ──► OPEN ──► closed by stream_close
 *
 * Thread: one owner each; a struct stream_tls is immutable and may be shared by threads. SIGPIPE never comes. */
#ifndef SLUICE_MQTT_STREAM_H
#define SLUICE_MQTT_STREAM_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct stream;
struct stream_tls;

/* Files are PEM. Texts are borrowed during stream_tls_new. */
struct stream_tls_conf {
    const char *ca_file; /* client: NULL is the system's authorities; server: NULL takes no client certificates */
    const char *cert_file, *key_file; /* key_file NULL: it is in cert_file. Client: cert_file may be NULL */
    const char *key_password;         /* may be NULL */
    bool verify_host;                 /* client: the certificate must be for the host (name or address) */
    bool require_certificate;         /* server: a client without a certificate of ca_file is refused */
};

/* TLS 1.2 or later. Returns owned; NULL: ERR_IO or ERR_TLS with the file and OpenSSL's reason. */
struct stream_tls *stream_tls_client(const struct stream_tls_conf *conf, struct err *e) MUST_CHECK;
struct stream_tls *stream_tls_server(const struct stream_tls_conf *conf, struct err *e) MUST_CHECK;
void stream_tls_free(struct stream_tls *tls);

enum stream_state {
    STREAM_PENDING, /* wait for stream_events, then step again */
    STREAM_OPEN,
    STREAM_FAILED, /* e says why */
};

/* Begin to connect to one address. host: for SNI (when it is a name) and the host name check; tls NULL: plain; both
 * are borrowed until stream_close, host is copied. Sets TCP_NODELAY. Returns owned; NULL: ERR_UNREACHABLE, ERR_MEMORY. */
struct stream *stream_connect(const struct sockaddr *address, socklen_t len, const char *host,
                              const struct stream_tls *tls, struct err *e) MUST_CHECK;
/* Take over an accepted socket (closed on error, too). */
struct stream *stream_accept(int fd, const struct stream_tls *tls, struct err *e) MUST_CHECK;
/* Go on connecting and with the handshake. */
enum stream_state stream_step(struct stream *s, struct err *e);
/* Close at once, without TLS's close_notify if it cannot be written without waiting. NULL: nothing. */
void stream_close(struct stream *s);

int stream_fd(const struct stream *s);
/* What to wait for: EPOLLIN, EPOLLOUT or both. want_read, want_write: what the owner would do when OPEN. */
uint32_t stream_events(const struct stream *s, bool want_read, bool want_write);
/* Bytes that TLS holds already, so that no event will come for them. */
bool stream_has_pending(const struct stream *s);

/* Read or write what goes without waiting. > 0: so many bytes; 0: nothing now, wait for stream_events; -1: the stream is
 * over, e says why ("the peer closed the connection", "Connection reset by peer", TLS's reason). */
ssize_t stream_read(struct stream *s, void *out, size_t size, struct err *e) MUST_CHECK;
ssize_t stream_write(struct stream *s, const void *bytes, size_t len, struct err *e) MUST_CHECK;

/* "192.0.2.1" of the peer; "" if that is not known. */
void stream_peer(const struct stream *s, char *out, size_t size);
/* SHA-256 of the client certificate's DER form as 64 lower case hex digits (AWS IoT's certificate id); false: it has shown none. */
bool stream_peer_certificate(const struct stream *s, char out[65]);
/* The peer's certificate in DER, owned (free), and its length; NULL: there is none, or memory is short. */
unsigned char *stream_peer_der(const struct stream *s, size_t *len);

#endif
