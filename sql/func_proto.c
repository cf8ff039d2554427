/* SPDX-License-Identifier: Apache-2.0 */
/* decode(data, 'proto', bucket, key, protoName, messageType): Protocol Buffers to an Object (spec 3.4).
 *
 * Arguments of a wrong type give Undefined. What cannot be decoded, or lacks its descriptor set, is a failure of the
 * call, as with other functions that ask the outside world. */
#include "sql/funcs_int.h"

#include "engine/base/base64.h"
#include "sql/machine_int.h"
#include "sql/proto_cache.h"
#include "sql/proto_decode.h"

#define DECODE_CALLS 2 /* of a statement (spec 9) */
#define BYTE_STEPS   8 /* of a message that is decoded, each (measured on the worst) */
_Static_assert(PROTO_CACHE > DECODE_CALLS, "what a statement decoded refers to schemas of the cache");

enum { DATA, SCHEME, BUCKET, KEY, PROTO_NAME, MESSAGE_TYPE, ARGUMENTS };

static bool has_right_types(const struct sql_call *c)
{
    if (c->count != ARGUMENTS || (c->args[DATA].kind != VAL_BYTES && c->args[DATA].kind != VAL_STRING))
        return false;
    for (uint32_t i = BUCKET; i < ARGUMENTS; i++) {
        if (c->args[i].kind != VAL_STRING)
            return false;
    }
    return true;
}

/* Ask for the descriptor set. NULL: there is none, or not yet. */
static const struct proto_schema *schema_for(struct sql_call *c, struct val bucket, struct val key, struct err *e)
{
    struct sql_machine *m = c->machine;
    struct val args[] = { bucket, key }, answer;
    size_t len;
    if (!sql_look_up(c, "decode", args, 2, &answer))
        return NULL;
    const char *base64 = answer.kind == VAL_STRING ? val_text(answer, c->arena, &len) : NULL;
    if (!base64) {
        err_set(e, ERR_REJECTED, "the descriptor set is not base64");
        return NULL;
    }
    if (!m->protos)
        m->protos = proto_cache_new();
    if (m->protos)
        return proto_cache_get(m->protos, base64, len, e);
    err_set(e, ERR_MEMORY, "out of memory");
    return NULL;
}

static const struct proto_message *type_for(struct sql_call *c, struct err *e)
{
    struct sql_text file, type;
    const struct proto_schema *schema = schema_for(c, c->args[BUCKET], c->args[KEY], e);
    if (!schema || !sql_arg_text(c, PROTO_NAME, &file) || !sql_arg_text(c, MESSAGE_TYPE, &type))
        return NULL;
    return proto_schema_find(schema, file.s, file.len, type.s, type.len, e);
}

/* The message: the payload as it came, or base64. False: not even that (or the arena is full, which it remembers). */
static bool bytes_of(struct sql_call *c, const char **bytes, size_t *len, struct err *e)
{
    struct sql_text text;
    if (c->args[DATA].kind == VAL_BYTES) {
        *bytes = c->args[DATA].text;
        *len = c->args[DATA].n;
        return true;
    }
    if (!sql_arg_text(c, DATA, &text))
        return false;
    size_t size = text.len / 4 * 3;
    char *decoded = arena_alloc(c->arena, size + 1);
    struct buf fixed = { .p = decoded, .cap = size + 1, .max = size };
    if (!decoded)
        return false;
    if (!base64_decode(&fixed, text.s, text.len)) {
        err_set(e, ERR_REJECTED, "the data is not base64");
        return false;
    }
    *bytes = decoded;
    *len = fixed.len;
    return true;
}

void sql_decode_proto(struct sql_call *c)
{
    struct err e = { 0 };
    const char *bytes;
    size_t len;
    if (!has_right_types(c) || !sql_count_call(c, SQL_LIMITED_DECODE, DECODE_CALLS, "decode"))
        return;
    const struct proto_message *type = type_for(c, &e);
    if (type && bytes_of(c, &bytes, &len, &e)) {
        sql_charge(c, BYTE_STEPS * len);
        if (proto_decode(type, bytes, len, c->version, c->arena, &c->result, &e) == 0)
            return;
    }
    c->result = VAL_UNDEFINED_VALUE;
    if (e.code)
        sql_fail_call(c, "decode(): %s%s%s", e.text, e.hint[0] ? "; " : "", e.hint);
}
