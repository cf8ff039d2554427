/* SPDX-License-Identifier: Apache-2.0 */
/* Buffer: growing bytes with a mandatory maximum.
 *
 * Appending never returns an error: a failed append (bound passed, memory short) marks the buffer, later appends do
 * nothing, and the user checks `failed` once at the end. Capacity is kept by buf_reset, so a warm buffer takes nothing
 * from the heap. Always NUL-terminated once something was appended (the NUL is not counted). */
#ifndef SLUICE_BASE_BUF_H
#define SLUICE_BASE_BUF_H

#include "engine/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
    char *p;
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b);
void buf_reset(struct buf *b);                /* len = 0, failed = false */
bool buf_reserve(struct buf *b, size_t more); /* room for `more` further bytes; false (and failed) if not possible */

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
    if (b->cap - b->len <= n && !buf_reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->len, p, n);
    b->len += n;
    b->p[b->len] = '\0';
}

static inline void buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
void buf_put_u64(struct buf *b, uint64_t v); /* decimal digits */
void buf_put_i64(struct buf *b, int64_t v);

/* The bytes as owned heap memory (NUL-terminated); the buffer is empty afterwards. NULL if failed or memory is short. */
char *buf_detach(struct buf *b, size_t *len);

#endif
