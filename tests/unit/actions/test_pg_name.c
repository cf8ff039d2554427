/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "actions/pg_name.h"

#define NAME_63 "n23456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *schema, *table;
    size_t constant_len;
    const char *expected_schema, *expected_table; /* table NULL: refused */
    const char *text;                             /* of the error */
} cases[] = {
    { NULL, "t", 1, NULL, "t", NULL },
    { NULL, "s.t", 3, "s", "t", NULL },
    { NULL, "s.t.u", 5, "s", "t.u", NULL },
    { NULL, "s.x", 2, "s", "x", NULL },        /* s.${x} */
    { NULL, "s.x.y", 2, "s", "x.y", NULL },    /* s.${x}, the message says x.y */
    { NULL, "t_x.y", 2, NULL, "t_x.y", NULL }, /* t_${x} */
    { NULL, "x.y", 0, NULL, "x.y", NULL },     /* ${x} */
    { "s", "a.b", 3, "s", "a.b", NULL },
    { "s.t", "a", 1, "s.t", "a", NULL },
    { NULL, "Grüße 1", 9, NULL, "Grüße 1", NULL },
    { NULL, NAME_63, 63, NULL, NAME_63, NULL },
    { NULL, "s'; --", 6, NULL, "s'; --", NULL },
    { NULL, NAME_63 "4", 64, NULL, NULL, "the name of the table has 64 bytes, more than the 63 that PostgreSQL takes" },
    { NULL, NAME_63 "4.t", 66, NULL, NULL,
      "the name of the schema has 64 bytes, more than the 63 that PostgreSQL takes" },
    { NULL, "", 0, NULL, NULL, "the name of the table is empty" },
    { NULL, ".t", 2, NULL, NULL, "the name of the schema is empty" },
    { NULL, "s.", 2, NULL, NULL, "the name of the table is empty" },
    { "", "t", 1, NULL, NULL, "the name of the schema is empty" },
    { NULL, "\"t\"", 3, NULL, NULL, "the name of the table holds a double quote" },
    { NULL, "s.\"t\"", 5, NULL, NULL, "the name of the table holds a double quote" },
    { "a\"", "t", 1, NULL, NULL, "the name of the schema holds a double quote" },
    { NULL, "\xff", 1, NULL, NULL, "the name of the table is not text" },
};

static void assert_part(const char *p, size_t len, const char *expected)
{
    if (!expected) {
        assert_null(p);
        return;
    }
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(p, expected, len);
}

static void names_are_split_where_the_author_put_the_dot(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_name name;
        struct err e = { 0 };
        const struct act_text table = { .p = cases[i].table, .len = strlen(cases[i].table) };
        const struct act_text schema = { .p = cases[i].schema, .len = cases[i].schema ? strlen(cases[i].schema) : 0 };
        int rc = pg_name_split(&name, cases[i].schema ? &schema : NULL, &table, cases[i].constant_len, &e);
        assert_int_equal(rc, cases[i].text ? -1 : 0);
        if (cases[i].text) {
            assert_string_equal(e.text, cases[i].text);
            assert_int_equal(e.code, ERR_TEMPLATE);
            continue;
        }
        assert_part(name.schema, name.schema_len, cases[i].expected_schema);
        assert_part(name.table, name.table_len, cases[i].expected_table);
    }
}

static void a_nul_is_no_text(void **state)
{
    (void)state;
    struct err e = { 0 };
    assert_int_equal(pg_name_check("column", "a\0b", 3, &e), -1);
    assert_string_equal(e.text, "the name of the column is not text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_split_where_the_author_put_the_dot),
        cmocka_unit_test(a_nul_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
