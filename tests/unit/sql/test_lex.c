/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/base/buf.h"
#include "sql/lex.h"

static const char *const kind_names[] = {
#define TOKEN(name, text, class, left, right) #name,
#include "sql/token.def"
#undef TOKEN
};

/* A text and its tokens. */
struct lexed {
    struct src *src;
    struct arena arena;
    struct tokens tokens;
};

static void lex(struct lexed *l, const char *text, uint32_t from, bool braced)
{
    l->src = src_new("<sql>", text, strlen(text));
    arena_init(&l->arena, (size_t)1 << 20);
    struct err e = { 0 };
    assert_int_equal(lex_text(l->src, from, braced, &l->arena, &l->tokens, &e), 0);
}

static void done(struct lexed *l)
{
    arena_clear(&l->arena);
    src_unref(l->src);
}

/* Compare with "KIND:text KIND:text"; a "!" behind the kind stands for a fault. */
static void assert_tokens(const char *text, const char *expected)
{
    struct lexed l;
    struct buf b;
    buf_init(&b, 10000);
    buf_puts(&b, "");
    lex(&l, text, 0, false);
    for (uint32_t i = 0; i < l.tokens.count; i++) {
        const struct token *t = &l.tokens.at[i];
        buf_printf(&b, "%s%s%s:%.*s", i ? " " : "", kind_names[t->kind], t->fault ? "!" : "", (int)t->len,
                   text + t->off);
    }
    assert_string_equal(b.p, expected);
    assert_int_equal(l.tokens.at[l.tokens.count].kind, TOKEN_END);
    buf_clear(&b);
    done(&l);
}

static void words_and_names(void **state)
{
    (void)state;
    assert_tokens("SELECT select SeLeCt selects", "SELECT:SELECT SELECT:select SELECT:SeLeCt NAME:selects");
    assert_tokens("value _a a1 A_b9 end", "NAME:value NAME:_a NAME:a1 NAME:A_b9 END_WORD:end");
    assert_tokens("true False NULL nulls", "TRUE:true FALSE:False NULL:NULL NAME:nulls");
    assert_tokens("@a @b_1 @9", "VARIABLE:@a VARIABLE:@b_1 VARIABLE:@9");
    assert_tokens("a.my-key", "NAME:a DOT:. NAME:my MINUS:- NAME:key");
}

static void every_keyword(void **state)
{
    (void)state;
    for (int k = 0; k < TOKEN_KIND_COUNT; k++) {
        const struct token_row *row = token_row((enum token_kind)k);
        if (row->class != TOKEN_CLASS_WORD && row->class != TOKEN_CLASS_SIGN)
            continue;
        struct lexed l;
        lex(&l, row->text, 0, false);
        assert_int_equal(l.tokens.count, 1);
        assert_int_equal(l.tokens.at[0].kind, k);
        assert_int_equal(l.tokens.at[0].fault, 0);
        done(&l);
    }
}

static void priorities_have_two_sides(void **state)
{
    (void)state;
    assert_true(token_row(TOKEN_OR)->left < token_row(TOKEN_AND)->left);
    assert_true(token_row(TOKEN_AND)->right < token_row(TOKEN_NOT)->right);
    assert_true(token_row(TOKEN_NOT)->right < token_row(TOKEN_EQ)->left);
    assert_int_equal(token_row(TOKEN_IN)->left, token_row(TOKEN_GE)->left);
    assert_true(token_row(TOKEN_GE)->left < token_row(TOKEN_MINUS)->left);
    assert_true(token_row(TOKEN_PLUS)->left < token_row(TOKEN_PERCENT)->left);
    for (int k = 0; k < TOKEN_KIND_COUNT; k++) {
        const struct token_row *row = token_row((enum token_kind)k);
        if (row->left)
            assert_int_equal(row->right, row->left + 1);
    }
}

static void numbers(void **state)
{
    (void)state;
    assert_tokens("0 12 3.50 1E3 2.411e-247 1e+5",
                  "NUMBER:0 NUMBER:12 NUMBER:3.50 NUMBER:1E3 NUMBER:2.411e-247 NUMBER:1e+5");
    assert_tokens("1-2", "NUMBER:1 MINUS:- NUMBER:2");
    assert_tokens("12ab 1e 1E+ 3.5x", "NAME!:12ab NAME!:1e NAME!:1E PLUS:+ NAME!:3.5x");
    assert_tokens("5. .5 (.5", "NUMBER!:5. NUMBER!:.5 LPAREN:( NUMBER!:.5");
    assert_tokens("item2.0 @v.1 (a).2",
                  "NAME:item2 DOT:. NUMBER:0 VARIABLE:@v DOT:. NUMBER:1 LPAREN:( NAME:a RPAREN:) DOT:. NUMBER:2");
}

static void strings(void **state)
{
    (void)state;
    assert_tokens("'a' \"b\" '' 'it''s' \"'\"", "STRING:'a' STRING:\"b\" STRING:'' STRING:'it''s' STRING:\"'\"");
    assert_tokens("'a\nb'x", "STRING:'a\nb' NAME:x");
    assert_tokens("'\\' 'b", "STRING:'\\' STRING!:'b");
    assert_tokens("'a''", "STRING!:'a''");
}

static void signs(void **state)
{
    (void)state;
    assert_tokens("<=<>=<", "LE:<= NE:<> LE!:=<");
    assert_tokens("a<b>c", "NAME:a LT:< NAME:b GT:> NAME:c");
    assert_tokens("{}[](),:.+*/%",
                  "LBRACE:{ RBRACE:} LBRACKET:[ RBRACKET:] LPAREN:( RPAREN:) COMMA:, COLON:: DOT:. PLUS:+ STAR:* "
                  "SLASH:/ PERCENT:%");
}

static void slips(void **state)
{
    (void)state;
    assert_tokens("!= == || && ! => =<", "NE!:!= EQ!:== PLUS!:|| AND!:&& NOT!:! GE!:=> LE!:=<");
    assert_tokens("a -- b\nc /* d */ e; /* f",
                  "NAME:a SKIPPED!:-- b NAME:c SKIPPED!:/* d */ NAME:e SKIPPED!:; SKIPPED!:/* f");
    assert_tokens("`a b` `", "NAME!:`a b` BAD!:`");
    assert_tokens("@ ??? ?!", "BAD!:@ BAD!:??? BAD!:? NOT!:!");
    assert_tokens("\x01\x02\x7f", "BAD!:\x01\x02\x7f");
}

static void beyond_ascii(void **state)
{
    (void)state;
    assert_tokens("a \xe2\x80\x93 b", "NAME:a MINUS!:\xe2\x80\x93 NAME:b");
    assert_tokens("\xe2\x80\x9cx y\xe2\x80\x9d", "STRING!:\xe2\x80\x9cx y\xe2\x80\x9d");
    assert_tokens("\xe2\x80\x98x\ny", "BAD!:\xe2\x80\x98 NAME:x NAME:y");
    assert_tokens("t\xc3\xa4t \xc3\xa4 @\xc3\xa4", "NAME!:t\xc3\xa4t NAME!:\xc3\xa4 VARIABLE!:@\xc3\xa4");
    assert_tokens("a\xc2\xa0"
                  "b",
                  "NAME:a SKIPPED!:\xc2\xa0 NAME:b");
    assert_tokens("a\xe2\x88\x92"
                  "b\xe2\x89\xa4"
                  "c",
                  "NAME:a MINUS!:\xe2\x88\x92 NAME:b LE!:\xe2\x89\xa4 NAME:c");
    assert_tokens("'\xf0\x9f\x98\x80'", "STRING:'\xf0\x9f\x98\x80'");
}

static void value_of(const char *text, const char *expected)
{
    struct lexed l;
    size_t len = 99;
    lex(&l, text, 0, false);
    const char *value = lex_string(l.src, &l.tokens.at[0], &l.arena, &len);
    assert_non_null(value);
    assert_string_equal(value, expected);
    assert_int_equal(len, strlen(expected));
    done(&l);
}

static void values_of_strings(void **state)
{
    (void)state;
    value_of("'abc'", "abc");
    value_of("''", "");
    value_of("'it''s'''", "it's'");
    value_of("\"say \"\"hi\"\" it''s\"", "say \"hi\" it''s");
    value_of("'\\d+\\n'", "\\d+\\n");
    value_of("'open", "open");
    value_of("'", "");
    value_of("\xe2\x80\x9cx\xe2\x80\x9d", "x");
    value_of("\xc2\xabx\xe2\x80\x9d", "x");
}

static void places_in_strings(void **state)
{
    (void)state;
    struct lexed l;
    lex(&l, "  'a''b''''c'", 0, false);
    static const uint32_t places[] = { 3, 4, 6, 7, 9, 11, 12 }; /* of a ' b ' ' c and the end */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        assert_int_equal(lex_string_place(l.src, &l.tokens.at[0], i), places[i]);
    done(&l);
}

static void braces_end_a_template_expression(void **state)
{
    (void)state;
    struct lexed l;
    lex(&l, "x${ {'a': '}'} }y}", 3, true);
    assert_true(l.tokens.closed);
    assert_int_equal(l.tokens.end, 16);
    assert_int_equal(l.tokens.count, 5);
    done(&l);
    lex(&l, "${{}", 2, true);
    assert_false(l.tokens.closed);
    assert_int_equal(l.tokens.end, 4);
    done(&l);
    lex(&l, "${'}", 2, true);
    assert_false(l.tokens.closed);
    done(&l);
}

static void faults_are_reported_once(void **state)
{
    (void)state;
    struct lexed l;
    struct errs errs = { 0 };
    lex(&l, "a 12ab", 0, false);
    lex_report(l.src, &l.tokens.at[0], &errs);
    assert_int_equal(errs.errors, 0);
    lex_report(l.src, &l.tokens.at[1], &errs);
    lex_report(l.src, &l.tokens.at[1], &errs);
    assert_int_equal(errs.errors, 1);
    assert_int_equal(errs.items[0].code, ERR_SQL_TOKEN);
    assert_int_equal(errs.items[0].at.off, 2);
    assert_int_equal(errs.items[0].at.len, 4);
    assert_string_equal(errs.items[0].text, "a name cannot begin with a digit: \"12ab\"");
    assert_string_equal(errs.items[0].hint, "read it with get(*, '12ab'), or get(object, '12ab') in an object");
    errs_clear(&errs);
    done(&l);
}

static void lacking_memory_is_an_error(void **state)
{
    (void)state;
    struct src *src = src_new("<sql>", "a b c", 5);
    struct arena a;
    struct tokens tokens;
    struct err e = { 0 };
    arena_init(&a, 16);
    assert_int_equal(lex_text(src, 0, false, &a, &tokens, &e), -1);
    assert_int_equal(e.code, ERR_MEMORY);
    arena_clear(&a);
    src_unref(src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_names),
        cmocka_unit_test(every_keyword),
        cmocka_unit_test(priorities_have_two_sides),
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(signs),
        cmocka_unit_test(slips),
        cmocka_unit_test(beyond_ascii),
        cmocka_unit_test(values_of_strings),
        cmocka_unit_test(places_in_strings),
        cmocka_unit_test(braces_end_a_template_expression),
        cmocka_unit_test(faults_are_reported_once),
        cmocka_unit_test(lacking_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
