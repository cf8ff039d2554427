/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: any text is compiled in every version. A rule comes out exactly if no error does; every error can be
 * printed and points into the text; a rule can be explained, and what a later version refuses an earlier one
 * refuses too. A rule that is traced on a payload comes to the same end as one that is run. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"

#define OUT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_errors(const struct errs *errs, const struct src *src)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct err *e = &errs->items[i];
        require(e->at.src == src && e->at.off <= src->len && e->at.len <= src->len - e->at.off);
        require(e->text[0] != '\0' && e->code != ERR_NONE && e->code != ERR_MEMORY);
        require(i == 0 || errs->items[i - 1].at.off <= e->at.off);
    }
}

/* Run and trace. A trace computes constants in the run and so may meet a limit that the run does not. */
static void check_trace(const struct sql_rule *rule, struct sql_paths *paths, struct buf *out)
{
    static const char payload[] =
        "{\"a\":{\"b\":\"x\",\"c\":[1,{\"v\":2}]},\"b\":5,\"c\":null,\"d\":1e5000,\"e\":[{\"n\":1}]}";
    const struct message message = {
        .topic = "a/b", .topic_len = 3, .payload = payload, .payload_len = sizeof(payload) - 1, .seed = 1
    };
    const struct sql_env env = { 0 };
    struct err e = { 0 };
    struct sql_machine *m = sql_machine_new(NULL);
    require(m && sql_machine_begin(m, paths, &message, &e) == 0);
    enum sql_outcome plain = sql_machine_run(m, rule, &env, &e);
    e = (struct err) { 0 };
    enum sql_outcome traced = sql_rule_trace(rule, m, &env, out, &e);
    require(plain == traced || (traced == SQL_FAILED && e.code == ERR_LIMIT));
    sql_machine_free(m);
}

static bool compile(struct src *src, enum sql_version version, struct buf *out)
{
    struct errs errs = { 0 };
    struct sql_paths *paths = sql_paths_new();
    require(paths != NULL);
    struct sql_rule *rule = sql_rule_compile(src, version, paths, &errs);
    bool compiled = rule != NULL;
    require(compiled == (errs.errors == 0));
    check_errors(&errs, src);
    buf_reset(out);
    errs_print(&errs, out);
    if (rule) {
        sql_rule_explain(rule, out);
        check_trace(rule, paths, out);
    }
    require(!out->failed);
    sql_rule_free(rule);
    sql_paths_unref(paths);
    errs_clear(&errs);
    return compiled;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct src *src = src_new("<sql>", (const char *)data, size);
    struct buf out;
    buf_init(&out, OUT_MAX);
    require(src != NULL);
    bool in_2015 = compile(src, SQL_2015_10_08, &out), in_2016 = compile(src, SQL_2016_03_23, &out);
    require(in_2016 || !in_2015);
    require(compile(src, SQL_BETA, &out) == in_2016);
    buf_clear(&out);
    src_unref(src);
    return 0;
}
