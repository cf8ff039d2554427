/* SPDX-License-Identifier: Apache-2.0 */
/* EMQX 5, "HTTP server" as authenticator and as authorizer: the answer is the member "result" of a 200. Every other status but 204 is
 * "ignore" there, and the next in the chain decides, at its end `no_match`, which is `allow` unless set. So what a client can bring about by an
 * odd topic, a body that cannot be read or is too large, is refused with a 200, too. */
#include "engine/admin/auth_ask.h"

#include <string.h>

#include "engine/base/json.h"

static void put_result(struct http_response *out, const char *why)
{
    buf_printf(&out->body, "{\"result\":\"%s\",\"is_superuser\":false", why ? "deny" : "allow");
    if (why) {
        buf_puts(&out->body, ",\"reason\":");
        json_write_string(&out->body, why, strlen(why));
    }
    buf_putc(&out->body, '}');
}

/* As EMQX's templates write a boolean, in its versions. */
static int is_retained(const struct auth_request *q)
{
    if (auth_request_lacks(q, AUTH_RETAIN) || auth_request_is(q, AUTH_RETAIN, "false") ||
        auth_request_is(q, AUTH_RETAIN, "0"))
        return 0;
    return auth_request_is(q, AUTH_RETAIN, "true") || auth_request_is(q, AUTH_RETAIN, "1") ? 1 : -1;
}

static const char *judge_topic(const struct routes *rt, const struct http_request *r, const struct auth_request *q)
{
    (void)r;
    static const enum authorizer_right subscribe[] = { AUTHORIZE_SUBSCRIBE },
                                       publish[] = { AUTHORIZE_PUBLISH, AUTHORIZE_RETAIN_PUBLISH };
    if (auth_request_is(q, AUTH_ACTION, "subscribe"))
        return auth_ask_topic(rt, q, subscribe, 1);
    if (!auth_request_is(q, AUTH_ACTION, "publish"))
        return "\"action\" must be publish or subscribe";
    int retained = is_retained(q);
    if (retained < 0)
        return "\"retain\" must be true or false";
    return auth_ask_topic(rt, q, publish, retained ? 2 : 1);
}

static bool answer(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct http_response *out)
{
    struct err e = { 0 };
    const char *why = auth_ask(rt, r, judge, &e);
    if (why == auth_waits)
        return false;
    put_result(out, why);
    return true;
}

void auth_emqx_refuse(const struct http_request *r, unsigned status, const char *why, struct http_response *out)
{
    (void)r;
    (void)status;
    put_result(out, why);
}

bool auth_emqx_authenticate(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    return answer(rt, r, auth_ask_connect, out);
}

bool auth_emqx_authorize(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    return answer(rt, r, judge_topic, out);
}
