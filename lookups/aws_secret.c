/* SPDX-License-Identifier: Apache-2.0 */
/* get_secret: the GetSecretValue operation of the Secrets Manager API, current version. Nothing of a secret gets into a reason. */
#include "lookups/lookups_int.h"

static int make(const struct lookups_conf *conf, struct call *c, struct err *e)
{
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    buf_puts(&body, "{\"SecretId\":");
    json_write(&body, c->args, json_element(c->args, 0, 0), JSON_STYLE_AS_IS);
    buf_putc(&body, '}');
    int rc =
        call_json_request(c, &conf->services[AWS_SECRETS_MANAGER], "secretsmanager.GetSecretValue", "1.1", &body, e);
    buf_clear(&body);
    return rc;
}

/* Of the reply's members the two that count. */
static int read_reply(struct call *c, const struct http_answer *reply, struct buf *out, struct err *e)
{
    const struct json_doc *d = call_reply(c, reply, e);
    if (!d)
        return -1;
    uint32_t text = json_member(d, 0, "SecretString", 12), binary = json_member(d, 0, "SecretBinary", 12);
    if (text && json_at(d, text)->kind == JSON_NULL)
        text = 0;
    if (!text && !binary)
        return err_set(e, ERR_REJECTED, "the reply holds no secret");
    buf_puts(out, text ? "{\"SecretString\":" : "{\"SecretBinary\":");
    json_write(out, d, text ? text : binary, JSON_STYLE_AS_IS);
    buf_putc(out, '}');
    return 0;
}

static int64_t keep_ms(const struct lookups_conf *conf)
{
    return conf->secrets_ms;
}

const struct teller teller_secret = {
    .function = "get_secret",
    .option = "secretsmanager",
    .min = 1,
    .max = 1,
    .service = AWS_SECRETS_MANAGER,
    .make = make,
    .read = read_reply,
    .keep_ms = keep_ms,
};
