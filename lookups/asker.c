/* SPDX-License-Identifier: Apache-2.0 */
/* asker_take ─► queue ─► begin ─► running in the http_link ─► end ─► done
 *                          └── files, kept answers, what cannot be asked ──┘
 *
 * The queue is under a lock; an eventfd(2) wakes the thread, also out of a wait for replies. At most `connections`
 * requests are under way, the others wait in the queue for their turn, at most TURN_MS; a request's own time counts from
 * when it is sent. Credentials are looked for once a minute, and again after a refusal. */
#include "lookups/asker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/thread.h"
#include "engine/http/http_auth.h"
#include "engine/http/http_url.h"

#define TURN_MS                                                                                                        \
    30000 /* that a question waits for its turn at most: a burst passes, what piles up without end does not */

struct asker {
    const struct lookups_conf *conf;
    struct kept *kept;
    const struct clock *clock;
    struct http_link *link;
    struct aws_kept aws;
    struct call *running; /* the thread's */
    int wake;             /* eventfd */
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* of all below */
    struct call *first, *last;
    bool closing;
};

/* The name that each service has in signatures. */
static const char *const service_names[] = {
    [AWS_LAMBDA] = "lambda",
    [AWS_DYNAMODB] = "dynamodb",
    [AWS_SECRETS_MANAGER] = "secretsmanager",
    [AWS_MACHINE_LEARNING] = "machinelearning",
};

/* --- ends --- */

static void call_free(struct call *c)
{
    arena_clear(&c->arena); /* empty if it was not begun */
    free(c);
}

static void answer_one(struct call *c, enum lookup_outcome outcome, char *text, size_t len)
{
    struct lookup *l = c->lookup;
    l->outcome = text ? outcome : LOOKUP_FAILED;
    l->text = text;
    l->len = text ? len : 0;
    call_free(c);
    l->done(l);
}

/* Takes over the text; those who asked the same get copies. */
static void answer(struct call *c, enum lookup_outcome outcome, char *text, size_t len)
{
    for (struct call *same = c->same, *next; same; same = next) {
        next = same->next;
        char *copy = text ? malloc(len + 1) : NULL;
        if (copy)
            memcpy(copy, text, len + 1);
        answer_one(same, outcome, copy, len);
    }
    answer_one(c, outcome, text, len);
}

static void fail(struct call *c, const struct err *e)
{
    char *text = strdup(e->text);
    answer(c, LOOKUP_FAILED, text, text ? strlen(text) : 0);
}

/* Hand out what was written, and keep it if it is to be kept. */
static void succeed(struct asker *a, struct call *c, struct buf *out)
{
    size_t len;
    int64_t keep = c->teller->keep_ms ? c->teller->keep_ms(a->conf) : 0;
    struct err e = { 0 };
    if (out->failed) {
        err_set(&e, ERR_LIMIT, "the answer has more than %zu bytes", ANSWER_MAX);
        fail(c, &e);
        return;
    }
    if (keep > 0)
        kept_add(a->kept, &c->lookup->question, clock_monotonic_ms(a->clock) + (uint64_t)keep, out->p, out->len);
    char *text = buf_detach(out, &len);
    answer(c, LOOKUP_ANSWERED, text, len);
}

/* --- beginning --- */

/* Are the arguments those that the function has? */
static int read_args(struct call *c, struct err *e)
{
    const struct lookup_question *q = &c->lookup->question;
    c->args = json_parse(&c->arena, q->args, q->args_len, NULL, e);
    if (!c->args)
        return -1;
    const struct json_node *list = json_at(c->args, 0);
    if (list->kind == JSON_ARRAY && list->count >= c->teller->min && list->count <= c->teller->max)
        return 0;
    return err_set(e, ERR_EVAL, "the question has the wrong number of arguments");
}

static int sign(struct asker *a, struct call *c, struct err *e)
{
    struct http_url u;
    struct http_request *r = &c->request;
    if (http_url_split(&u, r->url, strlen(r->url), e) < 0)
        return -1;
    r->origin_len = u.origin_len;
    aws_kept_refresh(&a->aws, &a->conf->aws, clock_monotonic_ms(a->clock));
    if (!a->aws.found)
        return 0;
    return http_auth_sign(r, &u, service_names[c->teller->service], a->conf->region, &a->aws.now,
                          clock_now_ms(a->clock), (struct http_field *)r->fields, &r->field_count, &c->arena, e);
}

static int64_t timeout_of(const struct asker *a, const struct teller *t)
{
    int64_t most = a->conf->http.timeout_ms;
    return t->timeout_ms && t->timeout_ms < most ? t->timeout_ms : most;
}

static int begin_request(struct asker *a, struct call *c, struct err *e)
{
    if (c->teller->make(a->conf, c, e) < 0 || sign(a, c, e) < 0)
        return -1;
    c->request.timeout_ms = timeout_of(a, c->teller);
    if (http_link_start(a->link, &c->request, c, e) < 0)
        return -1;
    c->next = a->running;
    a->running = c;
    return 0;
}

static void look_at_file(struct asker *a, struct call *c)
{
    struct buf out;
    struct err e = { 0 };
    buf_init(&out, ANSWER_MAX);
    if (c->teller->look(a->conf, c, &out, &e) == 0)
        succeed(a, c, &out);
    else
        fail(c, &e);
    buf_clear(&out);
}

/* Somebody else may have asked the same meanwhile. */
static bool is_kept(struct asker *a, struct call *c, uint64_t now_ms)
{
    char *text;
    size_t len;
    if (!c->teller->keep_ms || !kept_find(a->kept, &c->lookup->question, now_ms, &text, &len))
        return false;
    answer(c, LOOKUP_ANSWERED, text, len);
    return true;
}

/* What is kept is asked once, however many want it at the same time. */
static bool joins_another(struct asker *a, struct call *c)
{
    const struct lookup_question *q = &c->lookup->question;
    if (!c->teller->keep_ms || c->teller->keep_ms(a->conf) == 0)
        return false;
    for (struct call *r = a->running; r; r = r->next) {
        const struct lookup_question *other = &r->lookup->question;
        if (r->teller != c->teller || other->args_len != q->args_len || memcmp(other->args, q->args, q->args_len) != 0)
            continue;
        c->next = r->same;
        r->same = c;
        return true;
    }
    return false;
}

static void begin(struct asker *a, struct call *c)
{
    struct err e = { 0 };
    uint64_t now_ms = clock_monotonic_ms(a->clock);
    if (is_kept(a, c, now_ms) || joins_another(a, c))
        return;
    arena_init(&c->arena, CALL_ARENA_MAX);
    int rc = 0;
    if (now_ms >= c->until_ms)
        rc = err_set(&e, ERR_UNREACHABLE, "too many others are asked at the same time: it was not its turn for %d s",
                     TURN_MS / 1000);
    if (rc == 0)
        rc = read_args(c, &e);
    if (rc == 0 && c->teller->look)
        look_at_file(a, c);
    else if (rc < 0 || begin_request(a, c, &e) < 0)
        fail(c, &e);
}

/* --- replies --- */

static void unlink_running(struct asker *a, struct call *c)
{
    struct call **at = &a->running;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
}

/* Reasons of libcurl may show the url. */
static int refuse_outcome(const struct asker *a, const struct call *c, const struct http_answer *reply, struct err *e)
{
    const char *secret = a->conf->services[c->teller->service].secret_path;
    bool shows = secret && strstr(reply->text, secret);
    if (reply->outcome == HTTP_SLOW)
        return err_set(e, ERR_UNREACHABLE, "there was no answer in time");
    return err_set(e, ERR_UNREACHABLE, "the server could not be asked: %s", shows ? "…" : reply->text);
}

static int read_reply(struct asker *a, struct call *c, const struct http_answer *reply, struct buf *out, struct err *e)
{
    if (reply->outcome != HTTP_ANSWERED)
        return refuse_outcome(a, c, reply, e);
    if (reply->passed_limit)
        return err_set(e, ERR_LIMIT, "the answer has more than %zu bytes", reply->passed_limit);
    if (reply->status != 200) {
        a->aws.again_ms = 0;
        return call_refused(c, reply, e);
    }
    return c->teller->read(c, reply, out, e);
}

static void end(struct asker *a, struct call *c, const struct http_answer *reply)
{
    struct buf out;
    struct err e = { 0 };
    unlink_running(a, c);
    buf_init(&out, ANSWER_MAX);
    if (read_reply(a, c, reply, &out, &e) == 0)
        succeed(a, c, &out);
    else
        fail(c, &e);
    buf_clear(&out);
}

/* --- the thread --- */

static struct call *take_first(struct asker *a)
{
    pthread_mutex_lock(&a->lock);
    struct call *c = a->closing ? NULL : a->first;
    if (c)
        a->first = c->next;
    pthread_mutex_unlock(&a->lock);
    return c;
}

static bool is_closing(struct asker *a)
{
    pthread_mutex_lock(&a->lock);
    bool closing = a->closing;
    pthread_mutex_unlock(&a->lock);
    return closing;
}

static void begin_waiting(struct asker *a)
{
    struct call *c;
    while (http_link_running(a->link) < (size_t)a->conf->http.connections && (c = take_first(a)) != NULL)
        begin(a, c);
}

/* Until something is asked or answered. */
static void wait(struct asker *a)
{
    struct http_answer reply;
    struct pollfd p = { .fd = a->wake, .events = POLLIN };
    uint64_t woken;
    if (http_link_running(a->link) == 0) {
        poll(&p, 1, -1);
    } else {
        struct call *c = http_link_wait(a->link, &reply);
        if (c)
            end(a, c, &reply);
    }
    if (poll(&p, 1, 0) > 0 && read(a->wake, &woken, sizeof(woken)) < 0)
        return; /* it was taken already */
}

static void *run(void *ctx)
{
    struct asker *a = ctx;
    while (!is_closing(a)) {
        begin_waiting(a);
        wait(a);
    }
    return NULL;
}

/* --- life --- */

struct asker *asker_new(const struct lookups_conf *conf, struct kept *kept, const struct clock *clock, struct err *e)
{
    struct asker *a = calloc(1, sizeof(*a));
    if (!a) {
        err_set(e, ERR_MEMORY, "not enough memory for look-ups");
        return NULL;
    }
    a->conf = conf;
    a->kept = kept;
    a->clock = clock;
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->link = a->wake >= 0 ? http_link_new(&conf->http) : NULL;
    if (!a->link || pthread_mutex_init(&a->lock, NULL) != 0) {
        err_set(e, ERR_MEMORY, "look-ups could not start: %s", strerror(errno));
        http_link_free(a->link);
        if (a->wake >= 0)
            close(a->wake);
        free(a);
        return NULL;
    }
    http_link_stop_on(a->link, a->wake);
    return a;
}

int asker_start(struct asker *a, struct err *e)
{
    a->started = thread_start(&a->thread, "lookups", run, a, e) == 0;
    return a->started ? 0 : -1;
}

static void wake(struct asker *a)
{
    uint64_t one = 1;
    while (write(a->wake, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

bool asker_take(struct asker *a, struct lookup *l, const struct teller *teller)
{
    struct call *c = calloc(1, sizeof(*c));
    if (!c)
        return false;
    *c = (struct call) { .lookup = l, .teller = teller, .until_ms = clock_monotonic_ms(a->clock) + TURN_MS };
    pthread_mutex_lock(&a->lock);
    bool taken = !a->closing;
    if (taken) {
        if (a->first)
            a->last->next = c;
        else
            a->first = c;
        a->last = c;
    }
    pthread_mutex_unlock(&a->lock);
    if (taken)
        wake(a);
    else
        free(c);
    return taken;
}

/* What nobody will ask any more. */
static void fail_all(struct call *c)
{
    static const struct err e = { .code = ERR_UNREACHABLE, .text = "the service is stopping" };
    while (c) {
        struct call *next = c->next;
        fail(c, &e);
        c = next;
    }
}

void asker_free(struct asker *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    a->closing = true;
    pthread_mutex_unlock(&a->lock);
    wake(a);
    if (a->started)
        pthread_join(a->thread, NULL);
    http_link_free(a->link);
    fail_all(a->running);
    fail_all(a->first);
    aws_credentials_clear(&a->aws.now);
    pthread_mutex_destroy(&a->lock);
    close(a->wake);
    free(a);
}
