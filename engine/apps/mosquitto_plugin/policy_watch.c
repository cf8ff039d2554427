/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/apps/mosquitto_plugin/policy_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/conf_files.h"
#include "engine/base/thread.h"
#include "engine/flow/rule_watch.h"

#define SETTLE_MS     100  /* an editor or a copy makes several changes in a row */
#define SETTLE_ROUNDS 10   /* but no more than a second of them is waited for */
#define LOOK_MS       1000 /* folders that were gone are looked for again */

enum wish { WISH_NONE, WISH_READ, WISH_END };

struct policy_watch {
    const char *const *paths;
    size_t count;
    struct policy_scope scope;
    struct rule_watch *files;
    int wake; /* eventfd */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t unused;
    enum wish wish;
    bool has_news;
    struct policy_news news;
};

static void wish(struct policy_watch *w, enum wish what)
{
    uint64_t one = 1;
    pthread_mutex_lock(&w->lock);
    if (what > w->wish)
        w->wish = what;
    pthread_mutex_unlock(&w->lock);
    while (write(w->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static enum wish take_wish(struct policy_watch *w)
{
    uint64_t n;
    while (read(w->wake, &n, sizeof(n)) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&w->lock);
    enum wish what = w->wish;
    if (what == WISH_READ)
        w->wish = WISH_NONE;
    pthread_mutex_unlock(&w->lock);
    return what;
}

static void news_clear(struct policy_news *news)
{
    policy_set_unref(news->set);
    errs_clear(&news->errs);
    *news = (struct policy_news) { 0 };
}

static void load(struct policy_watch *w)
{
    struct policy_news fresh = { 0 }, old;
    fresh.set = policy_set_load(w->paths, w->count, &w->scope, &fresh.errs);
    pthread_mutex_lock(&w->lock);
    old = w->news;
    w->news = fresh;
    w->has_news = true;
    pthread_mutex_unlock(&w->lock);
    news_clear(&old);
}

/* Wait until something happens; true: the files are to be read. */
static bool wait_for_change(struct policy_watch *w, int timeout_ms, enum wish *what)
{
    struct pollfd fds[] = { { .fd = w->wake, .events = POLLIN }, { .fd = rule_watch_fd(w->files), .events = POLLIN } };
    poll(fds, 2, timeout_ms);
    *what = take_wish(w);
    return rule_watch_take(w->files);
}

static void *run(void *ctx)
{
    struct policy_watch *w = ctx;
    enum wish what = WISH_NONE;
    while (what != WISH_END) {
        bool changed = wait_for_change(w, LOOK_MS, &what);
        bool is_asked = what == WISH_READ;
        for (int i = 0; changed && what != WISH_END && i < SETTLE_ROUNDS; i++) {
            if (!wait_for_change(w, SETTLE_MS, &what))
                break;
        }
        if (what != WISH_END && (changed || is_asked))
            load(w);
    }
    return NULL;
}

void policy_watch_ask(struct policy_watch *w)
{
    wish(w, WISH_READ);
}

bool policy_watch_take(struct policy_watch *w, struct policy_news *news)
{
    if (pthread_mutex_trylock(&w->lock) != 0)
        return false;
    bool is_new = w->has_news;
    if (is_new) {
        *news = w->news;
        w->news = (struct policy_news) { 0 };
        w->has_news = false;
    }
    pthread_mutex_unlock(&w->lock);
    return is_new;
}

static void release(struct policy_watch *w)
{
    rule_watch_free(w->files);
    if (w->wake >= 0)
        close(w->wake);
    news_clear(&w->news);
    thread_lock_clear(&w->lock, &w->unused);
    free(w);
}

/* The files are watched before they are read: no change between the two is missed. */
static int start(struct policy_watch *w, struct policy_news *first, struct err *e)
{
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake < 0)
        return err_set(e, ERR_IO, "could not watch the policies: %s", strerror(errno));
    w->files = rule_watch_new(w->paths, w->count, conf_files_has_name, e);
    if (!w->files)
        return -1;
    first->set = policy_set_load(w->paths, w->count, &w->scope, &first->errs);
    return first->set ? thread_start(&w->thread, "sluice-policy", run, w, e) : -1;
}

struct policy_watch *policy_watch_new(const char *const *paths, size_t count, const struct policy_scope *scope,
                                      struct policy_news *first, struct err *e)
{
    *first = (struct policy_news) { 0 };
    struct policy_watch *w = calloc(1, sizeof(*w));
    if (!w || thread_lock_init(&w->lock, &w->unused, e) < 0) {
        err_set(e, ERR_MEMORY, "not enough memory to watch the policies");
        free(w);
        return NULL;
    }
    w->paths = paths;
    w->count = count;
    w->scope = *scope;
    if (start(w, first, e) < 0) {
        release(w);
        return NULL;
    }
    return w;
}

void policy_watch_free(struct policy_watch *w)
{
    if (!w)
        return;
    wish(w, WISH_END);
    pthread_join(w->thread, NULL);
    release(w);
}
