/* SPDX-License-Identifier: Apache-2.0 */
/* The socket's half. On the hot path, but only once for many packets. */
#include "engine/mqtt/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/mqtt/stream_int.h"

struct stream {
    int fd;
    enum { DIALLING, SHAKING, OPEN } phase;
    struct tls_link *tls; /* NULL: plain */
    enum tls_wait read_wait, write_wait;
};

/* --- making --- */

static struct stream *stream_new(int fd, const char *host, const struct stream_tls *tls, struct err *e)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s) {
        err_set(e, ERR_MEMORY, "not enough memory for a connection");
        close(fd);
        return NULL;
    }
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        on = 0; /* no TCP (a UNIX socket, say), so nothing is held back */
    s->fd = fd;
    s->tls = tls ? tls_link_new(tls, fd, host, e) : NULL;
    if (!tls || s->tls)
        return s;
    stream_close(s);
    return NULL;
}

struct stream *stream_connect(const struct sockaddr *address, socklen_t len, const char *host,
                              const struct stream_tls *tls, struct err *e)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set(e, ERR_UNREACHABLE, "%s", strerror(errno));
        return NULL;
    }
    if (connect(fd, address, len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        err_set(e, ERR_UNREACHABLE, "%s", strerror(errno));
        close(fd);
        return NULL;
    }
    return stream_new(fd, host, tls, e);
}

struct stream *stream_accept(int fd, const struct stream_tls *tls, struct err *e)
{
    struct stream *s = stream_new(fd, NULL, tls, e);
    if (s)
        s->phase = SHAKING;
    return s;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->tls && s->phase == OPEN)
        tls_link_bye(s->tls);
    tls_link_free(s->tls);
    close(s->fd);
    free(s);
}

/* --- opening --- */

/* Is the TCP connection there? A socket that is still dialling has no peer, and no error either. */
static enum stream_state dial(struct stream *s, struct err *e)
{
    int error = 0;
    socklen_t len = sizeof(error);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        error = errno;
    if (!error && getpeername(s->fd, (struct sockaddr *)&peer, &peer_len) == 0)
        return STREAM_OPEN;
    if (!error)
        return STREAM_PENDING;
    err_set(e, ERR_UNREACHABLE, "%s", strerror(error));
    return STREAM_FAILED;
}

enum stream_state stream_step(struct stream *s, struct err *e)
{
    if (s->phase == DIALLING) {
        enum stream_state state = dial(s, e);
        if (state != STREAM_OPEN)
            return state;
        s->phase = SHAKING;
    }
    if (s->phase == SHAKING && s->tls) {
        if (tls_link_handshake(s->tls, &s->read_wait, e) < 0)
            return STREAM_FAILED;
        if (s->read_wait != TLS_WAIT_NONE)
            return STREAM_PENDING;
    }
    s->phase = OPEN;
    return STREAM_OPEN;
}

int stream_fd(const struct stream *s)
{
    return s->fd;
}

static uint32_t event_of(enum tls_wait wait, uint32_t usual)
{
    switch (wait) {
    case TLS_WAIT_READ:
        return EPOLLIN;
    case TLS_WAIT_WRITE:
        return EPOLLOUT;
    case TLS_WAIT_NONE:
        break;
    }
    return usual;
}

uint32_t stream_events(const struct stream *s, bool want_read, bool want_write)
{
    if (s->phase == DIALLING)
        return EPOLLOUT;
    if (s->phase == SHAKING)
        return event_of(s->read_wait, EPOLLIN);
    return (want_read ? event_of(s->read_wait, EPOLLIN) : 0) | (want_write ? event_of(s->write_wait, EPOLLOUT) : 0);
}

bool stream_has_pending(const struct stream *s)
{
    return s->tls && tls_link_has_pending(s->tls);
}

/* --- bytes --- */

static ssize_t fail(struct err *e)
{
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    return err_set(e, ERR_UNREACHABLE, "%s", strerror(errno));
}

ssize_t stream_read(struct stream *s, void *out, size_t size, struct err *e)
{
    if (s->tls)
        return tls_link_read(s->tls, out, size, &s->read_wait, e);
    ssize_t n = recv(s->fd, out, size, 0);
    if (n == 0 && size > 0)
        return err_set(e, ERR_UNREACHABLE, "the peer closed the connection");
    return n < 0 ? fail(e) : n;
}

ssize_t stream_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
    if (s->tls)
        return tls_link_write(s->tls, bytes, len, &s->write_wait, e);
    ssize_t n = send(s->fd, bytes, len, MSG_NOSIGNAL);
    return n < 0 ? fail(e) : n;
}

/* --- the peer --- */

void stream_peer(const struct stream *s, char *out, size_t size)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    char text[INET6_ADDRSTRLEN];
    if (size > 0)
        out[0] = '\0';
    if (getpeername(s->fd, (struct sockaddr *)&peer, &len) < 0)
        return;
    const char *made = NULL;
    if (peer.ss_family == AF_INET) {
        made = inet_ntop(AF_INET, &((const struct sockaddr_in *)&peer)->sin_addr, text, sizeof(text));
    } else if (peer.ss_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(six); /* ::ffff:192.0.2.1 is 192.0.2.1 on a socket for both */
        made = mapped ? inet_ntop(AF_INET, six->s6_addr + 12, text, sizeof(text))
                      : inet_ntop(AF_INET6, six, text, sizeof(text));
    }
    if (made && strlen(made) < size)
        memcpy(out, made, strlen(made) + 1);
}

bool stream_peer_certificate(const struct stream *s, char out[65])
{
    return s->tls && tls_link_peer_certificate(s->tls, out);
}

unsigned char *stream_peer_der(const struct stream *s, size_t *len)
{
    return s->tls ? tls_link_peer_der(s->tls, len) : NULL;
}
