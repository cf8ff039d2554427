/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "engine/base/opt.h"
#include "sluice/action.h"

static void rows_are_sorted_and_unique(void **state)
{
    (void)state;
    assert_non_null(action_types[0]);
    for (size_t i = 1; action_types[i]; i++)
        assert_true(strcmp(action_types[i - 1]->name, action_types[i]->name) < 0);
}

static void options_are_unique_and_documented(const struct action_type *t, const struct opt *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!options[i].help)
            fail_msg("%s.%s has no help", t->name, options[i].name);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(options[i].name, options[k].name);
    }
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; action_types[i]; i++) {
        const struct action_type *t = action_types[i];
        assert_true(t->failed_action && t->doc);
        assert_true(t->target_open && t->target_close && t->action_open && t->action_close && t->resource);
        assert_true(t->lane_open && t->send && t->lane_close);
        assert_int_equal(t->connection == ACT_CONNECTION_NONE, !t->connection_kind);
        options_are_unique_and_documented(t, t->options, t->option_count);
        options_are_unique_and_documented(t, t->target_options, t->target_option_count);
    }
}

/* --- README.md shows the options as the tables have them --- */

static void assert_shown(const char *readme, const struct action_type *t, const struct opt *options, size_t count)
{
    struct buf help;
    buf_init(&help, 100000);
    opt_help(options, count, &help);
    if (count > 0 && !strstr(readme, help.p))
        fail_msg("actions/README.md does not show the options of %s, which are\n%s", t->name, help.p);
    buf_clear(&help);
}

static void the_readme_shows_all_options(void **state)
{
    (void)state;
    static char readme[200000];
    FILE *in = fopen("actions/README.md", "r"); /* tests run in the source folder */
    assert_non_null(in);
    readme[fread(readme, 1, sizeof(readme) - 1, in)] = '\0';
    fclose(in);
    for (size_t i = 0; action_types[i]; i++) {
        const struct action_type *t = action_types[i];
        assert_shown(readme, t, t->options, t->option_count);
        if (t->connection != ACT_CONNECTION_DEFAULT) /* that one has the options of a source */
            assert_shown(readme, t, t->target_options, t->target_option_count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_unique),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(the_readme_shows_all_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
