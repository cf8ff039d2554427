/* SPDX-License-Identifier: Apache-2.0 */
/* Values as PostgreSQL takes them. The one place where a value of a message is written into a format that has
 * separators.
 *
 * COPY's text format separates fields by tab and rows by newline; a backslash introduces escapes. So exactly
 * backslash, tab, newline and carriage return must be written as escapes (a carriage return because the server
 * detects the kind of line end from the first one). A field that is `\N` or a line that is `\.` cannot come about,
 * for their backslash is doubled. In UTF-8 no byte of a longer character looks like one of the four. */
#include "actions/pg_escape.h"

#include <stdint.h>
#include <string.h>

#define TEXT_OID 25

static char copy_letter(char c)
{
    switch (c) {
    case '\\':
        return '\\';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    default:
        return 0;
    }
}

void pg_escape_copy(struct buf *out, const char *p, size_t len)
{
    if (!p) {
        buf_put(out, "\\N", 2);
        return;
    }
    size_t plain = 0; /* begin of what can be copied as it is */
    for (size_t i = 0; i < len; i++) {
        char letter = copy_letter(p[i]);
        if (!letter)
            continue;
        buf_put(out, p + plain, i - plain);
        buf_put(out, (char[]) { '\\', letter }, 2);
        plain = i + 1;
    }
    buf_put(out, p + plain, len - plain);
}

static void put_int32(struct buf *out, uint32_t v)
{
    const unsigned char bytes[4] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                     (unsigned char)v };
    buf_put(out, bytes, sizeof(bytes));
}

void pg_array_head(struct buf *out, size_t count)
{
    put_int32(out, 1); /* dimensions */
    put_int32(out, 1); /* may hold nulls */
    put_int32(out, TEXT_OID);
    put_int32(out, (uint32_t)count);
    put_int32(out, 1); /* index of the first element */
}

void pg_array_element(struct buf *out, const char *p, size_t len)
{
    if (!p) {
        put_int32(out, UINT32_MAX);
        return;
    }
    put_int32(out, (uint32_t)len);
    buf_put(out, p, len);
}
