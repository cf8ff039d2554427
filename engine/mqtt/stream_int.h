/* SPDX-License-Identifier: Apache-2.0 */
/* What stream.c and stream_tls.c share: the socket is the one's, TLS on it the other's. */
#ifndef SLUICE_MQTT_STREAM_INT_H
#define SLUICE_MQTT_STREAM_INT_H

#include "engine/mqtt/stream.h"

struct tls_link; /* TLS of one stream */

/* What a TLS call waits for when it could do nothing. */
enum tls_wait { TLS_WAIT_NONE, TLS_WAIT_READ, TLS_WAIT_WRITE };

/* host: of a client, NULL for a server. Returns owned, or NULL: ERR_MEMORY. */
struct tls_link *tls_link_new(const struct stream_tls *tls, int fd, const char *host, struct err *e) MUST_CHECK;
void tls_link_free(struct tls_link *l);

/* Go on with the handshake. 0: done, or *wait says what for; -1: it failed (ERR_REFUSED: TLS's reason). */
int tls_link_handshake(struct tls_link *l, enum tls_wait *wait, struct err *e) MUST_CHECK;
/* As stream_read and stream_write; *wait is set when 0 is returned. */
ssize_t tls_link_read(struct tls_link *l, void *out, size_t size, enum tls_wait *wait, struct err *e) MUST_CHECK;
ssize_t tls_link_write(struct tls_link *l, const void *bytes, size_t len, enum tls_wait *wait,
                       struct err *e) MUST_CHECK;
bool tls_link_has_pending(const struct tls_link *l);
/* Say goodbye, if that goes without waiting. Only after the handshake. */
void tls_link_bye(struct tls_link *l);
bool tls_link_peer_certificate(const struct tls_link *l, char out[65]);
unsigned char *tls_link_peer_der(const struct tls_link *l, size_t *len);

#endif
