/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and decisions. The parts of a statement are in files of their own: policy_pattern.c, policy_variable.c, policy_condition.c; what can be said
 * against an action or a resource in policy_check.c. */
#include "engine/devices/policy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/devices/policy_int.h"

#define DOCUMENT_MAX ((size_t)1 << 20) /* bytes of a document that is measured */
#define SHARED_MAX   (65535u + 256u)   /* bytes of the resource of a shared subscription */

struct statement {
    char *sid; /* NULL: none */
    bool is_deny;
    struct policy_pattern *actions, *resources;
    size_t action_count, resource_count;
    struct policy_condition *conditions;
    struct span at;
};

struct policy {
    char *name;
    struct src *src; /* that the statements' places are in; NULL: in none */
    struct statement *statements;
    size_t count;
};

/* --- reading --- */

struct reader {
    struct policy *p;
    struct errs *errs;
    bool has_variables; /* version 2012-10-17 */
};

static int no_memory(struct reader *r, struct span at)
{
    return errs_refuse(r->errs, ERR_MEMORY, at, "not enough memory for the policy");
}

/* True if every key of the map is one of these; says which is not. */
static bool has_only(const struct conf *map, const char *const *names, const char *what, struct errs *errs)
{
    size_t count = 0;
    bool only = true;
    while (names[count])
        count++;
    for (size_t i = 0; i < map->count; i++) {
        const struct conf *key = map->keys[i];
        bool known = false;
        for (size_t k = 0; k < count; k++)
            known |= strcmp(names[k], key->text) == 0;
        if (known)
            continue;
        only = false;
        struct err *e =
            errs_add(errs, SEV_ERROR, ERR_CONF_KEY, key->at, "unknown member \"%.80s\" of a %s", key->text, what);
        const char *near = nearest_word(key->text, key->len, names, count);
        if (strncmp(key->text, "Not", 3) == 0 || strcmp(key->text, "Principal") == 0)
            err_hint(e, "Policies of AWS IoT have no NotAction, NotResource or Principal.");
        else if (near)
            err_hint(e, "did you mean \"%s\"?", near);
    }
    return only;
}

typedef int check_fn(const struct conf *scalar, struct errs *errs);

static int read_pattern(struct reader *r, const struct conf *item, unsigned flags, check_fn *check,
                        struct policy_pattern *out, size_t *count)
{
    int found = check(item, r->errs);
    if (found < 0 || (found == 0 && policy_pattern_read(&out[*count], item, flags, r->errs) < 0))
        return -1;
    *count += found == 0;
    return 0;
}

/* A text or a list of texts, required. */
static int read_patterns(struct reader *r, const struct conf *statement, const char *name, unsigned flags,
                         check_fn *check, struct policy_pattern **out, size_t *count)
{
    const struct conf *c = conf_get(statement, name);
    int rc = 0;
    if (!c || (c->kind == CONF_LIST && c->count == 0)) {
        errs_add(r->errs, SEV_ERROR, ERR_CONF_MISSING, c ? c->at : statement->at, "a statement needs \"%s\"", name);
        return -1;
    }
    if (c->kind == CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, c->at, "must be a text or a list of texts");
    size_t n = c->kind == CONF_LIST ? c->count : 1;
    *out = calloc(n, sizeof(**out));
    if (!*out)
        return no_memory(r, c->at);
    for (size_t i = 0; i < n; i++) {
        const struct conf *item = c->kind == CONF_LIST ? c->items[i] : c;
        if (item->kind != CONF_SCALAR)
            rc = errs_refuse(r->errs, ERR_CONF_TYPE, item->at, "must be a text or a list of texts");
        else if (read_pattern(r, item, flags, check, *out, count) < 0)
            rc = -1;
    }
    return rc;
}

static int read_effect(struct reader *r, struct statement *s, const struct conf *statement)
{
    const struct conf *c = conf_get(statement, "Effect");
    if (!c)
        return errs_refuse(r->errs, ERR_CONF_MISSING, statement->at, "a statement needs \"Effect\"");
    bool is_text = c->kind == CONF_SCALAR;
    s->is_deny = is_text && strcmp(c->text, "Deny") == 0;
    if (s->is_deny || (is_text && strcmp(c->text, "Allow") == 0))
        return 0;
    struct err *e = errs_add(r->errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "\"Effect\" must be \"Allow\" or \"Deny\"");
    if (is_text)
        err_hint(e, "It is \"%.40s\"; case counts.", c->text);
    return -1;
}

static int read_sid(struct reader *r, struct statement *s, const struct conf *statement)
{
    const struct conf *c = conf_get(statement, "Sid");
    if (!c)
        return 0;
    if (c->kind != CONF_SCALAR)
        return errs_refuse(r->errs, ERR_CONF_TYPE, c->at, "\"Sid\" must be a text");
    s->sid = strndup(c->text, c->len);
    return s->sid ? 0 : no_memory(r, c->at);
}

static int read_statement(struct reader *r, const struct conf *c)
{
    static const char *const names[] = { "Sid", "Effect", "Action", "Resource", "Condition", NULL };
    struct statement *s = &r->p->statements[r->p->count++];
    unsigned variables = r->has_variables ? PATTERN_VARIABLES : 0;
    bool failed = false;
    s->at = c->at;
    if (c->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, c->at, "a statement must be a map");
    failed |= !has_only(c, names, "statement", r->errs);
    failed |= read_sid(r, s, c) < 0;
    failed |= read_effect(r, s, c) < 0;
    failed |= read_patterns(r, c, "Action", PATTERN_WILD, policy_action_check, &s->actions, &s->action_count) < 0;
    failed |= read_patterns(r, c, "Resource", PATTERN_WILD | variables, policy_resource_check, &s->resources,
                            &s->resource_count) < 0;
    const struct conf *condition = conf_get(c, "Condition");
    if (condition)
        s->conditions = policy_conditions_new(condition, r->has_variables, &failed, r->errs);
    return failed ? -1 : 0;
}

static int read_statements(struct reader *r, const struct conf *document)
{
    const struct conf *c = conf_get(document, "Statement");
    int rc = 0;
    if (!c)
        return errs_refuse(r->errs, ERR_CONF_MISSING, document->at, "a policy needs \"Statement\"");
    if (c->kind == CONF_SCALAR)
        return errs_refuse(r->errs, ERR_CONF_TYPE, c->at, "\"Statement\" must be a map or a list of maps");
    size_t n = c->kind == CONF_LIST ? c->count : 1;
    r->p->statements = calloc(n + 1, sizeof(*r->p->statements));
    if (!r->p->statements)
        return no_memory(r, c->at);
    for (size_t i = 0; i < n; i++)
        if (read_statement(r, c->kind == CONF_LIST ? c->items[i] : c) < 0)
            rc = -1;
    return rc;
}

static int read_version(struct reader *r, const struct conf *document)
{
    const struct conf *c = conf_get(document, "Version");
    const char *text = c && c->kind == CONF_SCALAR ? c->text : c ? "" : "2008-10-17";
    r->has_variables = strcmp(text, "2012-10-17") == 0;
    if (r->has_variables || strcmp(text, "2008-10-17") == 0)
        return 0;
    struct err *e = errs_add(r->errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "unknown policy version \"%.40s\"", text);
    err_hint(e, "Versions are \"2012-10-17\", and \"2008-10-17\", in which variables are literal text.");
    return -1;
}

static void check_size(struct reader *r, const struct conf *document)
{
    struct buf text;
    size_t count = 0;
    buf_init(&text, DOCUMENT_MAX);
    conf_write_json(&text, document);
    for (size_t i = 0; i < text.len; i++)
        count += !strchr(" \t\r\n", text.p[i]);
    if (text.failed || count > POLICY_MAX_BYTES) {
        struct span at = { .src = document->at.src, .off = document->at.off, .len = 1 };
        errs_add(r->errs, SEV_WARNING, ERR_LIMIT, at,
                 "the policy \"%.80s\" has %zu characters without white space: AWS IoT takes %d at most", r->p->name,
                 count, POLICY_MAX_BYTES);
    }
    buf_clear(&text);
}

/* A NUL would end a text for those who compare it, and hide what stands behind. */
static bool has_nul(struct reader *r, const struct conf *c)
{
    bool found = c->kind == CONF_SCALAR && memchr(c->text, '\0', c->len);
    if (found)
        errs_add(r->errs, SEV_ERROR, ERR_CONF_VALUE, c->at, "a policy must not hold the character NUL");
    for (size_t i = 0; c->kind != CONF_SCALAR && i < c->count; i++) {
        found |= c->keys && has_nul(r, c->keys[i]);
        found |= has_nul(r, c->items[i]);
    }
    return found;
}

static int read_document(struct reader *r, const struct conf *document)
{
    static const char *const names[] = { "Version", "Id", "Statement", NULL };
    if (document->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, document->at,
                           "a policy must be a map with \"Version\" and \"Statement\"");
    if (has_nul(r, document))
        return -1;
    bool failed = !has_only(document, names, "policy", r->errs);
    failed |= read_version(r, document) < 0;
    failed |= read_statements(r, document) < 0;
    check_size(r, document);
    if (document->at.src)
        r->p->src = src_ref(document->at.src);
    return failed ? -1 : 0;
}

/* A document that travels as text is JSON. */
static int read_text(struct reader *r, const struct conf *scalar)
{
    struct src *src = conf_text_src(scalar);
    struct conf *document = src ? conf_parse(src, true, r->errs) : NULL;
    int rc = -1;
    if (!src)
        no_memory(r, scalar->at);
    if (document)
        rc = read_document(r, document);
    conf_free(document);
    src_unref(src);
    return rc;
}

struct policy *policy_new(const char *name, const struct conf *document, struct errs *errs)
{
    struct policy *p = calloc(1, sizeof(*p));
    struct reader r = { .p = p, .errs = errs };
    if (!p || !(p->name = strdup(name))) {
        no_memory(&r, document->at);
        policy_free(p);
        return NULL;
    }
    int rc = document->kind == CONF_SCALAR ? read_text(&r, document) : read_document(&r, document);
    if (rc == 0)
        return p;
    policy_free(p);
    return NULL;
}

static void patterns_free(struct policy_pattern *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        policy_pattern_clear(&list[i]);
    free(list);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++) {
        struct statement *s = &p->statements[i];
        patterns_free(s->actions, s->action_count);
        patterns_free(s->resources, s->resource_count);
        policy_conditions_free(s->conditions);
        free(s->sid);
    }
    free(p->statements);
    src_unref(p->src);
    free(p->name);
    free(p);
}

const char *policy_name(const struct policy *p)
{
    return p->name;
}

/* --- deciding --- */

static bool any_matches(const struct policy_pattern *list, size_t count, const struct policy_context *c,
                        struct policy_text text, bool is_cased)
{
    for (size_t i = 0; i < count; i++)
        if (policy_pattern_matches(&list[i], c, text, is_cased))
            return true;
    return false;
}

static bool statement_matches(const struct statement *s, const struct policy_context *c, struct policy_text action,
                              struct policy_text resource)
{
    return any_matches(s->actions, s->action_count, c, action, false) &&
           any_matches(s->resources, s->resource_count, c, resource, true) && policy_conditions_hold(s->conditions, c);
}

static struct policy_verdict verdict_of(const struct policy *p, const struct statement *s)
{
    return (struct policy_verdict) {
        .decision = s->is_deny ? POLICY_EXPLICIT_DENY : POLICY_ALLOWED, .policy = p, .sid = s->sid, .at = s->at
    };
}

static struct policy_verdict decide(const struct policy *const *policies, size_t count, const struct policy_context *c,
                                    struct policy_text action, struct policy_text resource)
{
    struct policy_verdict best = { .decision = POLICY_IMPLICIT_DENY };
    for (size_t i = 0; i < count; i++) {
        const struct policy *p = policies[i];
        for (size_t k = 0; k < p->count; k++) {
            const struct statement *s = &p->statements[k];
            if (!s->is_deny && best.decision == POLICY_ALLOWED)
                continue;
            if (!statement_matches(s, c, action, resource))
                continue;
            best = verdict_of(p, s);
            if (s->is_deny)
                return best;
        }
    }
    return best;
}

static bool is_action(struct policy_text action, const char *name)
{
    return action.len == strlen(name) && strncasecmp(action.p, name, action.len) == 0;
}

/* The other actions come over HTTPS alone, where there is no client id and so no thing. */
static bool is_over_mqtt(struct policy_text action)
{
    return is_action(action, "iot:Connect") || is_action(action, "iot:Publish") || is_action(action, "iot:Subscribe") ||
           is_action(action, "iot:Receive") || is_action(action, "iot:RetainPublish");
}

/* "arn:…:topicfilter/$share/GROUP/FILTER" without "$share/GROUP/", in out; len 0: it is not shared, or too long. */
static struct policy_text unshared(struct policy_text resource, char *out, size_t size)
{
    static const char kind[] = "topicfilter/", share[] = "$share/";
    const struct policy_text none = { .p = out, .len = 0 };
    const char *at = resource.p, *end = resource.p + resource.len;
    for (int colons = 0; at && colons < 5; colons++) {
        at = memchr(at, ':', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    size_t kind_len = sizeof(kind) - 1, share_len = sizeof(share) - 1;
    if (!at || (size_t)(end - at) < kind_len + share_len || memcmp(at, kind, kind_len) != 0 ||
        memcmp(at + kind_len, share, share_len) != 0)
        return none;
    at += kind_len;
    const char *group = at + share_len, *slash = memchr(group, '/', (size_t)(end - group));
    if (!slash || slash == group)
        return none;
    size_t head = (size_t)(at - resource.p), tail = (size_t)(end - slash) - 1;
    if (head + tail > size)
        return none;
    memcpy(out, resource.p, head);
    memcpy(out + head, slash + 1, tail);
    return (struct policy_text) { .p = out, .len = head + tail };
}

struct policy_verdict policy_decide(const struct policy *const *policies, size_t count, const struct policy_context *c,
                                    const char *action, struct policy_text resource)
{
    char text[SHARED_MAX];
    struct policy_text name = { .p = action, .len = strlen(action) };
    struct policy_context without_thing;
    if (!is_over_mqtt(name)) {
        without_thing = *c;
        without_thing.thing_name = without_thing.thing_type = (struct policy_text) { 0 };
        without_thing.attribute_count = 0;
        without_thing.is_attached = false;
        c = &without_thing;
    }
    struct policy_verdict whole = decide(policies, count, c, name, resource);
    struct policy_text bare =
        is_action(name, "iot:Subscribe") ? unshared(resource, text, sizeof(text)) : (struct policy_text) { 0 };
    if (bare.len == 0 || whole.decision == POLICY_EXPLICIT_DENY)
        return whole;
    struct policy_verdict inner = decide(policies, count, c, name, bare);
    return inner.decision == POLICY_EXPLICIT_DENY || whole.decision != POLICY_ALLOWED ? inner : whole;
}

const char *policy_decision_name(enum policy_decision d)
{
    static const char *const names[] = { "IMPLICIT_DENY", "ALLOWED", "EXPLICIT_DENY" };
    return names[d];
}
