/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/http_numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/http/http_link.h"

static struct http_settings settings = {
    .connect_timeout_ms = 10000,
    .timeout_ms = 30000,
    .connections = 1,
    .response_max = 1 << 20,
    .clock = &clock_system,
};
static struct http_link *server;
static char url[500];

static void ask(const char *method, struct http_answer *a)
{
    const struct http_request r = { .method = method, .url = url, .origin_len = 0 };
    struct err e = { 0 };
    if (http_link_start(server, &r, server, &e) == 0 && http_link_wait(server, a) == server &&
        a->outcome == HTTP_ANSWERED && a->status == 200)
        return;
    fprintf(stderr, "%s %s: %d %s %s\n", method, url, a->status, a->text, e.text);
    abort();
}

void http_numbers_open(const char *base)
{
    struct err e = { 0 };
    if (http_link_setup(&e) < 0 || !(server = http_link_new(&settings)))
        abort();
    snprintf(url, sizeof(url), "%s/numbers", base);
}

void http_numbers_close(void)
{
    http_link_free(server);
}

void http_numbers_forget(void)
{
    struct http_answer a = { 0 };
    ask("DELETE", &a);
}

size_t http_numbers_read(int *numbers, size_t max)
{
    struct http_answer a = { 0 };
    ask("GET", &a);
    size_t n = 0;
    char *text = strndup(a.body, a.body_len), *p = text;
    for (char *end; n < max; p = end) {
        numbers[n] = (int)strtol(p, &end, 10);
        if (end == p)
            break;
        n++;
    }
    free(text);
    return n;
}
