/* SPDX-License-Identifier: Apache-2.0 */
/* Running of one test case. Every evaluation starts with a machine of its own, so that cases cannot influence one another. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/apps/sluice/case_run.h"

#include <pcre2.h>
#include <string.h>

#include "engine/apps/sluice/evaluate.h"
#include "engine/base/clock.h"
#include "engine/base/utf8.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define SEED       42 /* newuuid() and rand() of cases are the same in every run */

struct run {
    const struct test_case *c;
    struct evaluator ev;
    struct arena arena;
    struct buf out;
    struct buf *report;
};

/* Bytes as one line: what is not printable UTF-8 is shown as \xNN. */
static void put_visible(struct buf *b, const char *p, size_t len)
{
    bool text = utf8_is_valid(p, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)p[i];
        if (ch < 0x20 || ch == 0x7f || (!text && ch >= 0x80))
            buf_printf(b, "\\x%02x", ch);
        else
            buf_putc(b, p[i]);
    }
}

static size_t common_prefix(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    while (n > 0 && ((unsigned char)a[n] & 0xc0) == 0x80)
        n--; /* not inside a character */
    return n;
}

static bool differ(struct run *r, const char *expected, size_t expected_len, const char *actual, size_t actual_len)
{
    struct buf x, y;
    buf_init(&x, OUTPUT_MAX);
    buf_init(&y, OUTPUT_MAX);
    put_visible(&x, expected, expected_len);
    put_visible(&y, actual, actual_len);
    const char *xs = x.p ? x.p : "", *ys = y.p ? y.p : "";
    buf_printf(r->report, "  expected: %s\n  actual:   %s\n            ", xs, ys);
    for (size_t n = utf8_count(xs, common_prefix(xs, ys)); n > 0; n--)
        buf_putc(r->report, ' ');
    buf_puts(r->report, "^\n");
    buf_clear(&x);
    buf_clear(&y);
    return false;
}

static bool differ_text(struct run *r, const char *expected, const char *actual)
{
    return differ(r, expected, strlen(expected), actual, strlen(actual));
}

static void report_errs(struct run *r, struct errs *errs)
{
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    errs_sort(errs);
    errs_print(errs, &text);
    for (const char *p = text.p; p && *p;) {
        size_t line = strcspn(p, "\n");
        buf_printf(r->report, "  %.*s\n", (int)line, p);
        p += line + (p[line] == '\n');
    }
    buf_clear(&text);
}

static bool compare_value(struct run *r)
{
    const struct test_case *c = r->c;
    struct err e = { 0 };
    const struct json_doc *actual = json_parse(&r->arena, r->out.p ? r->out.p : "", r->out.len, NULL, &e);
    if (actual && json_same(c->doc, c->value, actual, 0, c->tolerance))
        return true;
    struct buf expected;
    buf_init(&expected, OUTPUT_MAX);
    json_write(&expected, c->doc, c->value, JSON_STYLE_AS_IS);
    differ(r, expected.p, expected.len, r->out.p ? r->out.p : "", r->out.len);
    buf_clear(&expected);
    return false;
}

static bool compare_text(struct run *r)
{
    const struct test_case *c = r->c;
    if (c->text_len == r->out.len && (r->out.len == 0 || memcmp(c->text, r->out.p, r->out.len) == 0))
        return true;
    return differ(r, c->text, c->text_len, r->out.p ? r->out.p : "", r->out.len);
}

/* 1 match, 0 none, -1 the pattern is wrong. */
static int pattern_matches(const char *pattern, size_t pattern_len, const char *s, size_t len)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, pattern_len, PCRE2_UTF, &code, &at, NULL);
    if (!re)
        return -1;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    int rc = data ? pcre2_match(re, (PCRE2_SPTR)s, len, 0, 0, data, NULL) : -1;
    pcre2_match_data_free(data);
    pcre2_code_free(re);
    return rc >= 0;
}

/* A member's value as text: of a String its characters, of others their JSON. */
static void put_member(struct run *r, const struct json_doc *actual, uint32_t value, struct buf *text)
{
    size_t len = 0;
    if (json_at(actual, value)->kind != JSON_STRING) {
        json_write(text, actual, value, JSON_STYLE_AS_IS);
        return;
    }
    const char *s = json_text(actual, value, &r->arena, &len);
    buf_put(text, s ? s : "", s ? len : 0);
}

static bool compare_member(struct run *r, const struct json_doc *actual, uint32_t key)
{
    const struct json_doc *d = r->c->doc;
    size_t name_len = 0, pattern_len = 0;
    const char *name = json_text(d, key, &r->arena, &name_len), *pattern = NULL; /* neither ends with a NUL */
    if (json_at(d, key + 1)->kind == JSON_STRING)
        pattern = json_text(d, key + 1, &r->arena, &pattern_len);
    uint32_t value = name ? json_member(actual, 0, name, name_len) : 0;
    if (!pattern || !value) {
        buf_printf(r->report, "  member \"%.*s\" %s\n", (int)name_len, name ? name : "",
                   value ? "has no pattern" : "is missing in the output");
        return false;
    }
    struct buf text;
    buf_init(&text, OUTPUT_MAX);
    put_member(r, actual, value, &text);
    int rc = pattern_matches(pattern, pattern_len, text.p ? text.p : "", text.len);
    if (rc <= 0)
        buf_printf(r->report, "  member \"%.*s\": \"%s\" %s %.*s\n", (int)name_len, name, text.p ? text.p : "",
                   rc < 0 ? "cannot be compared: invalid pattern" : "does not match", (int)pattern_len, pattern);
    buf_clear(&text);
    return rc > 0;
}

static bool compare_pattern(struct run *r)
{
    struct err e = { 0 };
    const struct json_doc *d = r->c->doc;
    const struct json_doc *actual = json_parse(&r->arena, r->out.p ? r->out.p : "", r->out.len, NULL, &e);
    if (!actual || json_at(actual, 0)->kind != JSON_OBJECT)
        return differ_text(r, "an object", r->out.p ? r->out.p : "");
    bool ok = true;
    for (uint32_t k = json_first(d, r->c->value); k != json_end(d, r->c->value); k = json_next(d, r->c->value, k))
        ok = compare_member(r, actual, k) && ok;
    return ok;
}

static bool compare(struct run *r, enum sql_outcome outcome, const struct err *e)
{
    const struct test_case *c = r->c;
    if (outcome == SQL_FAILED) {
        if (c->expect == EXPECT_EVAL_ERROR)
            return true;
        buf_printf(r->report, "  the evaluation was aborted: %s\n", e->text);
        return false;
    }
    if (outcome == SQL_FILTERED)
        return c->expect == EXPECT_NO_MATCH || differ_text(r, "a match", "no match");
    switch (c->expect) {
    case EXPECT_VALUE:
        return compare_value(r) && (!c->text || compare_text(r));
    case EXPECT_TEXT:
        return compare_text(r);
    case EXPECT_PATTERN:
        return compare_pattern(r);
    case EXPECT_NO_MATCH:
        return differ_text(r, "no match", r->out.p ? r->out.p : "");
    case EXPECT_EVAL_ERROR:
        return differ_text(r, "an aborted evaluation", r->out.p ? r->out.p : "");
    case EXPECT_NOTHING: /* of the output; but without one no template is rendered */
    case EXPECT_PARSE_ERROR:
        break;
    }
    return true;
}

/* Compile the case's template; its index, or -1: *ok says if that is what is expected (else errors are reported). */
static int template_compile(struct run *r, bool *ok)
{
    struct errs errs = { 0 };
    struct src *src = src_new("<template>", r->c->template_text, r->c->template_len);
    int index = src ? sql_rule_add_template(r->ev.rule, src, &errs) : -1;
    *ok = index >= 0 || !r->c->template_expected;
    if (!*ok)
        report_errs(r, &errs);
    errs_clear(&errs);
    src_unref(src);
    return index;
}

/* Render the template after a run that matched. Without expected text it must fail. */
static bool template_compare(struct run *r, int index)
{
    const struct sql_env env = evaluator_env(&r->ev, r->c->rule);
    struct err e = { 0 };
    bool is_null;
    buf_reset(&r->out);
    if (sql_machine_render(r->ev.machine, r->ev.rule, index, &env, &r->out, &is_null, &e) < 0) {
        if (r->c->template_expected)
            buf_printf(r->report, "  the template was aborted: %s\n", e.text);
        return !r->c->template_expected;
    }
    const char *actual = r->out.p ? r->out.p : "";
    if (!r->c->template_expected)
        return differ(r, "a template that fails", strlen("a template that fails"), actual, r->out.len);
    if (r->out.len == r->c->template_expected_len && memcmp(actual, r->c->template_expected, r->out.len) == 0)
        return true;
    return differ(r, r->c->template_expected, r->c->template_expected_len, actual, r->out.len);
}

static bool run_compiled(struct run *r)
{
    const struct test_case *c = r->c;
    struct message m = c->message;
    struct err e = { 0 };
    int index = -1;
    bool ok = true, is_json;
    if (c->template_text)
        index = template_compile(r, &ok);
    if (!ok)
        return false;
    m.seed = SEED;
    if (m.arrival_ms == 0)
        m.arrival_ms = clock_now_ms(&clock_system);
    enum sql_outcome outcome = SQL_FILTERED;
    if (c->mock && mock_set(&r->ev.mock, c->doc, c->mock, &e) < 0)
        return false; /* the reader has checked it */
    if (evaluator_matches_topic(&r->ev, c->rule, m.topic, m.topic_len))
        outcome = evaluator_run(&r->ev, c->rule, &m, &r->out, &is_json, &e);
    if (!compare(r, outcome, &e))
        return false;
    return index < 0 || template_compare(r, index);
}

static bool run_case(struct run *r)
{
    const struct test_case *c = r->c;
    struct errs errs = { 0 };
    bool ok;
    if (evaluator_open(&r->ev, "<sql>", c->sql, c->sql_len, c->version, &errs) < 0) {
        ok = c->expect == EXPECT_PARSE_ERROR;
        if (!ok)
            report_errs(r, &errs);
    } else if (c->expect == EXPECT_PARSE_ERROR) {
        ok = differ_text(r, "a refused statement", "it was accepted");
    } else {
        ok = run_compiled(r);
    }
    errs_clear(&errs);
    return ok;
}

bool case_run(const struct test_case *c, struct buf *report)
{
    struct run r = { .c = c, .report = report };
    arena_init(&r.arena, OUTPUT_MAX);
    buf_init(&r.out, OUTPUT_MAX);
    bool ok = run_case(&r);
    evaluator_close(&r.ev);
    buf_clear(&r.out);
    arena_clear(&r.arena);
    return ok;
}
