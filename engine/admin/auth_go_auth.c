/* SPDX-License-Identifier: Apache-2.0 */
/* mosquitto-go-auth, backend "http": 200 is yes and 403 no, which serves its response mode "status"; the body {"ok","error"} serves "json". */
#include "engine/admin/auth_ask.h"

#include <string.h>

#include "engine/base/json.h"

static void answer(const struct routes *rt, const struct http_request *r, auth_judge *judge, struct http_response *out)
{
    struct err e = { 0 };
    const char *why;
    if (!auth_ask(rt, r, judge, out, &why, &e))
        return;
    out->status = !why ? 200 : e.code != ERR_NONE ? 400 : 403;
    buf_printf(&out->body, "{\"ok\":%s,\"error\":", why ? "false" : "true");
    json_write_string(&out->body, why ? why : "", why ? strlen(why) : 0);
    buf_putc(&out->body, '}');
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

static const char *judge_acl(const struct admin_env *env, const struct auth_request *q)
{
    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        if (auth_request_is(q, AUTH_ACC, accesses[i].acc))
            return auth_ask_topic(env, q, accesses[i].rights, accesses[i].count);
    }
    return "\"acc\" must be 1, 2, 3 or 4";
}

static const char *judge_superuser(const struct admin_env *env, const struct auth_request *q)
{
    (void)env;
    (void)q;
    return "policies know no superusers";
}

void auth_go_user(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    answer(rt, r, auth_ask_connect, out);
}

void auth_go_superuser(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    answer(rt, r, judge_superuser, out);
}

void auth_go_acl(const struct routes *rt, const struct http_request *r, struct http_response *out)
{
    answer(rt, r, judge_acl, out);
}
