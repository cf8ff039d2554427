/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of rows.
 *
 * Rows are written strictly in the order of the send. Sorting them by what they set, or putting off a key that comes
 * again, would make fewer statements, but two texts can be one key to the database ("1" and "1.0", two spellings of a
 * time), and then an older row could overwrite a newer one. When that happens inside a statement, the server refuses
 * it (21000), and it is cut like any other.
 *
 * The line that an error names is a hint only: the rows before it are written, then it alone, and it is rejected when
 * it fails alone. So a wrong line costs a statement, never a good row. */
#include "actions/pg_run.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "actions/items.h"

/* --- which rows go together --- */

static bool sets_same_columns(const struct pg_run *run, const struct pg_row *row)
{
    if (row->count != run->column_count)
        return false;
    for (size_t i = 0; i < row->count; i++) {
        if (row->values[i].column != run->columns[i])
            return false;
    }
    return true;
}

/* Add the row's columns to the run's. False, and nothing changed, if a column that only one of both has carries a
 * default. */
static bool join_columns(struct pg_run *run, const struct pg_row *row)
{
    uint32_t joined[PG_COLUMNS_MAX];
    size_t i = 0, j = 0, n = 0;
    while (i < run->column_count || j < row->count) {
        uint32_t a = i < run->column_count ? run->columns[i] : UINT32_MAX;
        uint32_t b = j < row->count ? row->values[j].column : UINT32_MAX;
        uint32_t next = a < b ? a : b;
        if (a != b && run->table->columns[next].has_default)
            return false;
        joined[n++] = next;
        i += a == next;
        j += b == next;
    }
    memcpy(run->columns, joined, n * sizeof(joined[0]));
    run->column_count = n;
    return true;
}

static bool fits(struct pg_run *run, const struct pg_row *row)
{
    if (sets_same_columns(run, row))
        return true;
    return run->conflict != PG_CONFLICT_UPDATE && join_columns(run, row);
}

/* A set of rows by the values of their key columns: open addressing, twice as many slots as rows. */
struct key_set {
    const struct pg_run *run;
    const struct pg_row **slots;
    size_t mask;
};

static uint64_t hash_bytes(uint64_t h, const void *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ ((const unsigned char *)p)[i]) * 0x100000001b3u; /* FNV-1a */
    return h;
}

static uint64_t key_hash(const struct pg_run *run, const struct pg_row *row)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < run->key_count; i++) {
        const struct pg_value *v = pg_row_value(row, run->keys[i]);
        size_t len = v && v->p ? v->len : 0;
        h = hash_bytes(h, &len, sizeof(len));
        h = hash_bytes(h, len ? v->p : NULL, len);
    }
    return h ^ (h >> 32);
}

static bool key_equal(const struct pg_run *run, const struct pg_row *a, const struct pg_row *b)
{
    for (size_t i = 0; i < run->key_count; i++) {
        const struct pg_value *x = pg_row_value(a, run->keys[i]), *y = pg_row_value(b, run->keys[i]);
        const char *p = x ? x->p : NULL, *q = y ? y->p : NULL;
        if (!p || !q) {
            if (p != q)
                return false;
            continue;
        }
        if (x->len != y->len || memcmp(p, q, x->len) != 0)
            return false;
    }
    return true;
}

/* False if a row with this key is there already. */
static bool key_set_add(struct key_set *set, const struct pg_row *row)
{
    size_t i = key_hash(set->run, row) & set->mask;
    for (; set->slots[i]; i = (i + 1) & set->mask) {
        if (key_equal(set->run, set->slots[i], row))
            return false;
    }
    set->slots[i] = row;
    return true;
}

/* Number of leading rows whose keys all differ. Without memory for the set: one. */
static size_t distinct_keys(const struct pg_run *run, const struct pg_row *rows, size_t count)
{
    size_t slots = 2;
    while (slots < 2 * count)
        slots *= 2;
    struct key_set set = { .run = run, .slots = calloc(slots, sizeof(struct pg_row *)), .mask = slots - 1 };
    if (!set.slots)
        return 1;
    size_t n = 0;
    while (n < count && key_set_add(&set, &rows[n]))
        n++;
    free(set.slots);
    return n;
}

size_t pg_run_take(struct pg_run *run, const struct pg_row *rows, size_t count)
{
    run->column_count = rows[0].count;
    for (size_t i = 0; i < rows[0].count; i++)
        run->columns[i] = rows[0].values[i].column;
    size_t n = 1;
    while (n < count && fits(run, &rows[n]))
        n++;
    if (run->conflict == PG_CONFLICT_UPDATE && n > 1)
        n = distinct_keys(run, rows, n);
    return n;
}

/* --- writing --- */

size_t pg_copy_error_line(const char *context, const char *table)
{
    size_t len = strlen(table);
    if (strncmp(context, "COPY ", 5) != 0 || strncmp(context + 5, table, len) != 0)
        return 0;
    const char *p = context + 5 + len;
    if (*p != ',')
        return 0;
    p += strcspn(p, "0123456789\":"); /* over the word "line" in whatever language */
    size_t line = 0;
    for (; *p >= '0' && *p <= '9' && line < SIZE_MAX / 16; p++)
        line = line * 10 + (size_t)(*p - '0');
    return line;
}

/* Where a run stands: rows before `next` have their results. */
struct progress {
    size_t next;
    size_t suspect; /* row that an error named; SIZE_MAX: none */
};

static size_t statement_rows(const struct progress *at, size_t count, size_t limit)
{
    size_t n = count - at->next < limit ? count - at->next : limit;
    if (at->suspect == at->next)
        return 1;
    if (at->suspect != SIZE_MAX && at->suspect - at->next < n)
        n = at->suspect - at->next;
    return n;
}

/* A statement of n rows at `at` failed because of a row of it. */
static void narrow(struct progress *at, size_t n, size_t *limit, const struct pg_run *run, const struct pg_failure *f)
{
    size_t line = pg_copy_error_line(f->context, run->table->plain);
    at->suspect = line >= 1 && line <= n ? at->next + line - 1 : SIZE_MAX;
    if (at->suspect == SIZE_MAX || line <= n / 2)
        *limit = n / 2; /* else the larger part is probably good */
}

static void accept_rows(struct progress *at, const struct pg_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        item_done(rows[at->next + i].item);
    at->next += n;
}

static void reject_row(struct progress *at, const struct pg_row *rows, const struct pg_failure *f)
{
    const char *where = f->context[0] ? f->context : NULL;
    item_reject(rows[at->next].item, "%s%s%s%s", f->text, where ? " (" : "", where ? where : "", where ? ")" : "");
    at->next++;
}

int pg_run_write(const struct pg_run *run, const struct pg_row *rows, size_t count, size_t *limit, pg_write_rows *write,
                 void *ctx, struct pg_failure *f)
{
    struct progress at = { .next = 0, .suspect = SIZE_MAX };
    while (at.next < count) {
        size_t n = statement_rows(&at, count, *limit);
        if (write(ctx, run, rows + at.next, n, f) == 0) {
            accept_rows(&at, rows, n);
            *limit = *limit * 2 < ACT_BATCH_MAX ? *limit * 2 : ACT_BATCH_MAX;
        } else if (f->verdict != PG_REJECTED) {
            *limit = *limit > 1 ? *limit / 2 : 1;
            return -1;
        } else if (n > 1) {
            narrow(&at, n, limit, run, f);
        } else {
            reject_row(&at, rows, f);
        }
        if (at.suspect < at.next)
            at.suspect = SIZE_MAX;
    }
    return 0;
}
