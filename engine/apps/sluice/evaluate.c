/* SPDX-License-Identifier: Apache-2.0 */
/* One statement with a machine of its own. */
#include "engine/apps/sluice/evaluate.h"

#include <string.h>

#include "engine/base/topic.h"

int evaluator_open(struct evaluator *ev, const char *name, const char *sql, size_t len, enum sql_version version,
                   struct errs *errs)
{
    mock_init(&ev->mock);
    ev->paths = sql_paths_new();
    ev->src = src_new(name, sql, len);
    ev->machine = sql_machine_new(NULL);
    if (!ev->paths || !ev->src || !ev->machine) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, (struct span) { 0 }, "out of memory");
        return -1;
    }
    ev->rule = sql_rule_compile(ev->src, version, ev->paths, errs);
    return ev->rule ? 0 : -1;
}

void evaluator_close(struct evaluator *ev)
{
    sql_machine_free(ev->machine);
    mock_clear(&ev->mock);
    sql_rule_free(ev->rule);
    src_unref(ev->src);
    sql_paths_unref(ev->paths);
    *ev = (struct evaluator) { 0 };
}

bool evaluator_matches_topic(const struct evaluator *ev, const char *rule_name, const char *topic, size_t len)
{
    const char *name, *rest;
    size_t name_len, rest_len, filter_len;
    if (topic_basic_ingest(topic, len, &name, &name_len, &rest, &rest_len))
        return name_len == strlen(rule_name) && memcmp(name, rule_name, name_len) == 0;
    const char *filter = sql_rule_filter(ev->rule, &filter_len);
    return filter && topic_filter_match(filter, filter_len, topic, len);
}

struct sql_env evaluator_env(struct evaluator *ev, const char *rule_name)
{
    return (struct sql_env) { .rule_name = rule_name, .lookups = &ev->mock.lookups };
}

enum sql_outcome evaluator_run(struct evaluator *ev, const char *rule_name, const struct message *message,
                               struct buf *out, bool *is_json, struct err *e)
{
    const struct sql_env env = evaluator_env(ev, rule_name);
    mock_forget(&ev->mock);
    if (sql_machine_begin(ev->machine, ev->paths, message, e) < 0)
        return SQL_FAILED;
    enum sql_outcome outcome = sql_machine_run(ev->machine, ev->rule, &env, e);
    if (outcome == SQL_MATCHED && sql_machine_output(ev->machine, out, is_json, e) < 0)
        return SQL_FAILED;
    return outcome;
}

enum sql_outcome evaluator_trace(struct evaluator *ev, const char *rule_name, const struct message *message,
                                 struct buf *out, struct err *e)
{
    const struct sql_env env = evaluator_env(ev, rule_name);
    mock_forget(&ev->mock);
    if (sql_machine_begin(ev->machine, ev->paths, message, e) < 0)
        return SQL_FAILED;
    return sql_rule_trace(ev->rule, ev->machine, &env, out, e);
}
