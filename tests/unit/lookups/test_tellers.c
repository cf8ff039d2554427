/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that questions become, and answers that replies become. The texts of requests are those of AWS's API references. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lookups/lookups_int.h"

static struct lookups_conf conf;
static struct call call;
static struct buf out;
static struct err error;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < AWS_SERVICE_COUNT; i++)
        conf.services[i].endpoint = (char *)"http://127.0.0.1:8000";
    arena_init(&call.arena, CALL_ARENA_MAX);
    buf_init(&out, ANSWER_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_clear(&call.arena);
    buf_clear(&out);
    return 0;
}

static void begin(const struct teller *t, const char *args)
{
    error = (struct err) { 0 };
    call.teller = t;
    call.args = json_parse(&call.arena, args, strlen(args), NULL, &error);
    assert_non_null(call.args);
    buf_reset(&out);
}

static void assert_request(const struct teller *t, const char *args, const char *url, const char *body)
{
    begin(t, args);
    if (t->make(&conf, &call, &error) < 0)
        fail_msg("%s %s: %s", t->function, args, error.text);
    assert_string_equal(call.request.method, "POST");
    assert_string_equal(call.request.url, url);
    assert_int_equal(call.request.body_len, strlen(body));
    assert_string_equal(call.request.body, body);
}

static const char *field(const char *name)
{
    for (size_t i = 0; i < call.request.field_count; i++) {
        if (strcmp(call.request.fields[i].name, name) == 0)
            return call.request.fields[i].value;
    }
    return NULL;
}

static void questions_become_requests(void **state)
{
    (void)state;
    assert_request(&teller_dynamodb, "[\"t\",\"pk\",\"a\\\"b\"]", "http://127.0.0.1:8000/",
                   "{\"TableName\":\"t\",\"Key\":{\"pk\":{\"S\":\"a\\\"b\"}}}");
    assert_string_equal(field("X-Amz-Target"), "DynamoDB_20120810.GetItem");
    assert_string_equal(field("Content-Type"), "application/x-amz-json-1.0");
    assert_request(&teller_dynamodb, "[\"t\",\"pk\",\"a\",\"sk\",-1.50]", "http://127.0.0.1:8000/",
                   "{\"TableName\":\"t\",\"Key\":{\"pk\":{\"S\":\"a\"},\"sk\":{\"N\":\"-1.50\"}}}");
    assert_request(&teller_secret, "[\"api\"]", "http://127.0.0.1:8000/", "{\"SecretId\":\"api\"}");
    assert_string_equal(field("X-Amz-Target"), "secretsmanager.GetSecretValue");
    assert_request(&teller_prediction, "[\"m\",{\"a\":\"1\"}]", "http://127.0.0.1:8000/",
                   "{\"MLModelId\":\"m\",\"Record\":{\"a\":\"1\"},\"PredictEndpoint\":\"http://127.0.0.1:8000\"}");
    assert_request(&teller_lambda, "[\"arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST\",{\"a\": [1]}]",
                   "http://127.0.0.1:8000/2015-03-31/functions/f/invocations?Qualifier=%24LATEST", "{\"a\":[1]}");
    assert_string_equal(field("X-Amz-Invocation-Type"), "RequestResponse");
    begin(&teller_lambda, "[\"../f\",1]");
    assert_int_equal(teller_lambda.make(&conf, &call, &error), -1);
    assert_non_null(strstr(error.text, "the function's name"));
}

static int read_reply(const struct teller *t, const char *body)
{
    const struct http_answer reply = {
        .outcome = HTTP_ANSWERED, .status = 200, .body = body, .body_len = strlen(body)
    };
    begin(t, "[]");
    return t->read(&call, &reply, &out, &error);
}

static void assert_answer(const struct teller *t, const char *body, const char *answer)
{
    if (read_reply(t, body) < 0)
        fail_msg("%s: %s", body, error.text);
    assert_string_equal(out.p, answer);
}

static void assert_refused(const struct teller *t, const char *body, const char *text)
{
    assert_int_equal(read_reply(t, body), -1);
    assert_string_equal(error.text, text);
}

static void typed_values_become_plain(void **state)
{
    (void)state;
    assert_answer(&teller_dynamodb, "{}", "null");
    assert_answer(&teller_dynamodb, "{\"Item\":{}}", "{}");
    assert_answer(
        &teller_dynamodb,
        "{\"Item\":{\"s\":{\"S\":\"\\u00e4\"},\"n\":{\"N\":\"12345678901234567890.50\"},\"b\":{\"BOOL\":false},\"z\":{"
        "\"NULL\":true},\"l\":{\"L\":[{\"N\":\"1\"},{\"M\":{\"x\":{\"B\":\"AAE=\"}}}]},\"ss\":{\"SS\":[\"a\"]},\"ns\":{"
        "\"NS\":[\"1E+3\",\"-2\"]},\"bs\":{\"BS\":[]}}}",
        "{\"s\":\"ä\",\"n\":12345678901234567890.50,\"b\":false,\"z\":null,\"l\":[1,{\"x\":\"AAE=\"}],\"ss\":["
        "\"a\"],\"ns\":[1E+3,-2],\"bs\":[]}");
    static const char *const wrong[] = { "{\"Item\":{\"a\":{\"N\":\"1,\\\"b\\\":2\"}}}", "{\"Item\":{\"a\":{\"N\":1}}}",
                                         "{\"Item\":{\"a\":5}}", "{\"Item\":{\"a\":{}}}", "{\"Item\":[]}" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_refused(&teller_dynamodb, wrong[i], "the reply holds a value of no type that is known");
}

static void secrets_and_predictions_are_what_counts_of_a_reply(void **state)
{
    (void)state;
    assert_answer(&teller_secret, "{\"ARN\":\"a\",\"SecretString\":\"{\\\"k\\\":1}\"}",
                  "{\"SecretString\":\"{\\\"k\\\":1}\"}");
    assert_answer(&teller_secret, "{\"SecretString\":null,\"SecretBinary\":\"AA==\"}", "{\"SecretBinary\":\"AA==\"}");
    assert_refused(&teller_secret, "{\"Name\":\"api\"}", "the reply holds no secret");
    assert_refused(&teller_secret, "[]", "the reply is no JSON object");
    assert_answer(&teller_prediction, "{\"Prediction\":{\"predictedValue\":0.5}}", "{\"predictedValue\":0.5}");
    assert_refused(&teller_prediction, "{}", "the reply holds no prediction");
    assert_answer(&teller_lambda, " [1, 2] ", "[1,2]");
    assert_refused(&teller_lambda, "", "what the function returned is no JSON");
}

static void assert_reason(int status, const char *body, const char *text)
{
    const struct http_answer reply = {
        .outcome = HTTP_ANSWERED, .status = status, .body = body, .body_len = strlen(body)
    };
    begin(&teller_dynamodb, "[]");
    assert_int_equal(call_refused(&call, &reply, &error), -1);
    assert_string_equal(error.text, text);
}

static void refusals_say_what_the_server_says(void **state)
{
    (void)state;
    assert_reason(400, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException\",\"message\":\"no\"}",
                  "the server answered 400, ResourceNotFoundException");
    assert_reason(403, "{\"Message\":\"x-amz-security-token:t\",\"__type\":\"InvalidSignatureException\"}",
                  "the server answered 403, InvalidSignatureException");
    assert_reason(403, "{\"__type\":\"the secret is x\"}", "the server answered 403");
    assert_reason(500, "{\"__type\":5,\"message\":\"\\u001b[2J\"}", "the server answered 500");
    assert_reason(502, "<html>", "the server answered 502");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_become_requests),
        cmocka_unit_test(typed_values_become_plain),
        cmocka_unit_test(secrets_and_predictions_are_what_counts_of_a_reply),
        cmocka_unit_test(refusals_say_what_the_server_says),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
