/* SPDX-License-Identifier: Apache-2.0 */
/* Urls of the http action: a text that is accepted is made of its parts, and whatever libcurl makes of it leads to the
 * same host, port and path; one that is refused says why, without showing itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "engine/http/http_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Origin, path and query follow one another and are all there is. */
static void check_parts(const struct http_url *u, const char *text, size_t len)
{
    require(u->origin == text && u->path == text + u->origin_len);
    require(u->host > u->origin && u->host_len > 0 && u->host + u->host_len == u->path);
    require(u->path_len == 0 || u->path[0] == '/');
    size_t marks = u->path + u->path_len < text + len; /* "?" */
    require(u->origin_len + u->path_len + marks + u->query_len == len && u->query + u->query_len == text + len);
    require(!marks || u->path[u->path_len] == '?');
    require(u->port > 0 && u->port <= 65535);
    require(u->is_tls == (u->origin[4] == 's' || u->origin[4] == 'S'));
}

/* From the first byte after the authority on, and no sooner. */
static void check_fixed(const struct http_url *u, const char *text, size_t len)
{
    for (size_t n = 0; n <= len; n++)
        require(http_url_fixes_host(text, n) == (n > u->origin_len));
}

static char *part(CURLU *c, CURLUPart what)
{
    char *text = NULL;
    return curl_url_get(c, what, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

static bool is_part(CURLU *c, CURLUPart what, const char *expected, size_t len)
{
    char *text = part(c, what);
    bool same = text && strlen(text) == len && strncasecmp(text, expected, len) == 0;
    curl_free(text);
    return same;
}

/* libcurl writes addresses in its own way, so only names are compared. */
static void check_host(CURLU *c, const struct http_url *u)
{
    const char *colon = memchr(u->host, ':', u->host_len);
    size_t name_len = colon ? (size_t)(colon - u->host) : u->host_len;
    if (!strchr("[0123456789", u->host[0]))
        require(is_part(c, CURLUPART_HOST, u->host, name_len));
    char *port = part(c, CURLUPART_PORT);
    require(port && strtoul(port, NULL, 10) == u->port);
    curl_free(port);
}

/* libcurl may refuse what we accept; what it accepts it must understand as we do. */
static void compare(const struct http_url *u, const char *text, size_t len)
{
    CURLU *c = curl_url();
    char *copy = strndup(text, len);
    require(c && copy && strlen(copy) == len);
    if (curl_url_set(c, CURLUPART_URL, copy, CURLU_PATH_AS_IS) == CURLUE_OK) {
        require(is_part(c, CURLUPART_SCHEME, u->is_tls ? "https" : "http", u->is_tls ? 5 : 4));
        require(is_part(c, CURLUPART_PATH, u->path_len ? u->path : "/", u->path_len ? u->path_len : 1));
        require(!part(c, CURLUPART_USER) && !part(c, CURLUPART_FRAGMENT));
        check_host(c, u);
    }
    free(copy);
    curl_url_cleanup(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct http_url u;
    struct err e = { 0 };
    if (http_url_split(&u, text, size, &e) < 0) {
        require(e.code == ERR_TEMPLATE && strncmp(e.text, "the url ", 8) == 0);
        for (size_t n = 0; n <= size; n++)
            http_url_fixes_host(text, n);
        return 0;
    }
    check_parts(&u, text, size);
    check_fixed(&u, text, size);
    compare(&u, text, size);
    return 0;
}
