/* SPDX-License-Identifier: Apache-2.0 */
/* postgres: rows into tables of PostgreSQL. (Not part of AWS IoT's actions.)
 *
 *     items ─► groups (one action, one table) ─► windows (16 MB) ─► runs (one statement each) ─► COPY or INSERT
 *
 * `struct pg_target` and `struct pg_act` are configuration, unchanged after opening. `struct pg_lane` has the
 * connection and is owned by its thread.
 *
 * Groups are independent of each other: there is no order between actions, nor between tables. Inside a group
 * everything goes in the order of the send, and what has to wait holds up what comes after it. A failure of the
 * connection holds up all groups.
 *
 * What the author of a rule wrote can be repaired, so a constant table that does not exist means LATER. What a
 * message chose cannot: if the table's name comes out of a template, its items are rejected. */
#include "actions/actions_int.h"

#include <stdlib.h>
#include <string.h>

#include "actions/items.h"
#include "actions/pg_link.h"
#include "actions/pg_name.h"
#include "actions/pg_row.h"
#include "actions/pg_run.h"
#include "actions/pg_table.h"
#include "engine/base/clock.h"
#include "engine/base/opt.h"

#define WINDOW_BYTES ((size_t)16 << 20) /* rows made at a time; a statement is no larger, but for a single row */
#define KEEP_BYTES   ((size_t)1 << 20)  /* of buffers, from one send to the next */
#define REFRESH_MS   5000 /* what is known of a table is asked again before older knowledge rejects a row */
#define KEY_MAX      32   /* columns of an index */

/* --- target --- */

struct pg_target {
    struct pg_settings settings;
};

static const struct opt target_options[] = {
    { "conninfo", OPT_TEXT, offsetof(struct pg_target, settings.conninfo), .required = true,
      .help = "connection string of libpq: \"host=… dbname=… user=…\" or postgresql://…" },
    { "connectTimeout", OPT_DURATION, offsetof(struct pg_target, settings.connect_timeout_ms), .def = "10s", .min = 100,
      .max = 300000, .help = "longest time to connect, over all hosts of the conninfo" },
    { "statementTimeout", OPT_DURATION, offsetof(struct pg_target, settings.statement_timeout_ms), .def = "30s",
      .min = 100, .max = 3600000, .help = "longest time for a batch, also statement_timeout of the session" },
    { "applicationName", OPT_TEXT, offsetof(struct pg_target, settings.application_name),
      .help = "shown in pg_stat_activity; else the conninfo's or the service's name" },
};
#define TARGET_OPTIONS (sizeof(target_options) / sizeof(target_options[0]))

static void pg_target_close(void *target)
{
    if (target)
        opt_free(target_options, TARGET_OPTIONS, target);
    free(target);
}

static void *pg_target_open(const struct conf *conf, const struct act_env *env, struct errs *errs)
{
    struct span at = conf ? conf->at : (struct span) { 0 };
    struct pg_target *t = calloc(1, sizeof(*t));
    if (!t) {
        errs_add(errs, SEV_ERROR, ERR_MEMORY, at, "not enough memory");
        return NULL;
    }
    struct err e = { 0 };
    int rc = opt_read(target_options, TARGET_OPTIONS, conf, "postgres", at, t, errs);
    if (t->settings.conninfo && pg_link_check_conninfo(t->settings.conninfo, &e) < 0) {
        e.at = conf_get(conf, "conninfo")->at;
        errs_take(errs, &e);
        rc = -1;
    }
    if (rc < 0) {
        pg_target_close(t);
        return NULL;
    }
    t->settings.fallback_name = env->client_name;
    t->settings.clock = env->clock;
    return t;
}

/* --- action --- */

struct column_conf {
    const struct conf *name;
    int text; /* index in act_item.texts */
};

struct pg_act {
    const struct conf *table, *schema, *columns_conf, *key_conf;
    int conflict;                /* enum pg_conflict */
    int table_text, schema_text; /* schema_text -1: none */
    size_t table_constant;       /* leading bytes of the table's text that no message can change */
    bool is_constant;            /* table and schema are the same for every message */
    struct column_conf *columns; /* count 0: members of the output */
    size_t column_count;
    const struct conf *keys[KEY_MAX];
    size_t key_count;
};

static const char *const conflict_names[] = { "error", "ignore", "update", NULL };

static const struct opt action_options[] = {
    { "connection", OPT_TEXT, .ignored = true, .help = "name of a postgres connection in sluice.yaml" },
    { "table", OPT_TEMPLATE, offsetof(struct pg_act, table), .required = true,
      .help = "table or schema.table, exactly as named in the database; may be a template" },
    { "schema", OPT_TEMPLATE, offsetof(struct pg_act, schema),
      .help = "schema of the table, may be a template; then a dot in \"table\" belongs to the name" },
    { "columns", OPT_CONF, offsetof(struct pg_act, columns_conf),
      .help = "map from column to template; without it the members of the output are the columns" },
    { "onConflict", OPT_CHOICE, offsetof(struct pg_act, conflict), .def = "error", .choices = conflict_names,
      .help = "row whose key is there already: reject it, skip it, or update the old one" },
    { "key", OPT_CONF, offsetof(struct pg_act, key_conf),
      .help = "list of the columns that decide about a conflict; required for update" },
};
#define ACTION_OPTIONS (sizeof(action_options) / sizeof(action_options[0]))

static int check_column_name(const struct conf *name, struct errs *errs)
{
    struct err e = { 0 };
    if (name->kind != CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, name->at, "the name of a column must be a text");
    if (pg_name_check("column", name->text, name->len, &e) == 0)
        return 0;
    e.code = ERR_CONF_VALUE;
    e.at = name->at;
    errs_take(errs, &e);
    return -1;
}

static int open_column(struct pg_act *a, const struct conf *name, const struct conf *value, struct act_host *host,
                       struct errs *errs)
{
    int rc = check_column_name(name, errs);
    if (value->kind != CONF_SCALAR || conf_is_null(value))
        return errs_refuse(errs, ERR_CONF_TYPE, value->at,
                           "a column needs a text or a template such as \"${temperature}\"");
    int text = host->template_add(host, value, errs);
    a->columns[a->column_count++] = (struct column_conf) { name, text };
    return text < 0 ? -1 : rc;
}

static int open_columns(struct pg_act *a, struct act_host *host, struct errs *errs)
{
    const struct conf *c = a->columns_conf;
    if (!c)
        return 0;
    if (c->kind != CONF_MAP || c->count == 0)
        return errs_refuse(errs, ERR_CONF_TYPE, c->at, "\"columns\" must be a map from column to template");
    if (c->count > PG_COLUMNS_MAX)
        return errs_refuse(errs, ERR_CONF_VALUE, c->at, "\"columns\" has more entries than a table can have columns");
    a->columns = calloc(c->count, sizeof(*a->columns));
    if (!a->columns)
        return errs_refuse(errs, ERR_MEMORY, c->at, "not enough memory");
    int rc = 0;
    for (size_t i = 0; i < c->count; i++)
        rc = open_column(a, c->keys[i], c->items[i], host, errs) < 0 ? -1 : rc;
    return rc;
}

static bool is_column(const struct pg_act *a, const struct conf *name)
{
    for (size_t i = 0; i < a->column_count; i++) {
        if (strcmp(a->columns[i].name->text, name->text) == 0)
            return true;
    }
    return a->column_count == 0;
}

static bool is_key(const struct pg_act *a, const struct conf *name)
{
    for (size_t i = 0; i < a->key_count; i++) {
        if (strcmp(a->keys[i]->text, name->text) == 0)
            return true;
    }
    return false;
}

static int open_key(struct pg_act *a, const struct conf *name, struct errs *errs)
{
    if (check_column_name(name, errs) < 0)
        return -1;
    if (is_key(a, name))
        return errs_refuse(errs, ERR_CONF_NAME, name->at, "this column is in \"key\" already");
    if (!is_column(a, name))
        return errs_refuse(errs, ERR_CONF_NAME, name->at, "this column of \"key\" is not among \"columns\"");
    a->keys[a->key_count++] = name;
    return 0;
}

static int open_keys(struct pg_act *a, struct span at, struct errs *errs)
{
    const struct conf *c = a->key_conf;
    if (!c && a->conflict == PG_CONFLICT_UPDATE)
        return errs_refuse(errs, ERR_CONF_MISSING, at, "\"onConflict: update\" needs the option \"key\"");
    if (!c)
        return 0;
    if (a->conflict == PG_CONFLICT_ERROR)
        return errs_refuse(errs, ERR_CONF_VALUE, c->at,
                           "\"key\" has no meaning without \"onConflict: ignore\" or \"update\"");
    if (c->kind != CONF_LIST || c->count == 0)
        return errs_refuse(errs, ERR_CONF_TYPE, c->at, "\"key\" must be a list of columns");
    if (c->count > KEY_MAX)
        return errs_refuse(errs, ERR_CONF_VALUE, c->at, "\"key\" has more columns than an index can have");
    int rc = 0;
    for (size_t i = 0; i < c->count; i++)
        rc = open_key(a, c->items[i], errs) < 0 ? -1 : rc;
    return rc;
}

/* Constant names are checked now. */
static int check_constant_names(const struct pg_act *a, struct errs *errs)
{
    struct err e = { 0 };
    struct pg_name name;
    const struct act_text table = { .p = a->table->text, .len = a->table->len };
    struct act_text schema = { 0 };
    if (a->schema)
        schema = (struct act_text) { .p = a->schema->text, .len = a->schema->len };
    if (!a->is_constant || pg_name_split(&name, a->schema ? &schema : NULL, &table, a->table_constant, &e) == 0)
        return 0;
    e.code = ERR_CONF_VALUE;
    e.at = a->table->at;
    errs_take(errs, &e);
    return -1;
}

static int open_table(struct pg_act *a, struct act_host *host, struct errs *errs)
{
    a->schema_text = -1;
    if (!a->table)
        return -1;
    a->table_text = host->template_add(host, a->table, errs);
    if (a->schema)
        a->schema_text = host->template_add(host, a->schema, errs);
    if (a->table_text < 0 || (a->schema && a->schema_text < 0))
        return -1;
    a->table_constant = act_constant_prefix(a->table);
    a->is_constant = host->template_is_constant(host, a->table_text) &&
                     (!a->schema || host->template_is_constant(host, a->schema_text));
    return check_constant_names(a, errs);
}

static void pg_action_close(void *action)
{
    struct pg_act *a = action;
    if (!a)
        return;
    free(a->columns);
    free(a);
}

static void *pg_action_open(void *target, const struct conf *conf, struct act_host *host, struct errs *errs)
{
    (void)target;
    struct pg_act *a = calloc(1, sizeof(*a));
    if (!a) {
        errs_refuse(errs, ERR_MEMORY, conf->at, "not enough memory");
        return NULL;
    }
    int rc = opt_read(action_options, ACTION_OPTIONS, conf, "postgres", conf->at, a, errs);
    rc = open_table(a, host, errs) < 0 ? -1 : rc;
    rc = open_columns(a, host, errs) < 0 ? -1 : rc;
    rc = open_keys(a, conf->at, errs) < 0 ? -1 : rc;
    host->needs_json = a->column_count == 0;
    if (rc == 0)
        return a;
    pg_action_close(a);
    return NULL;
}

static void pg_resource(const void *action, const struct act_text *texts, struct buf *out)
{
    const struct pg_act *a = action;
    if (a->schema_text >= 0) {
        buf_put(out, texts[a->schema_text].p, texts[a->schema_text].len);
        buf_putc(out, '.');
    }
    buf_put(out, texts[a->table_text].p, texts[a->table_text].len);
}

/* --- lane --- */

struct pg_lane {
    const struct pg_target *target;
    struct pg_link *link;
    struct pg_statement statement;
    struct pg_tables tables;
    struct item_groups groups;
    struct pg_space space;
    struct pg_row *rows; /* of the present window */
    size_t row_count, row_room;
    size_t limit;      /* rows that a statement may have, see pg_run_write */
    unsigned connects; /* connections made when `tables` was looked up */
    uint64_t now_ms;   /* monotonic, at the beginning of the send */
};

/* A group on its way: what its action means in its table. */
struct writing {
    struct pg_lane *lane;
    const struct pg_act *act;
    struct item_group group;
    const struct pg_table *table;
    struct pg_run run;
    uint32_t keys[KEY_MAX];
    struct pg_source sources[PG_COLUMNS_MAX];
};

static void pg_lane_close(void *lane)
{
    struct pg_lane *l = lane;
    if (!l)
        return;
    pg_link_free(l->link);
    pg_statement_clear(&l->statement);
    pg_tables_clear(&l->tables);
    item_groups_clear(&l->groups);
    pg_space_clear(&l->space);
    free(l->rows);
    free(l);
}

static void pg_lane_stop_fd(void *lane, int fd)
{
    pg_link_stop_on(((struct pg_lane *)lane)->link, fd);
}

static void *pg_lane_open(void *target, struct err *e)
{
    struct pg_lane *l = calloc(1, sizeof(*l));
    if (!l) {
        err_set(e, ERR_MEMORY, "not enough memory for a lane");
        return NULL;
    }
    l->target = target;
    l->limit = ACT_BATCH_MAX;
    pg_space_init(&l->space);
    l->link = pg_link_new(&l->target->settings);
    pg_statement_init(&l->statement, l->link);
    if (l->link)
        return l;
    err_set(e, ERR_MEMORY, "not enough memory for a connection");
    pg_lane_close(l);
    return NULL;
}

/* Settle those items that have no result yet by what went wrong. */
static void settle(struct act_item *const *items, size_t count, const struct pg_failure *f)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i]->result != ACT_PENDING)
            continue;
        if (f->verdict == PG_REJECTED)
            item_reject(items[i], "%s", f->text);
        else if (f->verdict == PG_MISCONFIGURED)
            item_misconfigured(items[i], "%s", f->text);
        else
            item_later(items[i], "%s", f->text);
    }
}

/* Could what we know of the table be the reason for a rejection? Then it is looked up again first. */
static bool is_outdated(const struct writing *w)
{
    return w->lane->now_ms - w->table->looked_up_ms >= REFRESH_MS;
}

/* --- from items to rows --- */

static int compare_sources(const void *a, const void *b)
{
    uint32_t x = ((const struct pg_source *)a)->column, y = ((const struct pg_source *)b)->column;
    return (x > y) - (x < y);
}

static int compare_columns(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int find_column(const struct writing *w, const struct conf *name, uint32_t *column, struct pg_failure *f)
{
    int found = pg_table_column(w->table, name->text, name->len);
    if (found < 0)
        return pg_fail(f, PG_MISCONFIGURED, "table %s has no column \"%s\"", w->table->quoted, name->text);
    *column = (uint32_t)found;
    return 0;
}

/* Find the action's columns in the table. */
static int bind(struct writing *w, struct pg_failure *f)
{
    const struct pg_act *a = w->act;
    w->run.table = w->table;
    w->run.conflict = (enum pg_conflict)a->conflict;
    w->run.keys = w->keys;
    w->run.key_count = a->key_count;
    for (size_t i = 0; i < a->column_count; i++) {
        w->sources[i].text = a->columns[i].text;
        if (find_column(w, a->columns[i].name, &w->sources[i].column, f) < 0)
            return -1;
    }
    for (size_t i = 0; i < a->key_count; i++) {
        if (find_column(w, a->keys[i], &w->keys[i], f) < 0)
            return -1;
    }
    qsort(w->sources, a->column_count, sizeof(w->sources[0]), compare_sources);
    qsort(w->keys, a->key_count, sizeof(w->keys[0]), compare_columns);
    return 0;
}

/* An update finds its row by the key, so a row without it is no update. */
static enum pg_row_fit check_key(const struct writing *w, const struct pg_row *row)
{
    for (size_t i = 0; i < w->run.key_count && w->run.conflict == PG_CONFLICT_UPDATE; i++) {
        if (!pg_row_value(row, w->keys[i])) {
            item_reject(row->item, "the output lacks \"%s\" of the key", w->table->columns[w->keys[i]].name);
            return PG_ROW_REJECTED;
        }
    }
    return PG_ROW_OK;
}

static enum pg_row_fit make_row(const struct writing *w, struct act_item *item)
{
    struct pg_lane *l = w->lane;
    struct pg_row *row = &l->rows[l->row_count];
    enum pg_row_fit fit = w->act->column_count
                              ? pg_row_from_texts(row, item, w->sources, w->act->column_count, &l->space)
                              : pg_row_from_members(row, item, w->table, &l->space);
    return fit == PG_ROW_OK ? check_key(w, row) : fit;
}

/* Make rows from *next on, until there is a window of them. -1: the table must be looked up again, for it seems to have
 * changed. */
static int fill_window(struct writing *w, size_t *next, struct pg_failure *f)
{
    struct pg_lane *l = w->lane;
    size_t bytes = 0;
    l->row_count = 0;
    arena_reset(&l->space.arena);
    for (; *next < w->group.count && bytes < WINDOW_BYTES; ++*next) {
        struct act_item *item = w->group.items[*next];
        if (item->result != ACT_PENDING)
            continue;
        enum pg_row_fit fit = make_row(w, item);
        if (fit == PG_ROW_NO_ROOM && l->row_count > 0)
            return 0;
        if (fit == PG_ROW_NO_ROOM)
            item_reject(item, "the output is too large for a row, or nested too deep");
        if (fit == PG_ROW_UNKNOWN && is_outdated(w)) {
            pg_fail(f, PG_MISCONFIGURED, "%s", item->reason);
            items_start(&item, 1);
            return -1;
        }
        if (fit == PG_ROW_OK)
            bytes += l->rows[l->row_count++].bytes;
    }
    return 0;
}

/* --- from rows to statements --- */

/* An INSERT casts to the types that the columns had when they were looked up; COPY leaves that to the server. */
static int write_statement(void *ctx, const struct pg_run *run, const struct pg_row *rows, size_t count,
                           struct pg_failure *f)
{
    struct writing *w = ctx;
    if (run->conflict == PG_CONFLICT_ERROR && w->table->takes_copy)
        return pg_copy_rows(&w->lane->statement, run, rows, count, f);
    int rc = pg_unnest_rows(&w->lane->statement, run, rows, count, f);
    if (rc < 0 && f->verdict == PG_REJECTED && is_outdated(w))
        f->verdict = PG_MISCONFIGURED;
    return rc;
}

static int write_window(struct writing *w, struct pg_failure *f)
{
    struct pg_lane *l = w->lane;
    for (size_t i = 0; i < l->row_count;) {
        size_t n = pg_run_take(&w->run, l->rows + i, l->row_count - i);
        if (pg_run_write(&w->run, l->rows + i, n, &l->limit, write_statement, w, f) < 0)
            return -1;
        i += n;
    }
    return 0;
}

static int write_rows(struct writing *w, struct pg_failure *f)
{
    for (size_t next = 0; next < w->group.count;) {
        if (fill_window(w, &next, f) < 0 || write_window(w, f) < 0)
            return -1;
    }
    return 0;
}

/* Look the table up and write what has no result yet. */
static int write_group(struct writing *w, const struct pg_name *name, struct pg_failure *f)
{
    w->table = pg_tables_get(&w->lane->tables, w->lane->link, name, w->lane->now_ms, f);
    if (w->table)
        return bind(w, f) < 0 ? -1 : write_rows(w, f);
    if (f->verdict == PG_REJECTED)
        f->verdict = PG_MISCONFIGURED; /* there was no row yet */
    return -1;
}

/* A name that the message chose cannot be repaired. */
static enum pg_verdict group_verdict(const struct pg_act *a, enum pg_verdict verdict)
{
    return verdict == PG_MISCONFIGURED && !a->is_constant ? PG_REJECTED : verdict;
}

/* Write a group of items, once more if the table turns out to have changed since it was looked up. -1 with f: some
 * have no result yet. */
static int send_group(struct pg_lane *l, struct item_group group, struct pg_failure *f)
{
    const struct act_item *first = group.items[0];
    const struct pg_act *a = first->action;
    struct writing w = { .lane = l, .act = a, .group = group };
    struct pg_name name;
    struct err e = { 0 };
    if (pg_name_split(&name, a->schema_text < 0 ? NULL : &first->texts[a->schema_text], &first->texts[a->table_text],
                      a->table_constant, &e) < 0)
        return pg_fail(f, PG_REJECTED, "%s", e.text);
    for (bool once_more = true; write_group(&w, &name, f) < 0; once_more = false) {
        bool forget = f->verdict == PG_MISCONFIGURED && w.table;
        once_more = once_more && forget && w.table->looked_up_ms != l->now_ms;
        if (forget)
            pg_tables_forget(&l->tables, w.table);
        if (!once_more) {
            f->verdict = group_verdict(a, f->verdict);
            return -1;
        }
    }
    return 0;
}

/* --- send --- */

static bool same_table(const struct act_item *x, const struct act_item *y)
{
    const struct pg_act *a = x->action;
    if (x->action != y->action)
        return false;
    if (!act_text_equal(&x->texts[a->table_text], &y->texts[a->table_text]))
        return false;
    return a->schema_text < 0 || act_text_equal(&x->texts[a->schema_text], &y->texts[a->schema_text]);
}

static int reserve_rows(struct pg_lane *l, size_t count, struct err *e)
{
    if (count <= l->row_room)
        return 0;
    struct pg_row *rows = reallocarray(l->rows, count, sizeof(*rows));
    if (!rows)
        return err_set(e, ERR_MEMORY, "not enough memory for %zu rows", count);
    l->rows = rows;
    l->row_room = count;
    return 0;
}

/* Give back what an unusually large batch took. */
static void trim(struct pg_lane *l)
{
    arena_reset(&l->space.arena);
    if (l->statement.data.cap > KEEP_BYTES)
        buf_clear(&l->statement.data);
    if (l->space.scratch.cap > KEEP_BYTES)
        buf_clear(&l->space.scratch);
}

/* Begin a send: a connection, and no knowledge of tables that is older than it. */
static int begin(struct pg_lane *l, struct pg_failure *f)
{
    l->now_ms = clock_monotonic_ms(l->target->settings.clock);
    int rc = pg_link_begin(l->link, f);
    if (pg_link_connects(l->link) != l->connects)
        pg_tables_clear(&l->tables);
    l->connects = pg_link_connects(l->link);
    return rc;
}

/* -1: there is no connection, and nobody's turn came. */
static int send_groups(struct pg_lane *l, struct act_item *const *items, size_t count, struct err *e)
{
    struct pg_failure f;
    if (begin(l, &f) < 0)
        return err_set(e, f.verdict == PG_MISCONFIGURED ? ERR_REFUSED : ERR_UNREACHABLE, "%s", f.text);
    for (size_t i = 0; i < l->groups.count; i++) {
        struct item_group group = l->groups.list[i];
        if (send_group(l, group, &f) == 0)
            continue;
        settle(group.items, group.count, &f);
        if (f.verdict == PG_RECONNECT)
            pg_link_close(l->link);
        if (!pg_link_is_open(l->link)) {
            settle(items, count, &f);
            break;
        }
    }
    return 0;
}

static int pg_send(void *lane, struct act_item *const *items, size_t count, struct err *e)
{
    struct pg_lane *l = lane;
    items_start(items, count);
    if (count == 0)
        return 0;
    if (reserve_rows(l, count, e) < 0 || items_group(&l->groups, items, count, same_table, e) < 0)
        return -1;
    int rc = send_groups(l, items, count, e);
    trim(l);
    return rc;
}

const struct action_type act_postgres = {
    .name = "postgres",
    .failed_action = "PostgresAction",
    .doc = "insert rows into a table of PostgreSQL (extension)",
    .connection = ACT_CONNECTION_REQUIRED,
    .connection_kind = "postgres",
    .target_options = target_options,
    .target_option_count = TARGET_OPTIONS,
    .options = action_options,
    .option_count = ACTION_OPTIONS,
    .target_open = pg_target_open,
    .target_close = pg_target_close,
    .action_open = pg_action_open,
    .action_close = pg_action_close,
    .resource = pg_resource,
    .lane_open = pg_lane_open,
    .lane_stop_fd = pg_lane_stop_fd,
    .send = pg_send,
    .lane_close = pg_lane_close,
};
