/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that ask the outside world (spec 3.7). A body writes its question, and shapes the answer; who answers, and
 * when, is the environment's business. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sql/funcs_int.h"
#include "sql/machine_int.h"

#define DYNAMODB_CALLS 1 /* of a statement and its templates (spec 9) */
#define REGISTRY_CALLS 1
#define RECORD_MAX     1000 /* members of a record */
#define REASON_MAX     200  /* bytes of why a look-up failed */

/* --- asking --- */

static void set_fault(struct sql_call *c, enum sql_fault fault, const char *fmt, va_list ap)
{
    struct sql_vm *vm = &c->machine->vm;
    char text[sizeof(vm->why.text)];
    vsnprintf(text, sizeof(text), fmt, ap);
    vm->why = (struct err) { 0 };
    err_set(&vm->why, ERR_EVAL, "%s", text);
    vm->fault = fault;
}

void sql_fail_call(struct sql_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_fault(c, SQL_FAULT_LOOKUP, fmt, ap);
    va_end(ap);
}

PRINTF_LIKE(2, 3) static void abort_calls(struct sql_call *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_fault(c, SQL_FAULT_CALLS, fmt, ap);
    va_end(ap);
}

bool sql_count_call(struct sql_call *c, unsigned which, unsigned most, const char *function)
{
    if (c->machine->calls[which] < most) {
        c->machine->calls[which]++;
        return true;
    }
    abort_calls(c, "a statement may call %s() %s only", function, most == 1 ? "once" : "twice");
    return false;
}

static bool write_question(struct buf *b, const struct val *args, uint32_t count, enum sql_version version)
{
    buf_reset(b);
    for (uint32_t i = 0; i < count; i++) {
        buf_putc(b, i ? ',' : '[');
        val_write_json(b, args[i], version);
    }
    buf_putc(b, ']');
    return !b->failed;
}

bool sql_look_up(struct sql_call *c, const char *function, const struct val *args, uint32_t count, struct val *answer)
{
    struct sql_machine *m = c->machine;
    const struct sql_lookups *lookups = m->env ? m->env->lookups : NULL;
    const char *text = NULL;
    size_t len = 0;
    if (!write_question(&m->question, args, count, c->version)) {
        sql_fail_call(c, "the arguments of %s() are longer than %zu bytes", function, SQL_QUESTION_MAX);
        return false;
    }
    if (!lookups) {
        sql_fail_call(c, "%s(): there is nobody to ask", function);
        return false;
    }
    struct lookup_question question = { .function = function, .args = m->question.p, .args_len = m->question.len };
    switch (lookups->find(lookups->ctx, m->draw_code << 32 | ++m->questions, &question, &text, &len)) {
    case LOOKUP_PENDING:
        m->vm.fault = SQL_FAULT_WAITS;
        return false;
    case LOOKUP_FAILED:
        sql_fail_call(c, "%s(): %.*s", function, (int)(len < REASON_MAX ? len : REASON_MAX),
                      text ? text : "out of memory");
        return false;
    case LOOKUP_ANSWERED:
        break;
    }
    struct err e = { 0 };
    const struct json_doc *doc = json_parse(c->arena, text, len, NULL, &e);
    if (!doc) {
        sql_fail_call(c, "%s(): the answer is not JSON: %s", function, e.text);
        return false;
    }
    *answer = val_from_node(doc, 0, c->version);
    return true;
}

/* --- arguments --- */

/* The String conversion of an argument; Undefined where there is none. */
static struct val text_arg(struct sql_call *c, uint32_t i)
{
    return val_to_string(c->args[i], c->version, c->arena);
}

static bool all_defined(const struct val *args, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (val_is_undefined(args[i]))
            return false;
    }
    return true;
}

/* --- the functions --- */

void fn_aws_lambda(struct sql_call *c)
{
    struct val args[] = { text_arg(c, 0), c->args[1] };
    if (all_defined(args, 2))
        (void)!sql_look_up(c, "aws_lambda", args, 2, &c->result);
}

/* Two Strings name a key: a number stays one, as DynamoDB tells N from S. */
static struct val key_value(struct sql_call *c, uint32_t i)
{
    return val_is_number(c->args[i]) ? c->args[i] : text_arg(c, i);
}

void fn_get_dynamodb(struct sql_call *c)
{
    struct val args[5], item;
    uint32_t count = c->count - 1; /* without the role */
    if (c->count == 5)
        return;
    for (uint32_t i = 0; i < count; i++)
        args[i] = i == 2 || i == 4 ? key_value(c, i) : text_arg(c, i);
    if (!all_defined(args, count) || !sql_count_call(c, SQL_LIMITED_DYNAMODB, DYNAMODB_CALLS, "get_dynamodb"))
        return;
    if (sql_look_up(c, "get_dynamodb", args, count, &item) && item.kind != VAL_NULL)
        c->result = item;
}

void fn_get_registry_data(struct sql_call *c)
{
    struct val args[] = { text_arg(c, 0), text_arg(c, 1) };
    if (!sql_arg_is(c, 0, "DescribeThing") && !sql_arg_is(c, 0, "ListThingGroupsForThing"))
        return;
    if (all_defined(args, 2) && sql_count_call(c, SQL_LIMITED_REGISTRY, REGISTRY_CALLS, "get_registry_data"))
        (void)!sql_look_up(c, "get_registry_data", args, 2, &c->result);
}

void fn_get_thing_shadow(struct sql_call *c)
{
    struct val args[] = { text_arg(c, 0), c->count == 3 ? text_arg(c, 1) : val_string("", 0) };
    if (all_defined(args, 2))
        (void)!sql_look_up(c, "get_thing_shadow", args, 2, &c->result);
}

/* A record has one level: what is nested is given as text. What has no text is left out. */
static bool flatten(struct sql_call *c, struct val *record)
{
    *record = val_object();
    if (val_count(c->args[2]) > RECORD_MAX) {
        sql_fail_call(c, "machinelearning_predict(): the record has more than %d members", RECORD_MAX);
        return false;
    }
    struct val_members it = val_members(c->args[2], c->version);
    while (val_members_next(&it, c->arena)) {
        struct val text = val_to_string(it.value, c->version, c->arena);
        if (!val_is_undefined(text) && !val_put(record, val_string(it.key, it.key_len), text, c->version, c->arena))
            return false;
    }
    return true;
}

void fn_machinelearning_predict(struct sql_call *c)
{
    struct val args[] = { text_arg(c, 0), VAL_UNDEFINED_VALUE };
    if (c->args[2].kind == VAL_OBJECT && flatten(c, &args[1]) && all_defined(args, 2))
        (void)!sql_look_up(c, "machinelearning_predict", args, 2, &c->result);
}

/* --- get_secret --- */

/* A text that holds a JSON Object is that Object, or its member `key`; another text is itself. */
static void secret_string(struct sql_call *c, struct val text, const struct sql_text *key)
{
    size_t len;
    struct err e = { 0 };
    const char *p = val_text(text, c->arena, &len);
    const struct json_doc *doc = p ? json_parse(c->arena, p, len, NULL, &e) : NULL;
    bool is_object = doc && json_at(doc, 0)->kind == JSON_OBJECT;
    struct val value = is_object ? val_from_node(doc, 0, c->version) : text;
    if (key && !is_object)
        sql_fail_call(c, "get_secret(): the secret is no JSON object, so it has no member");
    else if (key)
        value = val_member(value, key->s, key->len, c->version, c->arena);
    if (key && is_object && val_is_undefined(value))
        sql_fail_call(c, "get_secret(): the secret has no such member");
    c->result = value;
}

void fn_get_secret(struct sql_call *c)
{
    struct sql_text key;
    struct val id = text_arg(c, 0), answer;
    bool binary = sql_arg_is(c, 1, "SecretBinary"), has_key = c->count == 4;
    if ((!binary && !sql_arg_is(c, 1, "SecretString")) || val_is_undefined(id))
        return;
    if ((has_key && !sql_arg_text(c, 2, &key)) || !sql_look_up(c, "get_secret", &id, 1, &answer))
        return;
    const char *member = binary ? "SecretBinary" : "SecretString";
    struct val text = val_member(answer, member, strlen(member), c->version, c->arena);
    if (text.kind != VAL_STRING)
        sql_fail_call(c, "get_secret(): the secret has no %s", member);
    else if (!binary)
        secret_string(c, text, has_key ? &key : NULL);
    else if (has_key)
        sql_fail_call(c, "get_secret(): a SecretBinary has no members");
    else
        c->result = text;
}
