/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice explain`: what a statement compiles to, or, on a payload, what each part of it gives and why. */
#include "engine/apps/sluice/cmds.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/trial.h"
#include "sql/sql.h"

#define EXPLAIN_MAX ((size_t)64 << 20)

static int explain(const char *sql, enum sql_version version)
{
    struct errs errs = { 0 };
    struct sql_paths *paths = sql_paths_new();
    struct src *src = src_new("<sql>", sql, strlen(sql));
    struct sql_rule *rule = NULL;
    if (paths && src)
        rule = sql_rule_compile(src, version, paths, &errs);
    print_errs(&errs);
    if (rule) {
        struct buf out;
        buf_init(&out, EXPLAIN_MAX);
        sql_rule_explain(rule, &out);
        fwrite(out.p, 1, out.len, stdout);
        buf_clear(&out);
    }
    int code = rule ? EXIT_OK : EXIT_FAILED;
    sql_rule_free(rule);
    src_unref(src);
    sql_paths_unref(paths);
    errs_clear(&errs);
    return code;
}

/* The heading: the message. */
static void put_message(const struct trial *t, struct buf *out)
{
    size_t len = t->message.payload_len;
    buf_printf(out, "topic %s, payload of %zu byte%s\n", t->topic.p, len, len == 1 ? "" : "s");
}

/* Run the statement on one payload and tell. */
static int trace(struct trial *t)
{
    size_t len;
    struct err e = { 0 };
    struct buf out;
    char *payload = trial_read_payload(t, &len);
    if (!payload)
        return EXIT_FAILED;
    trial_set_payload(t, payload, len);
    buf_init(&out, EXPLAIN_MAX);
    put_message(t, &out);
    enum sql_outcome outcome = evaluator_trace(&t->ev, t->rule_name, &t->message, &out, &e);
    fwrite(out.p, 1, out.len, stdout);
    buf_clear(&out);
    free(payload);
    if (outcome != SQL_FAILED)
        return EXIT_OK;
    print_err(&e);
    return EXIT_FAILED;
}

static int usage(void)
{
    cmd_print_help(cmd_find("explain"), stderr);
    return EXIT_USAGE;
}

int cmd_explain(int argc, char **argv)
{
    struct trial t;
    struct cmd_option options[TRIAL_OPTIONS + 1];
    size_t count = trial_init(&t, "explain", options);
    bool done, traces = false;
    options[count++] = (struct cmd_option) { "trace", 0, NULL, &traces };
    int n = cmd_options("explain", options, count, argc, argv, &done), code;
    enum sql_version version;
    if (n < 0 || done)
        code = done ? EXIT_OK : EXIT_USAGE;
    else if (n != 1)
        code = usage();
    else if ((code = trial_check(&t, &version)) == EXIT_OK && !traces)
        code = explain(argv[1], version);
    else if (code == EXIT_OK && (code = trial_open(&t, argv[1])) == EXIT_OK)
        code = trace(&t);
    trial_close(&t);
    return code;
}
