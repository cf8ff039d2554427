/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions with PCRE2 and its JIT compiler.
 *
 * A pattern is looked up by its text: constant patterns are found every time, since the least recently used pattern
 * is the one that makes room. Invalid patterns are remembered as such. One cache belongs to one machine, so nothing
 * is locked and the match data and the JIT's stack exist once.
 *
 * PCRE2's match limit is a poor bound of time: it starts anew at every place of the text, and running along a text or
 * comparing with a group counts as one whatever its length. So `(a+)\1[bc]` on 10,000 times "a" took 15 seconds. A short
 * text is searched with a small limit at each place. If this was not enough, on a long text, and when the evaluation has
 * made many such searches, the pattern is compiled a second time with a callout before each of its items, which counts
 * steps and bytes: two to five times slower, but the work is known, and that of one call of a function is bounded. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "sql/regexp.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/utf8.h"

#define NONE      UINT16_MAX
#define BUCKETS   (2 * SQL_REGEXP_CACHE) /* a power of two */
#define JIT_FIRST 32768
/* What sql_regexps_took counts (measured): */
#define COMPILE_STEPS      1000
#define COMPILE_BYTE_STEPS 100 /* for each byte of the pattern */
#define SEARCH_STEPS       20
#define SEARCH_BYTES       16 /* of the text take another one */
#define COUNTED_STEPS      2  /* for each step that is counted */
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0 && SQL_REGEXP_CACHE < NONE,
               "buckets are masked, entries have 16-bit numbers");

struct entry {
    char *pattern;
    size_t len;
    uint64_t hash;
    pcre2_code *code;      /* NULL: invalid */
    pcre2_code *counted;   /* with callouts; made at the first need */
    uint16_t chain;        /* next in its bucket */
    uint16_t newer, older; /* in the order of use */
};

struct sql_regexps {
    struct entry entries[SQL_REGEXP_CACHE];
    uint16_t buckets[BUCKETS];
    uint16_t count, newest, oldest;
    pcre2_compile_context *compile;
    pcre2_match_context *match, *match_counted;
    pcre2_match_data *data; /* has room for the groups of every pattern */
    pcre2_jit_stack *stack;

    /* the search that was begun */
    struct entry *entry;
    const char *subject;
    size_t subject_len;
    uint32_t place_limit; /* of PCRE2's match() at one place, while work is not counted */
    uint64_t work;        /* counted, since the begin */
    size_t at;            /* where the last callout was */

    int64_t uncounted; /* what the evaluation's searches without counting may still have taken */
    uint64_t took;     /* steps that were not asked for yet */
};

/* --- life --- */

/* PCRE2 calls this before each item of a counted pattern. */
static int count_work(pcre2_callout_block *block, void *cache)
{
    struct sql_regexps *c = cache;
    size_t at = block->current_position, moved = at > c->at ? at - c->at : c->at - at;
    c->at = at;
    c->work += 1 + moved / SQL_REGEXP_WORK_BYTES;
    return c->work > SQL_REGEXP_WORK_LIMIT ? PCRE2_ERROR_CALLOUT : 0;
}

static pcre2_match_context *make_match_context(pcre2_jit_stack *stack)
{
    pcre2_match_context *match = pcre2_match_context_create(NULL);
    if (!match)
        return NULL;
    pcre2_set_match_limit(match, SQL_REGEXP_WORK_LIMIT);
    pcre2_set_depth_limit(match, SQL_REGEXP_DEPTH_LIMIT);
    pcre2_set_heap_limit(match, SQL_REGEXP_HEAP_KIB);
    pcre2_jit_stack_assign(match, NULL, stack);
    return match;
}

static bool make_contexts(struct sql_regexps *c)
{
    c->stack = pcre2_jit_stack_create(JIT_FIRST, SQL_REGEXP_STACK_BYTES, NULL);
    c->compile = pcre2_compile_context_create(NULL);
    c->data = pcre2_match_data_create(1, NULL);
    c->match = c->stack ? make_match_context(c->stack) : NULL;
    c->match_counted = c->stack ? make_match_context(c->stack) : NULL;
    if (!c->compile || !c->match || !c->match_counted || !c->data)
        return false;
    pcre2_set_newline(c->compile, PCRE2_NEWLINE_ANY);
    pcre2_set_callout(c->match_counted, count_work, c);
    return true;
}

struct sql_regexps *sql_regexps_new(void)
{
    struct sql_regexps *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    memset(c->buckets, 0xff, sizeof(c->buckets));
    sql_regexps_start(c);
    c->newest = c->oldest = NONE;
    if (!make_contexts(c)) {
        sql_regexps_free(c);
        return NULL;
    }
    return c;
}

static void entry_clear(struct entry *entry)
{
    free(entry->pattern);
    pcre2_code_free(entry->code);
    pcre2_code_free(entry->counted);
    *entry = (struct entry) { 0 };
}

void sql_regexps_free(struct sql_regexps *c)
{
    if (!c)
        return;
    for (uint16_t i = 0; i < c->count; i++)
        entry_clear(&c->entries[i]);
    pcre2_jit_stack_free(c->stack);
    pcre2_match_data_free(c->data);
    pcre2_match_context_free(c->match);
    pcre2_match_context_free(c->match_counted);
    pcre2_compile_context_free(c->compile);
    free(c);
}

/* --- Java's patterns as PCRE2 reads them --- */

struct translation {
    char *out;
    size_t len;
    bool in_class, class_began; /* directly behind [ or [^, where ] is an ordinary character */
};

static void keep(struct translation *t, const char *s, size_t len)
{
    memcpy(t->out + t->len, s, len);
    t->len += len;
}

static bool is_hex4(const char *s, const char *end)
{
    if (end - s < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        bool letter = (s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f';
        if (!letter && (s[i] < '0' || s[i] > '9'))
            return false;
    }
    return true;
}

/* The escape at p; returns the byte after it. \Q…\E and \p{…} are kept whole. */
static const char *translate_escape(struct translation *t, const char *p, const char *end)
{
    size_t len = 2;
    if (end - p < 2) {
        len = 1;
    } else if (p[1] == 'u' && is_hex4(p + 2, end)) {
        keep(t, "\\x{", 3);
        keep(t, p + 2, 4);
        keep(t, "}", 1);
        return p + 6;
    } else if (p[1] == 'Q') {
        const char *stop = memmem(p, (size_t)(end - p), "\\E", 2);
        len = (size_t)((stop ? stop + 2 : end) - p);
    } else if (end - p > 2 && p[2] == '{' && strchr("NPgkopx", p[1])) {
        const char *stop = memchr(p, '}', (size_t)(end - p));
        len = (size_t)((stop ? stop + 1 : end) - p);
    }
    keep(t, p, len);
    return p + len;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* Is the brace at p that of {n}, {n,} or {n,m}? In Java any other is an error, in PCRE it is literal. */
static bool is_quantifier(const char *p, const char *end)
{
    const char *digits = p + 1;
    p = skip_digits(digits, end);
    if (p == digits)
        return false;
    if (p < end && *p == ',')
        p = skip_digits(p + 1, end);
    return p < end && *p == '}';
}

/* A byte that is no escape. False if it begins what the two flavours read differently. */
static bool translate_byte(struct translation *t, const char *p, const char *end)
{
    char next = end - p > 1 ? p[1] : '\0';
    bool began = t->class_began;
    t->class_began = false;
    if (!t->in_class) {
        if ((*p == '(' && next == '*') || (*p == '{' && !is_quantifier(p, end)))
            return false;
        if (*p == '[')
            t->in_class = t->class_began = true;
    } else if (*p == '[' ? next != ':' : *p == '&' && next == '&') {
        return false;
    } else if (*p == '^' && began) {
        t->class_began = true;
    } else if (*p == ']' && !began) {
        t->in_class = false;
    }
    keep(t, p, 1);
    return true;
}

/* `out` has room for twice the pattern. */
static bool translate(const char *pattern, size_t len, char *out, size_t *out_len)
{
    struct translation t = { .out = out };
    const char *p = pattern, *end = pattern + len;
    while (p < end) {
        if (*p == '\\') {
            t.class_began = false;
            p = translate_escape(&t, p, end);
        } else if (!translate_byte(&t, p++, end)) {
            return false;
        }
    }
    *out_len = t.len;
    return true;
}

static uint32_t count_groups(const pcre2_code *code)
{
    uint32_t count = 0;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &count);
    return count;
}

static bool make_room_for_groups(struct sql_regexps *c, const pcre2_code *code)
{
    if (pcre2_get_ovector_count(c->data) > count_groups(code))
        return true;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    if (!data)
        return false;
    pcre2_match_data_free(c->data);
    c->data = data;
    return true;
}

static pcre2_code *compile(struct sql_regexps *c, const char *pattern, size_t len, uint32_t more_options)
{
    static const uint32_t options = PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C;
    char translated[2 * SQL_REGEXP_MAX_BYTES];
    size_t translated_len;
    int error;
    PCRE2_SIZE at;
    if (len > SQL_REGEXP_MAX_BYTES || !translate(pattern, len, translated, &translated_len))
        return NULL;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)translated, translated_len, options | more_options, &error, &at, c->compile);
    if (code && !make_room_for_groups(c, code)) {
        pcre2_code_free(code);
        return NULL;
    }
    if (code)
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter matches */
    c->took += COMPILE_STEPS + COMPILE_BYTE_STEPS * len;
    return code;
}

/* --- the cache --- */

static uint64_t hash_of(const char *s, size_t len)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * UINT64_C(1099511628211);
    return h ^ (h >> 32);
}

static void use_unlink(struct sql_regexps *c, uint16_t i)
{
    struct entry *entry = &c->entries[i];
    *(entry->newer == NONE ? &c->newest : &c->entries[entry->newer].older) = entry->older;
    *(entry->older == NONE ? &c->oldest : &c->entries[entry->older].newer) = entry->newer;
}

static void use_first(struct sql_regexps *c, uint16_t i)
{
    struct entry *entry = &c->entries[i];
    entry->newer = NONE;
    entry->older = c->newest;
    *(c->newest == NONE ? &c->oldest : &c->entries[c->newest].newer) = i;
    c->newest = i;
}

/* A free entry: the next, or that of the pattern whose last use is the longest ago. */
static uint16_t take_entry(struct sql_regexps *c)
{
    if (c->count < SQL_REGEXP_CACHE)
        return c->count++;
    uint16_t i = c->oldest;
    uint16_t *link = &c->buckets[c->entries[i].hash & (BUCKETS - 1)];
    while (*link != i)
        link = &c->entries[*link].chain;
    *link = c->entries[i].chain;
    use_unlink(c, i);
    entry_clear(&c->entries[i]);
    return i;
}

static struct entry *add_pattern(struct sql_regexps *c, const char *pattern, size_t len, uint64_t hash)
{
    char *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, pattern, len);
    copy[len] = '\0';
    uint16_t i = take_entry(c), *bucket = &c->buckets[hash & (BUCKETS - 1)];
    c->entries[i] = (struct entry) {
        .pattern = copy, .len = len, .hash = hash, .code = compile(c, pattern, len, 0), .chain = *bucket
    };
    *bucket = i;
    use_first(c, i);
    return &c->entries[i];
}

static struct entry *find_pattern(struct sql_regexps *c, const char *pattern, size_t len)
{
    uint64_t hash = hash_of(pattern, len);
    for (uint16_t i = c->buckets[hash & (BUCKETS - 1)]; i != NONE; i = c->entries[i].chain) {
        struct entry *entry = &c->entries[i];
        if (entry->hash != hash || entry->len != len || memcmp(entry->pattern, pattern, len) != 0)
            continue;
        if (c->newest != i) {
            use_unlink(c, i);
            use_first(c, i);
        }
        return entry;
    }
    return add_pattern(c, pattern, len, hash);
}

/* --- searching --- */

void sql_regexps_start(struct sql_regexps *c)
{
    c->uncounted = SQL_REGEXP_UNCOUNTED;
}

uint64_t sql_regexps_took(struct sql_regexps *c)
{
    uint64_t took = c->took;
    c->took = 0;
    return took;
}

bool sql_regexps_begin(struct sql_regexps *c, const char *pattern, size_t pattern_len, const char *s, size_t len)
{
    if (pattern_len > SQL_REGEXP_MAX_BYTES || !utf8_is_valid(s, len))
        return false;
    c->entry = find_pattern(c, pattern, pattern_len);
    c->subject = s;
    c->subject_len = len;
    c->work = 0;
    c->at = 0;
    if (!c->entry || !c->entry->code)
        return false;
    c->place_limit = SQL_REGEXP_PLACE_CALLS + SQL_REGEXP_SHARED_CALLS / ((uint32_t)len + 1);
    return true;
}

static int match(struct sql_regexps *c, const pcre2_code *code, size_t from, pcre2_match_context *context)
{
    return pcre2_match(code, (PCRE2_SPTR)c->subject, c->subject_len, from, PCRE2_NO_UTF_CHECK, c->data, context);
}

/* With a small limit, and what it can have taken at most: from each place that was tried, along the whole text. */
static int match_uncounted(struct sql_regexps *c, size_t from)
{
    pcre2_set_match_limit(c->match, c->place_limit);
    int rc = match(c, c->entry->code, from, c->match);
    size_t last = rc >= 0 ? sql_regexps_group(c, 0).begin : c->subject_len;
    uint64_t places = last >= from ? last - from + 1 : 1, calls = places * c->place_limit;
    c->uncounted -= (int64_t)(calls * (1 + c->subject_len / SQL_REGEXP_WORK_BYTES));
    c->took += SEARCH_STEPS + places / SEARCH_BYTES;
    return rc;
}

static int match_counted(struct sql_regexps *c, size_t from)
{
    struct entry *entry = c->entry;
    uint64_t before = c->work;
    if (!entry->counted)
        entry->counted = compile(c, entry->pattern, entry->len, PCRE2_AUTO_CALLOUT);
    int rc = entry->counted ? match(c, entry->counted, from, c->match_counted) : PCRE2_ERROR_NOMEMORY;
    c->took += SEARCH_STEPS + COUNTED_STEPS * (c->work - before);
    return rc;
}

enum sql_regexp_answer sql_regexps_find(struct sql_regexps *c, size_t from)
{
    int rc = PCRE2_ERROR_MATCHLIMIT;
    if (c->subject_len <= SQL_REGEXP_SHORT_BYTES && c->uncounted > 0)
        rc = match_uncounted(c, from);
    if (rc == PCRE2_ERROR_MATCHLIMIT)
        rc = match_counted(c, from);
    if (rc == PCRE2_ERROR_NOMATCH)
        return SQL_REGEXP_NO;
    return rc >= 0 ? SQL_REGEXP_YES : SQL_REGEXP_NONE;
}

struct sql_regexp_part sql_regexps_group(const struct sql_regexps *c, uint32_t group)
{
    const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(c->data) + 2 * (size_t)group;
    if (pair[0] == PCRE2_UNSET)
        return (struct sql_regexp_part) { 0 };
    return (struct sql_regexp_part) { pair[0], pair[1] };
}

uint32_t sql_regexps_group_count(const struct sql_regexps *c)
{
    return count_groups(c->entry->code);
}

uint32_t sql_regexps_group_named(const struct sql_regexps *c, const char *name, size_t len)
{
    char copy[33]; /* PCRE2's names have at most 32 bytes */
    if (len >= sizeof(copy))
        return 0;
    memcpy(copy, name, len);
    copy[len] = '\0';
    int number = pcre2_substring_number_from_name(c->entry->code, (PCRE2_SPTR)copy);
    return number > 0 ? (uint32_t)number : 0;
}

enum sql_regexp_answer sql_regexps_search(struct sql_regexps *c, const char *pattern, size_t pattern_len, const char *s,
                                          size_t len)
{
    return sql_regexps_begin(c, pattern, pattern_len, s, len) ? sql_regexps_find(c, 0) : SQL_REGEXP_NONE;
}
