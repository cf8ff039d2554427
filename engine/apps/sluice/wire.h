/* SPDX-License-Identifier: Apache-2.0 */
/* What is connected to what: a service made of its configuration, sources, targets and rules. The only place that knows all of them. */
#ifndef SLUICE_APP_WIRE_H
#define SLUICE_APP_WIRE_H

#include "engine/base/err.h"
#include "engine/flow/flow.h"
#include "engine/flow/ruleset.h"
#include "engine/flow/service_conf.h"
#include "lookups/lookups.h"
#include "sluice/source.h"

extern const struct source_type *const source_types[]; /* sorted by name, NULL-terminated */

struct service {
    struct service_conf *conf;
    struct memory_plan memory;
    struct act_env act_env;
    struct source_env source_env;
    struct targets targets;
    struct store_sqlite *store;      /* NULL: nothing needs one */
    struct policies *policies;       /* NULL: none are configured */
    struct admin *admin;             /* NULL: none is configured */
    struct password_file *passwords; /* of the admin interface; NULL: none */
    struct lookups *lookups;         /* opened; started and closed by who runs a flow, else closed by service_close */
    struct flow_source *sources;
    size_t source_count;
    bool sources_given;      /* to a flow, which closes them */
    bool check_tests;        /* set by who wants service_compile to look at the rules' tests, too */
    struct ruleset *ruleset; /* counted; once a flow runs, the one in force there */
};

/* Read the configuration at `path` (NULL: none, as if empty), open targets and sources. Connects to nothing. Every independent error
 * and warning goes to errs; close in either case. */
void service_open(struct service *s, const char *path, struct errs *errs);
/* Compile the rules of files and folders; let sources check them. `stats` may be NULL. Owned; NULL: an error, in
 * whatever file. */
struct ruleset *service_rules(struct service *s, char *const *paths, size_t count, struct stats_table *stats,
                              struct errs *errs);
/* Compile the rules into s->ruleset: those of `paths` if count > 0, else the configuration's. */
void service_compile(struct service *s, char *const *paths, size_t count, struct stats_table *stats, struct errs *errs);
/* A flow of the service's sources and targets; it owns the sources from then on. NULL after adding to errs. */
struct flow *service_flow(struct service *s, void (*finished)(void *ctx, bool all), void *ctx, struct errs *errs);
/* The admin interface, if there is one: whoever it asks must be there, and stay until admin_stop. */
int service_admin_start(struct service *s, struct err *e) MUST_CHECK;
/* After flow_free. */
void service_close(struct service *s);

#endif
