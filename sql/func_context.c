/* SPDX-License-Identifier: Apache-2.0 */
/* Functions about the message (spec 3.5). On the hot path: topic() and clientid() are in most rules, so what they
 * give is worked out once for a message. */
#include "sql/funcs_int.h"

#include <string.h>

#include "engine/base/base64.h"
#include "engine/base/topic.h"
#include "sql/machine_int.h"

#define DEFAULT_ACCOUNT "000000000000"
#define UUID_LEN        36

/* NULL gives Undefined. */
static struct val optional_text(const char *s, struct arena *a)
{
    return s ? sql_text_of_bytes(s, strlen(s), a) : VAL_UNDEFINED_VALUE;
}

static const struct message *message_of(const struct sql_call *c)
{
    return c->machine->message;
}

/* --- topic --- */

static bool is_rule(const struct sql_env *env, const char *name, size_t len)
{
    return !env || !env->rule_name || (strlen(env->rule_name) == len && memcmp(env->rule_name, name, len) == 0);
}

/* The topic without the prefix of a Basic Ingest to this rule. */
static struct val topic_of(struct sql_machine *m)
{
    const char *name, *rest;
    size_t name_len, rest_len;
    const struct message *message = m->message;
    if (!val_is_undefined(m->topic))
        return m->topic;
    if (topic_basic_ingest(message->topic, message->topic_len, &name, &name_len, &rest, &rest_len) &&
        is_rule(m->env, name, name_len))
        return sql_text_of_bytes(rest, rest_len, &m->run_arena); /* differs from rule to rule, so it is not kept */
    m->topic = sql_text_of_bytes(message->topic, message->topic_len, &m->payload_arena);
    return m->topic;
}

void fn_topic(struct sql_call *c)
{
    struct val topic = topic_of(c->machine);
    int64_t n;
    size_t len;
    if (c->count == 0) {
        c->result = topic;
        return;
    }
    if (!sql_arg_i64(c, 0, &n) || n < 1)
        return;
    const char *level = topic_level(topic.text, topic.n, (size_t)n, &len);
    if (level)
        c->result = sql_text_of_bytes(level, len, c->arena);
}

/* --- who --- */

void fn_clientid(struct sql_call *c)
{
    struct sql_machine *m = c->machine;
    if (val_is_undefined(m->client_id)) {
        bool known = m->message->over_mqtt && m->message->client_id;
        m->client_id = optional_text(known ? m->message->client_id : "n/a", &m->payload_arena);
    }
    c->result = m->client_id;
}

void fn_principal(struct sql_call *c)
{
    c->result = optional_text(message_of(c)->principal, c->arena);
}

void fn_sourceip(struct sql_call *c)
{
    c->result = optional_text(message_of(c)->source_ip, c->arena);
}

void fn_accountid(struct sql_call *c)
{
    const struct sql_env *env = c->machine->env;
    c->result = optional_text(env && env->account_id ? env->account_id : DEFAULT_ACCOUNT, c->arena);
}

/* --- identity and time --- */

static void uuid(struct sql_call *c, struct random r)
{
    char *text = arena_alloc(c->arena, UUID_LEN + 1);
    if (!text)
        return;
    random_uuid(&r, text);
    c->result = val_string(text, UUID_LEN);
    c->result.exp = 1;
}

void fn_newuuid(struct sql_call *c)
{
    uuid(c, sql_machine_draw(c->machine));
}

void fn_traceid(struct sql_call *c)
{
    struct random r;
    if (!message_of(c)->over_mqtt)
        return;
    if (message_of(c)->trace_id) {
        c->result = optional_text(message_of(c)->trace_id, c->arena);
        return;
    }
    random_seed(&r, message_of(c)->seed);
    uuid(c, r);
}

void fn_timestamp(struct sql_call *c)
{
    c->result = val_i64(message_of(c)->arrival_ms);
}

void fn_sql_version(struct sql_call *c)
{
    c->result = optional_text(sql_version_name(c->version), c->arena);
}

/* --- MQTT 5 properties --- */

static struct val correlation_data(struct sql_call *c)
{
    const struct message *m = message_of(c);
    if (!m->correlation_data)
        return VAL_UNDEFINED_VALUE;
    return sql_base64_text(m->correlation_data, m->correlation_len, c->arena);
}

void fn_get_mqtt_property(struct sql_call *c)
{
    const struct message *m = message_of(c);
    if (sql_arg_is(c, 0, "content_type"))
        c->result = optional_text(m->content_type, c->arena);
    else if (sql_arg_is(c, 0, "response_topic"))
        c->result = optional_text(m->response_topic, c->arena);
    else if (sql_arg_is(c, 0, "correlation_data"))
        c->result = correlation_data(c);
    else if (sql_arg_is(c, 0, "format_indicator"))
        c->result =
            optional_text(m->payload_format == PAYLOAD_FORMAT_UTF8 ? "UTF8_DATA" : "UNSPECIFIED_BYTES", c->arena);
}

static struct val property_object(const struct user_property *p, struct sql_call *c)
{
    struct val object = val_object();
    struct val name = sql_text_of_bytes(p->name, p->name_len, c->arena);
    if (!val_is_undefined(name))
        val_put(&object, name, sql_text_of_bytes(p->value, p->value_len, c->arena), c->version, c->arena);
    return object;
}

static struct val values_of(struct sql_call *c, const struct sql_text *key)
{
    const struct message *m = message_of(c);
    struct val list = val_array();
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *p = &m->user_properties[i];
        if (p->name_len == key->len && memcmp(p->name, key->s, key->len) == 0)
            val_append(&list, sql_text_of_bytes(p->value, p->value_len, c->arena), c->arena);
    }
    return list;
}

static struct val all_properties(struct sql_call *c)
{
    const struct message *m = message_of(c);
    struct val list = val_array();
    for (size_t i = 0; i < m->user_property_count; i++)
        val_append(&list, property_object(&m->user_properties[i], c), c->arena);
    return list;
}

void fn_get_user_properties(struct sql_call *c)
{
    struct val list;
    struct sql_text key;
    if (c->count == 0)
        list = all_properties(c);
    else if (c->args[0].kind == VAL_STRING && sql_arg_text(c, 0, &key))
        list = values_of(c, &key);
    else
        return;
    if (list.n > 0)
        c->result = list;
}
