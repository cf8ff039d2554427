/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of AWS's JSON protocol ("AWS JSON 1.0 and 1.1 protocol", Smithy specification), and the errors in their replies. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "engine/http/http_auth.h"
#include "engine/http/http_url.h"
#include "lookups/lookups_int.h"

#define NAME_MAX_BYTES 120 /* of an error's name */

const char *call_text(struct call *c, uint32_t n, size_t *len)
{
    return json_text(c->args, json_element(c->args, 0, n), &c->arena, len);
}

int call_json_request(struct call *c, const struct aws_service *s, const char *target, const char *version,
                      const struct buf *body, struct err *e)
{
    char type[64];
    int type_len = snprintf(type, sizeof(type), "application/x-amz-json-%s", version);
    struct http_field *fields = arena_array(&c->arena, 2 + HTTP_AUTH_FIELDS, sizeof(*fields));
    const char *type_copy = arena_strndup(&c->arena, type, (size_t)type_len);
    char *copy = body->failed ? NULL : arena_strndup(&c->arena, body->p, body->len);
    if (!fields || !type_copy || !copy)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    fields[0] = (struct http_field) { "Content-Type", type_copy, (size_t)type_len };
    fields[1] = (struct http_field) { "X-Amz-Target", target, strlen(target) };
    size_t url_len = strlen(s->endpoint) + 1;
    char *url = arena_alloc(&c->arena, url_len + 1);
    if (!url)
        return err_set(e, ERR_MEMORY, "not enough memory for a request");
    snprintf(url, url_len + 1, "%s/", s->endpoint);
    c->request = (struct http_request) {
        .method = "POST", .url = url, .fields = fields, .field_count = 2, .body = copy, .body_len = body->len
    };
    return 0;
}

const struct json_doc *call_reply(struct call *c, const struct http_answer *reply, struct err *e)
{
    struct err why = { 0 };
    const struct json_doc *d = json_parse(&c->arena, reply->body, reply->body_len, NULL, &why);
    if (d && json_at(d, 0)->kind == JSON_OBJECT)
        return d;
    err_set(e, ERR_REJECTED, "the reply is no JSON object");
    return NULL;
}

/* The text of a member, if nothing in it is other than a name is made of. */
static void put_name(struct call *c, const struct json_doc *d, const char *member, struct buf *out)
{
    size_t len = 0;
    uint32_t node = json_member(d, 0, member, strlen(member));
    const char *text = node && json_at(d, node)->kind == JSON_STRING ? json_text(d, node, &c->arena, &len) : NULL;
    if (!text || len > NAME_MAX_BYTES)
        return;
    const char *hash = memrchr(text, '#', len); /* "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException" */
    const char *name = hash ? hash + 1 : text;
    len -= (size_t)(name - text);
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return;
    }
    buf_put(out, name, len);
}

int call_refused(struct call *c, const struct http_answer *reply, struct err *e)
{
    char room[NAME_MAX_BYTES + 1] = "";
    struct buf name = { .p = room, .cap = sizeof(room), .max = NAME_MAX_BYTES };
    struct err none = { 0 };
    const struct json_doc *d = reply->passed_limit ? NULL : call_reply(c, reply, &none);
    if (d)
        put_name(c, d, "__type", &name);
    if (d && name.len == 0)
        put_name(c, d, "errorType", &name);
    return err_set(e, ERR_REJECTED, "the server answered %d%s%s", reply->status, name.len ? ", " : "", room);
}
