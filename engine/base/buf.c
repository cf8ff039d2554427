/* SPDX-License-Identifier: Apache-2.0 */
/* Growing bytes with a bound. On the hot path: a warm buffer only copies.
 *
 * The inline buf_put tests the room only. So a failed buffer has its capacity set to its length: there is no room, every
 * further append comes to buf_reserve, and that refuses. */
#include "engine/base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST ((size_t)64)

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf) { .max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2 };
}

void buf_clear(struct buf *b)
{
    free(b->p);
    *b = (struct buf) { .max = b->max };
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->cap)
        b->p[0] = '\0';
}

static bool buf_fail(struct buf *b)
{
    b->failed = true;
    b->cap = b->len;
    return false;
}

bool buf_reserve(struct buf *b, size_t more)
{
    if (b->failed || more > b->max - b->len)
        return buf_fail(b);
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap * 2 > BUF_FIRST ? b->cap * 2 : BUF_FIRST;
    if (cap > b->max + 1)
        cap = b->max + 1;
    if (cap < need)
        cap = need;
    char *p = realloc(b->p, cap);
    if (!p)
        return buf_fail(b);
    b->p = p;
    b->cap = cap;
    return true;
}

void buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    if (b->failed)
        return;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(b->cap ? b->p + b->len : NULL, b->cap - b->len, fmt, ap);
    if (n < 0) {
        buf_fail(b);
    } else if ((size_t)n < b->cap - b->len) {
        b->len += (size_t)n;
    } else if (buf_reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    if (b->p)
        b->p[b->len] = '\0'; /* a failed append leaves nothing of its text */
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, digits + at, sizeof(digits) - at);
}

void buf_put_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_putc(b, '-');
    buf_put_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

char *buf_detach(struct buf *b, size_t *len)
{
    char *p = NULL;
    if (!b->failed) {
        buf_put(b, NULL, 0); /* an empty buffer still gives a text */
        p = b->failed ? NULL : b->p;
    }
    *len = p ? b->len : 0;
    if (p)
        b->p = NULL;
    buf_clear(b);
    return p;
}
