/* SPDX-License-Identifier: Apache-2.0 */
/* Names as rules give them.
 *
 * A dot that a message brings must not choose a schema: with `table: readings_${site}` a site "x.y" means the table
 * "readings_x.y". So only the constant text before the first `${` is searched; a schema out of a message has a
 * parameter of its own. A double quote is refused because it is nearly always an attempt to quote (`public."T"`),
 * which would otherwise name a table that nobody has. */
#include "actions/pg_name.h"

#include <string.h>

#include "engine/base/utf8.h"

int pg_name_check(const char *what, const char *name, size_t len, struct err *e)
{
    if (len == 0)
        return err_set(e, ERR_TEMPLATE, "the name of the %s is empty", what);
    if (len > PG_NAME_MAX)
        return err_set(e, ERR_TEMPLATE, "the name of the %s has %zu bytes, more than the %d that PostgreSQL takes",
                       what, len, PG_NAME_MAX);
    if (memchr(name, '\0', len) || !utf8_is_valid(name, len))
        return err_set(e, ERR_TEMPLATE, "the name of the %s is not text", what);
    if (memchr(name, '"', len)) {
        err_set(e, ERR_TEMPLATE, "the name of the %s holds a double quote", what);
        err_hint(e, "Write names without quotes; they are meant exactly as written.");
        return -1;
    }
    return 0;
}

int pg_name_split(struct pg_name *name, const struct act_text *schema, const struct act_text *table,
                  size_t constant_len, struct err *e)
{
    size_t searched = constant_len < table->len ? constant_len : table->len;
    const char *dot = !schema && searched ? memchr(table->p, '.', searched) : NULL;
    if (schema)
        *name = (struct pg_name) { schema->p, schema->len, table->p, table->len };
    else if (dot)
        *name =
            (struct pg_name) { table->p, (size_t)(dot - table->p), dot + 1, (size_t)(table->p + table->len - dot - 1) };
    else
        *name = (struct pg_name) { NULL, 0, table->p, table->len };
    if ((schema || dot) && pg_name_check("schema", name->schema, name->schema_len, e) < 0)
        return -1;
    return pg_name_check("table", name->table, name->table_len, e);
}
