/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/sluice/authorize_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/cmds.h"
#include "engine/apps/sluice/read_file.h"
#include "engine/base/opt.h"
#include "engine/devices/policy.h"

#define VALUES_MAX   64u /* of a certificate, or attributes */
#define POLICIES_MAX 64u
#define RESOURCE_MAX 70000u
#define PRINT_MAX    ((size_t)1 << 20)

static const char malformed[] = "MALFORMED_POLICY";

struct fields {
    char *id, *action, *resource, *expect, *why;
    const struct conf *policies, *context;
};

static const struct opt case_options[] = {
    { "id", OPT_TEXT, offsetof(struct fields, id), .required = true },
    { "policies", OPT_CONF, offsetof(struct fields, policies), .required = true },
    { "context", OPT_CONF, offsetof(struct fields, context), .required = true },
    { "action", OPT_TEXT, offsetof(struct fields, action), .required = true },
    { "resource", OPT_TEXT, offsetof(struct fields, resource), .required = true },
    { "expect", OPT_TEXT, offsetof(struct fields, expect), .required = true },
    { "why", OPT_TEXT, offsetof(struct fields, why), .help = "why it is so" },
};
#define CASE_OPTIONS (sizeof(case_options) / sizeof(case_options[0]))

struct asker {
    char *client_id, *source_ip;
    const struct conf *thing, *certificate;
};

static const struct opt context_options[] = {
    { "clientId", OPT_TEXT, offsetof(struct asker, client_id), .required = true },
    { "sourceIp", OPT_TEXT, offsetof(struct asker, source_ip), .help = "its address" },
    { "thing", OPT_CONF, offsetof(struct asker, thing), .help = "the thing" },
    { "certificate", OPT_CONF, offsetof(struct asker, certificate), .help = "values of iot:Certificate's variables" },
};
#define CONTEXT_OPTIONS (sizeof(context_options) / sizeof(context_options[0]))

struct thing_fields {
    char *name, *type;
    const struct conf *attributes;
    bool attached;
};

static const struct opt thing_options[] = {
    { "thingName", OPT_TEXT, offsetof(struct thing_fields, name), .required = true },
    { "thingTypeName", OPT_TEXT, offsetof(struct thing_fields, type), .help = "its type" },
    { "attributes", OPT_CONF, offsetof(struct thing_fields, attributes), .help = "map of texts" },
    { "attached", OPT_BOOL, offsetof(struct thing_fields, attached), .help = "to the client's principal" },
};
#define THING_OPTIONS (sizeof(thing_options) / sizeof(thing_options[0]))

/* One case while it runs. */
struct trial {
    struct fields f;
    struct asker who;
    struct thing_fields thing;
    struct policy_context context;
    struct policy_value attributes[VALUES_MAX], certificate[VALUES_MAX];
    struct policy *policies[POLICIES_MAX];
    size_t policy_count;
    bool is_malformed;
    struct errs errs;
};

static int add_value(struct policy_value *list, size_t *count, const struct conf *key, const struct conf *value,
                     struct errs *errs)
{
    if (value->kind != CONF_SCALAR)
        return errs_refuse(errs, ERR_CONF_TYPE, value->at, "must be a text or a list of texts");
    if (*count == VALUES_MAX)
        return errs_refuse(errs, ERR_LIMIT, value->at, "too many values");
    list[(*count)++] = (struct policy_value) { .name = { .p = key->text, .len = key->len },
                                               .value = { .p = value->text, .len = value->len } };
    return 0;
}

/* { name: text, or a list of texts } */
static int read_values(const struct conf *map, struct policy_value *list, size_t *count, struct errs *errs)
{
    if (!map || conf_is_null(map))
        return 0;
    if (map->kind != CONF_MAP)
        return errs_refuse(errs, ERR_CONF_TYPE, map->at, "must be a map");
    for (size_t i = 0; i < map->count; i++) {
        const struct conf *v = map->items[i];
        for (size_t k = 0; k < (v->kind == CONF_LIST ? v->count : 1); k++)
            if (add_value(list, count, map->keys[i], v->kind == CONF_LIST ? v->items[k] : v, errs) < 0)
                return -1;
    }
    return 0;
}

static int read_thing(struct trial *t)
{
    struct policy_context *c = &t->context;
    if (!t->who.thing || conf_is_null(t->who.thing))
        return 0;
    if (opt_read(thing_options, THING_OPTIONS, t->who.thing, "a thing", t->who.thing->at, &t->thing, &t->errs) < 0)
        return -1;
    if (!t->thing.attached || strcmp(t->thing.name, t->who.client_id) != 0)
        return 0;
    c->is_attached = true;
    c->thing_name = policy_text_of(t->thing.name);
    c->thing_type = policy_text_of(t->thing.type);
    c->attributes = t->attributes;
    return read_values(t->thing.attributes, t->attributes, &c->attribute_count, &t->errs);
}

static int read_context(struct trial *t)
{
    struct policy_context *c = &t->context;
    if (opt_read(context_options, CONTEXT_OPTIONS, t->f.context, "a context", t->f.context->at, &t->who, &t->errs) < 0)
        return -1;
    c->client_id = policy_text_of(t->who.client_id);
    c->source_ip = policy_text_of(t->who.source_ip);
    c->certificate = t->certificate;
    return read_thing(t) < 0 || read_values(t->who.certificate, t->certificate, &c->certificate_count, &t->errs) < 0
               ? -1
               : 0;
}

static int check_words(struct trial *t, const struct conf *c)
{
    static const char *const expected[] = { "ALLOWED", "EXPLICIT_DENY", "IMPLICIT_DENY", malformed };
    bool known = false;
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        known |= strcmp(expected[i], t->f.expect) == 0;
    if (!known)
        return errs_refuse(&t->errs, ERR_CONF_VALUE, conf_get(c, "expect")->at,
                           "must be ALLOWED, EXPLICIT_DENY, IMPLICIT_DENY or MALFORMED_POLICY");
    if (!policy_action_is_known(t->f.action, NULL))
        return errs_refuse(&t->errs, ERR_CONF_NAME, conf_get(c, "action")->at, "unknown action");
    if (strlen(t->f.resource) > RESOURCE_MAX - 100)
        return errs_refuse(&t->errs, ERR_LIMIT, conf_get(c, "resource")->at, "the resource is too long");
    return 0;
}

static int read_policies(struct trial *t)
{
    const struct conf *list = t->f.policies;
    if (list->kind != CONF_LIST || list->count > POLICIES_MAX)
        return errs_refuse(&t->errs, ERR_CONF_TYPE, list->at, "\"policies\" must be a list of documents");
    for (size_t i = 0; i < list->count; i++) {
        char name[24];
        snprintf(name, sizeof(name), "%zu", i + 1);
        struct policy *p = policy_new(name, list->items[i], &t->errs);
        t->is_malformed |= !p;
        if (p)
            t->policies[t->policy_count++] = p;
    }
    return 0;
}

static struct policy_verdict decide(const struct trial *t)
{
    char arn[RESOURCE_MAX];
    bool whole = strncmp(t->f.resource, "arn:", 4) == 0;
    int len = snprintf(arn, sizeof(arn), "%s%s", whole ? "" : "arn:aws:iot:us-east-1:000000000000:", t->f.resource);
    return policy_decide(
        (const struct policy *const *)t->policies, t->policy_count, &t->context, t->f.action,
        (struct policy_text) { .p = arn, .len = len < (int)sizeof(arn) ? (size_t)len : sizeof(arn) - 1 });
}

static void print_failure(struct trial *t, struct span at, const char *got, const struct policy_verdict *v)
{
    struct buf place;
    buf_init(&place, PRINT_MAX);
    err_print_place(&(struct err) { .code = ERR_EVAL, .at = at }, &place);
    printf("FAILED %s: %s: expected %s, got %s", place.failed || !place.len ? "?" : place.p, t->f.id, t->f.expect, got);
    if (v->policy)
        printf(" by policy %s%s%s", policy_name(v->policy), v->sid ? ", statement " : "", v->sid ? v->sid : "");
    printf("%s%s\n", t->f.why ? ": " : "", t->f.why ? t->f.why : "");
    buf_clear(&place);
}

/* True: it passed. What is wrong with the case itself goes to errs. */
static bool judge(struct trial *t, struct span at)
{
    struct policy_verdict v = { 0 };
    if (t->is_malformed && strcmp(t->f.expect, malformed) == 0)
        return true;
    if (t->is_malformed) {
        print_failure(t, at, malformed, &v);
        print_errs(&t->errs);
        return false;
    }
    v = decide(t);
    if (strcmp(policy_decision_name(v.decision), t->f.expect) == 0)
        return true;
    print_failure(t, at, policy_decision_name(v.decision), &v);
    return false;
}

static bool run_case(const struct conf *c)
{
    struct trial *t = calloc(1, sizeof(*t));
    bool passed = false;
    if (!t)
        return false;
    int rc = c->kind == CONF_MAP ? opt_read(case_options, CASE_OPTIONS, c, "a case", c->at, &t->f, &t->errs)
                                 : errs_refuse(&t->errs, ERR_CONF_TYPE, c->at, "a case must be an object");
    if (rc == 0 && check_words(t, c) == 0 && read_context(t) == 0 && read_policies(t) == 0)
        passed = judge(t, c->at);
    else
        print_errs(&t->errs);
    for (size_t i = 0; i < t->policy_count; i++)
        policy_free(t->policies[i]);
    opt_free(case_options, CASE_OPTIONS, &t->f);
    opt_free(context_options, CONTEXT_OPTIONS, &t->who);
    opt_free(thing_options, THING_OPTIONS, &t->thing);
    errs_clear(&t->errs);
    free(t);
    return passed;
}

static bool run_line(struct src *file, size_t off, size_t len)
{
    struct span at = { .src = file, .off = (uint32_t)off, .len = (uint32_t)len };
    struct src *line = src_new_inner(file->text + off, len, at, SRC_EXACT, 0);
    struct errs errs = { 0 };
    struct conf *c = line ? conf_parse(line, true, &errs) : NULL;
    bool passed = c && run_case(c);
    print_errs(&errs);
    errs_clear(&errs);
    conf_free(c);
    src_unref(line);
    return passed;
}

static bool is_blank(const char *p, size_t len)
{
    while (len > 0 && strchr(" \t\r", p[len - 1]))
        len--;
    return len == 0;
}

int authorize_cases_run(const char *path, size_t *passed, size_t *failed)
{
    struct err e = { 0 };
    size_t len;
    char *text = read_file(path, &len, &e);
    struct src *file = text ? src_new(path, text, len) : NULL;
    free(text);
    if (!file)
        return fail("authorize", "%s", e.code ? e.text : "not enough memory"), -1;
    for (size_t off = 0, end; off < len; off = end + 1) {
        const char *newline = memchr(file->text + off, '\n', len - off);
        end = newline ? (size_t)(newline - file->text) : len;
        if (is_blank(file->text + off, end - off))
            continue;
        if (run_line(file, off, end - off))
            (*passed)++;
        else
            (*failed)++;
    }
    src_unref(file);
    return 0;
}
