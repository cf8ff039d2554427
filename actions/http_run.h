/* SPDX-License-Identifier: Apache-2.0 */
/* The items of a send as HTTP requests: which go together, which wait for one another, what becomes of each.
 *
 *     items ─► jobs (one request: an item, or a batch) ─► running, at most `connections` to each host ─► results
 *
 * Order: an item is sent when the one before it with the same key is final; if that one is LATER, so is this one,
 * without being sent. Different keys go side by side.
 *
 * Time: no request begins later than one time-out after the send did, so a send lasts at most two. After a host could
 * not be reached, or was too slow, no more requests to it begin in this send. A send that is stopped begins no more
 * requests and drops those that are running. */
#ifndef SLUICE_ACTIONS_HTTP_RUN_H
#define SLUICE_ACTIONS_HTTP_RUN_H

#include "actions/http_code.h"
#include "engine/base/arena.h"
#include "engine/http/http_link.h"
#include "sluice/action.h"

struct http_run;

/* What the kinds of requests differ in. */
struct http_maker {
    /* May the item go into a request that begins with `first` and has count items with bodies of so many bytes? NULL:
     * never. */
    bool (*joins)(void *ctx, const struct act_item *first, size_t count, size_t bytes, const struct act_item *item);
    /* Make a request of the items; memory from the arena. -1: ERR_TEMPLATE, they are rejected; anything else: later. */
    int (*make)(void *ctx, struct act_item *const *items, size_t count, struct arena *a, struct http_request *r,
                struct err *e);
    enum http_verdict (*verdict)(int status);
    /* Texts that must not appear in a reason, NULL-terminated. Servers may send back what they were sent. */
    const char *const *(*secrets)(void *ctx);
    void *ctx;
};

/* Both are borrowed. NULL: memory. */
struct http_run *http_run_new(const struct http_settings *settings, const struct http_maker *maker);
void http_run_free(struct http_run *r);

/* A descriptor that ends a send when it becomes readable; -1: none. */
void http_run_stop_on(struct http_run *r, int fd);

/* As action_type.send. -1 (ERR_UNREACHABLE, ERR_REFUSED) when nothing but the one host that all go to is the reason, or
 * when the send was stopped: the items that wait for that are still ACT_PENDING. After -1 the run is to be freed. */
int http_run_send(struct http_run *r, struct act_item *const *items, size_t count, struct err *e) MUST_CHECK;

#endif
