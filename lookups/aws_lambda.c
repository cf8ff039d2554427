/* SPDX-License-Identifier: Apache-2.0 */
/* aws_lambda: the Invoke operation of the Lambda API, which waits for what the function returns:
 *
 *     POST /2015-03-31/functions/NAME/invocations?Qualifier=ALIAS
 *     x-amz-invocation-type: RequestResponse
 *
 * A function that fails is answered with 200 as well, and told from others by the header x-amz-function-error. */
#include <string.h>

#include "engine/http/http_auth.h"
#include "engine/http/http_url.h"
#include "engine/http/lambda_name.h"
#include "lookups/lookups_int.h"

enum { FUNCTION_ARN, INPUT, ARGUMENTS };

static char *make_url(struct call *c, const struct aws_service *s, struct err *e)
{
    struct lambda_name name;
    struct buf url;
    size_t len;
    const char *arn = call_text(c, FUNCTION_ARN, &len);
    if (!arn || lambda_name_split(&name, arn, len, e) < 0)
        return NULL;
    buf_init(&url, (size_t)2 * HTTP_URL_MAX);
    lambda_name_url(&name, s->endpoint, &url);
    char *copy = url.failed ? NULL : arena_strndup(&c->arena, url.p, url.len);
    buf_clear(&url);
    return copy;
}

static int make(const struct lookups_conf *conf, struct call *c, struct err *e)
{
    struct buf input;
    struct http_field *fields = arena_array(&c->arena, 2 + HTTP_AUTH_FIELDS, sizeof(*fields));
    char *url = make_url(c, &conf->services[AWS_LAMBDA], e);
    buf_init(&input, ANSWER_MAX);
    json_write(&input, c->args, json_element(c->args, 0, INPUT), JSON_STYLE_AS_IS);
    char *body = input.failed ? NULL : arena_strndup(&c->arena, input.p, input.len);
    size_t len = input.len;
    buf_clear(&input);
    if (!fields || !url || !body)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    fields[0] = (struct http_field) { "Content-Type", "application/json", 16 };
    fields[1] = (struct http_field) { "X-Amz-Invocation-Type", "RequestResponse", 15 };
    c->request = (struct http_request) {
        .method = "POST",
        .url = url,
        .fields = fields,
        .field_count = 2,
        .body = body,
        .body_len = len,
        .wanted = "X-Amz-Function-Error",
    };
    return 0;
}

static int read_reply(struct call *c, const struct http_answer *reply, struct buf *out, struct err *e)
{
    struct err why = { 0 };
    if (reply->wanted) {
        call_refused(c, reply, &why);
        const char *words = strchr(why.text, ',');
        return err_set(e, ERR_REJECTED, "the function failed%s", words ? words : "");
    }
    const struct json_doc *d = json_parse(&c->arena, reply->body, reply->body_len, NULL, &why);
    if (!d)
        return err_set(e, ERR_REJECTED, "what the function returned is no JSON");
    json_write(out, d, 0, JSON_STYLE_AS_IS);
    return 0;
}

const struct teller teller_lambda = {
    .function = "aws_lambda",
    .option = "lambda",
    .min = ARGUMENTS,
    .max = ARGUMENTS,
    .service = AWS_LAMBDA,
    .timeout_ms = LAMBDA_MS,
    .make = make,
    .read = read_reply,
};
