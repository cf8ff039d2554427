/* SPDX-License-Identifier: Apache-2.0 */
/* A save is several events, and a deployment several files: a reload waits until nothing has changed for QUIET_MS, but
 * not longer than PATIENCE_MS after the first change. */
#include "engine/apps/sluice/reload.h"

#include <stdlib.h>
#include <string.h>

#include "engine/apps/sluice/cmds.h"
#include "engine/apps/sluice/policies.h"
#include "engine/apps/sluice/supervisor.h"
#include "engine/base/clock.h"
#include "engine/base/conf_files.h"
#include "engine/base/log.h"

#define QUIET_MS    200
#define PATIENCE_MS 2000

/* --- watching --- */

static void watch_paths(struct reload *r, const struct service_conf *conf)
{
    struct err e = { 0 };
    size_t count = conf->rule_count;
    const char **paths = calloc(count + conf->policy_file_count + 1, sizeof(*paths));
    struct rule_watch *watch = NULL;
    if (paths) {
        for (size_t i = 0; i < conf->rule_count; i++)
            paths[i] = conf->rules[i];
        for (size_t i = 0; i < conf->policy_file_count; i++)
            paths[count++] = conf->policy_files[i];
        paths[count++] = r->conf_path;
        watch = rule_watch_new(paths, count, conf_files_has_name, &e);
    }
    free(paths);
    if (!watch) {
        log_warn("changes of rule files are not noticed (%s): send SIGHUP to reload", e.text);
        return;
    }
    rule_watch_free(r->watch);
    r->watch = watch;
}

/* --- sluice.yaml --- */

/* sluice.yaml without its rules, as JSON; NULL: memory. */
static char *rest_of(const struct service_conf *conf)
{
    struct buf text;
    size_t len;
    buf_init(&text, 2 * CONF_MAX_BYTES);
    for (size_t i = 0; i < conf->root->count; i++) {
        if (strcmp(conf->root->keys[i]->text, "rules") == 0)
            continue;
        conf_write_json(&text, conf->root->keys[i]);
        conf_write_json(&text, conf->root->items[i]);
    }
    buf_putc(&text, '\0');
    char *rest = buf_detach(&text, &len);
    if (!rest)
        buf_clear(&text);
    return rest;
}

static void free_rest(char *rest)
{
    if (rest)
        explicit_bzero(rest, strlen(rest)); /* it holds secrets */
    free(rest);
}

/* Say once that something else than the rules has changed. */
static void compare_rest(struct reload *r, const struct service_conf *fresh)
{
    char *rest = rest_of(fresh);
    if (rest && r->rest && strcmp(rest, r->rest) != 0)
        log_warn("%s has changed: only its \"rules\" are taken over, the rest at the next start", r->conf_path);
    free_rest(r->rest);
    r->rest = rest;
}

/* --- reloading --- */

/* Compile what sluice.yaml names now and let it take over. What is wrong goes to errs. True: it is in force, maybe not
 * without errors. */
static bool reload_rules(struct reload *r, const struct service_conf *fresh, struct errs *errs)
{
    struct err e = { 0 };
    struct ruleset *rs = service_rules(r->service, fresh->rules, fresh->rule_count, flow_stats(r->flow), errs);
    if (!rs)
        return false;
    if (flow_set_ruleset(r->flow, rs, &e) < 0)
        errs_take(errs, &e);
    bool in_force = flow_ruleset(r->flow) == rs;
    ruleset_unref(in_force ? r->service->ruleset : rs);
    if (in_force)
        r->service->ruleset = rs;
    return in_force;
}

/* Policies do not depend on rules, nor rules on them: one is taken over without the other. */
static void reload_policies(struct reload *r, const struct service_conf *fresh)
{
    struct errs errs = { 0 };
    bool in_force = policies_reload(r->service->policies, fresh, &errs);
    report_errs(&errs, r->conf_path);
    if (in_force)
        log_info("policies reloaded");
    else
        log_error("policies not reloaded: those from before go on");
    errs_clear(&errs);
}

static void say_reloaded(size_t errors, bool in_force, size_t rules)
{
    const char *s = rules == 1 ? "" : "s", *errors_s = errors == 1 ? "" : "s";
    if (errors == 0)
        log_info("reloaded: running %zu rule%s", rules, s);
    else if (in_force)
        log_error("reloaded with %zu error%s: running %zu rule%s, which may not get all messages", errors, errors_s,
                  rules, s);
    else
        log_error("not reloaded for %zu error%s: the %zu rule%s from before go on", errors, errors_s, rules, s);
}

void reload_now(struct reload *r)
{
    struct errs errs = { 0 };
    bool in_force = false;
    r->first_ms = 0;
    struct service_conf *fresh = service_conf_load(r->conf_path, &errs);
    if (fresh && errs.errors == 0) {
        compare_rest(r, fresh);
        watch_paths(r, fresh);
        in_force = reload_rules(r, fresh, &errs);
    }
    report_errs(&errs, r->conf_path);
    size_t rules = r->service->ruleset->rule_count;
    if (errs.errors == 0)
        supervisor_ready(rules);
    say_reloaded(errs.errors, in_force, rules);
    if (fresh && r->service->policies && fresh->policy_file_count > 0)
        reload_policies(r, fresh);
    service_conf_free(fresh);
    errs_clear(&errs);
}

/* --- looking --- */

void reload_init(struct reload *r, struct service *service, struct flow *flow, const char *conf_path)
{
    *r = (struct reload) { .service = service, .flow = flow, .conf_path = conf_path };
    r->rest = rest_of(service->conf);
    watch_paths(r, service->conf);
}

void reload_clear(struct reload *r)
{
    rule_watch_free(r->watch);
    free_rest(r->rest);
    *r = (struct reload) { 0 };
}

int reload_fd(const struct reload *r)
{
    return r->watch ? rule_watch_fd(r->watch) : -1;
}

unsigned reload_look(struct reload *r, unsigned max_ms)
{
    uint64_t now = clock_monotonic_ms(&clock_system);
    if (r->watch && rule_watch_take(r->watch)) {
        r->last_ms = now;
        r->first_ms = r->first_ms ? r->first_ms : now;
    }
    if (!r->first_ms)
        return max_ms;
    uint64_t quiet = r->last_ms + QUIET_MS, latest = r->first_ms + PATIENCE_MS, due = quiet < latest ? quiet : latest;
    if (now < due)
        return due - now < max_ms ? (unsigned)(due - now) : max_ms;
    reload_now(r);
    return max_ms;
}
