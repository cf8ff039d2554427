/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a rule's tests. Unknown members are reported at their keys, all of them; the rest is what case_read says, at the test. */
#include "engine/apps/sluice/case_check.h"

#include "engine/apps/sluice/case_file.h"

#define CASE_MAX ((size_t)512 << 20)

/* True if all members are known. */
static bool check_members(const struct conf *test, struct errs *errs)
{
    bool ok = true;
    for (size_t i = 0; i < test->count; i++) {
        struct err e = { 0 };
        if (case_check_member(test->keys[i]->text, test->keys[i]->len, &e) == 0)
            continue;
        e.at = test->keys[i]->at;
        errs_take(errs, &e);
        ok = false;
    }
    return ok;
}

static void check_test(const struct rule_def *def, const struct conf *test, struct arena *arena, struct errs *errs)
{
    const struct case_defaults defaults = { def->sql->text, def->sql->len, def->version, def->name };
    struct test_case c;
    struct err e = { 0 };
    struct buf json;
    buf_init(&json, CASE_MAX);
    conf_write_json(&json, test);
    const struct json_doc *doc = json.failed ? NULL : json_parse(arena, json.p, json.len, NULL, &e);
    if (!doc || case_read(&c, doc, &defaults, 0, arena, &e) < 0) {
        err_set(&e, ERR_MEMORY, "not enough memory to check the test");
        e.at = test->at;
        errs_take(errs, &e);
    }
    buf_clear(&json);
}

void case_check(const struct rule_def *def, struct errs *errs)
{
    struct arena arena;
    arena_init(&arena, CASE_MAX);
    for (size_t i = 0; def->tests && i < def->tests->count; i++) {
        const struct conf *test = def->tests->items[i];
        arena_reset(&arena);
        if (test->kind != CONF_MAP)
            errs_add(errs, SEV_ERROR, ERR_CONF_TYPE, test->at, "a test must be a map, not a %s", conf_kind_name(test));
        else if (check_members(test, errs))
            check_test(def, test, &arena, errs);
    }
    arena_clear(&arena);
}
