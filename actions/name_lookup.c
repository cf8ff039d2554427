/* SPDX-License-Identifier: Apache-2.0 */
/* One detached thread a look-up. Who comes last, thread or caller, frees what they share: the caller if the answer is
 * there when it looks, else the thread. */
#include "actions/name_lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct lookup {
    char *node, *service; /* NULL as for getaddrinfo */
    struct addrinfo hints;
    bool has_hints;
    int done_fd; /* readable: is_done */

    pthread_mutex_t lock; /* for what follows */
    bool is_done, is_abandoned;
    int code;
    struct addrinfo *found;
};

static void lookup_free(struct lookup *l)
{
    if (l->done_fd >= 0)
        close(l->done_fd);
    pthread_mutex_destroy(&l->lock);
    free(l->node);
    free(l->service);
    free(l);
}

/* NULL: memory or descriptors are short. */
static struct lookup *lookup_new(const char *node, const char *service, const struct addrinfo *hints)
{
    struct lookup *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->done_fd = eventfd(0, EFD_CLOEXEC);
    l->node = node ? strdup(node) : NULL;
    l->service = service ? strdup(service) : NULL;
    l->has_hints = hints != NULL;
    if (hints)
        l->hints = *hints;
    if (l->done_fd >= 0 && (!node || l->node) && (!service || l->service))
        return l;
    lookup_free(l);
    return NULL;
}

/* Locks: l->lock, of which nothing is left when it returns if the caller is gone. */
static void *lookup_run(void *ctx)
{
    struct lookup *l = ctx;
    struct addrinfo *found = NULL;
    int code = getaddrinfo(l->node, l->service, l->has_hints ? &l->hints : NULL, &found);
    pthread_mutex_lock(&l->lock);
    l->code = code;
    l->found = found;
    l->is_done = true;
    bool is_abandoned = l->is_abandoned;
    if (!is_abandoned)
        eventfd_write(l->done_fd, 1);
    pthread_mutex_unlock(&l->lock);
    if (is_abandoned) {
        if (code == 0)
            freeaddrinfo(found);
        lookup_free(l);
    }
    return NULL;
}

static int lookup_start(struct lookup *l)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &detached, lookup_run, l);
    pthread_attr_destroy(&detached);
    return rc;
}

int name_lookup(const char *node, const char *service, const struct addrinfo *hints, int end_fd,
                struct addrinfo **found)
{
    struct lookup *l = lookup_new(node, service, hints);
    if (!l)
        return EAI_MEMORY;
    int rc = lookup_start(l);
    if (rc != 0) {
        lookup_free(l);
        errno = rc;
        return EAI_SYSTEM;
    }
    struct pollfd fds[] = { { .fd = l->done_fd, .events = POLLIN }, { .fd = end_fd, .events = POLLIN } };
    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&l->lock);
    bool is_done = l->is_done;
    int code = is_done ? l->code : EAI_AGAIN;
    *found = is_done && code == 0 ? l->found : NULL;
    l->is_abandoned = !is_done;
    pthread_mutex_unlock(&l->lock);
    if (is_done)
        lookup_free(l);
    return code;
}
