/* SPDX-License-Identifier: Apache-2.0 */
/* A set is read file by file, and then only looked at. A view copies who asks and finds, once, the policies that apply and the thing, so that
 * a decision is nothing but policy_decide. */
#include "engine/devices/policy_set.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/conf_files.h"
#include "engine/base/opt.h"
#include "engine/base/siphash.h"
#include "engine/devices/policy_int.h"

#define NAME_MAX_BYTES 65535u /* of topics, filters, client ids */
#define THING_BUCKETS  4096u
#define ARN_MAX        (NAME_MAX_BYTES + 256u)

enum attached_to { TO_PRINCIPAL, TO_USER_NAME, TO_CLIENT_ID };
static const char *const attached_names[] = { "principal", "userName", "clientId" };

struct attachment {
    struct attachment *next;
    const struct policy *policy;
    enum attached_to to;
    struct policy_pattern pattern; /* with wildcards for client ids only */
};

struct thing {
    struct thing *next;
    char *name, *type; /* type NULL: none */
    struct span at;
    struct policy_value *attributes;
    size_t attribute_count;
    struct policy_text *principals;
    size_t principal_count;
};

struct trusted {
    struct trusted *next;
    char *client_id, *principal;
};

struct policy_set {
    atomic_uint refs;
    char *region, *account_id;
    struct conf **files; /* things and places point into them */
    size_t file_count;
    struct policy **policies;
    size_t policy_count;
    struct attachment *attachments;
    size_t attachment_count;
    struct thing *things[THING_BUCKETS]; /* by hash of their names */
    struct trusted *trusted;
};

static const struct policy_context nobody;

static int no_memory(struct errs *errs, struct span at)
{
    return errs_refuse(errs, ERR_MEMORY, at, "not enough memory for the policies");
}

static bool is_same(struct policy_text a, struct policy_text b)
{
    return a.p && b.p && a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

/* One more place at the end of an array; NULL: memory. */
static void *grow(void *items, size_t count, size_t size)
{
    return realloc(items, (count + 1) * size);
}

/* Call each(ctx, item) for a list's items, or for the value itself if it is none; a value that is not there has none. */
static int each_item(const struct conf *c, int (*each)(void *ctx, const struct conf *item), void *ctx)
{
    int rc = 0;
    if (!c || conf_is_null(c))
        return 0;
    if (c->kind != CONF_LIST)
        return each(ctx, c);
    for (size_t i = 0; i < c->count; i++)
        if (each(ctx, c->items[i]) < 0)
            rc = -1;
    return rc;
}

/* --- policies --- */

struct reader {
    struct policy_set *s;
    struct errs *errs;
    const struct policy *policy; /* whose attachments are read */
    struct thing *thing;         /* that is being read */
};

struct policy_fields {
    char *name;
    const struct conf *document, *attached;
};

static const struct opt policy_options[] = {
    { "policyName", OPT_TEXT, offsetof(struct policy_fields, name), .required = true, .help = "what verdicts call it" },
    { "policyDocument", OPT_CONF, offsetof(struct policy_fields, document), .required = true,
      .help = "the policy: a map, or its JSON as text" },
    { "attachedTo", OPT_CONF, offsetof(struct policy_fields, attached),
      .help = "list of { principal: FINGERPRINT }, { userName: NAME }, { clientId: PATTERN }" },
};
#define POLICY_OPTIONS (sizeof(policy_options) / sizeof(policy_options[0]))

static int refuse_attachment(struct reader *r, struct span at)
{
    struct err *e = errs_add(r->errs, SEV_ERROR, ERR_CONF_TYPE, at,
                             "a policy is attached to a principal, a userName or a clientId");
    err_hint(e, "Write { principal: 5f1c… }, { userName: anna } or { clientId: \"lamp-*\" }.");
    return -1;
}

/* As openssl prints it, it would fit nobody. */
static void check_fingerprint(const struct conf *principal, struct errs *errs)
{
    size_t digits = strspn(principal->text, "0123456789abcdefABCDEF:");
    if (digits < 64 || digits != principal->len || strpbrk(principal->text, "ABCDEF:") == NULL)
        return;
    struct err *e =
        errs_add(errs, SEV_WARNING, ERR_CONF_VALUE, principal->at, "no certificate has a fingerprint of this form");
    err_hint(e, "Write 64 hexadecimal digits in lower case, without colons.");
}

static int read_attachment(void *ctx, const struct conf *item)
{
    struct reader *r = ctx;
    if (item->kind != CONF_MAP || item->count != 1 || item->items[0]->kind != CONF_SCALAR)
        return refuse_attachment(r, item->at);
    size_t to = 0;
    while (to <= TO_CLIENT_ID && strcmp(attached_names[to], item->keys[0]->text) != 0)
        to++;
    if (to > TO_CLIENT_ID)
        return refuse_attachment(r, item->keys[0]->at);
    if (to == TO_PRINCIPAL)
        check_fingerprint(item->items[0], r->errs);
    if (!r->policy) /* the policy itself has errors */
        return 0;
    struct attachment *a = calloc(1, sizeof(*a));
    if (!a)
        return no_memory(r->errs, item->at);
    *a = (struct attachment) { .next = r->s->attachments, .policy = r->policy, .to = (enum attached_to)to };
    r->s->attachments = a;
    r->s->attachment_count++;
    return policy_pattern_read(&a->pattern, item->items[0], to == TO_CLIENT_ID ? PATTERN_WILD : 0, r->errs);
}

static struct policy *find_policy(const struct policy_set *s, const char *name)
{
    for (size_t i = 0; i < s->policy_count; i++)
        if (strcmp(policy_name(s->policies[i]), name) == 0)
            return s->policies[i];
    return NULL;
}

static int add_policy(struct reader *r, const struct policy_fields *f, const struct conf *item)
{
    if (find_policy(r->s, f->name)) {
        errs_add(r->errs, SEV_ERROR, ERR_CONF_NAME, conf_get(item, "policyName")->at,
                 "there is another policy \"%.80s\"", f->name);
        return -1;
    }
    struct policy **grown = grow(r->s->policies, r->s->policy_count, sizeof(*grown));
    if (!grown)
        return no_memory(r->errs, item->at);
    r->s->policies = grown;
    struct policy *p = policy_new(f->name, f->document, r->errs);
    if (!p)
        return -1;
    r->policy = grown[r->s->policy_count++] = p;
    return 0;
}

static int read_policy(void *ctx, const struct conf *item)
{
    struct reader *r = ctx;
    struct policy_fields f = { 0 };
    r->policy = NULL;
    if (item->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, item->at,
                           "a policy must be a map with \"policyName\" and \"policyDocument\"");
    int rc = opt_read(policy_options, POLICY_OPTIONS, item, "a policy", item->at, &f, r->errs);
    if (f.name && f.document && add_policy(r, &f, item) < 0)
        rc = -1;
    if (each_item(f.attached, read_attachment, r) < 0)
        rc = -1;
    opt_free(policy_options, POLICY_OPTIONS, &f);
    return rc;
}

/* --- things --- */

struct thing_fields {
    struct thing t;
    const struct conf *attributes, *principals;
};

static const struct opt thing_options[] = {
    { "thingName", OPT_TEXT, offsetof(struct thing_fields, t.name), .required = true,
      .help = "the client id that the thing connects with" },
    { "thingTypeName", OPT_TEXT, offsetof(struct thing_fields, t.type), .help = "its type" },
    { "attributes", OPT_CONF, offsetof(struct thing_fields, attributes), .help = "map of texts" },
    { "principals", OPT_CONF, offsetof(struct thing_fields, principals), .help = "list of what it is attached to" },
};
#define THING_OPTIONS (sizeof(thing_options) / sizeof(thing_options[0]))

static int read_principal(void *ctx, const struct conf *item)
{
    struct reader *r = ctx;
    struct thing *t = r->thing;
    if (item->kind != CONF_SCALAR)
        return errs_refuse(r->errs, ERR_CONF_TYPE, item->at, "a principal must be a text");
    struct policy_text *grown = grow(t->principals, t->principal_count, sizeof(*grown));
    if (!grown)
        return no_memory(r->errs, item->at);
    t->principals = grown;
    grown[t->principal_count++] = (struct policy_text) { .p = item->text, .len = item->len };
    return 0;
}

static int read_attributes(struct reader *r, const struct conf *map)
{
    struct thing *t = r->thing;
    if (!map || conf_is_null(map))
        return 0;
    if (map->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, map->at, "\"attributes\" must be a map of texts");
    t->attributes = calloc(map->count + 1, sizeof(*t->attributes));
    if (!t->attributes)
        return no_memory(r->errs, map->at);
    for (size_t i = 0; i < map->count; i++) {
        const struct conf *key = map->keys[i], *value = map->items[i];
        if (value->kind != CONF_SCALAR)
            return errs_refuse(r->errs, ERR_CONF_TYPE, value->at, "an attribute must be a text");
        t->attributes[t->attribute_count++] =
            (struct policy_value) { .name = { .p = key->text, .len = key->len },
                                    .value = { .p = value->text, .len = value->len } };
    }
    return 0;
}

/* Names come from the service's own files: nobody chooses them to collide. */
static size_t bucket_of(struct policy_text name)
{
    static const uint64_t key[2] = { 0, 0 };
    struct siphash h;
    siphash_init(&h, key);
    siphash_put(&h, name.p, name.len);
    return siphash_end(&h) % THING_BUCKETS;
}

static const struct thing *find_thing(const struct policy_set *s, struct policy_text name)
{
    const struct thing *t = name.p ? s->things[bucket_of(name)] : NULL;
    while (t && !is_same(policy_text_of(t->name), name))
        t = t->next;
    return t;
}

static void thing_free(struct thing *t)
{
    free(t->name);
    free(t->type);
    free(t->attributes);
    free(t->principals);
    free(t);
}

static int read_thing(void *ctx, const struct conf *item)
{
    struct reader *r = ctx;
    struct thing_fields f = { 0 };
    if (item->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, item->at, "a thing must be a map with \"thingName\"");
    int rc = opt_read(thing_options, THING_OPTIONS, item, "a thing", item->at, &f, r->errs);
    struct thing *t = malloc(sizeof(*t));
    if (!t) {
        opt_free(thing_options, THING_OPTIONS, &f);
        return no_memory(r->errs, item->at);
    }
    *t = f.t;
    r->thing = t;
    if (t->name && find_thing(r->s, policy_text_of(t->name))) {
        errs_add(r->errs, SEV_ERROR, ERR_CONF_NAME, conf_get(item, "thingName")->at, "there is another thing \"%.80s\"",
                 t->name);
        rc = -1;
    }
    if (read_attributes(r, f.attributes) < 0 || each_item(f.principals, read_principal, r) < 0)
        rc = -1;
    if (rc < 0) {
        thing_free(t);
        return -1;
    }
    struct thing **bucket = &r->s->things[bucket_of(policy_text_of(t->name))];
    t->next = *bucket;
    *bucket = t;
    return 0;
}

/* --- trusted clients --- */

static const struct opt trusted_options[] = {
    { "clientId", OPT_TEXT, offsetof(struct trusted, client_id), .required = true, .help = "with which it connects" },
    { "principal", OPT_TEXT, offsetof(struct trusted, principal), .required = true,
      .help = "fingerprint of its certificate, or its user name" },
};
#define TRUSTED_OPTIONS (sizeof(trusted_options) / sizeof(trusted_options[0]))

static int read_trusted(void *ctx, const struct conf *item)
{
    struct reader *r = ctx;
    struct trusted *t = calloc(1, sizeof(*t));
    if (!t)
        return no_memory(r->errs, item->at);
    t->next = r->s->trusted;
    r->s->trusted = t;
    if (item->kind != CONF_MAP)
        return errs_refuse(r->errs, ERR_CONF_TYPE, item->at,
                           "a trusted client must be a map with \"clientId\" and \"principal\"");
    return opt_read(trusted_options, TRUSTED_OPTIONS, item, "a trusted client", item->at, t, r->errs);
}

/* --- files --- */

struct file_fields {
    const struct conf *policies, *things, *trusted;
};

static const struct opt file_options[] = {
    { "policies", OPT_CONF, offsetof(struct file_fields, policies), .help = "list of policies" },
    { "things", OPT_CONF, offsetof(struct file_fields, things), .help = "list of things" },
    { "trustedClients", OPT_CONF, offsetof(struct file_fields, trusted),
      .help = "list of clients that may do everything" },
};

static int read_file(void *ctx, const char *path, struct errs *errs)
{
    struct reader *r = ctx;
    struct file_fields f = { 0 };
    struct conf **grown = grow(r->s->files, r->s->file_count, sizeof(*grown));
    if (!grown)
        return no_memory(errs, (struct span) { 0 });
    r->s->files = grown;
    struct conf *root = conf_load_partly(path, errs);
    if (!root)
        return -1;
    grown[r->s->file_count++] = root;
    if (root->kind != CONF_MAP)
        return errs_refuse(errs, ERR_CONF_TYPE, root->at,
                           "a policy file must be a map with \"policies\", \"things\" or \"trustedClients\"");
    int rc = opt_read(file_options, sizeof(file_options) / sizeof(file_options[0]), root, "a policy file", root->at, &f,
                      errs);
    rc |= each_item(f.policies, read_policy, r);
    rc |= each_item(f.things, read_thing, r);
    rc |= each_item(f.trusted, read_trusted, r);
    return rc;
}

struct policy_set *policy_set_load(const char *const *paths, size_t count, const struct policy_scope *scope,
                                   struct errs *errs)
{
    struct policy_set *s = calloc(1, sizeof(*s));
    struct reader r = { .s = s, .errs = errs };
    size_t errors = errs->errors;
    if (s) {
        s->refs = 1;
        s->region = strdup(scope && scope->region ? scope->region : "us-east-1");
        s->account_id = strdup(scope && scope->account_id ? scope->account_id : "000000000000");
    }
    int rc = s && s->region && s->account_id ? 0 : no_memory(errs, (struct span) { 0 });
    for (size_t i = 0; i < count && s; i++)
        if (conf_files_each(paths[i], "policy files", read_file, &r, errs) < 0)
            rc = -1;
    if (rc == 0 && errs->errors == errors)
        return s;
    policy_set_unref(s);
    return NULL;
}

struct policy_set *policy_set_ref(struct policy_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

static void set_free(struct policy_set *s)
{
    for (struct attachment *a = s->attachments, *next; a; a = next) {
        next = a->next;
        policy_pattern_clear(&a->pattern);
        free(a);
    }
    for (size_t i = 0; i < THING_BUCKETS; i++)
        for (struct thing *t = s->things[i], *next; t; t = next) {
            next = t->next;
            thing_free(t);
        }
    for (struct trusted *t = s->trusted, *next; t; t = next) {
        next = t->next;
        opt_free(trusted_options, TRUSTED_OPTIONS, t);
        free(t);
    }
    for (size_t i = 0; i < s->policy_count; i++)
        policy_free(s->policies[i]);
    for (size_t i = 0; i < s->file_count; i++)
        conf_free(s->files[i]);
    free(s->policies);
    free(s->files);
    free(s->region);
    free(s->account_id);
    free(s);
}

void policy_set_unref(struct policy_set *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        set_free(s);
}

/* --- views --- */

struct policy_view {
    struct policy_set *set;
    struct policy_subject who;     /* its texts lie in `texts` */
    struct policy_context context; /* its texts too, or in the set */
    char *texts;
    struct policy_value *certificate;
    const struct policy **policies;
    size_t policy_count;
    bool is_trusted;
};

static struct policy_text copy_text(char **at, struct policy_text t)
{
    struct policy_text copy = { .p = t.p ? *at : NULL, .len = t.len };
    if (t.len)
        memcpy(*at, t.p, t.len);
    *at += t.len;
    return copy;
}

static int copy_subject(struct policy_view *v, const struct policy_subject *who)
{
    size_t bytes =
        who->client_id.len + who->source_ip.len + who->principal.len + who->user_name.len + who->attached_thing.len + 1;
    for (size_t i = 0; i < who->certificate_count; i++)
        bytes += who->certificate[i].name.len + who->certificate[i].value.len;
    char *at = v->texts = malloc(bytes);
    v->certificate = calloc(who->certificate_count + 1, sizeof(*v->certificate));
    if (!at || !v->certificate)
        return -1;
    v->who = (struct policy_subject) { .client_id = copy_text(&at, who->client_id),
                                       .source_ip = copy_text(&at, who->source_ip),
                                       .principal = copy_text(&at, who->principal),
                                       .user_name = copy_text(&at, who->user_name),
                                       .attached_thing = copy_text(&at, who->attached_thing),
                                       .certificate = v->certificate,
                                       .certificate_count = who->certificate_count };
    v->context.client_id = v->who.client_id;
    v->context.source_ip = v->who.source_ip;
    for (size_t i = 0; i < who->certificate_count; i++) {
        v->certificate[i].name = copy_text(&at, who->certificate[i].name);
        v->certificate[i].value = copy_text(&at, who->certificate[i].value);
    }
    v->context.certificate = v->certificate;
    v->context.certificate_count = who->certificate_count;
    return 0;
}

static bool is_attached(const struct attachment *a, const struct policy_subject *who)
{
    const struct policy_text *whose[] = { &who->principal, &who->user_name, &who->client_id };
    return whose[a->to]->p && policy_pattern_matches(&a->pattern, &nobody, *whose[a->to], true);
}

static int find_policies(struct policy_view *v, const struct policy_subject *who)
{
    v->policies = calloc(v->set->attachment_count + 1, sizeof(*v->policies));
    if (!v->policies)
        return -1;
    for (const struct attachment *a = v->set->attachments; a; a = a->next)
        if (is_attached(a, who))
            v->policies[v->policy_count++] = a->policy;
    const struct policy **fitting = realloc(v->policies, (v->policy_count + 1) * sizeof(*fitting));
    v->policies = fitting ? fitting : v->policies;
    return 0;
}

/* The thing that is called like the client, if the principal is attached to it. */
static void find_own_thing(struct policy_view *v, const struct policy_subject *who)
{
    const struct thing *t = find_thing(v->set, who->client_id);
    struct policy_context *c = &v->context;
    c->is_attached = is_same(who->attached_thing, who->client_id);
    for (size_t i = 0; t && i < t->principal_count; i++)
        c->is_attached |= is_same(t->principals[i], who->principal);
    if (!c->is_attached)
        return;
    c->thing_name = c->client_id;
    if (!t)
        return;
    c->thing_type = policy_text_of(t->type);
    c->attributes = t->attributes;
    c->attribute_count = t->attribute_count;
}

static void find_trust(struct policy_view *v, const struct policy_subject *who)
{
    for (const struct trusted *t = v->set->trusted; t; t = t->next)
        v->is_trusted |= is_same(policy_text_of(t->client_id), who->client_id) &&
                         is_same(policy_text_of(t->principal), who->principal);
}

struct policy_view *policy_view_new(struct policy_set *s, const struct policy_subject *who)
{
    struct policy_view *v = calloc(1, sizeof(*v));
    if (!v)
        return NULL;
    v->set = policy_set_ref(s);
    if (copy_subject(v, who) < 0 || find_policies(v, who) < 0) {
        policy_view_free(v);
        return NULL;
    }
    find_own_thing(v, who);
    find_trust(v, who);
    return v;
}

struct policy_view *policy_view_again(const struct policy_view *v, struct policy_set *s)
{
    return policy_view_new(s, &v->who);
}

void policy_view_free(struct policy_view *v)
{
    if (!v)
        return;
    policy_set_unref(v->set);
    free(v->texts);
    free(v->certificate);
    free(v->policies);
    free(v);
}

struct policy_text policy_view_client(const struct policy_view *v)
{
    return v->context.client_id;
}

bool policy_view_is_trusted(const struct policy_view *v)
{
    return v->is_trusted;
}

static const struct {
    const char *name, *kind;
} actions[] = {
    [POLICY_CONNECT] = { "iot:Connect", "client/" },
    [POLICY_PUBLISH] = { "iot:Publish", "topic/" },
    [POLICY_RETAIN_PUBLISH] = { "iot:RetainPublish", "topic/" },
    [POLICY_SUBSCRIBE] = { "iot:Subscribe", "topicfilter/" },
    [POLICY_RECEIVE] = { "iot:Receive", "topic/" },
};

const char *policy_action_name(enum policy_action action)
{
    return actions[action].name;
}

/* kind: "topic/", or "" if the name has it. */
static struct policy_verdict decide(const struct policy_view *v, const char *action, const char *kind,
                                    struct policy_text name)
{
    char arn[ARN_MAX];
    int head = snprintf(arn, sizeof(arn), "arn:aws:iot:%s:%s:%s", v->set->region, v->set->account_id, kind);
    if (head < 0 || name.len > NAME_MAX_BYTES || (size_t)head + name.len > sizeof(arn))
        return (struct policy_verdict) { .decision = POLICY_IMPLICIT_DENY };
    if (name.len)
        memcpy(arn + head, name.p, name.len);
    return policy_decide(v->policies, v->policy_count, &v->context, action,
                         (struct policy_text) { .p = arn, .len = (size_t)head + name.len });
}

struct policy_verdict policy_view_decide(struct policy_view *v, enum policy_action action, struct policy_text name)
{
    return decide(v, actions[action].name, actions[action].kind, name);
}

struct policy_verdict policy_view_decide_resource(struct policy_view *v, const char *action,
                                                  struct policy_text resource)
{
    if (resource.len >= 4 && memcmp(resource.p, "arn:", 4) == 0)
        return policy_decide(v->policies, v->policy_count, &v->context, action, resource);
    return decide(v, action, "", resource);
}
