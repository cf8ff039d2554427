/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up tables.
 *
 * Types come from format_type with a type modifier of -1, not NULL: for char(5) and bit(5) that gives "bpchar" and
 * "bit", where NULL gives "character", a cast to which cuts the value to one character. */
#include "actions/pg_table.h"

#include <stdlib.h>
#include <string.h>

static const char lookup_sql[] =
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, -1), a.attgenerated = '' AND a.attidentity <> 'a',"
    " a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL, a.atttypid IN (114, 3802),"
    " c.relkind <> 'v' AND NOT pg_catalog.row_security_active(c.oid)"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " WHERE a.attrelid = $1::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped";

enum { FIELD_NAME, FIELD_TYPE, FIELD_SETTABLE, FIELD_DEFAULT, FIELD_JSON, FIELD_COPY };

static void table_free(struct pg_table *t)
{
    if (!t)
        return;
    free(t->quoted);
    free(t->plain);
    free(t->columns);
    free(t->strings);
    free(t);
}

static bool field_is_true(const struct pg_link *l, size_t row, size_t column)
{
    size_t len;
    const char *text = pg_link_field(l, row, column, &len);
    return text && text[0] == 't';
}

/* Copy a field's text behind *next, with a NUL. */
static const char *keep_text(const struct pg_link *l, size_t row, size_t column, char **next, size_t *len)
{
    const char *text = pg_link_field(l, row, column, len);
    char *copy = *next;
    memcpy(copy, text ? text : "", *len);
    copy[*len] = '\0';
    *next += *len + 1;
    return copy;
}

static size_t string_bytes(const struct pg_link *l)
{
    size_t total = 0, len;
    for (size_t i = 0; i < pg_link_row_count(l); i++) {
        pg_link_field(l, i, FIELD_NAME, &len);
        total += len + 1;
        pg_link_field(l, i, FIELD_TYPE, &len);
        total += len + 1;
    }
    return total;
}

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_columns(const void *a, const void *b)
{
    const struct pg_column *x = a, *y = b;
    return compare_names(x->name, x->name_len, y->name, y->name_len);
}

static int read_columns(struct pg_table *t, const struct pg_link *l)
{
    size_t count = pg_link_row_count(l);
    t->columns = calloc(count + 1, sizeof(*t->columns));
    t->strings = malloc(string_bytes(l) + 1);
    if (!t->columns || !t->strings)
        return -1;
    char *next = t->strings;
    for (size_t i = 0; i < count; i++) {
        struct pg_column *c = &t->columns[i];
        size_t type_len;
        c->name = keep_text(l, i, FIELD_NAME, &next, &c->name_len);
        c->type = keep_text(l, i, FIELD_TYPE, &next, &type_len);
        c->is_settable = field_is_true(l, i, FIELD_SETTABLE);
        c->has_default = field_is_true(l, i, FIELD_DEFAULT);
        c->is_json = field_is_true(l, i, FIELD_JSON);
    }
    t->column_count = count;
    t->takes_copy = field_is_true(l, 0, FIELD_COPY);
    qsort(t->columns, count, sizeof(*t->columns), compare_columns);
    return 0;
}

/* The name as SQL, owned; NULL: memory is short. */
static char *quote_name(struct pg_link *l, const struct pg_name *name)
{
    struct buf b;
    size_t len;
    buf_init(&b, 1024);
    if (name->schema) {
        pg_link_quote(l, name->schema, name->schema_len, &b);
        buf_putc(&b, '.');
    }
    pg_link_quote(l, name->table, name->table_len, &b);
    return buf_detach(&b, &len);
}

/* Ask the server. t->quoted is set. */
static int look_up(struct pg_table *t, struct pg_link *l, struct pg_failure *f)
{
    const struct pg_param param = { .p = t->quoted, .len = strlen(t->quoted) };
    if (pg_link_query(l, lookup_sql, &param, 1, f) < 0)
        return -1;
    if (pg_link_row_count(l) == 0)
        return pg_fail(f, PG_MISCONFIGURED, "relation %s has no columns", t->quoted);
    if (pg_link_row_count(l) > PG_COLUMNS_MAX)
        return pg_fail(f, PG_MISCONFIGURED, "relation %s has more than %d columns", t->quoted, PG_COLUMNS_MAX);
    if (read_columns(t, l) < 0)
        return pg_fail(f, PG_LATER, "not enough memory for the columns of %s", t->quoted);
    return 0;
}

static struct pg_table *find(const struct pg_tables *ts, const char *quoted)
{
    for (size_t i = 0; i < ts->count; i++) {
        if (strcmp(ts->items[i]->quoted, quoted) == 0)
            return ts->items[i];
    }
    return NULL;
}

static void keep(struct pg_tables *ts, struct pg_table *t)
{
    if (ts->count == PG_TABLES_MAX) {
        size_t oldest = 0;
        for (size_t i = 1; i < ts->count; i++)
            oldest = ts->items[i]->used < ts->items[oldest]->used ? i : oldest;
        pg_tables_forget(ts, ts->items[oldest]);
    }
    ts->items[ts->count++] = t;
}

/* A table that is looked up next. Takes quoted, also when it fails. */
static struct pg_table *table_new(char *quoted, const struct pg_name *name, uint64_t now_ms)
{
    struct pg_table *t = calloc(1, sizeof(*t));
    char *plain = strndup(name->table, name->table_len);
    if (!t || !plain) {
        free(t);
        free(plain);
        free(quoted);
        return NULL;
    }
    *t = (struct pg_table) { .quoted = quoted, .plain = plain, .looked_up_ms = now_ms };
    return t;
}

const struct pg_table *pg_tables_get(struct pg_tables *ts, struct pg_link *l, const struct pg_name *name,
                                     uint64_t now_ms, struct pg_failure *f)
{
    char *quoted = quote_name(l, name);
    struct pg_table *t = quoted ? find(ts, quoted) : NULL;
    if (t) {
        free(quoted);
        t->used = ++ts->uses;
        return t;
    }
    t = quoted ? table_new(quoted, name, now_ms) : NULL;
    if (!t) {
        pg_fail(f, PG_LATER, "not enough memory to look up a table");
        return NULL;
    }
    if (look_up(t, l, f) < 0) {
        table_free(t);
        return NULL;
    }
    t->used = ++ts->uses;
    keep(ts, t);
    return t;
}

void pg_tables_forget(struct pg_tables *ts, const struct pg_table *t)
{
    for (size_t i = 0; i < ts->count; i++) {
        if (ts->items[i] != t)
            continue;
        table_free(ts->items[i]);
        ts->items[i] = ts->items[--ts->count];
        return;
    }
}

void pg_tables_clear(struct pg_tables *ts)
{
    for (size_t i = 0; i < ts->count; i++)
        table_free(ts->items[i]);
    ts->count = 0;
}

int pg_table_column(const struct pg_table *t, const char *name, size_t len)
{
    size_t low = 0, high = t->column_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct pg_column *c = &t->columns[middle];
        int order = compare_names(name, len, c->name, c->name_len);
        if (order == 0)
            return (int)middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}
