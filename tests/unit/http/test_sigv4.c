/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/http/sigv4.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define DATE                                                                                                           \
    {                                                                                                                  \
        "x-amz-date", "20150830T123600Z", 16                                                                           \
    }
#define HOST                                                                                                           \
    {                                                                                                                  \
        "host", "example.amazonaws.com", 21                                                                            \
    }

struct vector {
    const char *what, *method, *path, *query, *body, *service, *region;
    struct sigv4_header headers[8];
    const char *names, *signature;
};

/* The first five are AWS's: the General Reference's example and its test suite (get-vanilla,
 * get-vanilla-query-order-key-case, post-vanilla, get-header-value-trim). The others are botocore's opinion. */
static const struct vector vectors[] = {
    { "example",
      "GET",
      "/",
      "Action=ListUsers&Version=2010-05-08",
      "",
      "iam",
      "us-east-1",
      { { "content-type", "application/x-www-form-urlencoded; charset=utf-8", 48 },
        DATE,
        { "host", "iam.amazonaws.com", 17 } },
      "content-type;host;x-amz-date",
      "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7" },
    { "get-vanilla",
      "GET",
      "/",
      "",
      "",
      "service",
      "us-east-1",
      { HOST, DATE },
      "host;x-amz-date",
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "order",
      "GET",
      "/",
      "Param2=value2&Param1=value1",
      "",
      "service",
      "us-east-1",
      { DATE, HOST },
      "host;x-amz-date",
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "post-vanilla",
      "POST",
      "",
      "",
      "",
      "service",
      "us-east-1",
      { HOST, DATE },
      "host;x-amz-date",
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
    { "trim",
      "GET",
      "/",
      "",
      "",
      "service",
      "us-east-1",
      { HOST, DATE, { "my-header2", " \"a   b   c\"", 12 }, { "my-header1", " value1", 7 } },
      "host;my-header1;my-header2;x-amz-date",
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
    { "invoke",
      "POST",
      "/2015-03-31/functions/hello/invocations",
      "Qualifier=%24LATEST",
      "{\"a\":1}",
      "lambda",
      "eu-west-1",
      { { "host", "127.0.0.1:9001", 14 },
        { "content-type", "application/json", 16 },
        { "x-amz-invocation-type", "Event", 5 },
        { "x-amz-security-token", "token", 5 },
        DATE },
      "content-type;host;x-amz-date;x-amz-invocation-type;x-amz-security-token",
      "a46b0ac86d31d1735cdf04e653898c71c82c1f9c5e44d038e3f62e62a8aecddc" },
    { "path",
      "GET",
      "/a%20b//c:d/",
      "",
      "",
      "service",
      "us-east-1",
      { HOST, DATE },
      "host;x-amz-date",
      "b3639d220aa0bebef4645d7a559cc685f32efa12d4d9ebb961956a00a609b052" },
};

static struct sigv4_request request_of(const struct vector *v, const char *hash)
{
    size_t headers = 0;
    while (v->headers[headers].name)
        headers++;
    return (struct sigv4_request) {
        .method = v->method,
        .path = v->path,
        .path_len = strlen(v->path),
        .query = v->query,
        .query_len = strlen(v->query),
        .headers = v->headers,
        .header_count = headers,
        .body_hash = hash,
        .time = "20150830T123600Z",
        .service = v->service,
        .region = v->region,
        .key_id = "AKIDEXAMPLE",
        .secret = SECRET,
    };
}

static void published_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        char hash[SIGV4_HASH_SIZE];
        struct buf out, expected;
        struct err e = { 0 };
        buf_init(&out, 10000);
        buf_init(&expected, 10000);
        sigv4_hash(v->body, strlen(v->body), hash);
        struct sigv4_request r = request_of(v, hash);
        assert_int_equal(sigv4_authorize(&r, &out, &e), 0);
        buf_printf(
            &expected,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
            v->region, v->service, v->names, v->signature);
        if (strcmp(out.p, expected.p) != 0)
            fail_msg("%s: %s", v->what, out.p);
        buf_clear(&out);
        buf_clear(&expected);
    }
}

static void authorize(struct vector v, char out[300])
{
    char hash[SIGV4_HASH_SIZE];
    struct buf b;
    struct err e = { 0 };
    buf_init(&b, 10000);
    sigv4_hash("", 0, hash);
    struct sigv4_request r = request_of(&v, hash);
    assert_int_equal(sigv4_authorize(&r, &b, &e), 0);
    strcpy(out, b.p);
    buf_clear(&b);
}

/* However a query is encoded, the service computes one form of it. */
static void queries_are_normalised(void **state)
{
    (void)state;
    static const char *const same[] = { "a:b=c/d&e=%7E", "e=~&a%3ab=c%2fd", "e=%7e&a%3Ab=c%2Fd&" };
    char first[300], other[300];
    struct vector v = vectors[1];
    v.query = same[0];
    authorize(v, first);
    for (size_t i = 1; i < 3; i++) {
        v.query = same[i];
        authorize(v, other);
        assert_string_equal(first, other);
    }
    v.query = "e=%7e&a%3Ab=c%2Fe";
    authorize(v, other);
    assert_string_not_equal(first, other);
}

static void s3_paths_are_signed_as_they_are(void **state)
{
    (void)state;
    char a[300], b[300];
    struct vector v = vectors[1];
    v.service = "s3";
    v.path = "/a//b";
    authorize(v, a);
    v.path = "/a/b";
    authorize(v, b);
    assert_string_not_equal(a, b);
    v.service = "service";
    authorize(v, b);
    v.path = "/a//b";
    authorize(v, a);
    assert_string_equal(a, b);
}

static void time_and_hash(void **state)
{
    (void)state;
    char time[SIGV4_TIME_SIZE], hash[SIGV4_HASH_SIZE];
    sigv4_time(1440938160999, time);
    assert_string_equal(time, "20150830T123600Z");
    sigv4_hash("", 0, hash);
    assert_string_equal(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void too_many_headers(void **state)
{
    (void)state;
    struct sigv4_request r = request_of(&vectors[1], "");
    struct buf out;
    struct err e = { 0 };
    buf_init(&out, 1000);
    r.header_count = SIGV4_HEADERS_MAX + 1;
    assert_int_equal(sigv4_authorize(&r, &out, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(queries_are_normalised),
        cmocka_unit_test(s3_paths_are_signed_as_they_are),
        cmocka_unit_test(time_and_hash),
        cmocka_unit_test(too_many_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
