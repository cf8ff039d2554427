/* SPDX-License-Identifier: Apache-2.0 */
/* Substitution templates: any text is added to a rule with variables. It gets an index exactly if there is no
 * error; errors can be printed; the rule can be explained and takes further templates whatever came before. */
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

static void check_template(struct sql_rule *rule, struct src *src, struct buf *out)
{
    struct errs errs = { 0 };
    int index = sql_rule_add_template(rule, src, &errs);
    require((index >= 0) == (errs.errors == 0));
    for (size_t i = 0; i < errs.count; i++)
        require(errs.items[i].at.src == src && errs.items[i].code != ERR_MEMORY);
    if (index >= 0)
        require(!sql_rule_template_is_constant(rule, index) || !memmem(src->text, src->len, "${", 2));
    errs_print(&errs, out);
    errs_clear(&errs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char statement[] = "SET @a = temp, @b = {'x': 1} SELECT @a AS a FROM 'a/b'";
    struct errs errs = { 0 };
    struct buf out;
    struct sql_paths *paths = sql_paths_new();
    struct src *sql = src_new("<sql>", statement, strlen(statement));
    struct src *src = src_new("<template>", (const char *)data, size);
    require(paths && sql && src);
    buf_init(&out, OUT_MAX);
    struct sql_rule *rule = sql_rule_compile(sql, SQL_2016_03_23, paths, &errs);
    require(rule != NULL);
    check_template(rule, src, &out);
    check_template(rule, sql, &out);
    check_template(rule, src, &out);
    sql_rule_explain(rule, &out);
    require(!out.failed);
    buf_clear(&out);
    sql_rule_free(rule);
    src_unref(src);
    src_unref(sql);
    sql_paths_unref(paths);
    return 0;
}
