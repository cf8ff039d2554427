/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/devices/store_sqlite.h"

static char folder[64], path[96];
static struct err e;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-store-XXXXXX");
    e = (struct err) { 0 };
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/store.db", folder);
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[128];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static struct store_sqlite *opened(void)
{
    struct store_sqlite *s = store_sqlite_new(path, &e);
    assert_non_null(s);
    if (store_sqlite_open(s, &e) < 0)
        fail_msg("%s", e.text);
    return s;
}

static char found[1024];

static void note(void *ctx, const struct session_filter *f)
{
    size_t at = strlen(found);
    (void)ctx;
    snprintf(found + at, sizeof(found) - at, "%s:%u:%u:%d ", f->filter, f->id, f->qos, (int)f->state);
}

static const char *loaded(struct store_sqlite *s, const char *session)
{
    struct session_store *store = store_sqlite_sessions(s);
    found[0] = '\0';
    assert_int_equal(store->load(store, session, note, NULL, &e), 0);
    return found;
}

static void replace(struct store_sqlite *s, const char *session, const struct session_filter *list, size_t count)
{
    struct session_store *store = store_sqlite_sessions(s);
    assert_int_equal(store->replace(store, session, list, count, &e), 0);
}

static const struct session_filter two[] = {
    { "a/#", 268435455, 1, SESSION_FILTER_GRANTED },
    { "b/+/'\"c", 1, 2, SESSION_FILTER_ASKED },
};

static void what_is_kept_outlives_the_process(void **state)
{
    (void)state;
    struct store_sqlite *s = opened();
    assert_string_equal(loaded(s, "one"), "");
    replace(s, "one", two, 2);
    replace(s, "other", two, 1);
    store_sqlite_free(s);
    s = opened();
    assert_string_equal(loaded(s, "one"), "a/#:268435455:1:1 b/+/'\"c:1:2:0 ");
    replace(s, "one", two + 1, 1);
    assert_string_equal(loaded(s, "one"), "b/+/'\"c:1:2:0 ");
    assert_string_equal(loaded(s, "other"), "a/#:268435455:1:1 ");
    replace(s, "one", NULL, 0);
    assert_string_equal(loaded(s, "one"), "");
    store_sqlite_free(s);
}

static void a_failed_replace_changes_nothing(void **state)
{
    static const struct session_filter twice[] = { { "x", 1, 1, SESSION_FILTER_ASKED },
                                                   { "x", 2, 1, SESSION_FILTER_ASKED } };
    (void)state;
    struct store_sqlite *s = opened();
    struct session_store *store = store_sqlite_sessions(s);
    replace(s, "one", two, 2);
    assert_int_equal(store->replace(store, "one", twice, 2, &e), -1);
    assert_int_equal(e.code, ERR_IO);
    assert_string_equal(loaded(s, "one"), "a/#:268435455:1:1 b/+/'\"c:1:2:0 ");
    store_sqlite_free(s);
}

static void note_client(void *ctx, const char *id, size_t len, uint32_t expiry_s)
{
    size_t at = strlen(found);
    (void)ctx;
    snprintf(found + at, sizeof(found) - at, "%.*s:%u ", (int)len, id, expiry_s);
}

static const char *loaded_clients(struct client_store *c)
{
    found[0] = '\0';
    assert_int_equal(c->load(c, note_client, NULL, &e), 0);
    return found;
}

static struct client_store *clients_of(struct store_sqlite *s, const char *listener)
{
    struct session_store *store = store_sqlite_sessions(s);
    struct client_store *c = store->clients(store, listener, &e);
    assert_non_null(c);
    return c;
}

static void clients_that_have_a_session(void **state)
{
    (void)state;
    struct store_sqlite *s = opened();
    struct client_store *one = clients_of(s, "0.0.0.0:1883"), *other = clients_of(s, "0.0.0.0:8883");
    assert_int_equal(one->keep(one, "lamp1xx", 5, 3600, &e), 0);
    assert_int_equal(one->keep(one, "lamp2", 5, UINT32_MAX, &e), 0);
    assert_int_equal(other->keep(other, "lamp1", 5, 1, &e), 0);
    assert_int_equal(one->keep(one, "unknown", 7, 0, &e), 0);
    assert_string_equal(loaded_clients(one), "lamp1:3600 lamp2:4294967295 ");
    one->close(one);
    other->close(other);
    store_sqlite_free(s);
    s = opened();
    one = clients_of(s, "0.0.0.0:1883");
    assert_int_equal(one->keep(one, "lamp1", 5, 60, &e), 0);
    assert_int_equal(one->keep(one, "lamp2", 5, 0, &e), 0);
    assert_string_equal(loaded_clients(one), "lamp1:60 ");
    one->close(one);
    store_sqlite_free(s);
}

/* As a version before this one wrote it. */
static void an_older_form_is_brought_up(void **state)
{
    sqlite3 *db;
    (void)state;
    struct store_sqlite *s = opened();
    replace(s, "one", two, 2);
    store_sqlite_free(s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE client_sessions; PRAGMA user_version = 1", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    s = opened();
    assert_string_equal(loaded(s, "one"), "a/#:268435455:1:1 b/+/'\"c:1:2:0 ");
    struct client_store *c = clients_of(s, "x");
    assert_string_equal(loaded_clients(c), "");
    c->close(c);
    store_sqlite_free(s);
}

static void it_is_in_wal_mode(void **state)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    (void)state;
    store_sqlite_free(opened());
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(q, 0), "wal");
    sqlite3_finalize(q);
    sqlite3_close(db);
}

static void files_that_cannot_be_used(void **state)
{
    (void)state;
    struct store_sqlite *s = store_sqlite_new("/nowhere/at/all.db", &e);
    assert_int_equal(store_sqlite_open(s, &e), -1);
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.text, "/nowhere/at/all.db"));
    store_sqlite_free(s);

    FILE *out = fopen(path, "w");
    fputs(
        "this is no database, but it is longer than the head of one would have to be in order to be taken for one ....",
        out);
    fclose(out);
    e = (struct err) { 0 };
    s = store_sqlite_new(path, &e);
    assert_int_equal(store_sqlite_open(s, &e), -1);
    assert_non_null(strstr(e.text, "not a database"));
    store_sqlite_free(s);
}

static void a_newer_one_wrote_it(void **state)
{
    sqlite3 *db;
    (void)state;
    store_sqlite_free(opened());
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct store_sqlite *s = store_sqlite_new(path, &e);
    assert_int_equal(store_sqlite_open(s, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    store_sqlite_free(s);
}

#define ROUNDS 20

static void *write_often(void *arg)
{
    struct store_sqlite *s = arg;
    struct session_store *store = store_sqlite_sessions(s);
    char session[32];
    struct err mine = { 0 };
    long failed = 0;
    snprintf(session, sizeof(session), "%p", (void *)pthread_self());
    for (int i = 0; i < ROUNDS; i++)
        failed += store->replace(store, session, two, 2, &mine) < 0;
    return (void *)failed;
}

static void sources_write_at_once(void **state)
{
    pthread_t threads[4];
    (void)state;
    struct store_sqlite *s = opened();
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, s), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    store_sqlite_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_kept_outlives_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_replace_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_that_have_a_session, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_form_is_brought_up, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_in_wal_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(files_that_cannot_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(a_newer_one_wrote_it, setup, teardown),
        cmocka_unit_test_setup_teardown(sources_write_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
