/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface behind a start and a wait.
 *
 * Every transfer has its own time-outs, so wait ends by itself. Easy handles are used again; the multi handle keeps
 * connections, TLS sessions and addresses. Looking up a name runs in a thread of libcurl's; CURLOPT_QUICK_EXIT keeps a
 * look-up that hangs from holding up its transfer's end, and the link's.
 *
 * Private addresses are refused when the socket is opened: what was resolved then is what is connected to, so a name
 * that changes its address between a check and its use gains nothing.
 *
 * Redirects, if they are followed: a POST stays a POST after 301 and 302 (libcurl and browsers make a GET of it, and
 * the body would be lost), https does not lead to http, and libcurl drops the Authorization header when the host
 * changes. */
#include "engine/http/http_link.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/utf8.h"
#include "engine/http/private_net.h"

#define HEADERS_MAX      ((size_t)64 << 10) /* of an answer */
#define REDIRECTS_MAX    5L
#define POLL_MS          1000
#define CONNECTIONS_KEPT 256L
#define LINE_MAX_BYTES   ((size_t)1 << 20)
#define KEEP_BODY        ((size_t)64 << 10) /* of a transfer's buffer, from one request to the next */
#define RETRY_AFTER_MAX  ((int64_t)24 * 3600 * 1000)

struct transfer {
    struct http_link *link;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body; /* of the answer */
    char error[CURL_ERROR_SIZE];
    bool is_blocked, is_too_long;
    size_t header_bytes;
    void *owner;
    const char *wanted; /* of the request */
    struct transfer *next;
};

struct http_link {
    const struct http_settings *set;
    CURLM *multi;
    struct transfer *running, *idle;
    struct transfer *last; /* whose answer was given out last */
    size_t running_count;
    int stop_fd; /* readable: no wait goes on; -1: none */
    struct buf line;
};

int http_link_setup(struct err *e)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : err_set(e, ERR_MEMORY, "libcurl could not start");
}

static void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    buf_clear(&t->body);
    free(t);
}

static void free_list(struct transfer *t)
{
    while (t) {
        struct transfer *next = t->next;
        transfer_free(t);
        t = next;
    }
}

void http_link_free(struct http_link *l)
{
    if (!l)
        return;
    for (struct transfer *t = l->running; t; t = t->next)
        curl_multi_remove_handle(l->multi, t->easy);
    free_list(l->running);
    free_list(l->idle);
    transfer_free(l->last);
    if (l->multi)
        curl_multi_cleanup(l->multi);
    buf_clear(&l->line);
    free(l);
}

struct http_link *http_link_new(const struct http_settings *settings)
{
    struct http_link *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->set = settings;
    l->stop_fd = -1;
    buf_init(&l->line, LINE_MAX_BYTES);
    l->multi = curl_multi_init();
    if (!l->multi) {
        http_link_free(l);
        return NULL;
    }
    curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
    return l;
}

void http_link_stop_on(struct http_link *l, int fd)
{
    l->stop_fd = fd;
}

bool http_link_is_stopped(const struct http_link *l)
{
    struct pollfd p = { .fd = l->stop_fd, .events = POLLIN };
    return poll(&p, 1, 0) > 0;
}

/* --- callbacks --- */

static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = ctx;
    (void)purpose;
    if (t->link->set->deny_private && private_net_has(&a->addr)) {
        t->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* Keep what the limit allows; more ends the transfer. */
static size_t take_body(char *p, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * count, max = (size_t)t->link->set->response_max;
    size_t room = t->body.len < max ? max - t->body.len : 0;
    buf_put(&t->body, p, len < room ? len : room);
    t->is_too_long = len > room;
    return t->is_too_long || t->body.failed ? 0 : len;
}

/* Headers have a bound too: libcurl keeps them all. What is beyond it is an answer that is too long, like its body. */
static size_t take_header(char *p, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    (void)p;
    t->header_bytes += size * count;
    t->is_too_long = t->is_too_long || t->header_bytes > HEADERS_MAX;
    return t->is_too_long ? 0 : size * count;
}

/* --- starting --- */

static struct transfer *transfer_new(struct http_link *l)
{
    struct transfer *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->link = l;
    buf_init(&t->body, (size_t)l->set->response_max + 1);
    t->easy = curl_easy_init();
    if (t->easy)
        return t;
    transfer_free(t);
    return NULL;
}

/* Forget the last request; connections belong to the multi handle and stay. */
static void transfer_reset(struct transfer *t)
{
    curl_easy_reset(t->easy);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (t->body.cap > KEEP_BODY)
        buf_clear(&t->body);
    buf_reset(&t->body);
    t->error[0] = '\0';
    t->is_blocked = t->is_too_long = false;
    t->header_bytes = 0;
    t->owner = NULL;
}

static bool add_line(struct transfer *t, const char *line)
{
    struct curl_slist *list = curl_slist_append(t->headers, line);
    if (list)
        t->headers = list;
    return list != NULL;
}

static bool is_blank(const char *p, size_t len)
{
    while (len > 0 && (*p == ' ' || *p == '\t')) {
        p++;
        len--;
    }
    return len == 0;
}

/* "Name: value"; libcurl writes an empty value as "Name;", and leaves "Name: " out. */
static bool add_field(struct transfer *t, const struct http_field *f)
{
    struct buf *line = &t->link->line;
    buf_reset(line);
    buf_puts(line, f->name);
    if (is_blank(f->value, f->value_len)) {
        buf_putc(line, ';');
    } else {
        buf_puts(line, ": ");
        buf_put(line, f->value, f->value_len);
    }
    return !line->failed && add_line(t, line->p);
}

static bool set_headers(struct transfer *t, const struct http_request *r)
{
    bool ok = add_line(t, "Expect:"); /* no waiting for "100 Continue" */
    for (size_t i = 0; i < r->field_count; i++)
        ok = ok && add_field(t, &r->fields[i]);
    return ok && curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

static void set_method(CURL *c, const struct http_request *r)
{
    bool is_post = strcmp(r->method, "POST") == 0;
    if (!is_post)
        curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    if (r->body || is_post) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "");
    }
}

static void set_redirects(CURL *c, const struct http_settings *set, bool is_tls)
{
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, is_tls ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, set->follow_redirects ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    curl_easy_setopt(c, CURLOPT_POSTREDIR, (long)(CURL_REDIR_POST_301 | CURL_REDIR_POST_302));
}

static void set_tls(CURL *c, const struct http_settings *set)
{
    if (set->ca_file) {
        curl_easy_setopt(c, CURLOPT_CAINFO, set->ca_file);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* no other authority than that file's */
    }
    if (set->cert_file) {
        curl_easy_setopt(c, CURLOPT_SSLCERT, set->cert_file);
        curl_easy_setopt(c, CURLOPT_SSLKEY, set->key_file ? set->key_file : set->cert_file);
    }
    if (set->key_password)
        curl_easy_setopt(c, CURLOPT_KEYPASSWD, set->key_password);
}

static void set_transfer(struct transfer *t, const struct http_settings *set, int64_t timeout_ms)
{
    CURL *c = t->easy;
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)set->connect_timeout_ms);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L); /* what is sent is what was checked and signed */
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
}

/* Over TLS, requests wait for the first connection to tell whether it is HTTP/2 and takes them all. */
static void set_version(CURL *c, const struct http_settings *set, bool is_tls)
{
    bool may_be_2 = is_tls && set->version == HTTP_VERSION_AUTO;
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)(may_be_2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(c, CURLOPT_PIPEWAIT, may_be_2 ? 1L : 0L);
}

static bool set_request(struct transfer *t, const struct http_request *r)
{
    const struct http_settings *set = t->link->set;
    bool is_tls = tolower((unsigned char)r->url[4]) == 's';
    set_transfer(t, set, r->timeout_ms ? r->timeout_ms : set->timeout_ms);
    set_version(t->easy, set, is_tls);
    set_redirects(t->easy, set, is_tls);
    set_tls(t->easy, set);
    set_method(t->easy, r);
    return curl_easy_setopt(t->easy, CURLOPT_URL, r->url) == CURLE_OK && set_headers(t, r);
}

static void push(struct transfer **list, struct transfer *t)
{
    t->next = *list;
    *list = t;
}

int http_link_start(struct http_link *l, const struct http_request *r, void *owner, struct err *e)
{
    struct transfer *t = l->idle;
    if (t)
        l->idle = t->next;
    else
        t = transfer_new(l);
    if (!t)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    transfer_reset(t);
    t->owner = owner;
    t->wanted = r->wanted;
    if (!set_request(t, r) || curl_multi_add_handle(l->multi, t->easy) != CURLM_OK) {
        push(&l->idle, t);
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    }
    push(&l->running, t);
    l->running_count++;
    return 0;
}

size_t http_link_running(const struct http_link *l)
{
    return l->running_count;
}

/* --- answers --- */

static const struct {
    CURLcode code;
    enum http_outcome outcome;
} outcomes[] = {
    { CURLE_OK, HTTP_ANSWERED },
    { CURLE_COULDNT_RESOLVE_HOST, HTTP_UNREACHABLE },
    { CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE },
    { CURLE_SSL_CONNECT_ERROR, HTTP_UNREACHABLE },
    { CURLE_PEER_FAILED_VERIFICATION, HTTP_UNTRUSTED },
    { CURLE_SSL_CERTPROBLEM, HTTP_UNTRUSTED },
    { CURLE_SSL_CACERT_BADFILE, HTTP_UNTRUSTED },
    { CURLE_SSL_ISSUER_ERROR, HTTP_UNTRUSTED },
    { CURLE_SSL_CIPHER, HTTP_UNTRUSTED },
    { CURLE_TOO_MANY_REDIRECTS, HTTP_FORBIDDEN },
    { CURLE_URL_MALFORMAT, HTTP_FORBIDDEN },
};

static enum http_outcome outcome_of(const struct transfer *t, CURLcode code, long status)
{
    curl_off_t ready_us = 0;
    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    if (code != CURLE_OK && t->is_blocked)
        return HTTP_FORBIDDEN;
    if (t->is_too_long)
        return HTTP_ANSWERED;
    /* A server may answer before it has read everything and then reset the stream; the answer counts (RFC 9113, 8.1). */
    if (code == CURLE_HTTP2_STREAM && status >= 200)
        return HTTP_ANSWERED;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ready_us > 0 ? HTTP_SLOW : HTTP_UNREACHABLE;
    if (code == CURLE_UNSUPPORTED_PROTOCOL && status >= 300 && status < 400)
        return HTTP_FORBIDDEN; /* where a redirect leads */
    for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (outcomes[i].code == code)
            return outcomes[i].outcome;
    }
    return HTTP_BROKEN;
}

/* One line of text. */
static void write_text(const struct transfer *t, CURLcode code, enum http_outcome outcome, char *out, size_t size)
{
    const char *text = t->error[0] ? t->error : curl_easy_strerror(code);
    if (t->is_blocked && outcome == HTTP_FORBIDDEN)
        text = "its address is private, and \"denyPrivateNetworks\" is on";
    snprintf(out, size, "%s", text);
    for (char *p = out; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    size_t len = utf8_valid_prefix(out, strlen(out));
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
}

uint32_t http_retry_after_ms(const char *value, int64_t now_ms)
{
    char *end;
    if (!isdigit((unsigned char)value[0])) {
        time_t at = curl_getdate(value, NULL);
        int64_t wait = at < 0 ? 0 : (int64_t)at * 1000 - now_ms;
        return (uint32_t)(wait <= 0 ? 0 : wait < RETRY_AFTER_MAX ? wait : RETRY_AFTER_MAX);
    }
    unsigned long long seconds = strtoull(value, &end, 10);
    while (*end == ' ' || *end == '\t')
        end++;
    if (*end)
        return 0;
    return (uint32_t)(seconds < RETRY_AFTER_MAX / 1000 ? seconds * 1000 : RETRY_AFTER_MAX);
}

static uint32_t wished_wait(const struct transfer *t)
{
    struct curl_header *h;
    if (curl_easy_header(t->easy, "Retry-After", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return 0;
    return http_retry_after_ms(h->value, clock_now_ms(t->link->set->clock));
}

static const char *wanted_header(const struct transfer *t)
{
    struct curl_header *h;
    bool is_there = t->wanted && curl_easy_header(t->easy, t->wanted, 0, CURLH_HEADER, -1, &h) == CURLHE_OK;
    return is_there ? h->value : NULL;
}

static void fill_answer(const struct transfer *t, CURLcode code, struct http_answer *a)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    *a = (struct http_answer) { .outcome = outcome_of(t, code, status), .status = (int)status };
    if (a->outcome != HTTP_ANSWERED) {
        write_text(t, code, a->outcome, a->text, sizeof(a->text));
        return;
    }
    if (t->is_too_long)
        a->passed_limit = t->header_bytes > HEADERS_MAX ? HEADERS_MAX : (size_t)t->link->set->response_max;
    a->wait_ms = wished_wait(t);
    a->body = t->body.len ? t->body.p : "";
    a->body_len = t->body.len;
    a->wanted = wanted_header(t);
}

static void unlink_running(struct http_link *l, struct transfer *t)
{
    struct transfer **at = &l->running;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    l->running_count--;
}

static void *finish(struct http_link *l, struct transfer *t, CURLcode code, struct http_answer *a)
{
    fill_answer(t, code, a);
    curl_multi_remove_handle(l->multi, t->easy);
    unlink_running(l, t);
    l->last = t;
    return t->owner;
}

/* A transfer that has ended, or NULL. */
static struct transfer *ended(struct http_link *l, CURLcode *code)
{
    int left;
    CURLMsg *m;
    while ((m = curl_multi_info_read(l->multi, &left)) != NULL) {
        char *private = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        *code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &private);
        return (struct transfer *)private;
    }
    return NULL;
}

void *http_link_wait(struct http_link *l, struct http_answer *answer)
{
    struct curl_waitfd stop = { .fd = l->stop_fd, .events = CURL_WAIT_POLLIN };
    if (l->last)
        push(&l->idle, l->last);
    l->last = NULL;
    while (l->running) {
        int still;
        CURLcode code;
        CURLMcode rc = curl_multi_perform(l->multi, &still);
        struct transfer *t = ended(l, &code);
        if (t)
            return finish(l, t, code, answer);
        if (stop.revents)
            return NULL;
        if (rc == CURLM_OK)
            rc = curl_multi_poll(l->multi, &stop, l->stop_fd >= 0, POLL_MS, NULL);
        if (rc != CURLM_OK) /* memory is short, or poll(2) failed */
            return finish(l, l->running, CURLE_OUT_OF_MEMORY, answer);
    }
    return NULL;
}
