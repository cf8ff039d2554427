/* SPDX-License-Identifier: Apache-2.0 */
/* Batches are ours, not librdkafka's: its linger is set to a quarter of an hour, and rd_kafka_flush sends what a round has
 * gathered at once, one request per partition.
 *
 * Time. librdkafka's own message time-out is off. At the end of the send's time everything is purged, also what is in
 * flight, and the link is broken: so nothing of it arrives later, but for what the servers hold already.
 *
 * Stopping. librdkafka has waits, but none on a descriptor beside it. So each is cut into slices, and the descriptor is
 * looked at between them. Destroying a producer joins its threads; these wait for nothing but the resolver, so that gets
 * an end of ours.
 *
 * Trouble. librdkafka reconnects for ever and tells about it by an error callback, served while this thread waits. When
 * all servers are down a request for metadata shows whether one comes back.
 *
 * A topic is looked up before its first message: messages to unknown topics would be moved to their partitions while the
 * round runs, in pieces, and only librdkafka's patience would end the wait for a topic that does not exist. */
#include "actions/kafka_link.h"

#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "actions/name_lookup.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"

#define TOPICS_MAX      1000 /* kept from send to send */
#define TOPIC_NAME_SIZE 250
#define REFRESH_MS      5000 /* a partition is looked for again before older knowledge refuses it */
#define CHUNK_MS        100  /* between two looks at the state */
#define ASK_MS          250  /* first wait for an answer, of a series that doubles up to KAFKA_LINK_ASK_MS */
#define PURGE_MS        1000 /* for the reports of what was purged */
#define RECORD_OVERHEAD 100  /* bytes that a message takes in a request beside its own, at most */
#define HEADER_OVERHEAD 20
#define TAG_BITS        16
#define TAG_MASK        ((1u << TAG_BITS) - 1)
#define VALUES_MAX      6

struct topic {
    char name[TOPIC_NAME_SIZE];
    rd_kafka_topic_t *handle;
    int partitions;              /* 0: not known to exist */
    uint64_t looked_up_ms;       /* 0: never */
    uint64_t missing_since_ms;   /* 0: not missing */
    rd_kafka_resp_err_t missing; /* what the servers said */
    unsigned send;               /* in which that was */
};

struct kafka_link {
    struct kafka_settings settings;
    struct kafka_secrets *secrets;
    rd_kafka_t *rk;
    bool connected, down, broken;
    rd_kafka_resp_err_t trouble; /* the last one heard of */
    char trouble_text[232];
    uint64_t deadline_ms;
    int stop_fd;   /* readable: no wait goes on; -1: none */
    int end_fd;    /* readable: the producer is being destroyed */
    unsigned send; /* number of the present one */

    struct topic **topics; /* sorted by name */
    size_t topic_count, topic_room;

    size_t round_count, round_bytes, bytes_max, count_max;
    uintptr_t round; /* number of the round, so that reports of older ones are recognised */
    kafka_report *report;
    void *report_ctx;
};

/* --- failures --- */

static int fail(struct kafka_failure *f, enum kafka_verdict verdict, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail(struct kafka_failure *f, enum kafka_verdict verdict, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    f->verdict = verdict;
    f->unreachable = f->missing = f->stopped = false;
    vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
    f->text[utf8_valid_prefix(f->text, strlen(f->text))] = '\0';
    return -1;
}

/* `what`: text before librdkafka's own, may be "". */
static int fail_code(struct kafka_failure *f, rd_kafka_resp_err_t code, const char *what)
{
    const char *name = rd_kafka_err2name(code);
    fail(f, kafka_code_verdict(name), "%s%s: %s", what, name, rd_kafka_err2str(code));
    f->missing = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    return -1;
}

/* No server answers; the last trouble says most about why. */
static int fail_unreachable(const struct kafka_link *l, struct kafka_failure *f)
{
    if (l->trouble)
        fail(f, kafka_trouble_verdict(rd_kafka_err2name(l->trouble), l->trouble_text), "%s", l->trouble_text);
    else
        fail(f, KAFKA_LATER, "no server answered within %lld ms", (long long)l->settings.connect_timeout_ms);
    f->unreachable = true;
    return -1;
}

/* An idempotent producer met what it cannot get over. */
static int fail_fatal(struct kafka_link *l, struct kafka_failure *f)
{
    char why[200] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(l->rk, why, sizeof(why));
    kafka_secrets_hide(l->secrets, why);
    l->broken = true;
    return fail(f, kafka_code_verdict(rd_kafka_err2name(code)), "%s: %s", rd_kafka_err2name(code), why);
}

/* --- topics that are known --- */

/* Index of the first topic that is not before the name. */
static size_t topic_place(const struct kafka_link *l, const char *name)
{
    size_t low = 0, high = l->topic_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(l->topics[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct topic *find_topic(const struct kafka_link *l, struct kafka_bytes name)
{
    char text[TOPIC_NAME_SIZE];
    if (name.len >= sizeof(text))
        return NULL;
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    size_t at = topic_place(l, text);
    return at < l->topic_count && strcmp(l->topics[at]->name, text) == 0 ? l->topics[at] : NULL;
}

/* --- callbacks of librdkafka --- */

/* Thread: any of librdkafka's. What concerns connections comes out as the reason why something waits, so here it
 * is only for who looks closely. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    const struct kafka_link *l = rk ? rd_kafka_opaque(rk) : NULL;
    bool told = strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0;
    enum log_level ours = LOG_LEVEL_DEBUG;
    if (level <= 2)
        ours = LOG_LEVEL_ERROR;
    else if (level <= 4 && !told)
        ours = LOG_LEVEL_WARN;
    else if (level == 5)
        ours = LOG_LEVEL_INFO;
    if (!log_is_on(ours))
        return;
    char *copy = strdup(text);
    if (!copy)
        return;
    kafka_secrets_hide(l ? l->secrets : NULL, copy);
    log_event(ours, (const char *[]) { "facility", facility, NULL }, "librdkafka: %s", copy);
    free(copy);
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
    struct kafka_link *l = opaque;
    (void)rk;
    if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        l->down = true; /* the error before this one says why */
        return;
    }
    if (err == RD_KAFKA_RESP_ERR__FATAL)
        l->broken = true;
    l->trouble = err;
    snprintf(l->trouble_text, sizeof(l->trouble_text), "%s", reason);
    kafka_secrets_hide(l->secrets, l->trouble_text);
}

/* What is known of the topic is not true any more. */
static void forget_place(struct kafka_link *l, const char *name)
{
    struct topic *t = find_topic(l, (struct kafka_bytes) { name, strlen(name) });
    if (t)
        t->partitions = 0;
}

/* librdkafka empties its queues by itself when something fatal happens; that it did is not the reason. */
static bool is_purged(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
           code == RD_KAFKA_RESP_ERR__FATAL;
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct kafka_link *l = opaque;
    uintptr_t token = (uintptr_t)m->_private;
    struct kafka_failure f;
    if (token >> TAG_BITS != l->round || !l->report)
        return;
    if (is_purged(m->err) && rd_kafka_fatal_error(rk, NULL, 0))
        fail_fatal(l, &f);
    else if (m->err)
        fail_code(&f, m->err, "");
    if (m->err && f.verdict == KAFKA_NO_PLACE)
        forget_place(l, rd_kafka_topic_name(m->rkt));
    l->report(l->report_ctx, token & TAG_MASK, m->err ? &f : NULL);
    l->round_count--;
}

/* Thread: any of librdkafka's. Without node and service it is to free. */
static int on_resolve(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found,
                      void *opaque)
{
    const struct kafka_link *l = opaque;
    if (node || service)
        return name_lookup(node, service, hints, l->end_fd, found);
    freeaddrinfo(*found);
    return 0;
}

/* --- life --- */

/* Bytes and messages that a request can take for sure. */
static void learn_limits(struct kafka_link *l, const struct kafka_props *props)
{
    size_t batch = kafka_props_number(props, "batch.size"), message = kafka_props_number(props, "message.max.bytes");
    size_t number = kafka_props_number(props, "batch.num.messages");
    size_t queue = kafka_props_number(props, "queue.buffering.max.messages");
    size_t kbytes = kafka_props_number(props, "queue.buffering.max.kbytes");
    l->bytes_max = batch < message ? batch : message;
    if (kbytes < l->bytes_max >> 10)
        l->bytes_max = kbytes << 10;
    l->count_max = number && number < TAG_MASK ? number : TAG_MASK;
    if (queue && queue < l->count_max)
        l->count_max = queue;
}

struct kafka_link *kafka_link_new(const struct kafka_settings *settings, const struct kafka_props *props,
                                  struct kafka_failure *f)
{
    char why[512] = "";
    struct kafka_link *l = calloc(1, sizeof(*l));
    rd_kafka_conf_t *conf = l ? kafka_props_conf(props) : NULL;
    if (l) {
        l->secrets = kafka_props_secrets(props);
        l->end_fd = eventfd(0, EFD_CLOEXEC);
    }
    if (!conf || !l->secrets || l->end_fd < 0) {
        fail(f, KAFKA_LATER, "not enough memory or descriptors for a producer");
        goto fail;
    }
    l->settings = *settings;
    l->stop_fd = -1;
    learn_limits(l, props);
    rd_kafka_conf_set_opaque(conf, l);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_resolve_cb(conf, on_resolve);
    l->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (l->rk)
        return l;
    kafka_secrets_hide(l->secrets, why);
    fail(f, KAFKA_MISCONFIGURED, "librdkafka made no producer: %s", why);
fail:
    if (conf)
        rd_kafka_conf_destroy(conf);
    if (l && l->end_fd >= 0)
        close(l->end_fd);
    if (l)
        kafka_secrets_free(l->secrets);
    free(l);
    return NULL;
}

static void forget_topics(struct kafka_link *l)
{
    for (size_t i = 0; i < l->topic_count; i++) {
        rd_kafka_topic_destroy(l->topics[i]->handle);
        free(l->topics[i]);
    }
    l->topic_count = 0;
}

void kafka_link_free(struct kafka_link *l)
{
    if (!l)
        return;
    forget_topics(l);
    free(l->topics);
    l->report = NULL;
    eventfd_write(l->end_fd, 1);
    rd_kafka_destroy(l->rk);
    close(l->end_fd);
    kafka_secrets_free(l->secrets);
    free(l);
}

void kafka_link_stop_on(struct kafka_link *l, int fd)
{
    l->stop_fd = fd;
}

bool kafka_link_is_broken(const struct kafka_link *l)
{
    return l->broken;
}

/* --- is anybody there --- */

static uint64_t now(const struct kafka_link *l)
{
    return clock_monotonic_ms(l->settings.clock);
}

bool kafka_link_is_late(const struct kafka_link *l)
{
    return now(l) >= l->deadline_ms;
}

/* What is left until then, at most `most`. */
static int left_ms(const struct kafka_link *l, uint64_t until, int most)
{
    uint64_t t = now(l);
    if (t >= until)
        return 0;
    return until - t < (uint64_t)most ? (int)(until - t) : most;
}

/* Is the send to end? Then nothing more is done with the link. */
static bool is_stopped(struct kafka_link *l, struct kafka_failure *f)
{
    struct pollfd p = { .fd = l->stop_fd, .events = POLLIN };
    if (poll(&p, 1, 0) <= 0)
        return false;
    l->broken = true;
    fail(f, KAFKA_LATER, "stopped before the servers answered");
    f->stopped = true;
    return true;
}

/* How long to wait for the next answer. More if the last one was too slow, not if there was nobody to ask. */
static int next_wait(int wait, rd_kafka_resp_err_t code)
{
    int longer = code == RD_KAFKA_RESP_ERR__TIMED_OUT ? wait * 2 : wait;
    return longer < KAFKA_LINK_ASK_MS ? longer : KAFKA_LINK_ASK_MS;
}

/* Ask for metadata of nothing until a server answers. Unless patient, it ends early when all servers are down: librdkafka
 * says so once, and after that only that one more attempt has failed. */
static int probe(struct kafka_link *l, bool patient, struct kafka_failure *f)
{
    uint64_t until = now(l) + (uint64_t)l->settings.connect_timeout_ms;
    bool was_down = l->down;
    l->down = l->connected = false;
    l->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int wait = ASK_MS, left; (left = left_ms(l, until, wait)) > 0; wait = next_wait(wait, code)) {
        const struct rd_kafka_metadata *md;
        if (is_stopped(l, f))
            return -1;
        code = rd_kafka_metadata(l->rk, 0, NULL, &md, left);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(md);
            l->connected = true;
            l->trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
            return 0;
        }
        rd_kafka_poll(l->rk, 0);
        if (l->broken || (!patient && (l->down || (was_down && l->trouble))))
            break;
    }
    l->broken = true;
    return fail_unreachable(l, f);
}

int kafka_link_begin(struct kafka_link *l, struct kafka_failure *f)
{
    l->deadline_ms = now(l) + (uint64_t)l->settings.send_timeout_ms;
    l->send++;
    if (l->topic_count > TOPICS_MAX)
        forget_topics(l);
    rd_kafka_poll(l->rk, 0); /* what happened since the last send */
    if (rd_kafka_fatal_error(l->rk, NULL, 0))
        return fail_fatal(l, f);
    return l->connected && !l->down ? 0 : probe(l, false, f);
}

/* --- topics --- */

/* NULL: memory is short, or librdkafka does not like the name. */
static struct topic *make_topic(struct kafka_link *l, struct kafka_bytes name)
{
    if (l->topic_count == l->topic_room) {
        size_t room = l->topic_room * 2 + 8;
        struct topic **topics = reallocarray(l->topics, room, sizeof(struct topic *));
        if (!topics)
            return NULL;
        l->topics = topics;
        l->topic_room = room;
    }
    struct topic *t = calloc(1, sizeof(*t));
    if (!t || name.len >= sizeof(t->name)) {
        free(t);
        return NULL;
    }
    memcpy(t->name, name.p, name.len);
    t->handle = rd_kafka_topic_new(l->rk, t->name, NULL);
    if (!t->handle) {
        free(t);
        return NULL;
    }
    size_t at = topic_place(l, t->name);
    memmove(l->topics + at + 1, l->topics + at, (l->topic_count - at) * sizeof(struct topic *));
    l->topics[at] = t;
    l->topic_count++;
    return t;
}

static int fail_missing(const struct topic *t, struct kafka_failure *f)
{
    char what[TOPIC_NAME_SIZE + 16];
    snprintf(what, sizeof(what), "topic \"%.100s\": ", t->name);
    return fail_code(f, t->missing, what);
}

/* What the servers say of one topic. */
static int read_answer(struct kafka_link *l, struct topic *t, const struct rd_kafka_metadata *md,
                       struct kafka_failure *f)
{
    rd_kafka_resp_err_t code = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    bool there = code == RD_KAFKA_RESP_ERR_NO_ERROR && md->topics[0].partition_cnt > 0;
    t->looked_up_ms = now(l);
    t->partitions = there ? md->topics[0].partition_cnt : 0;
    if (there) {
        t->missing_since_ms = 0;
        return 0;
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) /* about to be made */
        code = RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    if (!t->missing_since_ms)
        t->missing_since_ms = t->looked_up_ms;
    t->missing = code;
    t->send = l->send;
    return fail_missing(t, f);
}

static int look_up(struct kafka_link *l, struct topic *t, struct kafka_failure *f)
{
    uint64_t until = now(l) + (uint64_t)left_ms(l, l->deadline_ms, (int)l->settings.connect_timeout_ms);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int wait = ASK_MS, left; (left = left_ms(l, until, wait)) > 0; wait = next_wait(wait, code)) {
        const struct rd_kafka_metadata *md;
        if (is_stopped(l, f))
            return -1;
        code = rd_kafka_metadata(l->rk, 0, t->handle, &md, left);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            int rc = read_answer(l, t, md, f);
            rd_kafka_metadata_destroy(md);
            return rc;
        }
        rd_kafka_poll(l->rk, 0);
        if (l->broken || l->down)
            break;
    }
    l->broken = true;
    return fail_unreachable(l, f);
}

int kafka_link_check(struct kafka_link *l, const struct kafka_record *r, struct kafka_failure *f)
{
    struct topic *t = find_topic(l, r->topic);
    if (!t)
        t = make_topic(l, r->topic);
    if (!t)
        return fail(f, KAFKA_LATER, "not enough memory for a topic");
    if (t->partitions == 0 && t->missing_since_ms && t->send == l->send)
        return fail_missing(t, f); /* asked already */
    if (t->partitions == 0 && look_up(l, t, f) < 0)
        return -1;
    if (r->partition >= t->partitions && now(l) - t->looked_up_ms >= REFRESH_MS && look_up(l, t, f) < 0)
        return -1;
    if (r->partition >= t->partitions)
        return fail(f, KAFKA_NO_PLACE, "topic \"%.100s\" has %d partitions, none with the number %d", t->name,
                    t->partitions, (int)r->partition);
    return 0;
}

uint64_t kafka_link_missing_ms(const struct kafka_link *l, const struct kafka_record *r)
{
    const struct topic *t = find_topic(l, r->topic);
    return t && t->missing_since_ms ? now(l) - t->missing_since_ms : 0;
}

/* --- a round --- */

static size_t record_size(const struct kafka_record *r)
{
    size_t size = RECORD_OVERHEAD + r->key.len + r->value.len;
    for (size_t i = 0; i < r->header_count; i++)
        size += HEADER_OVERHEAD + r->headers[i].name.len + r->headers[i].value.len;
    return size;
}

bool kafka_link_has_room(const struct kafka_link *l, const struct kafka_record *r)
{
    if (l->round_count == 0)
        return true;
    return l->round_count < l->count_max && l->round_bytes + record_size(r) <= l->bytes_max;
}

static rd_kafka_headers_t *make_headers(const struct kafka_record *r)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(r->header_count);
    for (size_t i = 0; list && i < r->header_count; i++) {
        const struct kafka_header *h = &r->headers[i];
        rd_kafka_header_add(list, h->name.p, (ssize_t)h->name.len, h->value.p, (ssize_t)h->value.len);
    }
    return list;
}

static rd_kafka_resp_err_t produce(struct kafka_link *l, const struct topic *t, const struct kafka_record *r,
                                   void *token)
{
    rd_kafka_headers_t *headers = r->header_count ? make_headers(r) : NULL;
    /* An empty value is empty, not null, which would be a tombstone. */
    const char *value = r->value.p ? r->value.p : "";
    const char *key = r->key.p;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        l->rk, RD_KAFKA_V_RKT(t->handle), RD_KAFKA_V_PARTITION(r->partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY(key, key ? r->key.len : 0), RD_KAFKA_V_VALUE((void *)value, r->value.len),
        RD_KAFKA_V_OPAQUE(token), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (code && headers)
        rd_kafka_headers_destroy(headers);
    return code;
}

int kafka_link_add(struct kafka_link *l, const struct kafka_record *r, size_t tag, struct kafka_failure *f)
{
    const struct topic *t = find_topic(l, r->topic);
    if (!t)
        return fail(f, KAFKA_LATER, "the topic was not looked up");
    if (l->round_count == 0)
        l->round_bytes = 0;
    /* It only comes back in the report. */
    void *token = (void *)(l->round << TAG_BITS | tag); // NOLINT(performance-no-int-to-ptr)
    rd_kafka_resp_err_t code = produce(l, t, r, token);
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        return fail_fatal(l, f);
    if (code)
        return fail_code(f, code, "");
    l->round_count++;
    l->round_bytes += record_size(r);
    return 0;
}

/* Give up the rest of the round: nothing of it is to be sent any more. */
static void purge(struct kafka_link *l)
{
    uint64_t until = now(l) + PURGE_MS;
    l->broken = true;
    l->report = NULL;
    rd_kafka_purge(l->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    for (int wait; rd_kafka_outq_len(l->rk) > 0 && (wait = left_ms(l, until, CHUNK_MS)) > 0;)
        rd_kafka_poll(l->rk, wait);
}

static int wait_reports(struct kafka_link *l, struct kafka_failure *f)
{
    while (l->round_count > 0) {
        int wait = left_ms(l, l->deadline_ms, CHUNK_MS);
        if (is_stopped(l, f))
            return -1;
        if (wait == 0)
            return fail(f, KAFKA_LATER, "no answer from the servers in time%s%s", l->trouble ? ", last: " : "",
                        l->trouble ? l->trouble_text : "");
        rd_kafka_flush(l->rk, wait);
        if (l->round_count == 0)
            break;
        if (rd_kafka_fatal_error(l->rk, NULL, 0))
            return fail_fatal(l, f);
        if (l->down && probe(l, true, f) < 0)
            return -1;
    }
    return 0;
}

int kafka_link_run(struct kafka_link *l, kafka_report *report, void *ctx, struct kafka_failure *f)
{
    l->report = report;
    l->report_ctx = ctx;
    int rc = wait_reports(l, f);
    if (rc < 0)
        purge(l);
    l->report = NULL;
    l->round_count = l->round_bytes = 0;
    l->round++;
    return rc;
}
