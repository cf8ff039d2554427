/* SPDX-License-Identifier: Apache-2.0 */
/* Targets: opening connections, and which one an action gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "engine/flow/target.h"
#include "fake_actions.h"

struct fixture {
    struct targets targets;
    struct conf *trees[8];
    size_t tree_count;
    struct errs errs;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    targets_init(&f->targets, fake_types, &fake_env);
    fake_target_opens = 0;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    targets_clear(&f->targets);
    for (size_t i = 0; i < f->tree_count; i++)
        conf_free(f->trees[i]);
    errs_clear(&f->errs);
    free(f);
    return fake_targets; /* all must be closed */
}

static const struct conf *yaml(struct fixture *f, const char *text)
{
    struct src *src = src_new("test.yaml", text, strlen(text));
    struct conf *c = conf_parse(src, false, &f->errs);
    src_unref(src);
    assert_non_null(c);
    f->trees[f->tree_count++] = c;
    return c;
}

static const char connections[] = "warehouse: { postgres: { conninfo: dbname=plant } }\n"
                                  "bus: { mqtt: { url: mqtt://127.0.0.1 } }\n";

static struct target *target_for(struct fixture *f, const char *type, const char *action)
{
    return targets_for(&f->targets, targets_type(&f->targets, type), yaml(f, action), &f->errs);
}

/* The last error has that code, text and hint, and its place begins with `at`. */
static void assert_error(const struct fixture *f, enum err_code code, const char *text, const char *hint,
                         const char *at)
{
    assert_true(f->errs.count > 0);
    const struct err *e = &f->errs.items[f->errs.count - 1];
    assert_int_equal(e->code, code);
    if (!strstr(e->text, text) || !strstr(e->hint, hint))
        fail_msg("%s (%s)", e->text, e->hint);
    assert_memory_equal(e->at.src->text + e->at.off, at, strlen(at));
}

static void test_types(void **state)
{
    struct fixture *f = *state;
    assert_ptr_equal(targets_type(&f->targets, "republish"), &fake_republish);
    assert_null(targets_type(&f->targets, "mqtt"));
    assert_null(targets_type(&f->targets, ""));
}

static void test_named(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(targets_open(&f->targets, yaml(f, connections), NULL, &f->errs), 0);
    assert_int_equal(fake_target_opens, 2);
    struct target *a = target_for(f, "postgres", "{ connection: warehouse, table: t }");
    struct target *b = target_for(f, "postgres", "{ connection: warehouse, table: u }");
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_string_equal(a->name, "warehouse");
    assert_ptr_equal(a->type, &fake_postgres);
    assert_false(a->implicit);
    assert_false(a->used);
    struct target *bus = target_for(f, "republish", "{ connection: bus, topic: t }");
    assert_string_equal(bus->name, "bus");
    assert_int_equal(fake_target_opens, 2);
    assert_int_equal(f->errs.count, 0);
}

static void test_implicit(void **state)
{
    struct fixture *f = *state;
    struct target *a = target_for(f, "stdout", "{}"), *b = target_for(f, "stdout", "{}"),
                  *c = target_for(f, "file", "path: x");
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_string_equal(a->name, "stdout");
    assert_true(a->implicit);
    assert_int_equal(fake_target_opens, 2);
}

/* republish without a connection uses the broker of the first source, once for all. */
static void test_default(void **state)
{
    struct fixture *f = *state;
    const struct conf *source = yaml(f, "url: mqtt://127.0.0.1\nclientId: c\n");
    assert_int_equal(targets_open(&f->targets, yaml(f, connections), source, &f->errs), 0);
    struct target *a = target_for(f, "republish", "topic: x"),
                  *b = target_for(f, "republish", "{ topic: x, connection: }");
    assert_non_null(a);
    assert_ptr_equal(a, b);
    assert_string_equal(((struct fake_target *)a->handle)->client_id, "c");
    assert_int_equal(fake_target_opens, 3);
    assert_string_equal(target_for(f, "republish", "connection: bus")->name, "bus");
}

/* A connection that is called as an action type does not stand in for its implicit target. */
static void test_connection_named_as_type(void **state)
{
    struct fixture *f = *state;
    const char text[] = "republish: { mqtt: { url: mqtt://other } }\nstdout: { postgres: { conninfo: x } }";
    assert_int_equal(targets_open(&f->targets, yaml(f, text), yaml(f, "url: mqtt://first"), &f->errs), 0);
    struct target *implicit = target_for(f, "republish", "topic: x"),
                  *named = target_for(f, "republish", "connection: republish");
    assert_string_equal(((struct fake_target *)implicit->handle)->url, "mqtt://first");
    assert_string_equal(((struct fake_target *)named->handle)->url, "mqtt://other");
    assert_ptr_equal(target_for(f, "stdout", "{}")->type, &fake_stdout);
}

/* Types whose target AWS names by another option take that too. */
static void test_alias(void **state)
{
    struct fixture *f = *state;
    const char arn[] =
        "'arn:aws:x': { postgres: { conninfo: x } }\nb: { postgres: { conninfo: y } }\nm: { mqtt: { url: mqtt://x } }";
    assert_int_equal(targets_open(&f->targets, yaml(f, arn), NULL, &f->errs), 0);
    assert_string_equal(target_for(f, "postgres", "destinationArn: arn:aws:x")->name, "arn:aws:x");
    assert_string_equal(target_for(f, "postgres", "connection: ~\ndestinationArn: b")->name, "b");
    assert_string_equal(target_for(f, "postgres", "connection: b\ndestinationArn: arn:aws:x")->name, "b");
    assert_null(target_for(f, "postgres", "destinationArn: c"));
    assert_error(f, ERR_CONF_NAME, "unknown connection \"c\"", "", "c");
    assert_null(target_for(f, "postgres", "destinationArn: [b]"));
    assert_error(f, ERR_CONF_TYPE, "\"destinationArn\" must be the name of a connection, not a list", "", "[b]");
    assert_null(target_for(f, "republish", "destinationArn: m"));
    assert_error(f, ERR_CONF_MISSING, "republish needs the option \"connection\"", "", "destinationArn: m");
}

static void test_missing(void **state)
{
    struct fixture *f = *state;
    assert_null(target_for(f, "postgres", "table: t"));
    assert_error(f, ERR_CONF_MISSING, "postgres needs the option \"connection\"",
                 "connections: { NAME: { postgres:", "table: t");
    assert_null(target_for(f, "republish", "topic: t"));
    assert_error(f, ERR_CONF_MISSING, "there is no mqtt source", "connections: { NAME: { mqtt:", "topic: t");
    assert_int_equal(targets_open(&f->targets, yaml(f, connections), NULL, &f->errs), 0);
    assert_null(target_for(f, "postgres", "table: t"));
    assert_error(f, ERR_CONF_MISSING, "postgres needs the option", "Connections of kind \"postgres\": \"warehouse\".",
                 "table: t");
}

static void test_wrong_names(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(targets_open(&f->targets, yaml(f, connections), NULL, &f->errs), 0);
    assert_null(target_for(f, "postgres", "connection: warehause"));
    assert_error(f, ERR_CONF_NAME, "unknown connection \"warehause\"", "did you mean \"warehouse\"?", "warehause");
    assert_null(target_for(f, "postgres", "connection: nothing"));
    assert_error(f, ERR_CONF_NAME, "unknown connection \"nothing\"", "Connections of kind \"postgres\": \"warehouse\".",
                 "nothing");
    assert_null(target_for(f, "postgres", "connection: bus"));
    assert_error(f, ERR_CONF_NAME, "connection \"bus\" is of kind \"mqtt\", postgres needs \"postgres\"",
                 "\"warehouse\"", "bus");
    assert_null(target_for(f, "postgres", "connection: [bus]"));
    assert_error(f, ERR_CONF_TYPE, "must be the name of a connection, not a list", "", "[bus]");
}

/* A connection with a mistake is reported where it stands, and not again by each action that names it. */
static void test_broken_connection(void **state)
{
    struct fixture *f = *state;
    const char text[] =
        "a: { postgres: { conninfo: x, prot: 5 } }\nb: { postgre: {} }\nc: 5\nd: {}\ne: { mqtt: {}, postgres: {} }\n"
        "f: { mqtt: }";
    assert_int_equal(targets_open(&f->targets, yaml(f, text), NULL, &f->errs), -1);
    assert_int_equal(f->errs.errors, 6);
    static const struct {
        enum err_code code;
        const char *text, *hint;
        unsigned line;
    } want[] = {
        { ERR_CONF_KEY, "unknown option \"prot\" of postgres", "", 1 },
        { ERR_CONF_NAME, "unknown kind of connection \"postgre\"", "did you mean \"postgres\"?", 2 },
        { ERR_CONF_TYPE, "connection \"c\" must be a map with one member", "For example: c: { postgres:", 3 },
        { ERR_CONF_TYPE, "connection \"d\" must be a map with one member", "", 4 },
        { ERR_CONF_TYPE, "connection \"e\" must be a map with one member", "", 5 },
        { ERR_CONF_MISSING, "mqtt needs the option \"url\"", "", 0 },
    };
    for (size_t i = 0; i < 6; i++) {
        const struct err *e = &f->errs.items[i];
        assert_int_equal(e->code, want[i].code);
        assert_non_null(strstr(e->text, want[i].text));
        assert_non_null(strstr(e->hint, want[i].hint));
        if (want[i].line)
            assert_int_equal(src_place_of(e->at.src, e->at.off).line, want[i].line);
    }
    assert_null(target_for(f, "postgres", "connection: a"));
    assert_null(target_for(f, "postgres", "connection: b"));
    assert_null(target_for(f, "republish", "connection: c"));
    assert_int_equal(f->errs.errors, 6);
}

static void test_broken_default(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(targets_open(&f->targets, NULL, yaml(f, "ulr: x"), &f->errs), 0);
    assert_null(target_for(f, "republish", "topic: x"));
    assert_int_equal(f->errs.errors, 2);
    assert_null(target_for(f, "republish", "topic: x"));
    assert_int_equal(f->errs.errors, 2);
    assert_int_equal(fake_target_opens, 1);
}

/* ---- types that need no connection, and types that take the only one ---- */

static void host_name(const struct conf *conf, struct buf *out)
{
    const struct conf *host = conf_get(conf, "path");
    if (host)
        buf_put(out, host->text, host->len);
}

static const struct action_type fake_http = {
    .name = "http",
    .connection = ACT_CONNECTION_OPTIONAL,
    .connection_kind = "http",
    .implicit_name = host_name,
    .target_open = fake_plain_open,
    .target_close = fake_target_close,
};
static const struct action_type fake_lambda = {
    .name = "lambda",
    .connection = ACT_CONNECTION_ONLY,
    .connection_kind = "lambda",
    .target_open = fake_postgres_open,
    .target_close = fake_target_close,
};
static const struct action_type *const more_types[] = { &fake_http, &fake_lambda, NULL };

static int setup_more(void **state)
{
    int rc = setup(state);
    targets_init(&((struct fixture *)*state)->targets, more_types, &fake_env);
    return rc;
}

static void test_optional(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(targets_open(&f->targets, yaml(f, "api: { http: {} }\nh1: { http: {} }"), NULL, &f->errs), 0);
    struct target *one = target_for(f, "http", "path: h1"), *again = target_for(f, "http", "path: h1"),
                  *other = target_for(f, "http", "path: h2"), *free_host = target_for(f, "http", "{}");
    assert_ptr_equal(one, again);
    assert_ptr_not_equal(one, other);
    assert_true(one->implicit);
    assert_string_equal(one->name, "h1");
    assert_string_equal(other->name, "h2");
    assert_string_equal(free_host->name, "http");
    struct target *named = target_for(f, "http", "{ connection: h1, path: h2 }");
    assert_ptr_not_equal(named, one);
    assert_false(named->implicit);
    assert_null(target_for(f, "http", "connection: h2"));
}

static void test_only(void **state)
{
    struct fixture *f = *state;
    assert_null(target_for(f, "lambda", "{}"));
    assert_error(f, ERR_CONF_MISSING, "lambda needs the option \"connection\"", "NAME: { lambda:", "{}");
    assert_int_equal(
        targets_open(&f->targets, yaml(f, "a: { http: {} }\nfn: { lambda: { conninfo: x } }"), NULL, &f->errs), 0);
    assert_string_equal(target_for(f, "lambda", "{}")->name, "fn");
    assert_int_equal(targets_open(&f->targets, yaml(f, "gn: { lambda: { conninfo: x } }"), NULL, &f->errs), 0);
    assert_null(target_for(f, "lambda", "{}"));
    assert_error(f, ERR_CONF_MISSING, "lambda needs the option \"connection\"", "\"fn\", \"gn\"", "{}");
    assert_string_equal(target_for(f, "lambda", "connection: gn")->name, "gn");
}

static void test_only_broken(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(targets_open(&f->targets, yaml(f, "fn: { lambda: {} }"), NULL, &f->errs), -1);
    assert_null(target_for(f, "lambda", "{}"));
    assert_int_equal(f->errs.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_optional, setup_more, teardown),
        cmocka_unit_test_setup_teardown(test_only, setup_more, teardown),
        cmocka_unit_test_setup_teardown(test_only_broken, setup_more, teardown),
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_implicit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connection_named_as_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alias, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_default, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
