/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "actions/pg_sqlstate.h"

static const struct {
    const char *sqlstate;
    enum pg_verdict verdict;
    const char *what;
} cases[] = {
    { NULL, PG_RECONNECT, "libpq's own error" },
    { "", PG_RECONNECT, "libpq's own error" },
    { "08000", PG_RECONNECT, "connection exception" },
    { "08006", PG_RECONNECT, "connection failure" },
    { "08P01", PG_RECONNECT, "protocol violation" },
    { "09000", PG_REJECTED, "triggered action exception" },
    { "0A000", PG_REJECTED, "feature not supported" },
    { "21000", PG_REJECTED, "cardinality violation" },
    { "22000", PG_REJECTED, "data exception" },
    { "22001", PG_REJECTED, "too long for the type" },
    { "22003", PG_REJECTED, "out of range" },
    { "22007", PG_REJECTED, "not a time" },
    { "22021", PG_REJECTED, "not in the repertoire" },
    { "22P02", PG_REJECTED, "invalid text representation" },
    { "22P04", PG_REJECTED, "bad COPY file format" },
    { "22P05", PG_REJECTED, "untranslatable character" },
    { "23502", PG_REJECTED, "not null" },
    { "23503", PG_REJECTED, "foreign key" },
    { "23505", PG_REJECTED, "unique" },
    { "23514", PG_REJECTED, "check" },
    { "25P02", PG_LATER, "in failed transaction" },
    { "25006", PG_RECONNECT, "read-only transaction" },
    { "26000", PG_RECONNECT, "no such prepared statement" },
    { "28000", PG_MISCONFIGURED, "invalid authorization" },
    { "28P01", PG_MISCONFIGURED, "wrong password" },
    { "3D000", PG_MISCONFIGURED, "no such database" },
    { "3F000", PG_MISCONFIGURED, "no such schema" },
    { "40001", PG_LATER, "serialization failure" },
    { "40P01", PG_LATER, "deadlock" },
    { "42501", PG_MISCONFIGURED, "insufficient privilege" },
    { "42703", PG_MISCONFIGURED, "no such column" },
    { "42P01", PG_MISCONFIGURED, "no such table" },
    { "42P10", PG_MISCONFIGURED, "no index for ON CONFLICT" },
    { "44000", PG_REJECTED, "check option" },
    { "53100", PG_LATER, "disk full" },
    { "53200", PG_LATER, "out of memory" },
    { "53300", PG_LATER, "too many connections" },
    { "54000", PG_REJECTED, "program limit" },
    { "55006", PG_LATER, "object in use" },
    { "55P03", PG_LATER, "lock not available" },
    { "57014", PG_LATER, "query cancelled, statement time-out" },
    { "57P01", PG_RECONNECT, "admin shutdown" },
    { "57P02", PG_RECONNECT, "crash shutdown" },
    { "57P03", PG_RECONNECT, "cannot connect now" },
    { "58030", PG_LATER, "I/O error" },
    { "F0000", PG_MISCONFIGURED, "configuration file error" },
    { "HV00N", PG_LATER, "foreign server not reachable" },
    { "P0001", PG_REJECTED, "raise exception" },
    { "P0004", PG_REJECTED, "assert failure" },
    { "XX000", PG_LATER, "internal error" },
    { "XX001", PG_LATER, "data corrupted" },
    { "45000", PG_REJECTED, "a code that only a user's trigger raises" },
    { "U0001", PG_REJECTED, "a code that only a user's trigger raises" },
    { "2", PG_REJECTED, "no code" },
};

static void every_class_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (pg_sqlstate_verdict(cases[i].sqlstate) != cases[i].verdict)
            fail_msg("%s (%s): %d", cases[i].sqlstate, cases[i].what, (int)pg_sqlstate_verdict(cases[i].sqlstate));
    }
}

/* bsearch finds nothing reliably in a table that is not sorted: all classes that must not be rejected by default. */
static void the_table_is_searchable(void **state)
{
    (void)state;
    static const char *const never_rejected[] = {
        "03000", "08001", "25000", "25P03", "26000", "28000", "3D000", "3F000", "40000", "42000",
        "53000", "55000", "57000", "57P04", "57P05", "58000", "72000", "F0001", "HV000", "XX002",
    };
    for (size_t i = 0; i < sizeof(never_rejected) / sizeof(never_rejected[0]); i++) {
        if (pg_sqlstate_verdict(never_rejected[i]) == PG_REJECTED)
            fail_msg("%s is rejected", never_rejected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_class_has_its_verdict),
        cmocka_unit_test(the_table_is_searchable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
