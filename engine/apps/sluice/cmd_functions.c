/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice functions`: the function table, as people read it or one JSON object a line. docs/language.md is made of
 * the latter. */
#include "engine/apps/sluice/cmds.h"

#include <string.h>

#include "engine/base/json.h"
#include "sql/funcs.h"

#define TEXT_MAX  ((size_t)1 << 20)
#define NAMES_MAX 256

static void put_signature(const struct sql_func *f, struct buf *out)
{
    buf_printf(out, "%s(%s) → %s", f->name, f->params, f->result);
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s\"%s\":", out->p[out->len - 1] == '{' ? "" : ",", name);
    json_write_string(out, text, strlen(text));
}

static void put_flag(struct buf *out, const char *name, bool is)
{
    buf_printf(out, ",\"%s\":%s", name, is ? "true" : "false");
}

static void put_json(const struct sql_func *f, struct buf *out)
{
    buf_putc(out, '{');
    put_member(out, "name", f->name);
    put_member(out, "subject", sql_func_subject_name(f->subject));
    put_member(out, "parameters", f->params);
    put_member(out, "result", f->result);
    put_member(out, "since", sql_version_name(f->since));
    put_flag(out, "undefinedIfUndefined", f->flags & SQL_STRICT);
    put_flag(out, "undefinedIfNull", f->flags & SQL_NULL_UNDEF);
    put_flag(out, "asks", f->flags & SQL_ASKS);
    put_member(out, "doc", f->doc);
    buf_puts(out, "}\n");
}

static void put_text(const struct sql_func *f, struct buf *out)
{
    buf_puts(out, "  ");
    put_signature(f, out);
    buf_printf(out, "\n      %s", f->doc);
    if (f->since != SQL_2015_10_08)
        buf_printf(out, " (since %s)", sql_version_name(f->since));
    buf_putc(out, '\n');
}

static void put_subject(enum sql_func_subject subject, struct buf *out)
{
    buf_printf(out, "%s%s:\n", subject ? "\n" : "", sql_func_subject_name(subject));
    for (uint32_t row = 0; row < sql_func_count(); row++) {
        if (sql_func_at(row)->subject == subject)
            put_text(sql_func_at(row), out);
    }
}

static void put_all(bool json, struct buf *out)
{
    for (uint32_t row = 0; json && row < sql_func_count(); row++)
        put_json(sql_func_at(row), out);
    for (enum sql_func_subject subject = 0; !json && subject < SQL_SUBJECT_COUNT; subject++)
        put_subject(subject, out);
}

static int unknown_function(const char *name)
{
    const char *names[NAMES_MAX];
    uint32_t count = sql_func_count() < NAMES_MAX ? sql_func_count() : NAMES_MAX;
    for (uint32_t row = 0; row < count; row++)
        names[row] = sql_func_at(row)->name;
    const char *near = nearest_word(name, strlen(name), names, count);
    return fail("functions", "there is no function \"%s\"; %s%s%s", name, near ? "did you mean \"" : "",
                near ? near : "`sluice functions` lists them", near ? "\"?" : "");
}

static int put_named(char **names, int count, bool json, struct buf *out)
{
    for (int i = 0; i < count; i++) {
        int row = sql_func_find(names[i], strlen(names[i]));
        if (row < 0)
            return unknown_function(names[i]);
        (json ? put_json : put_text)(sql_func_at((uint32_t)row), out);
    }
    return EXIT_OK;
}

int cmd_functions(int argc, char **argv)
{
    bool json = false, done;
    const struct cmd_option options[] = { { "json", 0, NULL, &json } };
    int n = cmd_options("functions", options, 1, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    struct buf out;
    buf_init(&out, TEXT_MAX);
    int code = EXIT_OK;
    if (n > 0)
        code = put_named(argv + 1, n, json, &out);
    else
        put_all(json, &out);
    if (out.failed || (out.len > 0 && fwrite(out.p, 1, out.len, stdout) != out.len))
        code = fail("functions", "cannot write the functions");
    buf_clear(&out);
    return code;
}
