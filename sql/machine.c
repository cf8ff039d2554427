/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's life: messages and evaluations. On the hot path.
 *
 * Two arenas: one holds the payload's tape until the next message, the other what one evaluation and its templates
 * build. Beginning a message costs the same whatever the number of slots: a slot's value counts only if its stamp is
 * that of this message (and of the version's number rule, since the type of 5.0 depends on it). The payload is read
 * when the first slot or `*` is asked for, so a rule that looks at the topic alone never reads it. */
#include "sql/sql.h"

#include <stdlib.h>
#include <string.h>

#include "sql/ast.h"
#include "sql/machine_int.h"
#include "sql/rule_int.h"

#define SET_MAX_BYTES ((size_t)128 << 10) /* of all SET variables as JSON (spec 1.7) */

/* --- life --- */

static struct sql_limits complete_limits(const struct sql_limits *given)
{
    struct sql_limits limits = given ? *given : (struct sql_limits) { 0 };
    if (limits.arena_bytes == 0)
        limits.arena_bytes = SQL_DEFAULT_ARENA;
    if (limits.steps == 0)
        limits.steps = SQL_DEFAULT_STEPS;
    if (limits.output_bytes == 0)
        limits.output_bytes = SQL_DEFAULT_OUTPUT;
    return limits;
}

struct sql_machine *sql_machine_new(const struct sql_limits *limits)
{
    struct sql_machine *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->limits = complete_limits(limits);
    m->vm.regs = calloc(SQL_MAX_REGISTERS, sizeof(struct val));
    if (!m->vm.regs) {
        free(m);
        return NULL;
    }
    arena_init(&m->payload_arena, m->limits.arena_bytes);
    arena_init(&m->run_arena, m->limits.arena_bytes);
    buf_init(&m->set_text, SET_MAX_BYTES);
    buf_init(&m->question, SQL_QUESTION_MAX);
    m->vm.arena = &m->run_arena;
    m->vm.machine = m;
    return m;
}

void sql_machine_free(struct sql_machine *m)
{
    if (!m)
        return;
    sql_regexps_free(m->regexps);
    proto_cache_free(m->protos);
    arena_clear(&m->payload_arena);
    arena_clear(&m->run_arena);
    buf_clear(&m->set_text);
    buf_clear(&m->question);
    free(m->vm.slots);
    free(m->vm.regs);
    free(m);
}

/* --- a message --- */

static int grow_slots(struct sql_machine *m, uint32_t count, struct err *e)
{
    if (count <= m->slot_cap)
        return 0;
    struct sql_slot *slots = calloc(count, sizeof(*slots)); /* stamp 0 is of no message */
    if (!slots)
        return err_set(e, ERR_MEMORY, "out of memory");
    free(m->vm.slots);
    m->vm.slots = slots;
    m->slot_cap = count;
    return 0;
}

int sql_machine_begin(struct sql_machine *m, struct sql_paths *paths, const struct message *message, struct err *e)
{
    if (grow_slots(m, sql_paths_count(paths), e) < 0)
        return -1;
    arena_reset(&m->payload_arena);
    m->paths = paths;
    m->message = message;
    m->epoch++;
    m->payload = SQL_PAYLOAD_UNREAD;
    m->asked = m->needs_json = m->waits = false;
    m->topic = m->client_id = m->result = VAL_UNDEFINED_VALUE;
    return 0;
}

/* --- the payload --- */

static void read_payload(struct sql_machine *m)
{
    const struct message *message = m->message;
    m->payload_err.code = ERR_NONE;
    if (message->payload_len == 0) {
        m->payload = SQL_PAYLOAD_EMPTY;
        return;
    }
    m->doc = json_parse(&m->payload_arena, message->payload, message->payload_len, NULL, &m->payload_err);
    if (!m->doc)
        m->payload = SQL_PAYLOAD_NOT_JSON;
    else
        m->payload = json_at(m->doc, 0)->kind >= JSON_ARRAY ? SQL_PAYLOAD_JSON : SQL_PAYLOAD_SCALAR;
}

void sql_machine_needs_json(struct sql_machine *m)
{
    m->needs_json = true;
}

struct val sql_machine_bytes(const struct sql_machine *m)
{
    const struct message *message = m->message;
    if (message->payload_len > UINT32_MAX)
        return VAL_UNDEFINED_VALUE;
    return (struct val) { .kind = VAL_BYTES, .n = (uint32_t)message->payload_len, .text = message->payload };
}

struct val sql_machine_star(struct sql_machine *m)
{
    m->asked = true;
    if (m->payload == SQL_PAYLOAD_UNREAD)
        read_payload(m);
    return m->payload == SQL_PAYLOAD_JSON ? val_from_node(m->doc, 0, m->vm.version) : sql_machine_bytes(m);
}

/* A path of several names, from its nearest prefix whose value is known. */
static struct val look_up(struct sql_machine *m, const struct sql_path *path)
{
    uint32_t at = path->parent, known = path->count - 1;
    if (path->count > JSON_MAX_DEPTH)
        return VAL_UNDEFINED_VALUE;
    while (known > 0 && m->vm.slots[at].stamp != m->vm.stamp) {
        at = sql_paths_at(m->paths, at)->parent;
        known--;
    }
    uint32_t node = 0;
    const struct val *prefix = known > 0 ? &m->vm.slots[at].value : NULL;
    if (prefix && prefix->kind != VAL_OBJECT)
        return VAL_UNDEFINED_VALUE;
    if (prefix)
        node = prefix->n;
    do {
        sql_vm_charge(&m->vm, json_at(m->doc, node)->count >> 2);
        node = json_member(m->doc, node, path->names[known], path->lens[known]);
    } while (node && ++known < path->count);
    return node ? val_from_node(m->doc, node, m->vm.version) : VAL_UNDEFINED_VALUE;
}

/* Slots of a payload that is not JSON are not remembered, so that every evaluation that asks for one is noticed. */
struct val sql_machine_slot(struct sql_machine *m, uint32_t slot)
{
    struct sql_slot *s = &m->vm.slots[slot];
    if (m->payload == SQL_PAYLOAD_UNREAD)
        read_payload(m);
    if (m->payload != SQL_PAYLOAD_JSON) {
        m->asked = m->needs_json = true;
        return VAL_UNDEFINED_VALUE;
    }
    struct val v = look_up(m, sql_paths_at(m->paths, slot));
    if (v.form == VAL_TAPE && val_is_number(v))
        v.exp = (int16_t)(slot + 1);
    s->value = v;
    s->small = SQL_SMALL_UNKNOWN;
    s->stamp = m->vm.stamp;
    return v;
}

/* --- an evaluation --- */

/* splitmix64's mixing function (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static uint64_t hash_name(const char *s)
{
    uint64_t h = UINT64_C(14695981039346656037);
    while (s && *s)
        h = (h ^ (unsigned char)*s++) * UINT64_C(1099511628211);
    return h;
}

/* From the message, the rule, the code in it and the count of draws there: so a template draws the same whichever were
 * rendered before it, and two rules do not give the same UUID. */
struct random sql_machine_draw(struct sql_machine *m)
{
    struct random r;
    uint64_t rule = hash_name(m->env ? m->env->rule_name : NULL);
    random_seed(&r, mix(mix(m->message->seed ^ mix(rule)) ^ m->draw_code) + mix(++m->draws));
    return r;
}

/* Set up the VM for a code of the rule; code 0 is the main one, template i is i + 1. */
static void prepare(struct sql_machine *m, const struct sql_program *program, const struct sql_env *env, uint64_t code)
{
    m->env = env;
    m->draw_code = code;
    m->draws = m->questions = 0;
    m->waits = false;
    m->vm.steps = m->limits.steps * (1 + m->message->payload_len / SQL_USUAL_PAYLOAD);
    m->vm.stamp = m->epoch << 1 | (program->version == SQL_2015_10_08);
    if (m->regexps)
        sql_regexps_start(m->regexps);
}

/* Are the variables' JSON texts together within bounds? Numbers and the like are too short to matter. */
static int check_variables(struct sql_machine *m, const struct sql_rule *rule, struct err *e)
{
    buf_reset(&m->set_text);
    for (uint32_t i = 0; i < rule->program.set_count; i++) {
        const struct val *v = &m->vm.regs[i];
        if (v->kind == VAL_STRING || v->kind == VAL_ARRAY || v->kind == VAL_OBJECT)
            val_write_json(&m->set_text, *v, m->version);
        if (m->set_text.failed)
            return err_set_at(e, ERR_LIMIT, rule->variables[i].at, "the values of SET are longer than %zu bytes",
                              SET_MAX_BYTES);
    }
    return 0;
}

enum sql_outcome sql_machine_run(struct sql_machine *m, const struct sql_rule *rule, const struct sql_env *env,
                                 struct err *e)
{
    const struct sql_program *program = &rule->program;
    arena_reset(&m->run_arena);
    m->needs_json = false;
    memset(m->vm.regs, 0, program->register_count * sizeof(struct val));
    m->result = VAL_UNDEFINED_VALUE;
    m->version = program->version;
    m->asked = m->needs_json = false;
    memset(m->calls, 0, sizeof(m->calls));
    prepare(m, program, env, 0);
    enum sql_vm_end end = sql_vm_run(&m->vm, program, &program->main, &m->result, e);
    if (m->asked && program->needs_json)
        m->needs_json = true;
    if (end == SQL_VM_NO_MATCH)
        return SQL_FILTERED;
    m->waits = end == SQL_VM_WAITS;
    if (m->waits)
        return SQL_WAITS;
    return end == SQL_VM_FAILED || check_variables(m, rule, e) < 0 ? SQL_FAILED : SQL_MATCHED;
}

enum sql_outcome sql_machine_run_watched(struct sql_machine *m, const struct sql_rule *rule, const struct sql_env *env,
                                         struct sql_watch *watch, struct err *e)
{
    watch->steps = m->limits.steps;
    m->vm.watch = watch;
    enum sql_outcome outcome = sql_machine_run(m, rule, env, e);
    m->vm.watch = NULL;
    return outcome;
}

/* Lower the buffer's maximum to what one output or text may have; returns that. */
static size_t bound_output(const struct sql_machine *m, struct buf *out)
{
    size_t room = out->max - out->len;
    if (room > m->limits.output_bytes)
        room = m->limits.output_bytes;
    out->max = out->len + room;
    return room;
}

int sql_machine_output(struct sql_machine *m, struct buf *out, bool *is_json, struct err *e)
{
    size_t max = out->max, bound = bound_output(m, out);
    val_write_json(out, m->result, m->version);
    bool fits = !out->failed && out->len <= out->max; /* a warm buffer may have more room than its maximum */
    out->max = max;
    *is_json = m->result.kind != VAL_BYTES || m->payload == SQL_PAYLOAD_SCALAR;
    if (!fits)
        return err_set(e, ERR_LIMIT, "the output is longer than %zu bytes", bound);
    return 0;
}

int sql_machine_render(struct sql_machine *m, const struct sql_rule *rule, int index, const struct sql_env *env,
                       struct buf *out, bool *is_null, struct err *e)
{
    const struct sql_program *program = &rule->program;
    const struct sql_code *code = &program->templates[index];
    struct val value;
    size_t max = out->max;
    m->vm.text_max = bound_output(m, out);
    m->vm.text = out;
    prepare(m, program, env, (uint64_t)index + 1);
    enum sql_vm_end end = sql_vm_run(&m->vm, program, code, &value, e);
    out->max = max;
    m->waits = end == SQL_VM_WAITS;
    if (end != SQL_VM_RETURNED)
        return -1;
    *is_null = code->single && (value.kind == VAL_UNDEFINED || value.kind == VAL_NULL);
    return 0;
}

bool sql_machine_waits(const struct sql_machine *m)
{
    return m->waits;
}

bool sql_machine_parse_failed(const struct sql_machine *m, struct err *e)
{
    if (!m->needs_json || m->payload != SQL_PAYLOAD_NOT_JSON)
        return false;
    if (e)
        *e = m->payload_err;
    return true;
}
