/* SPDX-License-Identifier: Apache-2.0 */
/* Policies that follow their files: a thread of its own waits for changes, reads and compiles a new set aside, and leaves it to be taken. The
 * broker's thread never reads a file nor waits. */
#ifndef SLUICE_PLUGIN_POLICY_WATCH_H
#define SLUICE_PLUGIN_POLICY_WATCH_H

#include "engine/devices/policy_set.h"

struct policy_watch;

struct policy_news {
    struct policy_set *set; /* owned by the taker; NULL: the files have errors */
    struct errs errs;       /* what is wrong, and warnings; of the taker, errs_clear */
};
/* Read the files, and start the thread that reads them again when they change. first: what they say now, as by policy_watch_take; with errors in
 * it (first->set is NULL) there is no thread and no error in e. paths and scope are borrowed until policy_watch_free. Returns owned. */
struct policy_watch *policy_watch_new(const char *const *paths, size_t count, const struct policy_scope *scope,
                                      struct policy_news *first, struct err *e) MUST_CHECK;
void policy_watch_free(struct policy_watch *w); /* ends the thread */

/* Read the files again even if nothing seems to have changed. */
void policy_watch_ask(struct policy_watch *w);

/* Take what was read last. False, and nothing taken, when there is nothing new. Does not wait: busy is nothing new. */
bool policy_watch_take(struct policy_watch *w, struct policy_news *news);

#endif
