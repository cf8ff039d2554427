/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/rig.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"

static struct conf *parse(const char *yaml, struct errs *errs)
{
    struct src *src = src_new("test.yaml", yaml, strlen(yaml));
    struct conf *c = src ? conf_parse(src, false, errs) : NULL;
    src_unref(src);
    return c;
}

bool rig_target_open(struct rig_target *t, const struct action_type *type, const char *yaml, const struct clock *clock,
                     struct errs *errs)
{
    *t = (struct rig_target) { .type = type,
                               .env = { .clock = clock ? clock : &clock_system, .client_name = "sluice-test" } };
    t->conf = yaml ? parse(yaml, errs) : NULL;
    if (yaml && !t->conf)
        return false;
    t->target = type->target_open(t->conf, &t->env, errs);
    if (!t->target)
        conf_free(t->conf);
    return t->target != NULL;
}

void rig_target_close(struct rig_target *t)
{
    t->type->target_close(t->target);
    conf_free(t->conf);
}

static int template_add(struct act_host *host, const struct conf *scalar, struct errs *errs)
{
    struct rig_action *a = (struct rig_action *)host;
    if (strstr(scalar->text, "${}")) {
        errs_add(errs, SEV_ERROR, ERR_SQL_SYNTAX, scalar->at, "an empty template");
        return -1;
    }
    if (a->scalar_count == RIG_TEXTS_MAX)
        abort();
    a->scalars[a->scalar_count] = scalar;
    return (int)a->scalar_count++;
}

static bool template_is_constant(struct act_host *host, int index)
{
    return !strstr(((struct rig_action *)host)->scalars[index]->text, "${");
}

bool rig_action_open(struct rig_action *a, const struct rig_target *t, const char *yaml, struct errs *errs)
{
    *a = (struct rig_action) { .host = { .template_add = template_add, .template_is_constant = template_is_constant },
                               .type = t->type };
    a->conf = parse(yaml, errs);
    if (!a->conf)
        return false;
    a->action = t->type->action_open(t->target, a->conf, &a->host, errs);
    if (!a->action)
        conf_free(a->conf);
    return a->action != NULL;
}

void rig_action_close(struct rig_action *a)
{
    a->type->action_close(a->action);
    conf_free(a->conf);
}

static const char *find_var(const struct rig_var *vars, const char *name, size_t len)
{
    for (; vars && vars->name; vars++) {
        if (strlen(vars->name) == len && memcmp(vars->name, name, len) == 0)
            return vars->value;
    }
    return NULL;
}

static void render(struct rig_item *it, size_t index, const struct conf *scalar, const struct rig_var *vars)
{
    struct buf out;
    struct act_text *text = &it->texts[index];
    buf_init(&out, SIZE_MAX);
    buf_puts(&out, "");
    for (const char *p = scalar->text; *p;) {
        const char *end = strncmp(p, "${", 2) == 0 ? strchr(p, '}') : NULL;
        if (!end) {
            buf_putc(&out, *p++);
            continue;
        }
        const char *value = find_var(vars, p + 2, (size_t)(end - p) - 2);
        buf_puts(&out, value ? value : "");
        text->is_null = !value && p == scalar->text && !end[1];
        p = end + 1;
    }
    it->rendered[index] = buf_detach(&out, &text->len);
    text->p = it->rendered[index];
}

struct rig_item *rig_item_new(const struct rig_action *a, const char *body, size_t len, bool is_json,
                              const struct rig_var *vars)
{
    struct rig_item *it = calloc(1, sizeof(*it));
    it->body = malloc(len + 1);
    memcpy(it->body, body, len);
    for (size_t i = 0; i < a->scalar_count; i++)
        render(it, i, a->scalars[i], vars);
    it->item = (struct act_item) {
        .action = a->action,
        .body = it->body,
        .body_len = len,
        .body_is_json = is_json,
        .texts = it->texts,
    };
    return it;
}

void rig_item_free(struct rig_item *it)
{
    if (!it)
        return;
    for (size_t i = 0; i < RIG_TEXTS_MAX; i++)
        free(it->rendered[i]);
    free(it->body);
    free(it);
}
