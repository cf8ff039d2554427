/* SPDX-License-Identifier: Apache-2.0 */
/* The options become a map of the configuration tree, so that one option table checks them as everywhere in sluice: unknown names
 * get their "did you mean". `policies` alone may come several times, and may list paths with commas. */
#include "engine/apps/mosquitto_plugin/plugin_conf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/base/conf.h"
#include "engine/base/opt.h"

#define OPTIONS_MAX_BYTES ((size_t)1 << 20)

static const char *const switches[] = { "off", "on", NULL };
static const char *const modes[] = { "enforce", "audit", NULL };
static const char *const others[] = { "auto", "yes", "no", NULL };

static const struct opt options_table[] = {
    { "account_id", OPT_TEXT, offsetof(struct plugin_conf, account_id), .def = "000000000000",
      .help = "account in the ARNs of policies" },
    { "identity", OPT_CHOICE, offsetof(struct plugin_conf, identity), .def = "on", .choices = switches,
      .help = "seal who published into every message" },
    { "key_file", OPT_TEXT, offsetof(struct plugin_conf, key_file), .help = "the key that the seals are made with" },
    { "lifecycle", OPT_CHOICE, offsetof(struct plugin_conf, lifecycle), .def = "on", .choices = switches,
      .help = "publish lifecycle events" },
    { "mode", OPT_CHOICE, offsetof(struct plugin_conf, mode), .def = "enforce", .choices = modes,
      .help = "enforce policies, or only log what they would refuse" },
    { "others_decide", OPT_CHOICE, offsetof(struct plugin_conf, others), .def = "auto", .choices = others,
      .help = "does an acl_file, a password_file or another plugin decide after this one?" },
    { "policies", OPT_CONF, 0, .ignored = true, .help = "policy files and folders" },
    { "region", OPT_TEXT, offsetof(struct plugin_conf, region), .def = "us-east-1",
      .help = "region in the ARNs of policies" },
};
#define OPTION_COUNT (sizeof(options_table) / sizeof(options_table[0]))

static int add_path(struct plugin_conf *c, const char *text, size_t len)
{
    while (len && isspace((unsigned char)text[0]))
        text++, len--;
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    if (!len)
        return 0;
    char **grown = reallocarray(c->policies, c->policy_count + 1, sizeof(*grown));
    if (!grown)
        return -1;
    c->policies = grown;
    if (!(grown[c->policy_count] = strndup(text, len)))
        return -1;
    c->policy_count++;
    return 0;
}

static int add_paths(struct plugin_conf *c, const char *list, struct errs *errs)
{
    size_t before = c->policy_count;
    for (const char *at = list; at;) {
        const char *comma = strchr(at, ',');
        if (add_path(c, at, comma ? (size_t)(comma - at) : strlen(at)) < 0)
            return errs_refuse(errs, ERR_MEMORY, (struct span) { 0 }, "not enough memory for the options");
        at = comma ? comma + 1 : NULL;
    }
    if (c->policy_count > before)
        return 0;
    err_hint(
        errs_add(errs, SEV_ERROR, ERR_CONF_VALUE, (struct span) { 0 }, "plugin_opt_policies names no file or folder"),
        "Leave the line away to have no policies.");
    return -1;
}

/* The options other than `policies` as a map. */
static struct conf *scalar(struct arena *a, const char *text)
{
    struct conf *c = arena_zalloc(a, sizeof(*c));
    if (!c || !(c->text = arena_strndup(a, text, strlen(text))))
        return NULL;
    c->style = CONF_QUOTED;
    c->len = strlen(text);
    return c;
}

static int map_add(struct arena *a, struct conf *map, const struct plugin_option *o)
{
    struct conf *key = scalar(a, o->name), *value = scalar(a, o->value ? o->value : "");
    if (!key || !value)
        return -1;
    map->keys[map->count] = key;
    map->items[map->count++] = value;
    return 0;
}

static struct conf *map_of(struct arena *a, const struct plugin_option *options, size_t count, struct errs *errs)
{
    struct conf *map = arena_zalloc(a, sizeof(*map));
    if (!map || !(map->keys = arena_zalloc(a, (count + 1) * sizeof(struct conf *))) ||
        !(map->items = arena_zalloc(a, (count + 1) * sizeof(struct conf *))))
        goto no_memory;
    map->kind = CONF_MAP;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, "policies") == 0)
            continue;
        if (conf_get(map, options[i].name))
            errs_add(errs, SEV_ERROR, ERR_CONF_KEY, (struct span) { 0 }, "plugin_opt_%s is given twice",
                     options[i].name);
        else if (map_add(a, map, &options[i]) < 0)
            goto no_memory;
    }
    return map;
no_memory:
    errs_refuse(errs, ERR_MEMORY, (struct span) { 0 }, "not enough memory for the options");
    return NULL;
}

static void check_together(const struct plugin_conf *c, struct errs *errs)
{
    if (c->identity && !(c->key_file && c->key_file[0]))
        err_hint(errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, (struct span) { 0 }, "plugin_opt_key_file is missing"),
                 "Make a key by `openssl rand -hex 32`, readable by the broker alone; or set plugin_opt_identity off.");
    if (c->mode == PLUGIN_AUDIT && !c->policy_count)
        err_hint(
            errs_add(errs, SEV_ERROR, ERR_CONF_MISSING, (struct span) { 0 }, "plugin_opt_mode audit without policies"),
            "Name their files or folders in plugin_opt_policies.");
}

int plugin_conf_read(struct plugin_conf *c, const struct plugin_option *options, size_t count, struct errs *errs)
{
    size_t before = errs->errors;
    struct arena a;
    arena_init(&a, OPTIONS_MAX_BYTES);
    struct conf *map = map_of(&a, options, count, errs);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(options[i].name, "policies") == 0 && options[i].value && add_paths(c, options[i].value, errs) < 0)
            continue; /* is told */
    }
    if (map &&
        opt_read(options_table, OPTION_COUNT, map, "the plugin sluice_mosquitto", (struct span) { 0 }, c, errs) == 0)
        check_together(c, errs);
    arena_clear(&a);
    return errs->errors == before ? 0 : -1;
}

void plugin_conf_clear(struct plugin_conf *c)
{
    opt_free(options_table, OPTION_COUNT, c);
    for (size_t i = 0; i < c->policy_count; i++)
        free(c->policies[i]);
    free(c->policies);
    *c = (struct plugin_conf) { 0 };
}
