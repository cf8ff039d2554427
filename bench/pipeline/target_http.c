/* SPDX-License-Identifier: Apache-2.0 */
/* http: a request for each output; the bare producer is a loop of libcurl's multi interface with as many connections as the action has by
 * default. What arrived is known to the server alone: the answers are counted. The only file here that knows libcurl. */
#include "bench/pipeline/target.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline/sample.h"
#include "engine/base/json.h"

#define CONNECTIONS 8 /* the default of the action's maxConnections */
#define TIMEOUT_MS  10000L
#define WAIT_MS     1000
#define OUTPUT_MAX  ((size_t)256)

struct request {
    CURL *handle;
    struct buf body;
};

struct http_target {
    const struct target_env *env;
    CURLM *multi;
    struct curl_slist *headers;
    struct request requests[CONNECTIONS];
    size_t next, end, running; /* of the producer's loop */
};

static size_t forget_answer(char *p, size_t size, size_t count, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * count;
}

static void http_close(void *target)
{
    struct http_target *t = target;
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (t->requests[i].handle)
            curl_easy_cleanup(t->requests[i].handle);
        buf_clear(&t->requests[i].body);
    }
    if (t->multi)
        curl_multi_cleanup(t->multi);
    curl_slist_free_all(t->headers);
    free(t);
}

static bool prepare(struct http_target *t, struct request *r)
{
    buf_init(&r->body, OUTPUT_MAX);
    r->handle = curl_easy_init();
    if (!r->handle)
        return false;
    curl_easy_setopt(r->handle, CURLOPT_URL, t->env->address);
    curl_easy_setopt(r->handle, CURLOPT_PROXY, "");
    curl_easy_setopt(r->handle, CURLOPT_POST, 1L);
    curl_easy_setopt(r->handle, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(r->handle, CURLOPT_WRITEFUNCTION, forget_answer);
    curl_easy_setopt(r->handle, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(r->handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->handle, CURLOPT_PRIVATE, r);
    return true;
}

static void *http_open(const struct target_env *env, struct err *e)
{
    struct http_target *t = calloc(1, sizeof *t);
    bool ok = t && curl_global_init(CURL_GLOBAL_DEFAULT) == 0;
    if (ok) {
        t->env = env;
        t->multi = curl_multi_init();
        t->headers = curl_slist_append(NULL, "Content-Type: application/json");
        ok = t->multi && t->headers;
    }
    for (size_t i = 0; ok && i < CONNECTIONS; i++)
        ok = prepare(t, &t->requests[i]);
    if (ok)
        return t;
    if (t)
        http_close(t);
    err_set(e, ERR_MEMORY, "not enough memory for libcurl");
    return NULL;
}

static int http_clear(void *target, struct tally *tally, struct err *e)
{
    (void)target;
    (void)tally;
    (void)e;
    return 0;
}

static void http_configure(void *target, struct buf *connections, struct buf *action)
{
    const struct http_target *t = target;
    (void)connections;
    buf_puts(action, "http: { url: ");
    json_write_string(action, t->env->address, strlen(t->env->address));
    buf_puts(action, " }");
}

static void begin_next(struct http_target *t, struct request *r)
{
    if (t->next == t->end)
        return;
    buf_reset(&r->body);
    sample_output(&r->body, t->next++);
    curl_easy_setopt(r->handle, CURLOPT_POSTFIELDS, r->body.p);
    curl_easy_setopt(r->handle, CURLOPT_POSTFIELDSIZE, (long)r->body.len);
    curl_multi_add_handle(t->multi, r->handle);
    t->running++;
}

/* A request has ended: begin the next one on its connection. */
static int take_answer(struct http_target *t, const CURLMsg *m, struct err *e)
{
    CURL *handle = m->easy_handle;
    CURLcode code = m->data.result;
    struct request *r = NULL;
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &r);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(t->multi, handle);
    t->running--;
    if (code != CURLE_OK)
        return err_set(e, ERR_UNREACHABLE, "http: %s", curl_easy_strerror(code));
    if (status / 100 != 2)
        return err_set(e, ERR_REFUSED, "http: the server answered with status %ld", status);
    begin_next(t, r);
    return 0;
}

static int loop(struct http_target *t, struct err *e)
{
    const CURLMsg *m;
    int running, left;
    for (size_t i = 0; i < CONNECTIONS; i++)
        begin_next(t, &t->requests[i]);
    while (t->running) {
        if (curl_multi_perform(t->multi, &running) != CURLM_OK)
            return err_set(e, ERR_UNREACHABLE, "http: libcurl failed");
        while ((m = curl_multi_info_read(t->multi, &left)) != NULL)
            if (m->msg == CURLMSG_DONE && take_answer(t, m, e) < 0)
                return -1;
        if (t->running)
            curl_multi_poll(t->multi, NULL, 0, WAIT_MS, NULL);
    }
    return 0;
}

static int http_produce(void *target, size_t first, size_t count, struct err *e)
{
    struct http_target *t = target;
    t->next = first;
    t->end = first + count;
    t->running = 0;
    int rc = loop(t, e);
    for (size_t i = 0; rc < 0 && i < CONNECTIONS; i++)
        curl_multi_remove_handle(t->multi, t->requests[i].handle);
    return rc;
}

const struct target_type target_http = {
    .name = "http",
    .option = "http",
    .open = http_open,
    .close = http_close,
    .clear = http_clear,
    .configure = http_configure,
    .produce = http_produce,
};
