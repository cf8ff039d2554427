/* SPDX-License-Identifier: Apache-2.0 */
/* Golden texts of the compiler: what it says about statements, and what it makes of them.
 *
 *   tests/golden/errors/NAME.sql            a statement; the errors and warnings it gets are in NAME.txt
 *   tests/golden/errors/NAME.template       a template of the rule in NAME.rule, or of `SET @known = 1 SELECT * FROM
 *                                           'a/b'`; likewise
 *   tests/golden/explain/NAME.sql           a statement; warnings and explanation are in NAME.txt
 *   tests/golden/explain/NAME.templates     its templates, one a line (optional)
 *
 * A name that ends with .2015 or .beta is compiled with that version, others with 2016-03-23. The last newline of a
 * file is not part of its text. With GOLDEN_UPDATE=1 in the environment the .txt files are written instead of
 * compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/path.h"
#include "sql/sql.h"

#define ERRORS_FOLDER  "tests/golden/errors"
#define EXPLAIN_FOLDER "tests/golden/explain"
#define MAX_TEXT       ((size_t)1 << 20)

/* The file's bytes; NULL if there is no such file. Freed by the caller. */
static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *text = malloc(MAX_TEXT);
    assert_non_null(text);
    *len = fread(text, 1, MAX_TEXT - 1, f);
    text[*len] = '\0';
    fclose(f);
    return text;
}

static void write_file(const char *path, const struct buf *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->p, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static size_t without_last_newline(const char *text, size_t len)
{
    return len > 0 && text[len - 1] == '\n' ? len - 1 : len;
}

static struct src *source_of(const char *folder, const char *name)
{
    char path[1024];
    size_t len = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    char *text = read_file(path, &len);
    assert_non_null(text);
    struct src *src = src_new(name, text, without_last_newline(text, len));
    assert_non_null(src);
    free(text);
    return src;
}

static enum sql_version version_of(const char *name)
{
    if (strstr(name, ".2015."))
        return SQL_2015_10_08;
    return strstr(name, ".beta.") ? SQL_BETA : SQL_2016_03_23;
}

static void add_templates(struct sql_rule *rule, const char *folder, const char *sql_name, struct errs *errs)
{
    char path[1024];
    size_t len = 0;
    int stem = (int)(strlen(sql_name) - strlen(".sql"));
    snprintf(path, sizeof(path), "%s/%.*s.templates", folder, stem, sql_name);
    char *text = read_file(path, &len);
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        struct src *src = src_new("<template>", line, (size_t)(end - line));
        assert_int_not_equal(sql_rule_add_template(rule, src, errs), -1);
        src_unref(src);
        line = end + 1;
    }
    free(text);
}

/* What the compiler says about a statement. */
static void print_errors(const char *folder, const char *name, struct buf *out)
{
    struct errs errs = { 0 };
    struct sql_paths *paths = sql_paths_new();
    struct src *src = source_of(folder, name);
    struct sql_rule *rule = sql_rule_compile(src, version_of(name), paths, &errs);
    assert_true((rule == NULL) == (errs.errors > 0));
    errs_print(&errs, out);
    sql_rule_free(rule);
    src_unref(src);
    sql_paths_unref(paths);
    errs_clear(&errs);
}

/* The statement of a template. */
static struct src *rule_of(const char *folder, const char *name)
{
    static const char statement[] = "SET @known = 1 SELECT * FROM 'a/b'";
    char path[1024];
    size_t len = sizeof(statement) - 1;
    snprintf(path, sizeof(path), "%s/%.*srule", folder, (int)(strlen(name) - strlen("template")), name);
    char *text = read_file(path, &len);
    struct src *src = src_new("<sql>", text ? text : statement, text ? without_last_newline(text, len) : len);
    assert_non_null(src);
    free(text);
    return src;
}

static void print_template_errors(const char *folder, const char *name, struct buf *out)
{
    struct errs errs = { 0 };
    struct sql_paths *paths = sql_paths_new();
    struct src *src = rule_of(folder, name), *template = source_of(folder, name);
    struct sql_rule *rule = sql_rule_compile(src, version_of(name), paths, &errs);
    assert_non_null(rule);
    int index = sql_rule_add_template(rule, template, &errs);
    assert_true((index < 0) == (errs.errors > 0));
    errs_print(&errs, out);
    sql_rule_free(rule);
    src_unref(template);
    src_unref(src);
    sql_paths_unref(paths);
    errs_clear(&errs);
}

static void print_explanation(const char *folder, const char *name, struct buf *out)
{
    struct errs errs = { 0 };
    struct sql_paths *paths = sql_paths_new();
    struct src *src = source_of(folder, name);
    struct sql_rule *rule = sql_rule_compile(src, version_of(name), paths, &errs);
    errs_print(&errs, out);
    if (rule) {
        add_templates(rule, folder, name, &errs);
        sql_rule_explain(rule, out);
    }
    sql_rule_free(rule);
    src_unref(src);
    sql_paths_unref(paths);
    errs_clear(&errs);
}

/* Compare with the .txt beside it, or write that. */
static bool agrees(const char *folder, const char *name, const struct buf *out)
{
    char path[1024];
    size_t len = 0;
    const char *dot = strrchr(name, '.');
    snprintf(path, sizeof(path), "%s/%.*s.txt", folder, (int)(dot - name), name);
    if (getenv("GOLDEN_UPDATE")) {
        write_file(path, out);
        return true;
    }
    char *expected = read_file(path, &len);
    bool same = expected && len == out->len && memcmp(expected, out->p, len) == 0;
    if (!same)
        print_error("%s\n--- expected\n%s--- actual\n%s", path, expected ? expected : "(no such file)\n", out->p);
    free(expected);
    return same;
}

typedef void print_fn(const char *folder, const char *name, struct buf *out);

static bool run_file(const char *folder, const char *name, print_fn *print)
{
    struct buf out;
    buf_init(&out, MAX_TEXT);
    buf_puts(&out, "");
    print(folder, name, &out);
    bool same = agrees(folder, name, &out);
    buf_clear(&out);
    return same;
}

/* Every file of a folder with the ending; there must be some. */
static void run_folder(const char *folder, const char *ending, print_fn *print)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort), files = 0, failed = 0;
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (path_ends_in(entries[i]->d_name, ending)) {
            files++;
            failed += !run_file(folder, entries[i]->d_name, print);
        }
        free(entries[i]);
    }
    free(entries);
    assert_true(files > 0);
    assert_int_equal(failed, 0);
}

static void errors_of_statements(void **state)
{
    (void)state;
    run_folder(ERRORS_FOLDER, ".sql", print_errors);
}

static void errors_of_templates(void **state)
{
    (void)state;
    run_folder(ERRORS_FOLDER, ".template", print_template_errors);
}

static void explanations(void **state)
{
    (void)state;
    run_folder(EXPLAIN_FOLDER, ".sql", print_explanation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_of_statements),
        cmocka_unit_test(errors_of_templates),
        cmocka_unit_test(explanations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
