/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: one pass from text to tape. THE hot path: every payload comes through here once.
 *
 * One loop reads member after member; the containers that are open lie on a stack of bounded size, so nothing recurses.
 * A container's canonical flags are what its members have in common; white space or a repeated key clears them.
 *
 * Strings and numbers are looked at 16 bytes at a time, which finds their ends without a branch per byte. What is usual
 * is read in the loop itself; anything else is "odd" and read by a function of its own, byte by byte, which also says
 * what is wrong. Numbers are only recognised, not computed: their shape shows whether json_write would print them so.
 *
 * All reads are inside the text. It needs no terminator: see terminate(). */
#include "engine/base/json_int.h"
#include "engine/base/num.h"
#include "engine/base/utf8.h"

#define FIRST_CAP 4096 /* nodes that a large text begins with; small ones begin with a quarter of their bytes */

/* The doc and its tape, one allocation. */
struct block {
    struct json_doc doc;
    struct json_node tape[];
};

struct reader {
    const unsigned char *text, *end;
    struct block *block;
    struct json_node *tape; /* of the block */
    uint32_t cap;
    struct arena *arena;
    struct json_keys keys;
    /* what went wrong */
    enum err_code code;
    const unsigned char *bad;
    const char *why;
    bool expected;  /* `why` says what should have been there */
    unsigned canon; /* canonical flags of the last odd string or number */
};

JSON_HOT void put_node(struct json_node *n, uint32_t off, uint32_t len, uint32_t next, enum json_kind kind,
                       unsigned flags)
{
    *n = (struct json_node) { .off = off, .len = len, .next = next, .kind = kind & 7, .flags = flags & 31 };
}

/* Errors: all return NULL. */

static const unsigned char *set_failure(struct reader *r, enum err_code code, const unsigned char *at, const char *why,
                                        bool expected)
{
    r->code = code;
    r->bad = at;
    r->why = why;
    r->expected = expected;
    return NULL;
}

JSON_COLD const unsigned char *fail(struct reader *r, const unsigned char *at, const char *why)
{
    return set_failure(r, ERR_JSON_SYNTAX, at, why, false);
}

JSON_COLD const unsigned char *expect(struct reader *r, const unsigned char *at, const char *what)
{
    return set_failure(r, ERR_JSON_SYNTAX, at, what, true);
}

JSON_COLD const unsigned char *over_limit(struct reader *r, const unsigned char *at, const char *why)
{
    return set_failure(r, ERR_LIMIT, at, why, false);
}

/* White space */

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Skip white space inside a container, which then is not canonical. */
JSON_HOT const unsigned char *skip_inner(const unsigned char *p, unsigned *canon)
{
    if (JSON_LIKELY(*p > ' ') || !is_space(*p))
        return p;
    *canon = 0;
    do
        p++;
    while (is_space(*p));
    return p;
}

/* Strings */

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Is \u00XX at p, known to be four hexadecimal digits after the u, what the writer prints? */
static bool is_canonical_unicode(const unsigned char *p)
{
    if (memcmp(p, "\\u00", 4) != 0 || p[4] > '1' || (p[5] >= 'A' && p[5] <= 'F'))
        return false;
    int c = hex_digit(p[4]) * 16 + hex_digit(p[5]);
    return c != '\b' && c != '\f' && c != '\n' && c != '\r' && c != '\t';
}

/* Check the escape at p; *canon keeps its value if it is canonical. Returns the byte after it. */
static const unsigned char *read_escape(struct reader *r, const unsigned char *p, unsigned *canon)
{
    if (r->end - p < 2)
        return fail(r, p, "the text ends inside a string");
    switch (p[1]) {
    case '"':
    case '\\':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case '/':
        *canon = 0;
        return p + 2;
    case 'u':
        for (int i = 2; i < 6; i++) {
            if (r->end - p <= i || hex_digit(p[i]) < 0)
                return fail(r, p, "\\u needs four hexadecimal digits");
        }
        if (!is_canonical_unicode(p))
            *canon = 0;
        return p + 6;
    default:
        return fail(r, p, "this escape does not exist in JSON");
    }
}

/* Any string; begin is the byte after its opening quote. Leaves in r->canon how canonical it is. */
JSON_ODD const unsigned char *read_odd_string(struct reader *r, const unsigned char *begin, struct json_node *n,
                                              uint32_t next)
{
    unsigned canon = JSON_CANON_ALL, escaped = 0, high = 0;
    const unsigned char *p = json_plain_run(begin, r->end, &high);
    while (p < r->end && *p != '"') {
        if (*p != '\\')
            return fail(r, p, "control characters in strings must be escaped");
        p = read_escape(r, p, &canon);
        if (!p)
            return NULL;
        escaped = JSON_ESCAPED;
        p = json_plain_run(p, r->end, &high);
    }
    if (p == r->end)
        return fail(r, p, "the text ends inside a string");
    size_t len = (size_t)(p - begin), valid = high ? utf8_valid_prefix((const char *)begin, len) : len;
    if (valid < len)
        return fail(r, begin + valid, "invalid UTF-8");
    put_node(n, (uint32_t)(begin - r->text), (uint32_t)len, next, JSON_STRING, canon | escaped);
    r->canon = canon;
    return p + 1;
}

/* Where fewer than 16 bytes are left from p on, the bytes to look at are the last 16 of the text, or the whole text
 * with zeros behind. *shift: how many of them stand before p. */
static const unsigned char *last_window(const struct reader *r, const unsigned char *p, unsigned char small[16],
                                        size_t *shift)
{
    size_t len = (size_t)(r->end - r->text);
    *shift = len >= 16 ? 16 - (size_t)(r->end - p) : (size_t)(p - r->text);
    if (len >= 16)
        return r->end - 16;
    memset(small, 0, 16);
    memcpy(small, r->text, len);
    return small;
}

JSON_ODD struct json_bytes last_bytes_at(const struct reader *r, const unsigned char *p)
{
    unsigned char small[16];
    size_t shift;
    struct json_bytes b = json_bytes_at(last_window(r, p, small, &shift));
    b.stops = b.stops >> shift & ((1u << (r->end - p)) - 1);
    b.high >>= shift;
    return b;
}

JSON_ODD struct json_digits last_digits_at(const struct reader *r, const unsigned char *p)
{
    unsigned char small[16];
    size_t shift;
    struct json_digits d = json_digits_at(last_window(r, p, small, &shift));
    d.digits >>= shift;
    d.zeros >>= shift;
    d.points >>= shift;
    return d;
}

/* p is the opening quote; returns the byte after the closing one. What ends in 15 bytes of plain ASCII is read here. */
JSON_HOT const unsigned char *read_string(struct reader *r, const unsigned char *p, struct json_node *n, uint32_t next,
                                          unsigned *canon)
{
    const unsigned char *begin = p + 1;
    struct json_bytes b = JSON_LIKELY(r->end - begin >= 16) ? json_bytes_at(begin) : last_bytes_at(r, begin);
    if (JSON_LIKELY(b.stops && !b.high)) {
        unsigned len = (unsigned)__builtin_ctz(b.stops);
        put_node(n, (uint32_t)(begin - r->text), len, next, JSON_STRING, JSON_CANON_ALL);
        if (JSON_LIKELY(begin[len] == '"'))
            return begin + len + 1;
    }
    p = read_odd_string(r, begin, n, next);
    *canon &= r->canon;
    return p;
}

/* Numbers */

static inline bool is_digit(unsigned char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static const unsigned char *skip_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static bool same_form(const char *form, size_t form_len, const unsigned char *text, size_t len)
{
    return form_len == 0 || (form_len == len && memcmp(form, text, len) == 0);
}

/* How canonical is number text? In general: write it and compare. */
static unsigned canon_by_writing(const unsigned char *text, size_t len, enum json_kind kind)
{
    char form[NUM_TEXT_MAX];
    unsigned canon = JSON_CANON_AS_IS;
    if (same_form(form, json_number_form(form, kind, (const char *)text, len, JSON_STYLE_2015), text, len))
        canon |= JSON_CANON_2015;
    if (same_form(form, json_number_form(form, kind, (const char *)text, len, JSON_STYLE_2016), text, len))
        canon |= JSON_CANON_2016;
    return canon;
}

/* The same by the shape of the text, as far as that goes. point: of the fraction, or end. */
static unsigned canon_by_shape(const unsigned char *text, const unsigned char *point, const unsigned char *end,
                               enum json_kind kind)
{
    bool neg = *text == '-', below_one = text[neg] == '0';
    const unsigned char *nonzero = point < end ? point + 1 : end;
    while (nonzero < end && *nonzero == '0')
        nonzero++;
    ptrdiff_t zeros = nonzero - point - 1;
    if (end - text <= NUM_DIGITS) {
        if (kind == JSON_INT && !(neg && below_one))
            return JSON_CANON_ALL;
        if (kind == JSON_DECIMAL && nonzero < end && !(below_one && zeros > 5))
            return JSON_CANON_ALL;
        if (kind == JSON_DECIMAL && nonzero == end && !(below_one && (neg || zeros > 6)))
            return JSON_CANON_AS_IS | JSON_CANON_2015; /* 2016-03-23 makes an Int of it */
    }
    return canon_by_writing(text, (size_t)(end - text), kind);
}

/* One or more digits from p; NULL if there is none. */
static const unsigned char *read_digits(struct reader *r, const unsigned char *p)
{
    if (p == r->end || !is_digit(*p))
        return expect(r, p, "a digit");
    return skip_digits(p + 1, r->end);
}

static const unsigned char *read_exponent(struct reader *r, const unsigned char *p)
{
    p++;
    if (p < r->end && (*p == '+' || *p == '-'))
        p++;
    return read_digits(r, p);
}

/* Any number. Leaves in r->canon how canonical it is. */
JSON_ODD const unsigned char *read_odd_number(struct reader *r, const unsigned char *begin, struct json_node *n,
                                              uint32_t next)
{
    enum json_kind kind = JSON_INT;
    const unsigned char *whole = begin + (*begin == '-'), *p = read_digits(r, whole), *point = p;
    if (p && *whole == '0' && p - whole > 1)
        return fail(r, whole, "a number cannot begin with a zero");
    if (p && p < r->end && *p == '.') {
        kind = JSON_DECIMAL;
        p = read_digits(r, p + 1);
    }
    bool has_exponent = p && p < r->end && (*p | 0x20) == 'e';
    if (has_exponent) {
        kind = JSON_DECIMAL;
        p = read_exponent(r, p);
    }
    if (!p)
        return NULL;
    size_t len = (size_t)(p - begin);
    r->canon = has_exponent ? canon_by_writing(begin, len, kind) : canon_by_shape(begin, point, p, kind);
    put_node(n, (uint32_t)(begin - r->text), (uint32_t)len, next, kind, r->canon);
    return p;
}

/* Number text of len digits and points, p[0] to p[len - 1], after a minus if neg: is it odd? Not so is an Int without
 * needless zeros or sign, and a Decimal with a fraction that is not zero, and after a leading zero has at most six
 * digits: those are canonical. */
JSON_HOT bool is_odd_number(const unsigned char *p, unsigned len, struct json_digits d, bool neg)
{
    unsigned points = d.points & ((1u << len) - 1), nonzero = d.digits & ~d.zeros & ((1u << len) - 1);
    if (points == 0)
        return len == 0 || (*p == '0' && (len > 1 || neg));
    if ((points & (points - 1)) != 0 || nonzero < points) /* no digit but 0 after the point */
        return true;
    return (points & 1) || (*p == '0' && (points > 2 || len > 8));
}

JSON_HOT const unsigned char *read_number(struct reader *r, const unsigned char *begin, struct json_node *n,
                                          uint32_t next, unsigned *canon)
{
    const unsigned char *p = begin;
    if (JSON_UNLIKELY(*p == '-'))
        p++;
    struct json_digits d = JSON_LIKELY(r->end - p >= 16) ? json_digits_at(p) : last_digits_at(r, p);
    unsigned len = (unsigned)__builtin_ctz(~(d.digits | d.points));
    if (JSON_LIKELY(len < 16 && (p[len] | 0x20) != 'e' && !is_odd_number(p, len, d, p > begin))) {
        p += len;
        put_node(n, (uint32_t)(begin - r->text), (uint32_t)(p - begin), next,
                 d.points & ((1u << len) - 1) ? JSON_DECIMAL : JSON_INT, JSON_CANON_ALL);
        return p;
    }
    p = read_odd_number(r, begin, n, next);
    *canon &= r->canon;
    return p;
}

/* true, false, null */

JSON_COLD const unsigned char *no_value(struct reader *r, const unsigned char *p)
{
    if (r->end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
        return fail(r, p, "a byte order mark is not allowed");
    return expect(r, p, "a value");
}

JSON_HOT const unsigned char *read_literal(struct reader *r, const unsigned char *p, struct json_node *n, uint32_t next)
{
    uint32_t len = *p == 'f' ? 5 : 4;
    enum json_kind kind;
    if (r->end - p < len)
        return no_value(r, p);
    if (memcmp(p, "true", 4) == 0)
        kind = JSON_TRUE;
    else if (memcmp(p, "null", 4) == 0)
        kind = JSON_NULL;
    else if (len == 5 && memcmp(p, "false", 5) == 0)
        kind = JSON_FALSE;
    else
        return no_value(r, p);
    put_node(n, (uint32_t)(p - r->text), len, next, kind, JSON_CANON_ALL);
    return p + len;
}

/* Containers */

static size_t block_size(size_t nodes)
{
    return sizeof(struct block) + nodes * sizeof(struct json_node);
}

/* A container that is open. The stack of them takes 45 KiB. */
struct opened {
    struct json_node *node;
    uint32_t count; /* members read */
    unsigned canon; /* flags that its members have in common */
    unsigned char close;
    bool keys_may_repeat;
    uint64_t keys[8]; /* filter of 512 bits, see note_key */
};

/* The nodes that the whole text will have if it goes on as it was up to `at`, and an eighth more; at least one and a
 * quarter of what there is. */
static size_t better_cap(const struct reader *r, const unsigned char *at)
{
    uint64_t done = (uint64_t)(at - r->text), left = (uint64_t)(r->end - at), more = r->cap * left / done;
    more += more / 8;
    return r->cap + 64 + (size_t)(more > r->cap / 4 ? more : r->cap / 4);
}

/* Make room for two more nodes: a value and the key after it. The containers in (stack, top] are open. */
JSON_ODD bool grow_tape(struct reader *r, const unsigned char *at, struct opened *stack, struct opened *top)
{
    size_t cap = better_cap(r, at);
    struct block *block = arena_grow(r->arena, r->block, block_size(r->cap), block_size(cap));
    if (!block) {
        over_limit(r, at, "no memory is left");
        return false;
    }
    for (struct opened *o = stack + 1; o <= top; o++)
        o->node = block->tape + (o->node - r->tape);
    r->block = block;
    r->tape = block->tape;
    r->cap = (uint32_t)cap;
    return true;
}

/* The first n bytes of a word as it lies in memory, 0 < n < 8; the others fall off. */
JSON_HOT uint64_t first_bytes(uint64_t w, size_t n)
{
    size_t others = 64 - 8 * n;
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? w << others : w >> others;
}

/* Note a key in the filter of its object: two bits of 512, from its length, its first and its last eight bytes. If both
 * are set already, the key may be there twice, and json_keys_check has to look: a second walk over the keys. For two
 * dozen ordinary keys the filter spares that fourteen times of fifteen, and costs little while the loop waits for the
 * text. */
JSON_HOT void note_key(struct opened *o, const unsigned char *key, size_t len, const unsigned char *end)
{
    uint64_t mix = 0, tail;
    if (JSON_LIKELY(end - key >= 8))
        memcpy(&mix, key, 8);
    else
        memcpy(&mix, key, len);
    if (len >= 8) {
        memcpy(&tail, key + len - 8, 8);
        mix ^= tail * UINT64_C(0x9E3779B97F4A7C15);
    } else {
        mix = len ? first_bytes(mix, len) : 0;
    }
    mix = (mix + len) * UINT64_C(0xD6E8FEB86659FD93);
    uint64_t *first = &o->keys[mix >> 61], *second = &o->keys[mix >> 52 & 7];
    uint64_t first_bit = UINT64_C(1) << (mix >> 55 & 63), second_bit = UINT64_C(1) << (mix >> 46 & 63);
    if (JSON_UNLIKELY((*first & first_bit) && (*second & second_bit)))
        o->keys_may_repeat = true;
    *first |= first_bit;
    *second |= second_bit;
}

/* A key and its colon. Returns where its value must begin. */
JSON_HOT const unsigned char *read_key(struct reader *r, struct opened *o, const unsigned char *p, struct json_node *n,
                                       uint32_t next)
{
    if (JSON_UNLIKELY(*p != '"'))
        return expect(r, p, "a key in quotes");
    const unsigned char *key = p + 1;
    p = read_string(r, p, n, next, &o->canon);
    if (JSON_UNLIKELY(!p))
        return NULL;
    if (JSON_UNLIKELY(n->flags & JSON_ESCAPED))
        o->keys_may_repeat = true;
    else
        note_key(o, key, (size_t)(p - 1 - key), r->end);
    if (JSON_UNLIKELY(*p != ':')) {
        p = skip_inner(p, &o->canon);
        if (*p != ':')
            return expect(r, p, "\":\" after a key");
    }
    return skip_inner(p + 1, &o->canon);
}

JSON_ODD bool check_keys(struct reader *r, struct opened *o, const unsigned char *p, uint32_t i)
{
    uint32_t first = (uint32_t)(o->node - r->tape) + 1;
    enum json_keys_answer answer = json_keys_check(&r->keys, (const char *)r->text, r->tape, first, i);
    if (answer == JSON_KEYS_NO_ROOM) {
        over_limit(r, p, "no memory is left");
        return false;
    }
    if (answer == JSON_KEYS_REPEAT)
        o->canon = JSON_DUPLICATE;
    return true;
}

JSON_HOT void open_container(struct reader *r, struct opened *o, const unsigned char *p, struct json_node *n)
{
    n->off = (uint32_t)(p - r->text);
    o->node = n;
    o->count = 0;
    o->canon = JSON_CANON_ALL;
    o->close = (unsigned char)(*p + 2); /* '{' and '}', '[' and ']' are two apart */
    o->keys_may_repeat = false;
    uint64_t *k = o->keys; /* one by one, as in init_reader */
    k[0] = k[1] = k[2] = k[3] = k[4] = k[5] = k[6] = k[7] = 0;
}

/* p is the byte behind the container, i the next free node. */
JSON_HOT void close_container(struct reader *r, const struct opened *o, const unsigned char *p, uint32_t i)
{
    uint32_t off = o->node->off;
    *o->node = (struct json_node) { .off = off,
                                    .len = (uint32_t)(p - r->text) - off,
                                    .next = i,
                                    .count = (o->count < JSON_COUNT_MAX ? o->count : JSON_COUNT_MAX) & JSON_COUNT_MAX,
                                    .kind = (o->close == '}' ? JSON_OBJECT : JSON_ARRAY) & 7,
                                    .flags = o->canon & 31 };
}

JSON_COLD const unsigned char *no_member(struct reader *r, const unsigned char *p, char close)
{
    return expect(r, p, close == '}' ? "\",\" or \"}\"" : "\",\" or \"]\"");
}

/* Read one container from p. Returns the byte after it, and the number of nodes. */
static const unsigned char *read_container(struct reader *r, const unsigned char *p, uint32_t *nodes)
{
    struct opened stack[JSON_MAX_DEPTH + 1], *o = stack; /* stack[0] holds the one value that a text is */
    struct json_node *n = r->tape;
    uint32_t i = 0;
    o->close = 0;
    o->count = 0;
    o->canon = 0;
    for (;;) {
        /* p is where a member must begin */
        if (JSON_UNLIKELY(i + 2 > r->cap)) {
            if (!grow_tape(r, p, stack, o))
                return NULL;
            n = r->tape + i;
        }
        if (o->close == '}') {
            p = read_key(r, o, p, n++, ++i);
            if (JSON_UNLIKELY(!p))
                return NULL;
        }
        o->count++;
        if (*p == '"') {
            p = read_string(r, p, n++, ++i, &o->canon);
        } else if (is_digit(*p) || *p == '-') {
            p = read_number(r, p, n++, ++i, &o->canon);
        } else if ((*p | 0x20) == '{') { /* or '[', which is 0x20 less */
            if (JSON_UNLIKELY(o == stack + JSON_MAX_DEPTH))
                return over_limit(r, p, "containers are nested too deeply");
            open_container(r, ++o, p, n++);
            i++;
            p = skip_inner(p + 1, &o->canon);
            if (*p != o->close)
                continue;
        } else {
            p = read_literal(r, p, n++, ++i);
        }
        if (JSON_UNLIKELY(!p))
            return NULL;
        /* p is behind a member, or at the bracket that closes an empty container */
        while (*p != ',') {
            p = skip_inner(p, &o->canon);
            if (*p == ',')
                break;
            if (JSON_UNLIKELY(*p != o->close || o == stack))
                return no_member(r, p, (char)o->close);
            if (JSON_UNLIKELY(o->keys_may_repeat) && !check_keys(r, o, p, i))
                return NULL;
            close_container(r, o, ++p, i);
            unsigned canon = o->canon;
            o--;
            o->canon &= canon;
            if (o == stack) {
                *nodes = i;
                return p;
            }
            if (JSON_UNLIKELY(p == r->end))
                return no_member(r, p, (char)o->close);
        }
        p = skip_inner(p + 1, &o->canon);
    }
}

static const unsigned char *read_value(struct reader *r, const unsigned char *p, uint32_t *nodes)
{
    unsigned canon = 0;
    if (*p == '{' || *p == '[')
        return read_container(r, p, nodes);
    *nodes = 1;
    if (*p == '"')
        return read_string(r, p, r->tape, 1, &canon);
    if (is_digit(*p) || *p == '-')
        return read_odd_number(r, p, r->tape, 1);
    return read_literal(r, p, r->tape, 1);
}

static bool is_container(const unsigned char *p, const unsigned char *end)
{
    return (*p == '{' || *p == '[') && (end[-1] == '}' || end[-1] == ']');
}

/* Everything but the end of a container is followed by another byte, if the last byte is a closing bracket. So a text
 * that begins and ends with brackets is read without looking for its end all the time. Others are scalars, or wrong:
 * those are read from a copy with a NUL behind it, which nothing accepts. */
static bool terminate(struct reader *r, size_t len)
{
    unsigned char *copy = arena_alloc(r->arena, len + 1);
    if (!copy)
        return false;
    memcpy(copy, r->text, len);
    copy[len] = '\0';
    r->text = copy;
    r->end = copy + len;
    return true;
}

static const unsigned char *read_text(struct reader *r, uint32_t *nodes)
{
    const unsigned char *p = r->text;
    while (p < r->end && is_space(*p))
        p++;
    while (r->end > p && is_space(r->end[-1]))
        r->end--;
    if (p == r->end)
        return fail(r, p, "the text is empty");
    if (!is_container(p, r->end)) {
        size_t off = (size_t)(p - r->text);
        if (!terminate(r, (size_t)(r->end - r->text)))
            return over_limit(r, p, "no memory is left");
        p = r->text + off;
    }
    p = read_value(r, p, nodes);
    while (p && p < r->end && is_space(*p))
        p++;
    if (p && p < r->end)
        return fail(r, p, "there is more text after the value");
    return p;
}

static void describe_byte(char out[24], const unsigned char *p, const unsigned char *end)
{
    static const char hex[] = "0123456789abcdef";
    if (p == end) {
        memcpy(out, "the end of the text", 20);
    } else if (*p > ' ' && *p < 0x7F) {
        memcpy(out, "\" \"", 4);
        out[1] = (char)*p;
    } else {
        memcpy(out, "byte 0x00", 10);
        out[7] = hex[*p >> 4];
        out[8] = hex[*p & 15];
    }
}

JSON_COLD void report(const struct reader *r, const struct src *src, struct err *e)
{
    size_t off = (size_t)(r->bad - r->text);
    struct span at = { .src = src, .off = (uint32_t)off, .len = r->bad < r->end };
    char found[24];
    describe_byte(found, r->bad, r->end);
    if (r->expected)
        err_set_at(e, r->code, at, "invalid JSON at byte %zu: expected %s, found %s", off, r->why, found);
    else if (r->code == ERR_LIMIT)
        err_set_at(e, r->code, at, "cannot read the JSON text beyond byte %zu: %s", off, r->why);
    else
        err_set_at(e, r->code, at, "invalid JSON at byte %zu: %s", off, r->why);
}

static uint32_t first_cap(size_t len)
{
    return (uint32_t)(len / 4 < FIRST_CAP ? len / 4 + 8 : FIRST_CAP);
}

/* Field by field: compilers clear a structure of this size with an instruction that takes a tenth of a small parse. */
static void init_reader(struct reader *r, struct arena *a, const char *text, size_t len)
{
    r->text = (const unsigned char *)text;
    r->end = r->text + len;
    r->arena = r->keys.arena = a;
    r->keys.cap = 0;
    r->code = ERR_NONE;
    r->bad = r->text;
    r->why = NULL;
    r->expected = false;
    r->canon = 0;
    r->cap = first_cap(len);
}

const struct json_doc *json_parse(struct arena *a, const char *text, size_t len, const struct src *src, struct err *e)
{
    if (len > JSON_MAX_BYTES) {
        err_set(e, ERR_LIMIT, "a JSON text of %zu bytes is longer than %zu", len, JSON_MAX_BYTES);
        return NULL;
    }
    struct reader r;
    uint32_t count = 0;
    init_reader(&r, a, text, len);
    r.block = arena_alloc(a, block_size(r.cap));
    if (!r.block) {
        err_set(e, ERR_LIMIT, "no memory is left to read a JSON text of %zu bytes", len);
        return NULL;
    }
    r.tape = r.block->tape;
    if (!read_text(&r, &count)) {
        report(&r, src, e);
        return NULL;
    }
    r.block->doc = (struct json_doc) { .text = text, .len = len, .tape = r.tape, .count = count };
    return &r.block->doc;
}
