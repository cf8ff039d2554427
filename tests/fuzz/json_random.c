/* SPDX-License-Identifier: Apache-2.0 */
/* usage: json_random COUNT SEED: gives a harness that many JSON texts, one of two with some bytes changed. The same seed
 * gives the same texts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/random.h"

#define TEXT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t below(struct random *r, uint64_t n)
{
    return random_u64(r) % n;
}

static void put_one(struct random *r, struct buf *out, const char *const *words, size_t count)
{
    buf_puts(out, words[below(r, count)]);
}

static void put_space(struct random *r, struct buf *out)
{
    static const char *const spaces[] = { "", "", "", "", "", "", " ", "\n", "\t", "\r\n ", "  " };
    put_one(r, out, spaces, sizeof(spaces) / sizeof(spaces[0]));
}

static void put_number(struct random *r, struct buf *out)
{
    static const char *const signs[] = { "", "", "-" }, *const exponents[] = {
        "", "", "e5", "E-3", "e+17", "e0", "E300"
    };
    put_one(r, out, signs, 3);
    int shift = (int)below(r, 63);
    buf_printf(out, "%" PRIu64, (random_u64(r) >> 1) >> shift);
    if (below(r, 2)) {
        buf_printf(out, ".%0*" PRIu64, (int)below(r, 20) + 1, random_u64(r) >> (20 + below(r, 40)));
        put_one(r, out, exponents, sizeof(exponents) / sizeof(exponents[0]));
    }
}

static void put_string(struct random *r, struct buf *out)
{
    static const char *const parts[] = { "a",
                                         "b",
                                         "name",
                                         "temperature",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u00e9",
                                         "\\ud83d\\ude00",
                                         "\\b",
                                         "\\u0041",
                                         " ",
                                         "0123456789abcdef" };
    buf_putc(out, '"');
    for (uint64_t n = below(r, 6); n > 0; n--)
        put_one(r, out, parts, sizeof(parts) / sizeof(parts[0]));
    buf_putc(out, '"');
}

static void put_value(struct random *r, struct buf *out, unsigned depth);

static void put_container(struct random *r, struct buf *out, unsigned depth, bool is_object)
{
    buf_putc(out, is_object ? '{' : '[');
    uint64_t count = below(r, 6);
    for (uint64_t i = 0; i < count; i++) {
        buf_puts(out, i ? "," : "");
        put_space(r, out);
        if (is_object) {
            put_string(r, out);
            put_space(r, out);
            buf_putc(out, ':');
        }
        put_value(r, out, depth + 1);
    }
    put_space(r, out);
    buf_putc(out, is_object ? '}' : ']');
}

static void put_value(struct random *r, struct buf *out, unsigned depth)
{
    static const char *const words[] = { "true", "false", "null" };
    put_space(r, out);
    switch (below(r, depth < 6 ? 8 : 4)) {
    case 0:
        put_one(r, out, words, 3);
        break;
    case 1:
    case 2:
        put_number(r, out);
        break;
    case 3:
        put_string(r, out);
        break;
    default:
        put_container(r, out, depth, below(r, 2));
    }
    put_space(r, out);
}

/* Change, double, drop, or cut off. */
static void spoil(struct random *r, struct buf *out)
{
    static const char bytes[] = "{}[],:\"\\0123456789eE+-.truefalsn \n\t\x01\x7f\x80\xc0\xe2\xff";
    for (uint64_t n = below(r, 4) + 1; n > 0 && out->len > 1; n--) {
        size_t at = below(r, out->len);
        switch (below(r, 4)) {
        case 0:
            memmove(out->p + at, out->p + at + 1, out->len - at - 1);
            out->len--;
            break;
        case 1:
            out->len = at + 1;
            break;
        default:
            out->p[at] = bytes[below(r, sizeof(bytes))];
        }
    }
}

/* In a block of exactly its size, so that reading behind its end is seen. */
static void try_text(const struct buf *text)
{
    uint8_t *copy = malloc(text->len ? text->len : 1);
    if (!copy)
        abort();
    if (text->len)
        memcpy(copy, text->p, text->len);
    LLVMFuzzerTestOneInput(copy, text->len);
    free(copy);
}

int main(int argc, char **argv)
{
    struct random r;
    struct buf text;
    if (argc != 3)
        return 2;
    long count = strtol(argv[1], NULL, 10);
    random_seed(&r, strtoull(argv[2], NULL, 10));
    buf_init(&text, TEXT_MAX);
    for (long i = 0; i < count; i++) {
        buf_reset(&text);
        put_value(&r, &text, 0);
        if (i % 2)
            spoil(&r, &text);
        try_text(&text);
    }
    buf_clear(&text);
    printf("%ld texts\n", count);
    return 0;
}
