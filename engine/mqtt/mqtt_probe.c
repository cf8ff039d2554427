/* SPDX-License-Identifier: Apache-2.0 */
/* Reasons for connections that failed.
 *
 * The probe runs only after a failure, so a broker that is up never sees it. It opens a connection of its own
 * because paho keeps the system's error to itself (it is only in its trace). */
#include "engine/mqtt/mqtt_probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_REASON_FIELD 5 /* from 0, of the fields between colons */

/* Wait for a connection under way; 0 or an errno. */
static int connect_result(int fd, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int rc;
    do {
        rc = poll(&p, 1, timeout_ms);
    } while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        return rc == 0 ? ETIMEDOUT : errno;
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static int try_address(const struct addrinfo *ai, int timeout_ms)
{
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
    if (fd < 0)
        return errno;
    int error = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS)
        error = connect_result(fd, timeout_ms);
    close(fd);
    return error;
}

bool mqtt_probe(const char *host, uint16_t port, int timeout_ms, char *why, size_t size)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc) {
        snprintf(why, size, "%s", rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return false;
    }
    int addresses = 0, error = EADDRNOTAVAIL;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        addresses++;
    for (const struct addrinfo *ai = list; ai && error; ai = ai->ai_next)
        error = try_address(ai, timeout_ms / addresses);
    freeaddrinfo(list);
    if (error)
        snprintf(why, size, "%s", strerror(error));
    return error == 0;
}

void mqtt_tls_reason(const char *line, size_t len, char *out, size_t size)
{
    const char *field = line, *end = line + len;
    int index = 0;
    while (index < TLS_REASON_FIELD && (field = memchr(field, ':', (size_t)(end - field))) != NULL) {
        field++;
        index++;
    }
    const char *stop = field ? memchr(field, ':', (size_t)(end - field)) : NULL;
    if (!stop || stop == field) {
        field = line;
        stop = memchr(line, '\n', len);
        stop = stop ? stop : end;
    }
    snprintf(out, size, "%.*s", (int)(stop - field), field);
}
