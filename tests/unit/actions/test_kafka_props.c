/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of producers: which are known, what AWS's names become, what follows from them, and that secrets stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/kafka_aws.h"
#include "actions/kafka_props.h"

static struct kafka_catalog *catalog;
static struct conf *roots[2];
static struct kafka_props *connection, *client;
static struct errs errs;

static int set_up(void **state)
{
    (void)state;
    catalog = kafka_catalog_new();
    assert_non_null(catalog);
    return 0;
}

static void drop(void)
{
    kafka_props_free(client);
    kafka_props_free(connection);
    client = connection = NULL;
    for (size_t i = 0; i < 2; i++) {
        conf_free(roots[i]);
        roots[i] = NULL;
    }
    errs_clear(&errs);
}

static int tear_down(void **state)
{
    (void)state;
    drop();
    kafka_catalog_free(catalog);
    return 0;
}

static struct conf *parse(const char *yaml)
{
    struct src *src = src_new("a.yaml", yaml, strlen(yaml));
    struct conf *c = conf_parse(src, false, &errs);
    src_unref(src);
    assert_non_null(c);
    return c;
}

static int fill(struct kafka_props *p, const struct conf *c, bool of_client)
{
    size_t errors = errs.errors;
    for (size_t i = 0; i < c->count; i++)
        (of_client ? kafka_props_add_client : kafka_props_add)(p, c->keys[i], c->items[i], &errs);
    return errs.errors > errors ? -1 : kafka_props_finish(p, "us", c->at, &errs);
}

/* A connection, and if there is a second text an action's clientProperties on top. */
static int make(const char *yaml, const char *client_yaml)
{
    drop();
    roots[0] = parse(yaml);
    connection = kafka_props_new(catalog, NULL);
    int rc = fill(connection, roots[0], false);
    if (rc < 0 || !client_yaml)
        return rc;
    roots[1] = parse(client_yaml);
    client = kafka_props_new(catalog, connection);
    return fill(client, roots[1], true);
}

static void assert_told(const char *text)
{
    struct buf b;
    buf_init(&b, 100000);
    buf_puts(&b, "");
    errs_print(&errs, &b);
    if (!strstr(b.p, text))
        fail_msg("\"%s\" is not in\n%s", text, b.p);
    buf_clear(&b);
}

static void assert_quiet(void)
{
    if (errs.count)
        fail_msg("%s", errs.items[0].text);
}

#define SERVERS "bootstrap.servers: a:9092\n"

static void names(void **state)
{
    (void)state;
    assert_int_equal(make(SERVERS "compression.type: zstd\nbatch.size: 1000\npartitioner: murmur2", NULL), 0);
    assert_quiet();
    assert_int_equal(kafka_props_number(connection, "batch.size"), 1000);
    static const struct {
        const char *yaml, *text;
    } bad[] = {
        { "compresion.type: zstd", "did you mean \"compression.type\"?" },
        { "batch.size: 0", "does not take this value of \"batch.size\"" },
        { "batch.size: x", "It takes 1 .. 2147483647." },
        { "compression.type: zip", "It takes none, gzip, snappy, lz4, zstd." },
        { "acks: 2", "It takes all, 1 or 0." },
        { "request.required.acks: 3", "It takes all, 1 or 0." },
        { "batch.size: ", "must be a text" },
        { "batch.size: [1]", "must be a text" },
        { "group.id: g", "is one of consumers" },
        { "auto.offset.reset: latest", "is one of consumers" },
        { "error_cb: f", "is set by a program" },
        { "opaque: f", "is set by a program" },
        { "partitioner_cb: f", "is set by a program" },
        { "linger.ms: 5", "sent at once" },
        { "message.timeout.ms: 5", "sendTimeout" },
        { "transactional.id: x", "without transactions" },
        { "plugin.library.paths: x", "loads no plugins" },
        { "delivery.report.only.error: true", "Results need every report." },
        { "test.mock.num.brokers: 3", "unknown property" },
        { "ssl.ca.location: /no/such/file", "could not read the file of \"ssl.ca.location\": No such file" },
        { "enable.idempotence: true\nacks: 1", "error: librdkafka does not take these properties" },
        { "enable.idempotence: true\nmax.in.flight: 6", "librdkafka does not take these properties" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char yaml[400];
        snprintf(yaml, sizeof(yaml), "%s\n%s", bad[i].yaml, SERVERS);
        if (make(yaml, NULL) == 0)
            fail_msg("accepted: %s", bad[i].yaml);
        assert_told(bad[i].text);
        for (size_t k = 0; k < errs.count; k++)
            assert_non_null(errs.items[k].at.src);
    }
}

/* "metadata.max.age.ms" and others are in the list for both roles, "compression.type" twice. */
static void both_parts_of_the_list(void **state)
{
    (void)state;
    assert_int_equal(make(SERVERS "metadata.max.age.ms: 60000\ncompression.level: 3\nrequest.timeout.ms: 5000", NULL),
                     0);
    assert_quiet();
}

static void every_name_of_aws_leads_somewhere(void **state)
{
    (void)state;
    for (unsigned i = 0; kafka_aws_at(i); i++) {
        const struct kafka_aws_property *p = kafka_aws_at(i);
        assert_ptr_equal(kafka_aws_find(p->name), p);
        assert_true(p->to || p->hint);
        if (i > 0)
            assert_true(strcmp(kafka_aws_at(i - 1)->name, p->name) < 0);
        if (!p->to)
            continue;
        char yaml[200];
        snprintf(yaml, sizeof(yaml),
                 "security.protocol: SASL_SSL\nsasl.mechanism: PLAIN\nsasl.username: u\n"
                 "sasl.password: p\n%s: abcd",
                 p->name);
        if (make(SERVERS, yaml) < 0)
            fail_msg("%s: %s", p->name, errs.items[0].text);
    }
    assert_null(kafka_aws_find("acks"));
}

static void properties_of_aws(void **state)
{
    (void)state;
    assert_int_equal(make(SERVERS, "bootstrap.servers: a:9092\nacks: all\ncompression.type: gzip\n"
                                   "security.protocol: SASL_SSL\nsasl.mechanism: SCRAM-SHA-512\n"
                                   "sasl.scram.username: user-of-aws\nsasl.scram.password: word-of-aws\n"
                                   "key.serializer: StringSerializer\n"
                                   "value.serializer: org.apache.kafka.common.serialization.ByteBufferSerializer"),
                     0);
    assert_quiet();
    assert_true(kafka_props_own_security(client));
    assert_non_null(strstr(kafka_props_fingerprint(client), "sasl.username=user-of-aws\n"));
    assert_non_null(strstr(kafka_props_fingerprint(client), "sasl.password=word-of-aws\n"));
    static const struct {
        const char *yaml, *text;
    } bad[] = {
        { "key.serializer: IntegerSerializer", "Keys are texts" },
        { "value.serializer: StringSerializer", "Values are bytes" },
        { "ssl.truststore: abc", "\"ssl.ca.location\"" },
        { "ssl.truststore: '${get_secret(1)}'", "\"ssl.ca.location\"" },
        { "ssl.keystore: abc", "\"ssl.keystore.location\"" },
        { "sasl.kerberos.krb5.realm: abc", "krb5.conf" },
        { "sasl.plain.password: '${get_secret(1)}'", "no templates here" },
        { "acks: '${a}'", "no templates here" },
        { "sasl.kerberos.kinit.cmd: id", "It runs a program" },
        { "ssl.engine.location: x", "It loads a library" },
        { "key.serialiser: StringSerializer", "did you mean \"key.serializer\"?" },
        { "connectTimeout: 5s", "unknown property" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (make(SERVERS, bad[i].yaml) == 0)
            fail_msg("accepted: %s", bad[i].yaml);
        assert_told(bad[i].text);
    }
    assert_int_equal(make(SERVERS "sasl.kerberos.kinit.cmd: id", NULL), 0);
}

static void the_connection_says_how_servers_are_reached(void **state)
{
    (void)state;
    assert_int_equal(
        make(SERVERS "security.protocol: PLAINTEXT",
             "bootstrap.servers: b:1\nsecurity.protocol: SSL\nssl.truststore: '${get_secret(1)}'\nacks: all"),
        0);
    assert_int_equal(errs.warnings, 2); /* the servers; of the security one */
    assert_told("a.yaml:1:1: warning: the servers of the connection are used, not these");
    assert_told("a.yaml:2:1: warning: \"security.protocol\" is not used");
    assert_false(kafka_props_own_security(client));
    assert_null(strstr(kafka_props_fingerprint(client), "SSL"));
    assert_null(strstr(kafka_props_fingerprint(client), "b:1"));
}

static void idempotence(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        bool idempotent;
        size_t in_flight;
    } cases[] = {
        { "", true, 5 },
        { "acks: all", true, 5 },
        { "acks: -1", true, 5 },
        { "max.in.flight: 3", true, 3 },
        { "acks: 1", false, 1 },
        { "acks: 0", false, 1 },
        { "request.required.acks: 1", false, 1 },
        { "acks: 1\nmax.in.flight: 3", false, 3 },
        { "max.in.flight: 6", false, 6 },
        { "retries: 0", false, 1 },
        { "enable.idempotence: false", false, 1 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char yaml[200];
        snprintf(yaml, sizeof(yaml), SERVERS "%s", cases[i].yaml);
        for (int of_client = 0; of_client < 2; of_client++) {
            assert_int_equal(make(of_client ? SERVERS : yaml, of_client ? cases[i].yaml : NULL), 0);
            const struct kafka_props *p = of_client ? client : connection;
            if ((errs.warnings == 0) != cases[i].idempotent)
                fail_msg("%s: %zu warnings", cases[i].yaml, errs.warnings);
            assert_int_equal(kafka_props_number(p, "max.in.flight"), cases[i].in_flight);
        }
        /* What the connection has was told there. */
        assert_int_equal(make(yaml, "compression.type: gzip"), 0);
        assert_int_equal(errs.warnings == 0, cases[i].idempotent);
        assert_int_equal(kafka_props_number(client, "max.in.flight"), cases[i].in_flight);
    }
}

static void sets_that_are_the_same(void **state)
{
    (void)state;
    char first[200];
    assert_int_equal(make(SERVERS, "acks: 1\ncompression.type: gzip"), 0);
    snprintf(first, sizeof(first), "%s", kafka_props_fingerprint(client));
    assert_int_equal(make(SERVERS "acks: all", "compression.type: gzip\nacks: 1"), 0);
    assert_string_equal(kafka_props_fingerprint(client), first);
    assert_int_equal(make(SERVERS, "compression.type: gzip\nacks: 0"), 0);
    assert_string_not_equal(kafka_props_fingerprint(client), first);
}

static void secrets_are_hidden(void **state)
{
    (void)state;
    char text[200] = "open-sesame: user u said open-sesame, key abc, not open-sesam";
    assert_int_equal(make(SERVERS "sasl.password: open-sesame\nssl.key.password: abc\nsasl.username: user", NULL), 0);
    struct kafka_secrets *secrets = kafka_props_secrets(connection);
    kafka_secrets_hide(secrets, text);
    assert_string_equal(text, "***: user u said ***, key ***, not open-sesam");
    kafka_secrets_hide(NULL, text);
    kafka_secrets_free(secrets);
    /* Nor does an error say a value. */
    assert_int_equal(make(SERVERS "security.protocol: open-sesame", NULL), -1);
    assert_null(strstr(errs.items[0].text, "open-sesame"));
    assert_null(strstr(errs.items[0].hint, "open-sesame"));
}

static void files_lie_beside_the_file_that_names_them(void **state)
{
    (void)state;
    static const char yaml[] = "ssl.ca.location: ../README.md";
    struct src *src = src_new("actions/x.yaml", yaml, strlen(yaml));
    drop();
    roots[0] = conf_parse(src, false, &errs);
    src_unref(src);
    connection = kafka_props_new(catalog, NULL);
    kafka_props_add(connection, roots[0]->keys[0], roots[0]->items[0], &errs);
    assert_int_equal(errs.errors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(both_parts_of_the_list),
        cmocka_unit_test(every_name_of_aws_leads_somewhere),
        cmocka_unit_test(properties_of_aws),
        cmocka_unit_test(the_connection_says_how_servers_are_reached),
        cmocka_unit_test(idempotence),
        cmocka_unit_test(sets_that_are_the_same),
        cmocka_unit_test(secrets_are_hidden),
        cmocka_unit_test(files_lie_beside_the_file_that_names_them),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
