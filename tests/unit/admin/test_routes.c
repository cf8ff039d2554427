/* SPDX-License-Identifier: Apache-2.0 */
/* Which request goes to whom, with an authorizer that remembers what it was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/admin/password_line.h"
#include "engine/admin/routes.h"
#include "sluice/authorizer.h"

#define EMQX "/auth/emqx/"
#define GO   "/auth/mosquitto-go-auth/"

static char asked[256]; /* client, user, address, then each right and name */
static int refused_right, met, parted;

static void *meet(struct authorizer *a, const struct authorizer_subject *who)
{
    met++;
    snprintf(asked, sizeof(asked), "%s %s %s", who->client_id, who->user_name ? who->user_name : "-",
             who->source_ip ? who->source_ip : "-");
    for (size_t i = 0, used = strlen(asked); i < who->certificate_count; i++, used = strlen(asked))
        snprintf(asked + used, sizeof(asked) - used, " %s", who->certificate[i].value);
    return a;
}

static bool may(struct authorizer *a, void *client, enum authorizer_right right, const char *name, size_t len)
{
    size_t used = strlen(asked);
    (void)a;
    (void)client;
    snprintf(asked + used, sizeof(asked) - used, " %d:%.*s", (int)right, (int)len, name);
    return (int)right != refused_right;
}

static void part(struct authorizer *a, void *client)
{
    (void)a;
    (void)client;
    parted++;
}

static bool fits(void *ctx, const char *name, size_t name_len, const char *password, size_t password_len)
{
    (void)ctx;
    return name_len == 4 && memcmp(name, "anna", 4) == 0 && password_len == 6 && memcmp(password, "secret", 6) == 0;
}

/* --- a request that waits --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int begun, ended;
} pauses = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void begin_pause(struct http_pause *p)
{
    (void)p;
    pauses.begun++;
}

static void end_pause(struct http_pause *p)
{
    (void)p;
    pthread_mutex_lock(&pauses.lock);
    pauses.ended++;
    pthread_cond_signal(&pauses.changed);
    pthread_mutex_unlock(&pauses.lock);
}

static void wait_for_end(void)
{
    pthread_mutex_lock(&pauses.lock);
    while (pauses.ended < pauses.begun)
        pthread_cond_wait(&pauses.changed, &pauses.lock);
    pthread_mutex_unlock(&pauses.lock);
}

/* --- */

static struct authorizer authorizer = { .meet = meet, .may = may, .part = part };
static struct routes routes;
static struct http_response out;

static int setup(void **state)
{
    (void)state;
    routes = (struct routes) { .env = { .authorizer = &authorizer } };
    refused_right = -1;
    met = parted = pauses.begun = pauses.ended = 0;
    buf_init(&out.body, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_clear(&out.body);
    return 0;
}

/* As the server does: again when it has waited. */
static unsigned ask(const struct http_request *request)
{
    struct http_request r = *request;
    struct http_keep keep = { 0 };
    struct http_pause pause = { .begin = begin_pause, .end = end_pause };
    buf_reset(&out.body);
    asked[0] = '\0';
    r.keep = &keep;
    r.pause = &pause;
    do {
        out = (struct http_response) { .status = 200, .body = out.body };
        wait_for_end();
    } while (!routes_answer(&routes, &r, &out));
    assert_int_equal(pauses.begun, pauses.ended);
    assert_int_equal(met, parted);
    if (keep.p)
        keep.free(keep.p);
    return out.status;
}

static const struct http_argument as_text[] = { { "response", "text", 8, 4 } };

static unsigned post(const char *path, const char *body)
{
    return ask(&(struct http_request) {
        .method = "POST", .path = path, .content_type = "application/json", .body = body, .body_len = strlen(body) });
}

static void test_paths(void **state)
{
    (void)state;
    assert_int_equal(ask(&(struct http_request) { .method = "GET", .path = "/health", .body = "" }), 200);
    assert_string_equal(out.body.p, "{\"status\":\"running\"}");
    assert_int_equal(ask(&(struct http_request) { .method = "HEAD", .path = "/health", .body = "" }), 200);
    assert_int_equal(ask(&(struct http_request) { .method = "GET", .path = "/health/", .body = "" }), 404);
    assert_int_equal(ask(&(struct http_request) { .method = "DELETE", .path = "/health", .body = "" }), 405);
    assert_string_equal(out.allow, "GET, HEAD");
    assert_int_equal(ask(&(struct http_request) { .method = "PATCH", .path = GO "acl", .body = "" }), 405);
    assert_string_equal(out.allow, "GET, HEAD, POST, PUT");
    static const char *const odd[] = { "PUT", "", "OST", "POS", "head", "," };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(ask(&(struct http_request) { .method = odd[i], .path = EMQX "authorize", .body = "" }), 405);
        assert_string_equal(out.allow, "GET, HEAD, POST");
    }
    atomic_store(&routes.is_draining, true);
    assert_int_equal(ask(&(struct http_request) { .method = "GET", .path = "/health", .body = "" }), 503);
    assert_string_equal(out.body.p, "{\"status\":\"draining\"}");
}

/* No name of a stranger leads here, unless whoever asks has a token. */
static void test_hosts(void **state)
{
    static const char *const ours[] = { NULL, "127.0.0.1", "127.0.0.1:8080", "LOCALHOST", "localhost:1", "[::1]:8080" };
    static const char *const strange[] = {
        "", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example:80", ":80"
    };
    struct http_request r = { .method = "GET", .path = "/health", .body = "" };
    (void)state;
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        r.host = ours[i];
        assert_int_equal(ask(&r), 200);
    }
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        r.host = strange[i];
        routes.token = NULL;
        assert_int_equal(ask(&r), 421);
        routes.token = "test";
        r.authorization = "Bearer test";
        assert_int_equal(ask(&r), 200);
    }
}

static void test_bodies(void **state)
{
    (void)state;
    struct http_request r = { .method = "POST", .path = EMQX "authorize", .body = "" };
    assert_int_equal(ask(&r), 415);
    r.content_type = "text/plain";
    assert_int_equal(ask(&r), 415);
    r.content_type = "application/jsonx";
    assert_int_equal(ask(&r), 415);
    r.content_type = "Application/JSON; charset=utf-8";
    assert_int_equal(ask(&r), 200);
    r.is_too_large = true;
    assert_int_equal(ask(&r), 200); /* any other status is "ignore" to EMQX */
    assert_non_null(strstr(out.body.p, "{\"result\":\"deny\""));
    r.path = GO "acl";
    assert_int_equal(ask(&r), 413);
    assert_non_null(strstr(out.body.p, "{\"ok\":false"));
}

static void test_queries(void **state)
{
    static const struct http_argument emqx[] = {
        { "clientid", "c", 8, 1 }, { "topic", "a b", 5, 3 }, { "action", "publish", 6, 7 }, { "other", NULL, 5, 0 }
    };
    struct http_request r = {
        .method = "GET", .path = EMQX "authorize", .body = "", .arguments = emqx, .argument_count = 4
    };
    (void)state;
    assert_int_equal(ask(&r), 200);
    assert_string_equal(asked, "c - - 1:a b");
    r.method = "POST";
    r.content_type = "application/json";
    r.body = "{\"username\":\"u\"}";
    r.body_len = strlen(r.body);
    assert_int_equal(ask(&r), 200);
    assert_string_equal(asked, "c u - 1:a b");
    r.body = "{\"clientid\":\"d\"}";
    r.body_len = strlen(r.body);
    assert_int_equal(ask(&r), 200);
    assert_non_null(strstr(out.body.p, "\\\"clientid\\\" is given twice"));
    assert_string_equal(asked, "");
    r.method = "GET"; /* as mosquitto-go-auth sends it with http_method GET */
    r.path = GO "acl";
    r.body = "{\"acc\":2,\"clientid\":\"c\",\"topic\":\"a\"}";
    r.body_len = strlen(r.body);
    r.arguments = as_text;
    r.argument_count = 1;
    assert_int_equal(ask(&r), 200);
    assert_string_equal(out.body.p, "ok");
    assert_string_equal(out.type, "text/plain; charset=utf-8");
    refused_right = AUTHORIZE_PUBLISH;
    assert_int_equal(ask(&r), 403);
    assert_string_equal(out.body.p, "refused by policies");
}

static void test_token(void **state)
{
    (void)state;
    struct http_request r = { .method = "GET", .path = "/health", .body = "" };
    static const char *const wrong[] = { NULL,
                                         "",
                                         "Bearer",
                                         "Bearer ",
                                         "Bearer tes",
                                         "Bearer testt",
                                         "Bearer tesT",
                                         "Basic test",
                                         "Bearer testtest",
                                         "Basic dGVzdA==",
                                         "Basic OnRlc3R0",
                                         "Basic OnRlcw==",
                                         "Basic dGVzdDphbm5h",
                                         "Basic OnRlc3QA",
                                         "Basic !" };
    routes.token = "test";
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        r.authorization = wrong[i];
        assert_int_equal(ask(&r), 401);
        assert_true(out.wants_token);
    }
    r.path = "/nothing";
    assert_int_equal(ask(&r), 401);
    static const char *const right[] = { "bearer test", "Bearer test", "Basic OnRlc3Q=", "basic YW5uYTp0ZXN0" };
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        r.authorization = right[i];
        assert_int_equal(ask(&r), 404);
    }
}

static void test_emqx(void **state)
{
    (void)state;
    assert_int_equal(post(EMQX "authenticate", "{\"clientid\":\"c\",\"username\":\"u\",\"peerhost\":\"192.0.2.7\"}"),
                     200);
    assert_string_equal(asked, "c u 192.0.2.7 0:c");
    assert_string_equal(out.body.p, "{\"result\":\"allow\",\"is_superuser\":false}");
    post(EMQX "authorize", "{\"clientid\":\"c\",\"action\":\"publish\",\"topic\":\"a\",\"retain\":\"true\",\"qos\":1}");
    assert_string_equal(asked, "c - - 1:a 2:a");
    post(EMQX "authorize", "{\"clientid\":\"c\",\"action\":\"publish\",\"topic\":\"a\",\"retain\":false}");
    assert_string_equal(asked, "c - - 1:a");
    refused_right = AUTHORIZE_SUBSCRIBE;
    post(EMQX "authorize", "{\"clientid\":\"c\",\"action\":\"subscribe\",\"topic\":\"a/#\"}");
    assert_string_equal(asked, "c - - 3:a/#");
    assert_non_null(strstr(out.body.p, "\"result\":\"deny\""));
}

static void test_faults_deny(void **state)
{
    static const char *const bodies[] = {
        "",
        "{",
        "{}",
        "{\"clientid\":\"c\"}",
        "{\"clientid\":\"c\",\"action\":\"publish\"}",
        "{\"clientid\":\"c\",\"topic\":\"a\",\"action\":\"all\"}",
        "{\"clientid\":\"c\",\"topic\":\"a\",\"action\":\"publish\",\"retain\":\"maybe\"}"
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(post(EMQX "authorize", bodies[i]), 200);
        assert_non_null(strstr(out.body.p, "\"result\":\"deny\""));
        assert_true(post(GO "acl", bodies[i]) >= 400);
        assert_non_null(strstr(out.body.p, "\"ok\":false"));
    }
    assert_int_equal(met, 0);
    routes.env.authorizer = NULL;
    assert_int_equal(post(EMQX "authenticate", "{\"clientid\":\"c\"}"), 200);
    assert_non_null(strstr(out.body.p, "\"result\":\"deny\""));
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\"}"), 403);
    assert_non_null(strstr(out.body.p, "no policies are configured"));
}

static void test_passwords(void **state)
{
    (void)state;
    struct err e = { 0 };
    routes.line = password_line_new(fits, NULL, 1, &e);
    assert_non_null(routes.line);
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\",\"username\":\"anna\",\"password\":\"secret\"}"), 200);
    assert_string_equal(out.body.p, "{\"ok\":true,\"error\":\"\"}");
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\",\"username\":\"anna\",\"password\":\"wrong\"}"), 403);
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\",\"username\":\"anna\"}"), 403);
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\"}"), 403);
    assert_int_equal(post(EMQX "authenticate", "{\"username\":\"anna\",\"password\":\"secret\"}"), 200);
    assert_int_equal(met, 1);
    assert_int_equal(pauses.begun, 2); /* nobody waits who is refused anyway */
    routes.env.authorizer = NULL;
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\",\"username\":\"anna\",\"password\":\"secret\"}"), 403);
    assert_int_equal(pauses.begun, 2);
    routes.env.authorizer = &authorizer;
    password_line_end(routes.line);
    assert_int_equal(post(GO "user", "{\"clientid\":\"c\",\"username\":\"anna\",\"password\":\"secret\"}"), 403);
    assert_int_equal(met, 1);
    password_line_free(routes.line);
}

static void test_certificates(void **state)
{
    (void)state;
    post(EMQX "authenticate", "{\"clientid\":\"c\",\"cert_common_name\":\"lamp\",\"cert_subject\":\"CN=x\"}");
    assert_string_equal(asked, "c - - lamp 0:c");
    post(EMQX "authenticate", "{\"clientid\":\"c\",\"cert_common_name\":\"undefined\"}");
    assert_string_equal(asked, "c - - 0:c");
}

static void test_go_auth(void **state)
{
    static const struct {
        const char *acc, *asked;
    } cases[] = { { "1", "c - - 4:a" }, { "2", "c - - 1:a" }, { "3", "c - - 4:a 1:a" },
                  { "4", "c - - 3:a" }, { "5", "" },          { "0", "" } };
    char body[96];
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(body, sizeof(body), "{\"clientid\":\"c\",\"topic\":\"a\",\"acc\":%s}", cases[i].acc);
        assert_int_equal(post(GO "acl", body), cases[i].asked[0] ? 200 : 403);
        assert_string_equal(asked, cases[i].asked);
    }
    assert_int_equal(post(GO "superuser", "{\"username\":\"root\"}"), 403);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_emqx, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_deny, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passwords, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_go_auth, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
