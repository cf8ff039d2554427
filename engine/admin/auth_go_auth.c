/* SPDX-License-Identifier: Apache-2.0 */
/* mosquitto-go-auth, backend "http": 200 is yes and 403 no, which serves its response mode "status"; the body {"ok","error"} serves "json".
 * The mode "text" wants "ok" as the whole body: that is asked for by `?response=text` behind the paths in its configuration. */
#include "engine/admin/auth_ask.h"

#include <string.h>

#include "engine/base/json.h"

static bool wants_text(const struct http_request *r)
{
    bool wants = false;
    for (size_t i = 0; i < r->argument_count; i++) {
        const struct http_argument *a = &r->arguments[i];
        wants |= a->name_len == 8 && memcmp(a->name, "response", 8) == 0 && a->value_len == 4 &&
                 memcmp(a->value, "text", 4) == 0;
    }
    return wants;
}

/* why: NULL, yes. */
static void put_answer(const struct http_request *r, unsigned status, const char *why, struct http_response *out)
{
    out->status = status;
    if (wants_text(r)) {
        out->type = "text/plain; charset=utf-8";
        buf_puts(&out->body, why ? why : "ok");
        return;
    }
    buf_printf(&out->body, "{\"ok\":%s,\"error\":", why ? "false" : "true");
    json_write_string(&out->body, why ? why : "", why ? strlen(why) : 0);
    buf_putc(&out->body, '}');
}

static bool answer(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct http_response *out)
{
    struct err e = { 0 };
    const char *why = auth_ask(rt, r, judge, &e);
    if (why == auth_waits)
        return false;
    put_answer(r, !why ? 200 : e.code != ERR_NONE ? 400 : 403, why, out);
    return true;
}

void auth_go_refuse(const struct http_request *r, unsigned status, const char *why, struct http_response *out)
{
    put_answer(r, status, why, out);
}

/* Mosquitto's numbers of accesses. A message's retain flag is not told. */
static const struct {
    const char *acc;
    enum authorizer_right rights[2];
    size_t count;
} accesses[] = {
    { "1", { AUTHORIZE_RECEIVE }, 1 },
    { "2", { AUTHORIZE_PUBLISH }, 1 },
    { "3", { AUTHORIZE_RECEIVE, AUTHORIZE_PUBLISH }, 2 },
    { "4", { AUTHORIZE_SUBSCRIBE }, 1 },
};

static const char *judge_acl(const struct routes *rt, const struct http_request *r, const struct auth_request *q)
{
    (void)r;
    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        if (auth_request_is(q, AUTH_ACC, accesses[i].acc))
            return auth_ask_topic(rt, q, accesses[i].rights, accesses[i].count);
    }
    return "\"acc\" must be 1, 2, 3 or 4";
}

static const char *judge_superuser(const struct routes *rt, const struct http_request *r, const struct auth_request *q)
{
    (void)rt;
    (void)r;
    (void)q;
    return "policies know no superusers";
}

bool auth_go_user(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    return answer(rt, r, auth_ask_connect, out);
}

bool auth_go_superuser(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    return answer(rt, r, judge_superuser, out);
}

bool auth_go_acl(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    return answer(rt, r, judge_acl, out);
}
