/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice explain`: what a statement compiles to. */
#include "engine/apps/sluice/cmds.h"

#include <string.h>

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

int cmd_explain(int argc, char **argv)
{
    const char *version_name = "2016-03-23";
    const struct cmd_option options[] = { { "sql-version", 0, &version_name, NULL } };
    bool done;
    int n = cmd_options("explain", options, 1, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    enum sql_version version;
    if (n != 1 || !sql_version_parse(version_name, strlen(version_name), &version)) {
        cmd_print_help(cmd_find("explain"), stderr);
        return EXIT_USAGE;
    }
    return explain(argv[1], version);
}
