/* SPDX-License-Identifier: Apache-2.0 */
/* Drives the mqtt source and the republish action by themselves, so that a test can stand where the flow stands.
 *
 *     mqtt_driver source CONF             the source; its messages as JSON lines on standard output
 *     mqtt_driver publish CONF ACTION     the action; results as JSON lines
 *     mqtt_driver relay CONF ACTION MAX   both, as the flow does it: each message is republished, at most MAX under way
 *     mqtt_driver check CONF FILTER…      what the source says to the filters
 *
 * CONF is a file with the options of the connection, ACTION one with those of the action. Commands come on standard
 * input, one a line:
 *
 *     filters F…         (source, relay) start, later change the filters
 *     full | room        (source) the sink refuses messages | takes them again
 *     hold               (source) from now on messages stay unsettled, until
 *     settle N           (source) the N-th of them is final; 0: all are, and further ones at once
 *     later MS           (source, relay) the source's clock goes forward; nothing wakes it
 *     item TOPIC PAYLOAD HOPS     (publish) collect; in the action ${topic} and ${payload} stand for these
 *     send               (publish) send what was collected
 *     stop               stop and close; the end of standard input does the same */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/actions_int.h"
#include "engine/base/base64.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/conf.h"
#include "engine/base/json.h"
#include "engine/base/log.h"
#include "engine/base/thread.h"
#include "engine/flow/filters.h"
#include "engine/flow/source_mqtt.h"

#define FILTERS_MAX   4096
#define TEMPLATES_MAX 256
#define RETRY_MS      200
#define HELD_MAX      4096
#define SETTLED       UINT64_MAX

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "mqtt_driver: %s\n", what);
    exit(2);
}

static void print_line(struct buf *b)
{
    if (b->failed)
        die("out of memory");
    buf_putc(b, '\n');
    flockfile(stdout);
    fwrite(b->p, 1, b->len, stdout);
    fflush(stdout);
    funlockfile(stdout);
    buf_clear(b);
}

static void print_errs(struct errs *errs)
{
    struct buf b;
    buf_init(&b, (size_t)1 << 20);
    errs_sort(errs);
    errs_print(errs, &b);
    fputs(b.p ? b.p : "", stderr);
    buf_clear(&b);
    errs_clear(errs);
}

static struct conf *load(const char *path)
{
    struct errs errs = { 0 };
    struct conf *c = conf_load(path, &errs);
    if (!c) {
        print_errs(&errs);
        exit(1);
    }
    return c;
}

/* --- filters --- */

struct filter_list {
    struct source_filter list[FILTERS_MAX];
    size_t count;
};

static int compare_filters(const void *a, const void *b)
{
    return strcmp(((const struct source_filter *)a)->filter, ((const struct source_filter *)b)->filter);
}

static void number_filters(struct filter_list *f)
{
    qsort(f->list, f->count, sizeof(f->list[0]), compare_filters);
    filters_number(f->list, f->count);
}

/* The words of a line, which is cut up. */
static void split_filters(struct filter_list *f, char *line)
{
    f->count = 0;
    for (char *word = strtok(line, " "); word && f->count < FILTERS_MAX; word = strtok(NULL, " "))
        f->list[f->count++].filter = word;
    number_filters(f);
}

/* --- messages as JSON --- */

static void put_member(struct buf *b, const char *name, const char *text, size_t len)
{
    buf_printf(b, ",\"%s\":", name);
    json_write_string(b, text, len);
}

static void put_optional(struct buf *b, const char *name, const char *text)
{
    if (text)
        put_member(b, name, text, strlen(text));
}

static void put_users(struct buf *b, const struct message *m)
{
    for (size_t i = 0; i < m->user_property_count; i++) {
        const struct user_property *u = &m->user_properties[i];
        buf_puts(b, i ? ",[" : ",\"user\":[[");
        json_write_string(b, u->name, u->name_len);
        buf_putc(b, ',');
        json_write_string(b, u->value, u->value_len);
        buf_putc(b, ']');
    }
    buf_puts(b, m->user_property_count ? "]" : "");
}

static void print_message(const struct source_message *sm)
{
    const struct message *m = &sm->message;
    struct buf b, correlation;
    buf_init(&b, (size_t)1 << 30);
    buf_init(&correlation, (size_t)1 << 20);
    buf_puts(&b, "{\"topic\":");
    json_write_string(&b, m->topic, m->topic_len);
    put_member(&b, "payload", m->payload, m->payload_len);
    buf_printf(&b, ",\"qos\":%u,\"retain\":%s,\"hops\":%u,\"token\":%llu", m->qos, m->retain ? "true" : "false",
               m->hops, (unsigned long long)sm->token);
    if (m->dup)
        buf_puts(&b, ",\"dup\":true");
    put_optional(&b, "contentType", m->content_type);
    put_optional(&b, "responseTopic", m->response_topic);
    if (m->correlation_data) {
        base64_encode(&correlation, m->correlation_data, m->correlation_len);
        put_member(&b, "correlation", correlation.p ? correlation.p : "", correlation.len);
    }
    if (m->payload_format != PAYLOAD_FORMAT_ABSENT)
        buf_printf(&b, ",\"format\":%d", m->payload_format);
    put_users(&b, m);
    for (size_t i = 0; i < sm->filter_id_count; i++)
        buf_printf(&b, "%s%u", i ? "," : ",\"ids\":[", sm->filter_ids[i]);
    buf_puts(&b, sm->filter_id_count ? "]}" : "}");
    buf_clear(&correlation);
    print_line(&b);
}

/* --- a host whose templates know two names --- */

struct templates {
    struct act_host host;
    const struct conf *list[TEMPLATES_MAX];
    int count;
};

static int template_add(struct act_host *host, const struct conf *scalar, struct errs *errs)
{
    (void)errs;
    struct templates *t = (struct templates *)(void *)host;
    if (t->count == TEMPLATES_MAX)
        die("too many templates");
    t->list[t->count] = scalar;
    return t->count++;
}

static bool template_is_constant(struct act_host *host, int index)
{
    return !strstr(((struct templates *)(void *)host)->list[index]->text, "${");
}

static struct act_text render(const char *text, const char *topic, const char *payload)
{
    struct buf b;
    struct act_text out;
    buf_init(&b, (size_t)1 << 30);
    while (*text) {
        if (strncmp(text, "${topic}", 8) == 0) {
            buf_puts(&b, topic);
            text += 8;
        } else if (strncmp(text, "${payload}", 10) == 0) {
            buf_puts(&b, payload);
            text += 10;
        } else {
            buf_putc(&b, *text++);
        }
    }
    out.p = buf_detach(&b, &out.len);
    out.is_null = false;
    if (!out.p)
        die("out of memory");
    return out;
}

/* --- the action --- */

struct republisher {
    struct templates templates;
    void *target, *action, *lane;
    struct act_env env;
};

static void republisher_open(struct republisher *r, const struct conf *conf, const struct conf *action)
{
    struct errs errs = { 0 };
    struct err e = { 0 };
    r->env = (struct act_env) { .clock = &clock_system, .client_name = "driver" };
    r->templates.host =
        (struct act_host) { .template_add = template_add, .template_is_constant = template_is_constant };
    r->target = act_republish.target_open(conf, &r->env, &errs);
    r->action = r->target ? act_republish.action_open(r->target, action, &r->templates.host, &errs) : NULL;
    if (r->action)
        r->lane = act_republish.lane_open(r->target, &e);
    print_errs(&errs);
    if (!r->lane)
        exit(1);
}

static void republisher_close(struct republisher *r)
{
    if (r->lane)
        act_republish.lane_close(r->lane);
    act_republish.action_close(r->action);
    act_republish.target_close(r->target);
}

struct owned_item {
    struct act_item item;
    struct act_text *texts;
    uint64_t token;
    struct owned_item *next;
};

static struct owned_item *item_new(const struct republisher *r, const char *topic, const char *payload, unsigned hops)
{
    struct owned_item *o = calloc(1, sizeof(*o));
    if (!o || !(o->texts = calloc((size_t)r->templates.count + 1, sizeof(*o->texts))))
        die("out of memory");
    for (int i = 0; i < r->templates.count; i++)
        o->texts[i] = render(r->templates.list[i]->text, topic, payload);
    o->texts[r->templates.count] = render(payload, "", "");
    o->item = (struct act_item) {
        .action = r->action,
        .body = o->texts[r->templates.count].p,
        .body_len = o->texts[r->templates.count].len,
        .texts = o->texts,
        .hops = hops,
    };
    return o;
}

static void item_free(const struct republisher *r, struct owned_item *o)
{
    for (int i = 0; i <= r->templates.count; i++)
        free((void *)(uintptr_t)o->texts[i].p);
    free(o->texts);
    free(o);
}

/* As an outbox does: a broken lane is closed and opened again. */
static int republisher_send(struct republisher *r, struct act_item *const *items, size_t count, struct err *e)
{
    struct err ignored = { 0 };
    if (!r->lane)
        r->lane = act_republish.lane_open(r->target, e);
    if (r->lane && act_republish.send(r->lane, items, count, e) == 0)
        return 0;
    if (r->lane)
        act_republish.lane_close(r->lane);
    r->lane = act_republish.lane_open(r->target, &ignored);
    return -1;
}

static void print_results(struct act_item *const *items, size_t count, int rc, const struct err *e)
{
    static const char *const names[] = { "pending", "done", "later", "rejected" };
    struct buf b;
    for (size_t i = 0; i < count; i++) {
        buf_init(&b, 4096);
        buf_printf(&b, "{\"result\":\"%s\",\"reason\":", names[items[i]->result]);
        json_write_string(&b, items[i]->reason, strlen(items[i]->reason));
        buf_putc(&b, '}');
        print_line(&b);
    }
    buf_init(&b, 4096);
    buf_printf(&b, "{\"sent\":%d,\"code\":\"%s\",\"error\":", rc, err_code_name(e->code));
    json_write_string(&b, e->text, strlen(e->text));
    put_member(&b, "hint", e->hint, strlen(e->hint));
    buf_putc(&b, '}');
    print_line(&b);
}

static void send_collected(struct republisher *r, struct act_item **items, size_t count)
{
    struct err e = { 0 };
    int rc = republisher_send(r, items, count, &e);
    print_results(items, count, rc, &e);
    for (size_t i = 0; i < count; i++)
        item_free(r, (struct owned_item *)(void *)items[i]);
}

static int drive_publish(const struct conf *conf, const struct conf *action)
{
    struct republisher r = { 0 };
    struct act_item *items[ACT_BATCH_MAX];
    size_t count = 0, room = 0;
    char *line = NULL;
    republisher_open(&r, conf, action);
    while (getline(&line, &room, stdin) > 0 && strcmp(line, "stop\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "item ", 5) == 0 && count < ACT_BATCH_MAX) {
            const char *topic = strtok(line + 5, " "), *payload = strtok(NULL, " "), *hops = strtok(NULL, " ");
            items[count++] = &item_new(&r, topic, payload ? payload : "", hops ? (unsigned)atoi(hops) : 0)->item;
        } else if (strcmp(line, "send") == 0) {
            send_collected(&r, items, count);
            count = 0;
        }
    }
    for (size_t i = 0; i < count; i++)
        item_free(&r, (struct owned_item *)(void *)items[i]);
    free(line);
    republisher_close(&r);
    return 0;
}

/* --- the source --- */

static atomic_uint_fast64_t clock_ahead_ms;

static int64_t shifted_now(void *ctx)
{
    (void)ctx;
    return clock_now_ms(&clock_system) + (int64_t)atomic_load(&clock_ahead_ms);
}

static uint64_t shifted_monotonic(void *ctx)
{
    (void)ctx;
    return clock_monotonic_ms(&clock_system) + atomic_load(&clock_ahead_ms);
}

static const struct clock shifted_clock = { shifted_now, shifted_monotonic, NULL };

struct sink {
    struct source_sink port; /* first: the port's functions find the rest by it */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool full;
    const struct source_type *type;
    void *source;
    /* source: what `hold` has kept back, in the order in which it came */
    bool hold;
    uint64_t held[HELD_MAX];
    size_t held_count;
    /* relay */
    struct republisher *republisher;
    struct owned_item *first, *last;
    size_t under_way, most, done, rejected;
    bool closed;
};

static struct sink *sink_of(struct source_sink *port)
{
    return (struct sink *)(void *)port;
}

static char *text_of(const char *p, size_t len)
{
    char *s = strndup(p, len);
    return s ? s : (die("out of memory"), NULL);
}

static enum sink_answer take_to_republish(struct sink *s, const struct source_message *m)
{
    pthread_mutex_lock(&s->lock);
    bool full = s->under_way >= s->most;
    s->under_way += !full;
    pthread_mutex_unlock(&s->lock);
    if (full)
        return SINK_FULL;
    char *topic = text_of(m->message.topic, m->message.topic_len);
    char *payload = text_of(m->message.payload, m->message.payload_len);
    struct owned_item *o = item_new(s->republisher, topic, payload, m->message.hops);
    free(topic);
    free(payload);
    o->token = m->token;
    pthread_mutex_lock(&s->lock);
    if (s->last)
        s->last->next = o;
    else
        s->first = o;
    s->last = o;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return SINK_TAKEN;
}

static enum sink_answer submit(struct source_sink *port, const struct source_message *m)
{
    struct sink *s = sink_of(port);
    if (s->republisher)
        return take_to_republish(s, m);
    pthread_mutex_lock(&s->lock);
    bool full = s->full, hold = s->hold && s->held_count < HELD_MAX;
    if (!full && hold)
        s->held[s->held_count++] = m->token;
    pthread_mutex_unlock(&s->lock);
    if (full)
        return SINK_FULL;
    print_message(m);
    if (!hold)
        s->type->settled(s->source, m->token);
    return SINK_TAKEN;
}

static void set_hold(struct sink *s, bool hold)
{
    pthread_mutex_lock(&s->lock);
    s->hold = hold;
    pthread_mutex_unlock(&s->lock);
}

/* Settle the n-th of the held ones, counted from 1; 0: all of them. */
static void settle_held(struct sink *s, size_t n)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = n ? n - 1 : 0; i < s->held_count && (!n || i == n - 1); i++) {
        if (s->held[i] != SETTLED)
            s->type->settled(s->source, s->held[i]);
        s->held[i] = SETTLED;
    }
    if (!n)
        s->held_count = 0;
    pthread_mutex_unlock(&s->lock);
}

static void gather(struct source_sink *port, bool on)
{
    (void)port;
    (void)on;
}

static void wait_room(struct source_sink *port, unsigned timeout_ms)
{
    struct sink *s = sink_of(port);
    struct timespec t = thread_deadline(timeout_ms);
    pthread_mutex_lock(&s->lock);
    if (s->full || (s->republisher && s->under_way >= s->most))
        pthread_cond_timedwait(&s->changed, &s->lock, &t);
    pthread_mutex_unlock(&s->lock);
}

/* A retained message that is not to be evaluated. */
static void ignored(struct source_sink *port)
{
    struct buf b;
    (void)port;
    buf_init(&b, 64);
    buf_puts(&b, "{\"ignored\":true}");
    print_line(&b);
}

static void finished(struct source_sink *port, bool all)
{
    (void)port;
    (void)all;
}

static void sink_init(struct sink *s)
{
    struct err e = { 0 };
    s->port = (struct source_sink) {
        .submit = submit, .gather = gather, .wait_room = wait_room, .ignored = ignored, .finished = finished
    };
    if (thread_lock_init(&s->lock, &s->changed, &e) < 0)
        die(e.text);
}

/* --- relay: the thread of an outbox --- */

static size_t take_batch(struct sink *s, struct act_item **items)
{
    pthread_mutex_lock(&s->lock);
    while (!s->first && !s->closed)
        pthread_cond_wait(&s->changed, &s->lock);
    size_t count = 0;
    for (; s->first && count < act_republish.batch_max; count++) {
        items[count] = &s->first->item;
        s->first = s->first->next;
    }
    if (!s->first)
        s->last = NULL;
    pthread_mutex_unlock(&s->lock);
    return count;
}

/* Give back what is final; returns how many are not, moved to the front. */
static size_t return_final(struct sink *s, struct act_item **items, size_t count)
{
    size_t left = 0, done = 0, rejected = 0;
    for (size_t i = 0; i < count; i++) {
        struct owned_item *o = (struct owned_item *)(void *)items[i];
        done += o->item.result == ACT_DONE;
        rejected += o->item.result == ACT_REJECTED;
        if (o->item.result != ACT_DONE && o->item.result != ACT_REJECTED) {
            items[left++] = items[i];
            continue;
        }
        s->type->settled(s->source, o->token);
        item_free(s->republisher, o);
    }
    pthread_mutex_lock(&s->lock);
    s->done += done;
    s->rejected += rejected;
    s->under_way -= done + rejected;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return left;
}

static void pause_a_little(struct sink *s)
{
    struct timespec t = thread_deadline(RETRY_MS);
    pthread_mutex_lock(&s->lock);
    while (!s->closed && pthread_cond_timedwait(&s->changed, &s->lock, &t) == 0)
        continue;
    pthread_mutex_unlock(&s->lock);
}

static void *relay(void *arg)
{
    struct sink *s = arg;
    struct act_item *items[ACT_BATCH_MAX];
    size_t count;
    while ((count = take_batch(s, items)) > 0) {
        while (count > 0) {
            struct err e = { 0 };
            if (republisher_send(s->republisher, items, count, &e) < 0)
                log_warn("relay: %s", e.text);
            count = return_final(s, items, count);
            if (count > 0)
                pause_a_little(s);
        }
    }
    return NULL;
}

static int drive_source(const struct conf *conf, struct republisher *r, size_t most)
{
    static struct filter_list filters;
    struct sink s = { .republisher = r, .most = most };
    struct source_env env = { .clock = &shifted_clock };
    struct errs errs = { 0 };
    struct err e = { 0 };
    pthread_t thread;
    char *line = NULL;
    size_t room = 0;
    bool started = false;
    sink_init(&s);
    s.type = source_mqtt.variant(conf);
    s.source = s.type->open(conf, &env, &errs);
    print_errs(&errs);
    if (!s.source)
        return 1;
    if (r && thread_start(&thread, "relay", relay, &s, &e) < 0)
        die(e.text);
    while (getline(&line, &room, stdin) > 0 && strcmp(line, "stop\n") != 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "filters", 7) == 0) {
            split_filters(&filters, line + 7);
            int rc = started ? s.type->set_filters(s.source, filters.list, filters.count, &e)
                             : s.type->start(s.source, &s.port, filters.list, filters.count, &e);
            if (rc < 0)
                die(e.text);
            started = true;
        } else if (strncmp(line, "later ", 6) == 0) {
            atomic_fetch_add(&clock_ahead_ms, strtoull(line + 6, NULL, 10));
        } else if (strcmp(line, "hold") == 0) {
            set_hold(&s, true);
        } else if (strncmp(line, "settle ", 7) == 0) {
            size_t n = strtoull(line + 7, NULL, 10);
            set_hold(&s, n > 0);
            settle_held(&s, n);
        } else {
            pthread_mutex_lock(&s.lock);
            s.full = strcmp(line, "full") == 0;
            pthread_cond_broadcast(&s.changed);
            pthread_mutex_unlock(&s.lock);
        }
    }
    free(line);
    s.type->stop(s.source);
    if (r) {
        pthread_mutex_lock(&s.lock);
        s.closed = true;
        pthread_cond_broadcast(&s.changed);
        pthread_mutex_unlock(&s.lock);
        pthread_join(thread, NULL);
        printf("{\"done\":%zu,\"rejected\":%zu}\n", s.done, s.rejected);
    }
    s.type->close(s.source);
    thread_lock_clear(&s.lock, &s.changed);
    return 0;
}

static int drive_check(const struct conf *conf, char **words, size_t count)
{
    static struct filter_list filters;
    struct source_env env = { .clock = &clock_system };
    struct errs errs = { 0 };
    for (size_t i = 0; i < count && i < FILTERS_MAX; i++)
        filters.list[filters.count++].filter = words[i];
    number_filters(&filters);
    const struct source_type *type = source_mqtt.variant(conf);
    void *source = type->open(conf, &env, &errs);
    if (source) {
        type->check(source, filters.list, filters.count, &errs);
        type->close(source);
    }
    print_errs(&errs);
    return source ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: source CONF | publish CONF ACTION | relay CONF ACTION MAX | check CONF FILTER...");
    struct conf *conf = load(argv[2]), *action = NULL;
    int rc = 2;
    log_setup(2, LOG_LEVEL_DEBUG, LOG_FORM_PERSON);
    if (strcmp(argv[1], "source") == 0) {
        rc = drive_source(conf, NULL, 0);
    } else if (strcmp(argv[1], "check") == 0) {
        rc = drive_check(conf, argv + 3, (size_t)argc - 3);
    } else if (argc >= 4) {
        struct republisher r = { 0 };
        action = load(argv[3]);
        if (strcmp(argv[1], "publish") == 0) {
            rc = drive_publish(conf, action);
        } else if (argc >= 5) {
            republisher_open(&r, conf, action);
            rc = drive_source(conf, &r, (size_t)atoi(argv[4]));
            republisher_close(&r);
        }
    }
    conf_free(action);
    conf_free(conf);
    return rc;
}
