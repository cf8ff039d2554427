/* SPDX-License-Identifier: Apache-2.0 */
/* Reload: new rules while the service runs, on SIGHUP or when a rule file or sluice.yaml changes. New rules are
 * compiled aside; with any error in them the ones before go on. Of sluice.yaml only `rules` is taken over. Everything
 * here is the control thread's. */
#ifndef SLUICE_APP_RELOAD_H
#define SLUICE_APP_RELOAD_H

#include "engine/apps/sluice/wire.h"
#include "engine/flow/rule_watch.h"

#include <stdint.h>

struct reload {
    struct service *service;
    struct flow *flow;
    const char *conf_path;
    struct rule_watch *watch; /* NULL: could not be had, SIGHUP still works */
    char *rest;               /* sluice.yaml without its rules, as JSON: what was reported last */
    uint64_t first_ms;        /* of the changes not yet acted on; 0: none */
    uint64_t last_ms;
};

/* All three are borrowed until reload_clear. A watch that cannot be had is logged. */
void reload_init(struct reload *r, struct service *service, struct flow *flow, const char *conf_path);
void reload_clear(struct reload *r);

/* To be polled for reading; -1: none. */
int reload_fd(const struct reload *r);
/* Look for changes, and reload when they have settled. Returns after how many milliseconds to look again, at most
 * max_ms. */
unsigned reload_look(struct reload *r, unsigned max_ms);
/* Reload at once. */
void reload_now(struct reload *r);

#endif
