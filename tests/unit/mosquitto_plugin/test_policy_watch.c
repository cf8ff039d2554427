/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "engine/apps/mosquitto_plugin/policy_watch.h"
#include "tests/unit/mosquitto_plugin/policy_folder.h"

#define PATIENCE_MS 60000

static const struct policy_scope scope = { NULL, NULL };

static struct policy_news wait_for_news(struct policy_watch *w)
{
    struct policy_news news;
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (policy_watch_take(w, &news))
            return news;
        poll(NULL, 0, 1);
    }
    fail_msg("no news");
    return (struct policy_news) { 0 };
}

static bool allows(struct policy_set *set, const char *topic)
{
    struct policy_subject who = { .client_id = { "c", 1 } };
    struct policy_view *v = policy_view_new(set, &who);
    assert_non_null(v);
    bool allowed = policy_view_decide(v, POLICY_PUBLISH, (struct policy_text) { topic, 1 }).decision == POLICY_ALLOWED;
    policy_view_free(v);
    return allowed;
}

static void test_changes(void **state)
{
    (void)state;
    struct policy_folder f;
    struct policy_news news;
    policy_folder_init(&f, POLICIES(STATEMENT("Allow", "Publish", "topic/a")));
    const char *paths[] = { f.folder };
    struct policy_watch *w = policy_watch_new(paths, 1, &scope, &news, NULL);
    assert_non_null(w);
    assert_true(allows(news.set, "a") && !allows(news.set, "b"));
    policy_set_unref(news.set);
    assert_false(policy_watch_take(w, &news));

    policy_folder_write(&f, POLICIES(STATEMENT("Allow", "Publish", "topic/b")));
    news = wait_for_news(w);
    assert_int_equal(news.errs.errors, 0);
    assert_true(!allows(news.set, "a") && allows(news.set, "b"));
    policy_set_unref(news.set);

    policy_folder_write(&f, POLICIES(STATEMENT("Alow", "Publish", "topic/b")));
    news = wait_for_news(w);
    assert_null(news.set);
    assert_true(news.errs.errors > 0);
    errs_clear(&news.errs);

    policy_folder_write(&f, POLICIES(STATEMENT("Allow", "Publish", "topic/a")));
    news = wait_for_news(w);
    assert_true(allows(news.set, "a"));
    policy_set_unref(news.set);

    policy_watch_ask(w);
    news = wait_for_news(w);
    assert_true(allows(news.set, "a"));
    policy_set_unref(news.set);

    policy_folder_write(&f, POLICIES(STATEMENT("Allow", "Publish", "topic/b"))); /* what nobody takes is let go */
    policy_watch_free(w);
    policy_folder_clear(&f);
}

static void test_broken_at_start(void **state)
{
    (void)state;
    struct policy_folder f;
    struct policy_news news;
    policy_folder_init(&f, "policies: [ { policyName");
    const char *paths[] = { f.file };
    struct err e = { 0 };
    assert_null(policy_watch_new(paths, 1, &scope, &news, &e));
    assert_null(news.set);
    assert_true(news.errs.errors > 0);
    assert_int_equal(e.code, ERR_NONE);
    errs_clear(&news.errs);
    policy_folder_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_broken_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
