/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/json.h"
#include "engine/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Texts are parsed from heap blocks of exactly their size, so that sanitizers see every read outside. */
struct fixture {
    struct arena arena;
    char *blocks[64];
    size_t blocks_count;
    struct buf out;
    struct err e;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    arena_init(&f->arena, (size_t)512 << 20);
    buf_init(&f->out, (size_t)64 << 20);
    *state = f;
    return 0;
}

static void forget(struct fixture *f)
{
    while (f->blocks_count > 0)
        free(f->blocks[--f->blocks_count]);
    arena_reset(&f->arena);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    forget(f);
    arena_clear(&f->arena);
    buf_clear(&f->out);
    free(f);
    return 0;
}

static const struct json_doc *parse_bytes(struct fixture *f, const char *text, size_t len)
{
    if (f->blocks_count == COUNT(f->blocks))
        forget(f);
    char *block = malloc(len ? len : 1);
    assert_non_null(block);
    if (len)
        memcpy(block, text, len);
    f->blocks[f->blocks_count++] = block;
    f->e = (struct err) { 0 };
    return json_parse(&f->arena, block, len, NULL, &f->e);
}

static const struct json_doc *parse(struct fixture *f, const char *text)
{
    const struct json_doc *d = parse_bytes(f, text, strlen(text));
    if (!d)
        fail_msg("%s: %s", text, f->e.text);
    return d;
}

static const char *written(struct fixture *f, const struct json_doc *d, uint32_t i, enum json_style style)
{
    buf_reset(&f->out);
    json_write(&f->out, d, i, style);
    assert_false(f->out.failed);
    return f->out.p;
}

static char *repeated(const char *s, size_t times, size_t *len)
{
    size_t n = strlen(s);
    char *text = malloc(n * times + 1);
    assert_non_null(text);
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * n, s, n);
    text[ *len = n * times] = '\0';
    return text;
}

/* Accepted and refused texts */

static void test_accepts(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        "{\"\":{}}",
        "0",
        "-0",
        "12",
        "-1.5",
        "1e5",
        "1E+5",
        "1.5e-5",
        "0.0",
        "0e0",
        "-0.0e-0",
        "\"\"",
        "\"a\"",
        "true",
        "false",
        "null",
        " null ",
        "\t\r\n[ \t\r\n]\t\r\n",
        "[1,2,3]",
        "[1 , 2 ,3 ]",
        "{\"a\":1,\"b\":[true,false,null]}",
        "{ \"a\" : 1 , \"b\" : 2 }",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\uD83D\\uDE00\"]",
        "[\"\\ud800\"]",
        "[\"\\udc00\\ud800\"]",
        "[\"\\u0000\"]",
        "{\"a\":1,\"a\":2}",
        "[\"\xC2\x80\"]",
        "[\"\xDF\xBF\"]",
        "[\"\xE0\xA0\x80\"]",
        "[\"\xED\x9F\xBF\"]",
        "[\"\xEE\x80\x80\"]",
        "[\"\xEF\xBF\xBF\"]",
        "[\"\xF0\x90\x80\x80\"]",
        "[\"\xF4\x8F\xBF\xBF\"]",
        "[\"\x7F\"]",
        "[\"/\"]",
        "\"\xE2\x82\xAC\"",
        "[123456789012345678901234567890123456789012345678]",
        "[0.1234567890123456789012345678901234567890]",
        "[1e999999999]",
        "[-1E-999999999]",
        "[1,[2,[3,[4,[5]]]]]",
        "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
        "{\"a\":{\"b\":{\"c\":{}}}}",
        "[\"]\",\"}\",\"[\",\"{\",\",\",\":\"]",
        "[0,-1,1.0,10,100]",
        "[true]",
        "[null,null]",
        "  {\"k\":\"v\"}",
        "\"0123456789abcdef\"",
        "\"0123456789abcde\"",
        "[\"0123456789abcdef0123456789abcdef\"]",
        "\"\\u00e9\"",
        "\"\\uABCD\\uabcd\"",
        "[1.25,  2]",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        parse(f, texts[i]);
    assert_non_null(parse_bytes(f, "[\"a\"]\0", 5));
}

struct refused {
    const char *text;
    uint32_t off; /* where the error is */
};

static void test_refuses(void **state)
{
    struct fixture *f = *state;
    static const struct refused cases[] = {
        { "", 0 },
        { " ", 1 },
        { "\n\t", 2 },
        { "{", 1 },
        { "[", 1 },
        { "}", 0 },
        { "]", 0 },
        { ",", 0 },
        { ":", 0 },
        { "[1", 2 },
        { "[1,", 3 },
        { "[1,]", 3 },
        { "[,1]", 1 },
        { "[1,,2]", 3 },
        { "[1 2]", 3 },
        { "[1}", 2 },
        { "{]", 1 },
        { "{\"a\":1", 6 },
        { "{\"a\":1,", 7 },
        { "{\"a\":1,}", 7 },
        { "{\"a\"}", 4 },
        { "{\"a\":}", 5 },
        { "{\"a\" 1}", 5 },
        { "{\"a\":1]", 6 },
        { "{a:1}", 1 },
        { "{'a':1}", 1 },
        { "{1:1}", 1 },
        { "{\"a\":1,b}", 7 },
        { "{\"a\":1 \"b\":2}", 7 },
        { "{,}", 1 },
        { "{\"a\",1}", 4 },
        { "{\"a\"::1}", 5 },
        { "{null:1}", 1 },
        { "[1]]", 3 },
        { "[1],", 3 },
        { "{}{}", 2 },
        { "1 2", 2 },
        { "true false", 5 },
        { "[1] x", 4 },
        { "\"a\" \"b\"", 4 },
        { "tru", 0 },
        { "truee", 4 },
        { "True", 0 },
        { "[TRUE]", 1 },
        { "[nul]", 1 },
        { "[nulll]", 5 },
        { "[fals]", 1 },
        { "[fals", 1 },
        { "NaN", 0 },
        { "[Infinity]", 1 },
        { "[-Infinity]", 2 },
        { "[+1]", 1 },
        { "[01]", 1 },
        { "[-01]", 2 },
        { "[00]", 1 },
        { "[-]", 2 },
        { "-", 1 },
        { "[1.]", 3 },
        { "[.5]", 1 },
        { "[-.5]", 2 },
        { "[1.e5]", 3 },
        { "[1e]", 3 },
        { "[1e+]", 4 },
        { "[1eE5]", 3 },
        { "[1e5.5]", 4 },
        { "[1.5.5]", 4 },
        { "[0x10]", 2 },
        { "[1_000]", 2 },
        { "[1-2]", 2 },
        { "[--1]", 2 },
        { "1e", 2 },
        { "[012.5]", 1 },
        { "[1.2.3,4]", 4 },
        { "[0..1]", 3 },
        { "[1a]", 2 },
        { "\"", 1 },
        { "\"abc", 4 },
        { "[\"abc]", 6 },
        { "[\"a\\\"]", 6 },
        { "\"\\", 1 },
        { "[\"\\x41\"]", 2 },
        { "[\"\\'\"]", 2 },
        { "[\"\\u12\"]", 2 },
        { "[\"\\u123g\"]", 2 },
        { "[\"\\U0041\"]", 2 },
        { "\"\\u00", 1 },
        { "[\"a\nb\"]", 3 },
        { "[\"\t\"]", 2 },
        { "[\"\x1F\"]", 2 },
        { "['a']", 1 },
        { "[\"\x80\"]", 2 },
        { "[\"\xC0\x80\"]", 2 },
        { "[\"\xC1\xBF\"]", 2 },
        { "[\"\xC2\"]", 2 },
        { "[\"\xE0\x9F\xBF\"]", 2 },
        { "[\"ab\xED\xA0\x80\"]", 4 },
        { "[\"\xF0\x8F\xBF\xBF\"]", 2 },
        { "[\"\xF4\x90\x80\x80\"]", 2 },
        { "[\"\xF5\x80\x80\x80\"]", 2 },
        { "[\"\xFF\"]", 2 },
        { "[\"\xE2\x82\"]", 2 },
        { "{\"\xE9\":1}", 2 },
        { "\xEF\xBB\xBF{}", 0 },
        { "\xEF\xBB\xBF[1]", 0 },
        { "/* c */ 1", 0 },
        { "[1] // c", 4 },
        { "[1,#]", 3 },
        { "\v[]", 0 },
        { "[\f1]", 1 },
        { "\xC2\xA0[]", 0 },
        { "[]\v", 2 },
        { "[undefined]", 1 },
        { "[1;2]", 2 },
        { "(1)", 0 },
        { "<a>", 0 },
        { "[\"a\",\n4\n,1,", 11 },
        { "{\"a\":\"b\",\"c\"}", 12 },
        { "{\"a\":[1,2}", 9 },
        { "[{\"a\":1]", 7 },
        { "\"0123456789abcdef", 17 },
        { "[\"0123456789abcdef0123456789]", 29 },
        { "[true", 5 },
        { "[tru]e", 1 },
        { "{\"key\":tr}", 7 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct refused *c = &cases[i];
        if (parse_bytes(f, c->text, strlen(c->text)))
            fail_msg("%s was accepted", c->text);
        if (f->e.code != ERR_JSON_SYNTAX || f->e.at.off != c->off)
            fail_msg("%s: %u instead of %u: %s", c->text, f->e.at.off, c->off, f->e.text);
        char place[32];
        snprintf(place, sizeof(place), "at byte %u: ", c->off);
        assert_non_null(strstr(f->e.text, place));
    }
}

static void test_refuses_nul_bytes(void **state)
{
    struct fixture *f = *state;
    static const char texts[][8] = { "[1]\0",  "\0[1]", "[\0001]", "[\"\0\"]", "{\0}",
                                     "[1,\0]", "[1\0]", "\0",      "1\0",      "[1\0" };
    static const size_t lens[] = { 4, 4, 4, 5, 3, 5, 4, 1, 2, 3 };
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_null(parse_bytes(f, texts[i], lens[i]));
}

static void test_error_texts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "", "invalid JSON at byte 0: the text is empty" },
        { "[1,]", "invalid JSON at byte 3: expected a value, found \"]\"" },
        { "{\"a\":1,", "invalid JSON at byte 7: expected a key in quotes, found the end of the text" },
        { "{\"a\" 1}", "invalid JSON at byte 5: expected \":\" after a key, found \"1\"" },
        { "[1 2]", "invalid JSON at byte 3: expected \",\" or \"]\", found \"2\"" },
        { "{\"a\":1\x01}", "invalid JSON at byte 6: expected \",\" or \"}\", found byte 0x01" },
        { "[01]", "invalid JSON at byte 1: a number cannot begin with a zero" },
        { "[1.]", "invalid JSON at byte 3: expected a digit, found \"]\"" },
        { "[\"\xFF\"]", "invalid JSON at byte 2: invalid UTF-8" },
        { "\xEF\xBB\xBF{}", "invalid JSON at byte 0: a byte order mark is not allowed" },
        { "{} {}", "invalid JSON at byte 3: there is more text after the value" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_null(parse_bytes(f, cases[i].text, strlen(cases[i].text)));
        assert_string_equal(f->e.text, cases[i].error);
    }
}

static void test_errors_point_into_the_source(void **state)
{
    struct fixture *f = *state;
    struct src *src = src_new("case.json", "{\"a\": tru}", 10);
    struct err e = { 0 };
    assert_non_null(src);
    assert_null(json_parse(&f->arena, src->text, src->len, src, &e));
    assert_ptr_equal(e.at.src, src);
    assert_int_equal(e.at.off, 6);
    assert_int_equal(e.at.len, 1);
    src_unref(src);
}

/* No prefix of a text is a text (of containers), and none makes the reader look outside. */
static void test_refuses_every_prefix(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "{\"device\":\"pump-0042\",\"n\":[1,-2.5,0.25,1e3,12345678901234567890],\"s\":\"\\u00e9\xC3\xA9\","
        "\"o\":{\"t\":true,\"f\":false,\"z\":null},\"long long long key\":\"long long long value\"}";
    for (size_t len = 0; len < sizeof(text) - 1; len++)
        assert_null(parse_bytes(f, text, len));
    assert_non_null(parse_bytes(f, text, sizeof(text) - 1));
}

/* Texts that only open have more nodes for their size than any good one. */
static void test_refuses_unclosed_containers(void **state)
{
    struct fixture *f = *state;
    static const char *const opens[] = { "[", "{\"\":", "[[],", "[{\"a\":[" };
    for (size_t i = 0; i < COUNT(opens); i++) {
        for (size_t times = 1; times < 1200; times += 1 + times / 16) {
            size_t len;
            char *text = repeated(opens[i], times, &len);
            forget(f);
            assert_null(parse_bytes(f, text, len));
            free(text);
        }
    }
}

/* The tape */

static void test_tape_is_as_drawn(void **state)
{
    const struct json_doc *d = parse(*state, "{\"a\":[1,2],\"b\":true}");
    static const struct json_node nodes[] = {
        { 0, 20, 7, 2, JSON_OBJECT, 7 }, { 2, 1, 2, 0, JSON_STRING, 7 }, { 5, 5, 5, 2, JSON_ARRAY, 7 },
        { 6, 1, 4, 0, JSON_INT, 7 },     { 8, 1, 5, 0, JSON_INT, 7 },    { 12, 1, 6, 0, JSON_STRING, 7 },
        { 15, 4, 7, 0, JSON_TRUE, 7 },
    };
    assert_int_equal(d->count, COUNT(nodes));
    for (uint32_t i = 0; i < d->count; i++) {
        const struct json_node *n = json_at(d, i);
        assert_int_equal(n->off, nodes[i].off);
        assert_int_equal(n->len, nodes[i].len);
        assert_int_equal(n->next, nodes[i].next);
        assert_int_equal(n->count, nodes[i].count);
        assert_int_equal(n->kind, nodes[i].kind);
        assert_int_equal(n->flags, nodes[i].flags);
    }
}

static void test_kinds_and_counts(void **state)
{
    const struct json_doc *d =
        parse(*state, " [ null , false , true , 1 , 1.0 , \"s\" , [ [ ] , { } ] , {\"a\":{\"b\":[7]},\"c\":1} ] ");
    static const struct {
        enum json_kind kind;
        uint32_t count;
    } elements[] = { { JSON_NULL, 0 },    { JSON_FALSE, 0 },  { JSON_TRUE, 0 },  { JSON_INT, 0 },
                     { JSON_DECIMAL, 0 }, { JSON_STRING, 0 }, { JSON_ARRAY, 2 }, { JSON_OBJECT, 2 } };
    size_t n = 0;
    for (uint32_t k = json_first(d, 0); k != json_end(d, 0); k = json_next(d, 0, k), n++) {
        assert_true(n < COUNT(elements));
        assert_int_equal(json_at(d, k)->kind, elements[n].kind);
        assert_int_equal(json_at(d, k)->count, elements[n].count);
        assert_int_equal(json_element(d, 0, n), k);
    }
    assert_int_equal(n, COUNT(elements));
    assert_int_equal(json_at(d, 0)->count, n);
    assert_int_equal(json_at(d, 0)->off, 1);
    assert_int_equal(json_element(d, 0, n), 0);
    assert_int_equal(json_element(d, json_element(d, 0, 7), 0), 0); /* an object has no elements */
}

static void test_scalars_stand_alone(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum json_kind kind;
        uint32_t off, len;
    } cases[] = { { " 12 ", JSON_INT, 1, 2 },
                  { "-1.5", JSON_DECIMAL, 0, 4 },
                  { "\"ab\"", JSON_STRING, 1, 2 },
                  { "null", JSON_NULL, 0, 4 } };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct json_doc *d = parse(f, cases[i].text);
        assert_int_equal(d->count, 1);
        assert_int_equal(d->tape->next, 1);
        assert_int_equal(d->tape->kind, cases[i].kind);
        assert_int_equal(d->tape->off, cases[i].off);
        assert_int_equal(d->tape->len, cases[i].len);
        assert_memory_equal(d->text, cases[i].text, d->len);
    }
}

/* Strings of every length around the steps of the scanner, plain or not, at the end of the text or before it. */
static void test_string_lengths(void **state)
{
    struct fixture *f = *state;
    static const char *const tails[] = { "", "\\n", "\xC3\xA9", "\\u00e9" };
    char text[200];
    for (size_t len = 0; len < 70; len++) {
        for (size_t t = 0; t < 2 * COUNT(tails); t++) {
            sprintf(text, "[\"%.*s%s\"%s]", (int)len,
                    "0123456789012345678901234567890123456789012345678901234567890123456789", tails[t / 2],
                    t % 2 ? ",\"0123456789012345678901234567890123456789\"" : "");
            const struct json_doc *d = parse(f, text);
            assert_int_equal(d->tape[1].len, len + strlen(tails[t / 2]));
            assert_int_equal(d->tape[1].flags & JSON_ESCAPED, tails[t / 2][0] == '\\' ? JSON_ESCAPED : 0);
        }
    }
}

static void assert_value(struct fixture *f, const char *text, const char *value, size_t value_len)
{
    const struct json_doc *d = parse(f, text);
    size_t len;
    const char *s = json_text(d, 0, &f->arena, &len);
    assert_non_null(s);
    assert_int_equal(len, value_len);
    assert_memory_equal(s, value, len);
}

static void test_string_values(void **state)
{
    struct fixture *f = *state;
    assert_value(f, "\"plain\"", "plain", 5);
    assert_value(f, "\"\"", "", 0);
    assert_value(f, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_value(f, "\"a\\u0000b\"", "a\0b", 3);
    assert_value(f, "\"\\u0041\\u00e9\\u20AC\"", "A\xC3\xA9\xE2\x82\xAC", 6);
    assert_value(f, "\"\\uD83D\\uDE00\"", "\xF0\x9F\x98\x80", 4);
    assert_value(f, "\"\\udbff\\udfff\"", "\xF4\x8F\xBF\xBF", 4);
    assert_value(f, "\"\\uD83D\"", "\xEF\xBF\xBD", 3); /* lone surrogates */
    assert_value(f, "\"\\uDE00x\"", "\xEF\xBF\xBDx", 4);
    assert_value(f, "\"\\uD83D\\uD83D\\uDE00\"", "\xEF\xBF\xBD\xF0\x9F\x98\x80", 7);
    assert_value(f, "\"\\uD83D\\n\"", "\xEF\xBF\xBD\n", 4);
}

static void test_string_needs_arena(void **state)
{
    const struct json_doc *d = parse(*state, "\"\\n\"");
    struct arena none;
    size_t len;
    arena_init(&none, 0);
    assert_null(json_text(d, 0, &none, &len));
    arena_clear(&none);
}

/* Members */

static void assert_member(const struct json_doc *d, const char *key, const char *value)
{
    uint32_t i = json_member(d, 0, key, strlen(key));
    if (!value) {
        assert_int_equal(i, 0);
        return;
    }
    assert_int_not_equal(i, 0);
    assert_int_equal(d->tape[i].len, strlen(value));
    assert_memory_equal(d->text + d->tape[i].off, value, strlen(value));
}

static void test_members(void **state)
{
    struct fixture *f = *state;
    const struct json_doc *d =
        parse(f, "{\"a\":1,\"\":2,\"\\u0061b\":3,\"caf\\u00e9\":{\"x\":4},\"x\":5,\"n\\u0000n\":6}");
    assert_member(d, "a", "1");
    assert_member(d, "", "2");
    assert_member(d, "ab", "3");
    assert_member(d, "caf\xC3\xA9", "{\"x\":4}");
    assert_member(d, "x", "5");
    assert_member(d, "A", NULL);
    assert_member(d, "abc", NULL);
    assert_member(d, "\\u0061b", NULL);
    assert_int_not_equal(json_member(d, 0, "n\0n", 3), 0);
    assert_int_equal(json_member(d, 0, "n", 1), 0);
    assert_int_equal(json_member(parse(f, "[\"a\",1]"), 0, "a", 1), 0);
}

static void test_last_of_repeated_keys_wins(void **state)
{
    struct fixture *f = *state;
    const struct json_doc *d = parse(f, "{\"a\":1,\"b\":2,\"a\":3,\"c\":4,\"\\u0061\":5}");
    assert_int_equal(d->tape[0].flags, JSON_DUPLICATE);
    assert_int_equal(d->tape[0].count, 5);
    assert_member(d, "a", "5");
    assert_member(d, "b", "2");
    assert_string_equal(written(f, d, 0, JSON_STYLE_AS_IS), "{\"a\":5,\"b\":2,\"c\":4}");
    uint32_t counted = 0;
    for (uint32_t k = json_first(d, 0); k != json_end(d, 0); k = json_next(d, 0, k))
        counted += json_value_of(d, k) != 0;
    assert_int_equal(counted, 3);
    d = parse(f, "{\"a\":{\"b\":1,\"b\":[2,{}]},\"a\":{\"c\":[3],\"c\":{\"d\":1,\"d\":4}}}");
    assert_string_equal(written(f, d, 0, JSON_STYLE_AS_IS), "{\"a\":{\"c\":{\"d\":4}}}");
    d = parse(f, "[{\"a\":1,\"a\":2},{\"a\":1}]");
    assert_int_equal(d->tape[0].flags, 0);
    assert_int_equal(d->tape[d->tape[1].next].flags, 7);
}

/* Keys of all lengths and places, the same but for one character: are they told apart, and repetitions found? */
static void test_repeated_keys_are_found(void **state)
{
    struct fixture *f = *state;
    for (size_t len = 1; len < 40; len++) {
        for (size_t at = 0; at < len; at++) {
            char key[41], other[41], text[256];
            memset(key, 'k', len);
            key[len] = '\0';
            memcpy(other, key, len + 1);
            other[at] = 'K';
            snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2}", key, other);
            assert_int_equal(parse(f, text)->tape->flags & JSON_DUPLICATE, 0);
            snprintf(text, sizeof(text), "{\"%s\":1,\"%s\":2,\"%s\":3}", key, other, key);
            assert_int_equal(parse(f, text)->tape->flags, JSON_DUPLICATE);
            snprintf(text, sizeof(text), "{\"%s\":1,\"\\u006b%s\":2}", key, key + 1);
            assert_int_equal(parse(f, text)->tape->flags, JSON_DUPLICATE);
        }
    }
}

/* Objects of many sizes: n different keys, with and without a repetition of key `again`. */
static void check_object(struct fixture *f, struct buf *text, uint32_t n, uint32_t again)
{
    for (int repeated = 0; repeated < 2; repeated++) {
        buf_reset(text);
        for (uint32_t i = 0; i < n; i++)
            buf_printf(text, "%s\"%s%u\":%u", i ? "," : "{", i % 3 ? "key_" : "k", i, i);
        if (repeated && again % 2)
            buf_printf(text, ",\"%s%u\":-1", again % 3 ? "\\u006bey_" : "\\u006b", again);
        else if (repeated)
            buf_printf(text, ",\"%s%u\":-1", again % 3 ? "key_" : "k", again);
        buf_puts(text, "}");
        const struct json_doc *d = parse_bytes(f, text->p, text->len);
        assert_non_null(d);
        assert_int_equal(d->tape->flags, repeated ? JSON_DUPLICATE : 7);
        char key[24];
        snprintf(key, sizeof(key), "%s%u", again % 3 ? "key_" : "k", again);
        uint32_t i = json_member(d, 0, key, strlen(key));
        assert_int_not_equal(i, 0);
        assert_int_equal(d->text[d->tape[i].off] == '-', repeated);
    }
}

static void test_large_objects(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 1 << 24);
    for (uint32_t n = 1; n < 80; n++)
        check_object(f, &text, n, n / 2);
    for (uint32_t n = 100; n < 30000; n = n * 3 / 2)
        check_object(f, &text, n, n - 1);
    buf_clear(&text);
}

/* Many objects of many keys share one table; each is judged by itself. */
static void test_many_large_objects(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 1 << 24);
    buf_puts(&text, "[");
    for (uint32_t i = 0; i < 200; i++) {
        buf_puts(&text, i ? ",{" : "{");
        for (uint32_t k = 0; k < 20 + i; k++)
            buf_printf(&text, "%s\"attribute %u\":%u", k ? "," : "", k == 19 + i && i % 7 == 0 ? 3 : k, k);
        buf_puts(&text, "}");
    }
    buf_puts(&text, "]");
    const struct json_doc *d = parse_bytes(f, text.p, text.len);
    assert_non_null(d);
    for (uint32_t i = 0; i < 200; i++)
        assert_int_equal(d->tape[json_element(d, 0, i)].flags, i % 7 == 0 ? JSON_DUPLICATE : 7);
    buf_clear(&text);
}

/* Canonical flags and writing */

struct style_case {
    const char *text, *as_is, *v2015, *v2016;
};

static const struct style_case style_cases[] = {
    { "5", "5", "5", "5" },
    { "-0", "-0", "0", "0" },
    { "5.0", "5.0", "5.0", "5" },
    { "5.10", "5.10", "5.10", "5.10" },
    { "-0.0", "-0.0", "0.0", "0" },
    { "-0.5", "-0.5", "-0.5", "-0.5" },
    { "1E3", "1E3", "1E+3", "1000" },
    { "1E+3", "1E+3", "1E+3", "1000" },
    { "1.5E3", "1.5E3", "1.5E+3", "1500" },
    { "1.50e1", "1.50e1", "15.0", "15" },
    { "1E33", "1E33", "1E+33", "1000000000000000000000000000000000" },
    { "1E34", "1E34", "1E+34", "1E+34" },
    { "1.5E-10", "1.5E-10", "1.5E-10", "1.5E-10" },
    { "1.5e-10", "1.5e-10", "1.5E-10", "1.5E-10" },
    { "0.000001", "0.000001", "0.000001", "0.000001" },
    { "0.0000001", "0.0000001", "1E-7", "1E-7" },
    { "0.00000012", "0.00000012", "1.2E-7", "1.2E-7" },
    { "0.0000012", "0.0000012", "0.0000012", "0.0000012" },
    { "0.000000", "0.000000", "0.000000", "0" },
    { "0.0000000", "0.0000000", "0E-7", "0" },
    { "0E5", "0E5", "0E+5", "0" },
    { "12345678.000", "12345678.000", "12345678.000", "12345678" },
    { "1.23456789012345678", "1.23456789012345678", "1.23456789012345678", "1.23456789012345678" },
    { "9007199254740993", "9007199254740993", "9007199254740993", "9007199254740993" },
    /* kept as they are: more than 34 digits, or out of range */
    { "123456789012345678901234567890123456789", "123456789012345678901234567890123456789",
      "123456789012345678901234567890123456789", "123456789012345678901234567890123456789" },
    { "0.12345678901234567890123456789012345", "0.12345678901234567890123456789012345",
      "0.12345678901234567890123456789012345", "0.12345678901234567890123456789012345" },
    { "1234567890123456789012345678901234.0", "1234567890123456789012345678901234.0",
      "1234567890123456789012345678901234.0", "1234567890123456789012345678901234.0" },
    { "1e1000", "1e1000", "1e1000", "1e1000" },
    { "1e-1000", "1e-1000", "1e-1000", "1e-1000" },
    { "123456789012345678901234567890123.0", "123456789012345678901234567890123.0",
      "123456789012345678901234567890123.0", "123456789012345678901234567890123" },
    { "\"a/b\"", "\"a/b\"", "\"a/b\"", "\"a/b\"" },
    { "\"a\\/b\"", "\"a/b\"", "\"a/b\"", "\"a/b\"" },
    { "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\"",
      "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
    { "\"\\u0000\\u001f\"", "\"\\u0000\\u001f\"", "\"\\u0000\\u001f\"", "\"\\u0000\\u001f\"" },
    { "\"\\u001F\"", "\"\\u001f\"", "\"\\u001f\"", "\"\\u001f\"" },
    { "\"\\u000a\"", "\"\\n\"", "\"\\n\"", "\"\\n\"" },
    { "\"\\u0041\\u00e9\"", "\"A\xC3\xA9\"", "\"A\xC3\xA9\"", "\"A\xC3\xA9\"" },
    { "\"\\u0022\\u005c\\u007f\"", "\"\\\"\\\\\x7F\"", "\"\\\"\\\\\x7F\"", "\"\\\"\\\\\x7F\"" },
    { "\"\\ud83d\\ude00\\ud83d\"", "\"\xF0\x9F\x98\x80\xEF\xBF\xBD\"", "\"\xF0\x9F\x98\x80\xEF\xBF\xBD\"",
      "\"\xF0\x9F\x98\x80\xEF\xBF\xBD\"" },
    { "[]", "[]", "[]", "[]" },
    { "[ ]", "[]", "[]", "[]" },
    { "{ }", "{}", "{}", "{}" },
    { "[1,2.0,{\"a\":3.50}]", "[1,2.0,{\"a\":3.50}]", "[1,2.0,{\"a\":3.50}]", "[1,2,{\"a\":3.50}]" },
    { "[1, 2]", "[1,2]", "[1,2]", "[1,2]" },
    { "[1 ,2]", "[1,2]", "[1,2]", "[1,2]" },
    { "[ 1,2]", "[1,2]", "[1,2]", "[1,2]" },
    { "[1,2 ]", "[1,2]", "[1,2]", "[1,2]" },
    { "{\"a\" :1}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}" },
    { "{\"a\": 1}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}" },
    { "{\"a\":1 }", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}" },
    { "{ \"a\":1}", "{\"a\":1}", "{\"a\":1}", "{\"a\":1}" },
    { "{\"a\":1, \"b\":2}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
    { "{\"a\\u0062\":1}", "{\"ab\":1}", "{\"ab\":1}", "{\"ab\":1}" },
    { "{\"o\":{\"x\":1,\"x\":2},\"p\":[1]}", "{\"o\":{\"x\":2},\"p\":[1]}", "{\"o\":{\"x\":2},\"p\":[1]}",
      "{\"o\":{\"x\":2},\"p\":[1]}" },
    { "\n{\n  \"a\": [\n    true,\n    null\n  ]\n}\n", "{\"a\":[true,null]}", "{\"a\":[true,null]}",
      "{\"a\":[true,null]}" },
};

static void check_style(struct fixture *f, const struct json_doc *d, uint32_t i, const char *text,
                        enum json_style style, const char *expected)
{
    if (strcmp(written(f, d, i, style), expected) != 0)
        fail_msg("%s in style %d: %s instead of %s", text, (int)style, f->out.p, expected);
    bool canonical = d->tape[i].flags & 1u << style;
    bool same = strcmp(text, expected) == 0;
    if (canonical != same)
        fail_msg("%s: canonical in style %d: %d", text, (int)style, (int)canonical);
}

/* Each case by itself, and in an array, so that it meets the ends of texts and what may follow it. */
static void test_styles(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(style_cases); i++) {
        const struct style_case *c = &style_cases[i];
        const struct json_doc *d = parse(f, c->text);
        bool space = strchr(" \n", c->text[0]) != NULL;
        for (int inside = 0; inside < 3; inside++) {
            char text[512];
            snprintf(text, sizeof(text), inside == 1 ? "[%s]" : "[%s,\"0123456789012345678901234567890\"]", c->text);
            d = inside ? parse(f, text) : d;
            check_style(f, d, inside > 0, c->text + space, JSON_STYLE_AS_IS, c->as_is);
            check_style(f, d, inside > 0, c->text + space, JSON_STYLE_2015, c->v2015);
            check_style(f, d, inside > 0, c->text + space, JSON_STYLE_2016, c->v2016);
        }
    }
}

static void test_write_string(void **state)
{
    struct fixture *f = *state;
    static const char value[] = "a\"b\\c\b\f\n\r\t\0\x1F\x7F/\xC3\xA9 0123456789abcdef0123456789\x01";
    buf_reset(&f->out);
    json_write_string(&f->out, value, sizeof(value) - 1);
    assert_string_equal(f->out.p,
                        "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0000\\u001f\x7F/\xC3\xA9 0123456789abcdef0123456789\\u0001\"");
    assert_value(f, f->out.p, value, sizeof(value) - 1);
    buf_reset(&f->out);
    json_write_string(&f->out, "", 0);
    assert_string_equal(f->out.p, "\"\"");
}

static void test_is_plain(void **state)
{
    (void)state;
    char s[64];
    for (size_t len = 0; len < sizeof(s); len++) {
        memset(s, 'x', len);
        assert_true(json_is_plain(s, len));
        for (size_t at = 0; at < len; at++) {
            static const char specials[] = { '"', '\\', '\0', '\x1F', '\n' };
            for (size_t i = 0; i < COUNT(specials); i++) {
                s[at] = specials[i];
                assert_false(json_is_plain(s, len));
            }
            s[at] = "\x20\x7F\xC3\xFF"[at % 4];
            assert_true(json_is_plain(s, len));
            s[at] = 'x';
        }
    }
    assert_true(json_is_plain(NULL, 0));
}

/* A buffer that is too small fails; one that is just large enough does not, although the text is longer. */
static void test_write_respects_bounds(void **state)
{
    struct fixture *f = *state;
    const struct json_doc *d = parse(f, "{ \"a\" : 1 ,     \"b\" : [ 5.0 , 1E3 ] }");
    static const char expected[] = "{\"a\":1,\"b\":[5,1000]}";
    for (size_t max = 0; max < sizeof(expected) + 2; max++) {
        struct buf out;
        buf_init(&out, max);
        json_write(&out, d, 0, JSON_STYLE_2016);
        assert_int_equal(out.failed, max < sizeof(expected) - 1);
        if (!out.failed)
            assert_string_equal(out.p, expected);
        buf_clear(&out);
    }
}

static void test_write_appends(void **state)
{
    struct fixture *f = *state;
    buf_reset(&f->out);
    buf_puts(&f->out, "x=");
    json_write(&f->out, parse(f, "[ 1, 2.0 ]"), 0, JSON_STYLE_2016);
    buf_puts(&f->out, ";");
    assert_string_equal(f->out.p, "x=[1,2];");
}

/* Equality */

static void check_equal(struct fixture *f, const char *x, const char *y, double tol, bool expected)
{
    const struct json_doc *a = parse(f, x), *b = parse(f, y);
    if (json_same(a, 0, b, 0, tol) != expected || json_same(b, 0, a, 0, tol) != expected)
        fail_msg("%s and %s", x, y);
}

static void test_equal(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        { "5", "5.0" },
        { "5", "5e0" },
        { "100", "1E2" },
        { "0.01", "1e-2" },
        { "-0", "0.00" },
        { "0", "0e99" },
        { "1.50", "15e-1" },
        { "12345678901234567890123456789012345678901", "12345678901234567890123456789012345678901.000" },
        { "1e5000", "10E4999" },
        { "0.00000000000000000000000000000000000000000000120", "12e-46" },
        { "\"a\"", "\"\\u0061\"" },
        { "\"\xC3\xA9\"", "\"\\u00E9\"" },
        { "\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\"" },
        { "{\"a\":1,\"b\":2}", "{\"b\":2.0,\"a\":1}" },
        { "{\"a\":1,\"a\":2}", "{\"a\":2}" },
        { "{\"a\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"\\u0061\":2}" },
        { "[1,[2,{}]]", "[ 1, [2.0, { } ] ]" },
        { "{}", "{ }" },
        { "null", " null" },
        { "{\"a\":{\"c\":[1],\"b\":null}}", "{\"a\":{\"b\":null,\"c\":[1]}}" },
    };
    for (size_t i = 0; i < COUNT(pairs); i++)
        check_equal(f, pairs[i][0], pairs[i][1], 0, true);
}

static void test_not_equal(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        { "5", "6" },
        { "5", "-5" },
        { "5", "\"5\"" },
        { "1", "true" },
        { "null", "false" },
        { "10", "1" },
        { "1.05", "1.5" },
        { "1e5", "1e6" },
        { "12345678901234567890123456789012345678901", "12345678901234567890123456789012345678902" },
        { "1", "10" },
        { "101", "1001" },
        { "\"a\"", "\"b\"" },
        { "\"a\"", "\"ab\"" },
        { "\"\\u0061\"", "\"ab\"" },
        { "[1]", "[1,1]" },
        { "[1,2]", "[2,1]" },
        { "[]", "{}" },
        { "{\"a\":1}", "{\"b\":1}" },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}" },
        { "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":2}" },
        { "{\"a\":1}", "{\"a\":2}" },
        { "{\"a\":1,\"a\":2}", "{\"a\":1}" },
        { "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":1}" },
    };
    for (size_t i = 0; i < COUNT(pairs); i++)
        check_equal(f, pairs[i][0], pairs[i][1], 0, false);
}

static void test_equal_with_tolerance(void **state)
{
    struct fixture *f = *state;
    check_equal(f, "[1.0,{\"a\":-5}]", "[1.0000001,{\"a\":-5.0000001}]", 1e-6, true);
    check_equal(f, "1.0", "1.1", 1e-6, false);
    check_equal(f, "1.0", "1.0000001", 0, false);
    check_equal(f, "\"1.0\"", "\"1.0000001\"", 1, false);
}

/* Limits */

static void check_depth(struct fixture *f, size_t depth, const char *open, char close, bool accepted)
{
    size_t len, open_len = strlen(open);
    char *text = repeated(open, depth + 1, &len);
    len -= open_len;
    text = realloc(text, len + depth + 2);
    assert_non_null(text);
    memset(text + len, close, depth + 1);
    len += depth;
    if (open_len > 1) { /* the innermost object is empty */
        memmove(text + (depth - 1) * open_len + 1, text + depth * open_len, depth);
        len -= open_len - 1;
    }
    const struct json_doc *d = parse_bytes(f, text, len);
    free(text);
    assert_int_equal(d != NULL, accepted);
    if (!d) {
        assert_int_equal(f->e.code, ERR_LIMIT);
        assert_non_null(strstr(f->e.text, "nested too deeply"));
        return;
    }
    assert_int_equal(d->tape->flags, 7);
    assert_int_equal(strlen(written(f, d, 0, JSON_STYLE_2016)), len);
    assert_true(json_same(d, 0, d, 0, 0));
}

static void test_depth(void **state)
{
    struct fixture *f = *state;
    check_depth(f, JSON_MAX_DEPTH, "[", ']', true);
    check_depth(f, JSON_MAX_DEPTH, "{\"a\":", '}', true);
    check_depth(f, JSON_MAX_DEPTH + 1, "[", ']', false);
    check_depth(f, JSON_MAX_DEPTH + 1, "{\"a\":", '}', false);
    check_depth(f, 10000, "[", ']', false);
    size_t len;
    char *text = repeated("[", 100000, &len);
    assert_null(parse_bytes(f, text, len));
    free(text);
}

/* As deep as allowed and in need of rewriting at the bottom. */
static void test_deep_rewriting(void **state)
{
    struct fixture *f = *state;
    size_t len;
    char *text = repeated("[", JSON_MAX_DEPTH, &len), *all = malloc(2 * len + 8);
    assert_non_null(all);
    int n = sprintf(all, "%s 5.0", text);
    memset(all + n, ']', len);
    const struct json_doc *d = parse_bytes(f, all, (size_t)n + len);
    assert_non_null(d);
    assert_int_equal(d->tape->flags, 0);
    const char *out = written(f, d, 0, JSON_STYLE_2016);
    assert_int_equal(strlen(out), 2 * len + 1);
    assert_int_equal(out[len], '5');
    free(text);
    free(all);
}

static void test_size(void **state)
{
    struct fixture *f = *state;
    struct err e = { 0 };
    assert_null(json_parse(&f->arena, "[]", JSON_MAX_BYTES + 1, NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void test_long_numbers(void **state)
{
    struct fixture *f = *state;
    size_t len;
    char *digits = repeated("7", 10000, &len), *text = malloc(5 * len);
    static const char *const forms[] = { "[%s]", "[%s.5]", "[0.%s]", "[1e%s]", "[-%s.%s]", "{\"n\":%sE-5}", "%s" };
    assert_non_null(text);
    for (size_t i = 0; i < COUNT(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        sprintf(text, forms[i], digits, digits);
#pragma GCC diagnostic pop
        const struct json_doc *d = parse_bytes(f, text, strlen(text));
        assert_non_null(d);
        assert_int_equal(d->tape->flags, 7); /* copied untouched */
        assert_string_equal(written(f, d, 0, JSON_STYLE_2016), text);
        assert_true(json_same(d, 0, d, 0, 0));
    }
    free(digits);
    free(text);
}

static void check_large(struct fixture *f, const char *piece, uint32_t nodes_per_piece)
{
    size_t len, times = ((size_t)10 << 20) / strlen(piece);
    char *text = repeated(piece, times, &len);
    text[0] = '[';
    text[len - 1] = ']';
    f->e = (struct err) { 0 };
    arena_reset(&f->arena);
    const struct json_doc *d = json_parse(&f->arena, text, len, NULL, &f->e);
    if (d)
        assert_int_equal(d->count, 1 + times * nodes_per_piece);
    else
        fail_msg("%s: %s", piece, f->e.text);
    free(text);
    arena_reset(&f->arena);
}

static void test_large_texts(void **state)
{
    struct fixture *f = *state;
    check_large(f, " 1,", 1);
    check_large(f, " {\"a\":[1,2,{\"b\":\"c\"}]} ,", 0 + 8);
    check_large(f, " \"0123456789012345678901234567890123456789012345678901234567890123456789\",", 1);
}

static void test_counts_saturate(void **state)
{
    struct fixture *f = *state;
    size_t len, times = ((size_t)1 << 24) + 10;
    char *text = repeated("1,", times, &len);
    text[len - 1] = ']';
    text[0] = '[';
    text[1] = ' ';
    f->arena.max = (size_t)1 << 30;
    const struct json_doc *d = json_parse(&f->arena, text, len, NULL, &f->e);
    assert_non_null(d);
    assert_int_equal(d->tape->count, (1 << 24) - 1);
    assert_int_equal(d->count, times);
    free(text);
}

/* Every bound of the arena from 0 to enough: an error, never a crash. */
static void test_arena_bounds(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < 40; i++)
        buf_printf(&text, "%s\"\\u006b%u\":[%u,{\"k\":[]}]", i ? "," : "{", i, i);
    buf_puts(&text, "}");
    bool done = false;
    for (size_t max = 0; !done; max += 64) {
        struct arena a;
        struct err e = { 0 };
        arena_init(&a, max);
        const struct json_doc *d = json_parse(&a, text.p, text.len, NULL, &e);
        done = d != NULL;
        if (!d)
            assert_int_equal(e.code, ERR_LIMIT);
        arena_clear(&a);
        assert_true(max < (1 << 20));
    }
    struct arena none;
    arena_init(&none, 0);
    assert_null(json_parse(&none, "1", 1, NULL, &f->e));
    buf_clear(&text);
}

/* Random values: parse, write, parse again, compare. */

static void put_random(struct buf *out, struct random *r, int depth)
{
    static const char *const scalars[] = { "null",
                                           "true",
                                           "false",
                                           "0",
                                           "-17",
                                           "5.0",
                                           "1e3",
                                           "2.50E-9",
                                           "\"\"",
                                           "\"plain\"",
                                           "\"\\u0041\\n\"",
                                           "\"\xC3\xA9\"",
                                           "-0.0",
                                           "123456789012345678901234567890",
                                           "\"a much longer text that needs a second look\"",
                                           "0.0000001" };
    static const char *const spaces[] = { "", "", "", " ", "\n\t" };
    uint64_t pick = random_u64(r) % (depth > 0 ? 24 : 16);
    if (pick < 16) {
        buf_puts(out, scalars[pick]);
        return;
    }
    bool object = pick % 2;
    uint64_t n = random_u64(r) % 6;
    buf_puts(out, object ? "{" : "[");
    for (uint64_t i = 0; i < n; i++) {
        buf_printf(out, "%s%s", i ? "," : "", spaces[random_u64(r) % 5]);
        if (object)
            buf_printf(out, "\"%s%d\"%s:%s", random_u64(r) % 4 ? "k" : "\\u006b", (int)(random_u64(r) % 9),
                       spaces[random_u64(r) % 5], spaces[random_u64(r) % 5]);
        put_random(out, r, depth - 1);
        buf_puts(out, spaces[random_u64(r) % 5]);
    }
    buf_puts(out, object ? "}" : "]");
}

static void test_random_values_survive(void **state)
{
    struct fixture *f = *state;
    struct random r;
    struct buf text;
    random_seed(&r, 3);
    buf_init(&text, 1 << 24);
    for (int i = 0; i < 3000; i++) {
        buf_reset(&text);
        put_random(&text, &r, 5);
        forget(f);
        const struct json_doc *d = parse_bytes(f, text.p, text.len);
        if (!d)
            fail_msg("%s: %s", text.p, f->e.text);
        for (enum json_style style = JSON_STYLE_2015; style <= JSON_STYLE_AS_IS; style++) {
            const char *out = written(f, d, 0, style);
            const struct json_doc *again = parse(f, out);
            if (!json_same(d, 0, again, 0, 0) || !(again->tape->flags & 1u << style))
                fail_msg("%s: %s", text.p, out);
        }
    }
    buf_clear(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_accepts),
        TEST(test_refuses),
        TEST(test_refuses_nul_bytes),
        TEST(test_error_texts),
        TEST(test_errors_point_into_the_source),
        TEST(test_refuses_every_prefix),
        TEST(test_refuses_unclosed_containers),
        TEST(test_tape_is_as_drawn),
        TEST(test_kinds_and_counts),
        TEST(test_scalars_stand_alone),
        TEST(test_string_lengths),
        TEST(test_string_values),
        TEST(test_string_needs_arena),
        TEST(test_members),
        TEST(test_last_of_repeated_keys_wins),
        TEST(test_repeated_keys_are_found),
        TEST(test_large_objects),
        TEST(test_many_large_objects),
        TEST(test_styles),
        TEST(test_write_string),
        TEST(test_is_plain),
        TEST(test_write_respects_bounds),
        TEST(test_write_appends),
        TEST(test_equal),
        TEST(test_not_equal),
        TEST(test_equal_with_tolerance),
        TEST(test_depth),
        TEST(test_deep_rewriting),
        TEST(test_size),
        TEST(test_long_numbers),
        TEST(test_large_texts),
        TEST(test_counts_saturate),
        TEST(test_arena_bounds),
        TEST(test_random_values_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
