/* SPDX-License-Identifier: Apache-2.0 */
/* The contract against the server that SLUICE_TEST_PG names; tests/integration/test_postgres_action.py starts one and
 * runs this. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "actions/pg_link.h"
#include "engine/base/clock.h"
#include "tests/contract/contract.h"

static struct pg_settings settings = {
    .fallback_name = "contract",
    .connect_timeout_ms = 10000,
    .statement_timeout_ms = 30000,
    .clock = &clock_system,
};
static struct pg_link *server;

static void run_sql(const char *sql)
{
    struct pg_failure f;
    if (pg_link_begin(server, &f) == 0 && pg_link_query(server, sql, NULL, 0, &f) == 0)
        return;
    fprintf(stderr, "%s: %s\n", sql, f.text);
    abort();
}

static void begin(void)
{
    run_sql("DROP TABLE IF EXISTS contract_good");
    run_sql("CREATE TABLE contract_good (at serial, n int CHECK (n > 0))");
}

static void end(void)
{
    run_sql("DROP TABLE contract_good");
}

static size_t read_back(int *numbers, size_t max)
{
    size_t len;
    run_sql("SELECT n FROM contract_good ORDER BY at");
    size_t n = pg_link_row_count(server);
    for (size_t i = 0; i < n && i < max; i++)
        numbers[i] = atoi(pg_link_field(server, i, 0, &len));
    return n;
}

static const char *const bad_targets[] = {
    "{}",
    "conninfo: ''\nconnectTimeout: soon",
    "conninfo: 'host'",
    "conninfo: 'hots=x'",
    "conninfo: [a]",
    "conninfo: ''\nport: 5432",
    NULL,
};

static const char *const bad_actions[] = {
    "{}",
    "table: [a]",
    "table: ''",
    "table: '\"quoted\"'",
    "table: a.",
    "table: .a",
    "table: '${}'",
    "table: t234567890123456789012345678901234567890123456789012345678901234",
    "table: a\ncolumns: [b]",
    "table: a\ncolumns: {}",
    "table: a\ncolumns: { b: [c] }",
    "table: a\ncolumns: { '': c }",
    "table: a\ncolumns: { b: '${}' }",
    "table: a\nonConflict: replace",
    "table: a\nonConflict: update",
    "table: a\nonConflict: update\nkey: b",
    "table: a\nonConflict: update\nkey: []",
    "table: a\nonConflict: update\nkey: [b, b]",
    "table: a\nonConflict: update\nkey: [b]\ncolumns: { c: d }",
    "table: a\nkey: [b]",
    "tabel: a",
    NULL,
};

int main(void)
{
    settings.conninfo = getenv("SLUICE_TEST_PG");
    if (!settings.conninfo) {
        fprintf(stderr, "SLUICE_TEST_PG: the connection string of a PostgreSQL to test with\n");
        return 77;
    }
    char target[1000];
    snprintf(target, sizeof(target), "conninfo: \"%s\"", settings.conninfo);
    const struct contract contract = {
        .type = &act_postgres,
        .target = target,
        .bad_targets = bad_targets,
        .action = "table: 'contract_${v}'",
        .other_action = "table: public.contract_good\nonConflict: ignore",
        .bad_actions = bad_actions,
        .resource = "contract_good",
        .good_v = "good",
        .bad_body = "{\"n\":-1}",
        .begin = begin,
        .end = end,
        .read_back = read_back,
    };
    server = pg_link_new(&settings);
    int failed = contract_run(&contract);
    pg_link_free(server);
    return failed;
}
