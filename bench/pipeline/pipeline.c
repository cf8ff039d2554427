/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/pipeline.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/pipeline/bare_subscriber.h"
#include "bench/pipeline/child.h"
#include "bench/pipeline/load.h"
#include "bench/pipeline/now.h"
#include "bench/pipeline/report.h"

#define WARM     200u /* messages before the clock starts: connections are made, memory is touched */
#define LOOK_NS  1000000
#define STALL_S  15.0  /* nothing more comes out: what is missing is lost */
#define LIMIT_S  300.0 /* of a run, although something still comes out */
#define YAML_MAX ((size_t)64 << 10)

struct pipeline {
    const struct pipeline_options *o;
    char folder[64], tag[16];
    struct target_env env;
    const struct target_type *type;
    void *target;
    struct report_row row;
    size_t round;
    struct child child;
    atomic_size_t done; /* of the service: what its rule has finished with */
};

/* What was measured while messages went a way. */
struct lap {
    size_t from, goal, seen; /* messages that had come out at the start; that are to; that have */
    double start_s, last_s;  /* when it began, and when the last one came out */
    double cpu_s, broker_cpu_s;
    /* With a rate: how many were under way, added up over the first and the last third of the planned time. */
    double rate, first_sum, last_sum;
    size_t first_looks, last_looks;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* ---- laps ---- */

static void lap_begin(struct pipeline *p, struct lap *lap, size_t from, size_t goal)
{
    *lap = (struct lap) { .from = from, .goal = goal, .seen = from, .rate = lap->rate };
    lap->cpu_s = process_cpu_s(p->child.pid);
    lap->broker_cpu_s = process_cpu_s(p->o->broker_pid);
    lap->start_s = lap->last_s = now_s();
}

/* So many have come out. True when the lap is over. */
static bool lap_note(struct lap *lap, size_t seen)
{
    double now = now_s();
    if (seen > lap->seen) {
        lap->seen = seen;
        lap->last_s = now;
    }
    return seen >= lap->goal || now - lap->last_s > STALL_S || now - lap->start_s > LIMIT_S;
}

/* How many are under way now. */
static void lap_note_backlog(struct lap *lap, size_t given)
{
    double part = (now_s() - lap->start_s) * lap->rate / (double)(lap->goal - lap->from),
           open = (double)given - (double)(lap->seen - lap->from);
    if (part < 1.0 / 3) {
        lap->first_sum += open;
        lap->first_looks++;
    } else if (part > 2.0 / 3 && part < 1) {
        lap->last_sum += open;
        lap->last_looks++;
    }
}

static double lap_backlog_growth(const struct lap *lap)
{
    if (!lap->first_looks || !lap->last_looks)
        return 0;
    return lap->last_sum / (double)lap->last_looks - lap->first_sum / (double)lap->first_looks;
}

static double lap_rate(const struct lap *lap)
{
    double seconds = lap->last_s - lap->start_s;
    return seconds > 0 ? (double)(lap->seen - lap->from) / seconds : 0;
}

static void lap_end(struct pipeline *p, struct lap *lap)
{
    double cpu = process_cpu_s(p->child.pid), broker = process_cpu_s(p->o->broker_pid);
    double millions = (double)(lap->goal - lap->from) / 1e6;
    lap->cpu_s = cpu < 0 ? -1 : (cpu - lap->cpu_s) / millions;
    lap->broker_cpu_s = broker < 0 ? -1 : (broker - lap->broker_cpu_s) / millions;
}

/* ---- the three ways ---- */

static struct load_plan load_plan_of(struct pipeline *p, size_t first, size_t count, const atomic_size_t *done)
{
    return (struct load_plan) { .host = p->env.host,
                                .port = p->env.port,
                                .tag = p->tag,
                                .kind = SAMPLE_IN,
                                .qos = p->env.qos,
                                .first = first,
                                .count = count,
                                .window = p->o->window,
                                .done = done };
}

/* How many have come out. -1: nothing more will. */
typedef int look_fn(struct pipeline *p, const atomic_size_t *done, size_t *seen, struct err *e);

static int look_at_counter(struct pipeline *p, const atomic_size_t *done, size_t *seen, struct err *e)
{
    (void)p;
    (void)e;
    *seen = atomic_load(done);
    return 0;
}

static int look_at_child(struct pipeline *p, const atomic_size_t *done, size_t *seen, struct err *e)
{
    struct child_counts counts;
    (void)done;
    if (child_read(&p->child, &counts, e) < 0)
        return -1;
    *seen = (size_t)(counts.matched - counts.in_flight);
    atomic_store(&p->done, *seen);
    return 0;
}

/* Give messages to the broker, at the lap's rate, and wait until they have come out, or no more do. */
static int run_lap(struct pipeline *p, struct lap *lap, size_t first, size_t count, const atomic_size_t *done,
                   look_fn *look, struct err *e)
{
    struct load load;
    struct load_plan plan = load_plan_of(p, first, count, done);
    plan.rate = lap->rate;
    lap_begin(p, lap, first, first + count);
    if (load_start(&load, &plan, e) < 0)
        return -1;
    size_t seen = 0;
    int rc;
    while ((rc = look(p, done, &seen, e)) == 0 && !lap_note(lap, seen) && !interrupted) {
        lap_note_backlog(lap, atomic_load(&load.given));
        if (load_has_ended(&load) && load.e.code != ERR_NONE)
            break;
        nanosleep(&(struct timespec) { .tv_nsec = LOOK_NS }, NULL);
    }
    lap_end(p, lap);
    if (load_join(&load, true, e) < 0)
        rc = -1;
    return interrupted ? err_set(e, ERR_IO, "interrupted") : rc;
}

static int measure_subscriber(struct pipeline *p, struct err *e)
{
    char id[64], filter[128];
    struct lap lap = { 0 };
    snprintf(id, sizeof id, "sluice-bench-%s-bare", p->tag);
    snprintf(filter, sizeof filter, SAMPLE_PREFIX "%s/in/+/telemetry", p->tag);
    const struct bare_subscriber_plan plan = {
        .host = p->env.host, .port = p->env.port, .client_id = id, .filter = filter, .qos = p->env.qos
    };
    struct bare_subscriber *s = bare_subscriber_start(&plan, e);
    if (!s)
        return -1;
    int rc = run_lap(p, &lap, 0, p->o->messages, bare_subscriber_received(s), look_at_counter, e);
    if (bare_subscriber_stop(s, rc < 0 ? NULL : e) < 0 || rc < 0)
        return -1;
    p->row.figures[FIGURE_SUBSCRIBER][p->round] = lap_rate(&lap);
    p->row.figures[FIGURE_BROKER_CPU_BARE][p->round] = lap.broker_cpu_s;
    p->row.subscriber_lost += lap.seen < lap.goal ? lap.goal - lap.seen : 0;
    return 0;
}

static int measure_producer(struct pipeline *p, struct err *e)
{
    if (p->type->clear(p->target, NULL, e) < 0 || p->type->produce(p->target, 0, WARM, e) < 0)
        return -1;
    double start = now_s();
    if (p->type->produce(p->target, WARM, p->o->messages, e) < 0)
        return -1;
    p->row.figures[FIGURE_PRODUCER][p->round] = (double)p->o->messages / (now_s() - start);
    return interrupted ? err_set(e, ERR_IO, "interrupted") : 0;
}

static int start_child(struct pipeline *p, struct err *e)
{
    struct buf connections, action;
    buf_init(&connections, YAML_MAX);
    buf_init(&action, YAML_MAX);
    p->type->configure(p->target, &connections, &action);
    const struct child_plan plan = { .folder = p->folder,
                                     .broker = p->o->broker,
                                     .tag = p->tag,
                                     .qos = p->env.qos,
                                     .connections = connections.len ? connections.p : "",
                                     .action = action.p };
    int rc = connections.failed || action.failed ? err_set(e, ERR_MEMORY, "not enough memory")
                                                 : child_start(&p->child, &plan, e);
    buf_clear(&connections);
    buf_clear(&action);
    return rc;
}

/* Warm the service up, and then in earnest. */
static int run_child(struct pipeline *p, struct lap *lap, struct err *e)
{
    atomic_store(&p->done, 0);
    if (start_child(p, e) < 0)
        return -1;
    int rc = run_lap(p, lap, 0, WARM, &p->done, look_at_child, e);
    if (rc == 0 && lap->seen < WARM) {
        char end[160];
        child_log_end(&p->child, end, sizeof end);
        rc = err_set(e, ERR_UNREACHABLE, "%s: nothing comes out of sluice: …%s", p->type->name, end);
    }
    if (rc == 0)
        rc = run_lap(p, lap, WARM, p->o->messages, &p->done, look_at_child, e);
    return rc;
}

static double paced_rate(const struct pipeline *p)
{
    return p->row.figures[FIGURE_SUBSCRIBER][p->round] * PIPELINE_PACED_PART;
}

static size_t paced_count(const struct pipeline *p)
{
    return (size_t)(paced_rate(p) * (double)p->o->paced_s);
}

/* The child is warm and has nothing to do: messages at an even rate. */
static int run_paced(struct pipeline *p, struct err *e)
{
    struct lap lap = { .rate = paced_rate(p) };
    if (paced_count(p) == 0)
        return 0;
    int rc = run_lap(p, &lap, WARM + p->o->messages, paced_count(p), &p->done, look_at_child, e);
    p->row.figures[FIGURE_PACED_RATE][p->round] = lap_rate(&lap);
    p->row.figures[FIGURE_PACED_CPU][p->round] = lap.cpu_s;
    p->row.figures[FIGURE_BACKLOG_GROWTH][p->round] = lap_backlog_growth(&lap);
    return rc;
}

static int count_arrived(struct pipeline *p, struct tally *tally, size_t delivered, struct err *e)
{
    p->row.given += tally->count;
    p->row.knows_doubled = p->type->arrived != NULL;
    if (!p->type->arrived) {
        p->row.lost += tally->count > delivered ? tally->count - delivered : 0;
        return 0;
    }
    if (p->type->arrived(p->target, e) < 0)
        return -1;
    p->row.lost += tally_lost(tally);
    p->row.doubled += tally->doubled;
    return 0;
}

static int measure_sluice(struct pipeline *p, struct err *e)
{
    struct tally tally;
    struct lap lap = { 0 };
    struct child_counts counts = { 0 };
    if (tally_init(&tally, WARM + p->o->messages + paced_count(p), e) < 0)
        return -1;
    int rc = p->type->clear(p->target, &tally, e);
    if (rc == 0)
        rc = run_child(p, &lap, e);
    if (rc == 0)
        rc = run_paced(p, e);
    if (rc == 0)
        rc = child_read(&p->child, &counts, e);
    if (child_stop(&p->child, rc < 0 ? NULL : e) < 0)
        rc = -1;
    if (rc == 0)
        rc = count_arrived(p, &tally, (size_t)counts.delivered, e);
    if (rc < 0)
        (void)!p->type->clear(p->target, NULL, NULL); /* nobody notes anything in the tally any more */
    tally_clear(&tally);
    p->row.figures[FIGURE_SLUICE][p->round] = lap_rate(&lap);
    p->row.figures[FIGURE_CPU][p->round] = lap.cpu_s;
    p->row.figures[FIGURE_BROKER_CPU][p->round] = lap.broker_cpu_s;
    return rc;
}

/* ---- rounds ---- */

static int run_round(struct pipeline *p, struct err *e)
{
    if (measure_subscriber(p, e) < 0 || measure_producer(p, e) < 0 || measure_sluice(p, e) < 0)
        return -1;
    double subscriber = p->row.figures[FIGURE_SUBSCRIBER][p->round];
    double producer = p->row.figures[FIGURE_PRODUCER][p->round], slower = subscriber < producer ? subscriber : producer;
    p->row.figures[FIGURE_RATIO][p->round] = slower > 0 ? p->row.figures[FIGURE_SLUICE][p->round] / slower : 0;
    return 0;
}

static int run_target(struct pipeline *p, const struct target_type *type, const char *address, struct err *e)
{
    p->type = type;
    p->env.address = address;
    p->row = (struct report_row) { .qos = p->env.qos, .target = type->name };
    p->target = type->open(&p->env, e);
    if (!p->target)
        return -1;
    int rc = 0;
    for (p->round = 0; rc == 0 && p->round < p->o->rounds; p->round++)
        rc = run_round(p, e);
    type->close(p->target);
    if (rc == 0)
        report_print(p->o, &p->row);
    return rc;
}

static int run_all(struct pipeline *p, struct err *e)
{
    report_heading(p->o);
    for (unsigned qos = 0; qos < 2; qos++)
        for (size_t i = 0; p->o->qos[qos] && p->o->targets[i].type; i++) {
            p->env.qos = qos;
            if (run_target(p, p->o->targets[i].type, p->o->targets[i].address, e) < 0)
                return -1;
        }
    return 0;
}

int pipeline_run(const struct pipeline_options *o, struct err *e)
{
    struct pipeline *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(e, ERR_MEMORY, "not enough memory");
    p->o = o;
    snprintf(p->tag, sizeof p->tag, "%x", (unsigned)getpid());
    snprintf(p->folder, sizeof p->folder, "/tmp/sluice-bench-%ld-XXXXXX", (long)getpid());
    if (!mkdtemp(p->folder)) {
        free(p);
        return err_set(e, ERR_IO, "could not make a folder in /tmp: %s", strerror(errno));
    }
    p->env = (struct target_env) { .host = o->host, .port = o->port, .tag = p->tag, .folder = p->folder };
    const struct sigaction end = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    int rc = run_all(p, e);
    child_remove_folder(p->folder);
    free(p);
    return rc;
}
