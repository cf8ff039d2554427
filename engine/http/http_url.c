/* SPDX-License-Identifier: Apache-2.0 */
/* What is refused here and why: other schemes, since libcurl knows many; user names and passwords, which would show up
 * in logs and error documents; "." and ".." segments, with which a message could leave the path that the rule's author
 * wrote; a fragment, which would cut off what follows; and every character that needs percent-encoding, instead of
 * guessing what was meant. */
#include "engine/http/http_url.h"

#include <string.h>
#include <strings.h>

static int bad(struct err *e, const char *clause)
{
    return err_set(e, ERR_TEMPLATE, "the url %s", clause);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* --- scheme --- */

static int split_scheme(struct http_url *u, const char *text, size_t len, size_t *used, struct err *e)
{
    static const char plain[] = "http://", tls[] = "https://";
    if (len >= sizeof(tls) - 1 && strncasecmp(text, tls, sizeof(tls) - 1) == 0) {
        u->is_tls = true;
        *used = sizeof(tls) - 1;
        return 0;
    }
    *used = sizeof(plain) - 1;
    if (len >= sizeof(plain) - 1 && strncasecmp(text, plain, sizeof(plain) - 1) == 0)
        return 0;
    return bad(e, "does not begin with http:// or https://");
}

/* --- authority --- */

static size_t host_name_len(const char *p, size_t len)
{
    size_t n = 0;
    if (len > 0 && p[0] == '[') {
        for (n = 1; n < len && (is_hex(p[n]) || p[n] == ':' || p[n] == '.'); n++)
            ;
        return n > 2 && n < len && p[n] == ']' ? n + 1 : 0;
    }
    while (n < len && (is_alnum(p[n]) || p[n] == '-' || p[n] == '.' || p[n] == '_'))
        n++;
    return n;
}

/* ":8443" */
static int read_port(struct http_url *u, const char *p, size_t len, struct err *e)
{
    u->port = u->is_tls ? 443 : 80;
    if (len == 0)
        return 0;
    unsigned port = 0;
    size_t i = 1;
    for (; i < len && is_digit(p[i]) && port <= 65535; i++)
        port = port * 10 + (unsigned)(p[i] - '0');
    if (p[0] != ':' || i < len || len == 1 || port == 0 || port > 65535)
        return bad(e, p[0] == ':' ? "has a wrong port" : "has a character in its host that no host has");
    u->port = port;
    return 0;
}

static int split_authority(struct http_url *u, const char *p, size_t len, struct err *e)
{
    if (memchr(p, '@', len))
        return bad(e, "cannot hold a user name or password");
    size_t name = host_name_len(p, len);
    if (name == 0)
        return bad(e, len == 0 ? "has no host" : "has a wrong host");
    u->host = p;
    u->host_len = len;
    return read_port(u, p + name, len - name, e);
}

/* --- path and query --- */

/* unreserved, sub-delims and the few others that stand for themselves in paths and queries; "%" with two digits */
static int check_characters(const char *p, size_t len, struct err *e)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '#')
            return bad(e, "cannot hold \"#\"");
        if (p[i] == '%' && (len - i < 3 || !is_hex(p[i + 1]) || !is_hex(p[i + 2])))
            return bad(e, "has a \"%\" without two hexadecimal digits");
        if (p[i] == '\0' || (!is_alnum(p[i]) && !strchr("-._~!$&'()*+,;=:@/?%", p[i])))
            return bad(e, "has a character that must be percent-encoded");
    }
    return 0;
}

/* Dots that a segment begins with, written plainly or as "%2e". */
static bool is_dots(const char *p, size_t len)
{
    size_t dots = 0;
    for (size_t i = 0; i < len; dots++) {
        if (p[i] == '.')
            i++;
        else if (len - i >= 3 && strncasecmp(p + i, "%2e", 3) == 0)
            i += 3;
        else
            return false;
    }
    return dots == 1 || dots == 2;
}

static int check_segments(const char *p, size_t len, struct err *e)
{
    size_t start = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && p[i] != '/')
            continue;
        if (is_dots(p + start, i - start))
            return bad(e, "has a \".\" or \"..\" segment");
        start = i + 1;
    }
    return 0;
}

int http_url_split(struct http_url *u, const char *text, size_t len, struct err *e)
{
    size_t used = 0, end;
    *u = (struct http_url) { .origin = text };
    if (len > HTTP_URL_MAX)
        return err_set(e, ERR_TEMPLATE, "the url is longer than %d bytes", HTTP_URL_MAX);
    if (split_scheme(u, text, len, &used, e) < 0)
        return -1;
    for (end = used; end < len && !(text[end] && strchr("/?#", text[end])); end++)
        ;
    if (split_authority(u, text + used, end - used, e) < 0 || check_characters(text + end, len - end, e) < 0)
        return -1;
    const char *question = memchr(text + end, '?', len - end);
    u->origin_len = end;
    u->path = text + end;
    u->path_len = question ? (size_t)(question - u->path) : len - end;
    u->query = question ? question + 1 : text + len;
    u->query_len = (size_t)(text + len - u->query);
    return check_segments(u->path, u->path_len, e);
}

bool http_url_fixes_host(const char *text, size_t constant_len)
{
    struct http_url u = { 0 };
    size_t used;
    if (split_scheme(&u, text, constant_len, &used, NULL) < 0)
        return false;
    for (size_t i = used; i < constant_len; i++) {
        if (text[i] && strchr("/?#", text[i]))
            return true;
    }
    return false;
}
