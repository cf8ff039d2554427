/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice run`: the service. The main thread is the control thread: it starts the flow, waits for signals and changed rules, shows and
 * writes the counters, and drains at the end. Signals are blocked everywhere and read from a descriptor: no handler runs. */
#include "engine/apps/sluice/cmds.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/admin/admin.h"
#include "engine/apps/sluice/reload.h"
#include "engine/apps/sluice/status_table.h"
#include "engine/apps/sluice/supervisor.h"
#include "engine/apps/sluice/wire.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/flow/notice.h"

#define TICK_MS          1000 /* table, supervisor */
#define SAY_AGAIN_MIN_MS 60000
#define SAY_AGAIN_MAX_MS 3600000
#define DRAIN_SLICE_MS   100 /* how soon a second signal is noticed while draining */
#define STATS_MAX        ((size_t)64 << 20)
#define PATH_BYTES_MAX   ((size_t)8192)

struct runner {
    struct service service;
    struct flow *flow;
    struct status_table table;
    bool show_table;
    int signals; /* signalfd(2) */
    struct reload reload;
    struct notice stats_failures;
    atomic_bool finished;   /* a replay has no more to give */
    atomic_bool incomplete; /* and left something out */
};

/* The last source has no more to give (replay): end as a signal does. Thread: the source's. */
static void on_finished(void *ctx, bool all)
{
    struct runner *r = ctx;
    atomic_store(&r->incomplete, !all);
    atomic_store(&r->finished, true);
    kill(getpid(), SIGUSR1);
}

static int block_signals(struct err *e)
{
    static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd >= 0 ? fd : err_set(e, ERR_IO, "could not wait for signals: %s", strerror(errno));
}

/* The next signal, or 0 if there is none. */
static int next_signal(const struct runner *r)
{
    struct signalfd_siginfo info;
    return read(r->signals, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

/* Until a signal comes, rules change, or ms have passed. */
static void wait_event(const struct runner *r, unsigned ms)
{
    struct pollfd fds[] = { { .fd = r->signals, .events = POLLIN }, { .fd = reload_fd(&r->reload), .events = POLLIN } };
    poll(fds, sizeof fds / sizeof fds[0], (int)ms);
}

/* Replace the stats file as a whole, so that a reader never sees half of it. */
static void write_stats(struct runner *r, const struct stats_snapshot *s, const char *path)
{
    struct buf text, temporary;
    buf_init(&text, STATS_MAX);
    buf_init(&temporary, PATH_BYTES_MAX);
    stats_snapshot_write(s, &text);
    buf_putc(&text, '\n');
    buf_printf(&temporary, "%s.new", path);
    FILE *f = text.failed || temporary.failed ? NULL : fopen(temporary.p, "w");
    bool ok = f && fwrite(text.p, 1, text.len, f) == text.len;
    if (f && fclose(f) != 0)
        ok = false;
    if (!ok || rename(temporary.p, path) < 0) {
        uint64_t silent;
        if (notice_due(&r->stats_failures, clock_monotonic_ms(&clock_system), &silent))
            log_warn("cannot write the counters to \"%s\": %s", path, strerror(errno));
        if (f)
            unlink(temporary.p);
    }
    buf_clear(&text);
    buf_clear(&temporary);
}

/* Show the counters where it is due: in the table, in the file. */
static void show_counters(struct runner *r, bool table, bool file)
{
    struct stats_snapshot s;
    const char *path = file ? r->service.conf->stats_file : NULL;
    if ((!table && !path) || flow_read(r->flow, &s, NULL) < 0)
        return;
    if (table)
        status_table_print(&r->table, &s);
    if (path)
        write_stats(r, &s, path);
    stats_snapshot_clear(&s);
}

/* True once every interval; *last is when it was true last. */
static bool is_due(uint64_t *last_ms, uint64_t now_ms, uint64_t interval_ms)
{
    if (now_ms - *last_ms < interval_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

/* Until a signal says to stop: reload, and show the counters from time to time. */
static int serve(struct runner *r)
{
    uint64_t ticked_ms = 0, written_ms = 0, interval_ms = (uint64_t)r->service.conf->stats_interval_ms;
    unsigned wait_ms = r->service.conf->stats_file && interval_ms < TICK_MS ? (unsigned)interval_ms : TICK_MS;
    for (;;) {
        uint64_t now = clock_monotonic_ms(&clock_system);
        bool tick = is_due(&ticked_ms, now, TICK_MS);
        show_counters(r, tick && r->show_table && r->table.terminal, is_due(&written_ms, now, interval_ms));
        if (tick)
            supervisor_alive();
        wait_event(r, reload_look(&r->reload, wait_ms));
        int sig = next_signal(r);
        if (sig == SIGHUP)
            reload_now(&r->reload);
        else if (sig == SIGUSR1 && !atomic_load(&r->finished))
            log_warn("SIGUSR1 has no meaning here and is ignored");
        else if (sig)
            return sig;
    }
}

/* Wait until all is final, the limit has passed (after a replay: since the last message became final), or another signal says to stop at
 * once. Returns how many messages are not. */
static size_t drain(struct runner *r, bool replayed)
{
    uint64_t limit_ms = (uint64_t)r->service.conf->drain_ms;
    uint64_t start = clock_monotonic_ms(&clock_system), now = start;
    size_t left = flow_drain(r->flow, 0);
    while (left > 0 && now - start < limit_ms) {
        size_t before = left;
        int sig = next_signal(r);
        if (sig == SIGTERM || sig == SIGINT) {
            log_warn("stopping at once: second %s", sig == SIGTERM ? "SIGTERM" : "SIGINT");
            break;
        }
        left = flow_drain(r->flow, DRAIN_SLICE_MS);
        supervisor_alive();
        now = clock_monotonic_ms(&clock_system);
        if (replayed && left < before)
            start = now;
    }
    return left;
}

static void report_remainder(struct runner *r, size_t left)
{
    struct stats_snapshot s;
    log_warn("%zu message%s remained when the time was up", left, left == 1 ? "" : "s");
    if (flow_read(r->flow, &s, NULL) < 0)
        return;
    for (size_t i = 0; i < s.rule_count; i++)
        if (s.rules[i].state[RUN_IN_FLIGHT])
            log_event(LOG_LEVEL_WARN, (const char *[]) { "rule", s.rules[i].name, NULL },
                      "not final: %" PRIu64 " of %" PRIu64 " messages", s.rules[i].state[RUN_IN_FLIGHT],
                      s.rules[i].matched);
    for (size_t i = 0; i < s.target_count; i++) {
        const struct stats_target *t = &s.targets[i];
        const char *reason = t->reason[0] ? t->reason : "it has not answered yet";
        if (t->waiting)
            log_event(LOG_LEVEL_WARN, (const char *[]) { "target", t->name, "reason", reason, NULL },
                      "not delivered: %" PRIu64 ", the target is %s", t->waiting, t->state);
    }
    stats_snapshot_clear(&s);
}

static int run_flow(struct runner *r, const char *conf)
{
    struct err e = { 0 };
    if (service_admin_start(&r->service, &e) < 0 || lookups_start(r->service.lookups, &e) < 0 ||
        flow_start(r->flow, r->service.ruleset, &e) < 0) {
        admin_stop(r->service.admin);
        print_err(&e);
        return EXIT_FAILED;
    }
    reload_init(&r->reload, &r->service, r->flow, conf); /* before anybody is told: a change from now on is noticed */
    log_info("running %zu rule%s", r->service.ruleset->rule_count, r->service.ruleset->rule_count == 1 ? "" : "s");
    supervisor_ready(r->service.ruleset->rule_count);
    int sig = serve(r);
    supervisor_stopping();
    admin_drain(r->service.admin);
    reload_clear(&r->reload);
    if (sig != SIGUSR1)
        log_info("%s: stopping, %" PRId64 " s for what is in flight", sig == SIGTERM ? "SIGTERM" : "SIGINT",
                 r->service.conf->drain_ms / 1000);
    size_t left = drain(r, sig == SIGUSR1);
    if (left)
        report_remainder(r, left);
    flow_stop(r->flow);
    admin_stop(r->service.admin);
    show_counters(r, r->show_table, true);
    log_info(left ? "stopped" : "stopped, nothing remained");
    return left || atomic_load(&r->incomplete) ? EXIT_FAILED : EXIT_OK;
}

/* Open everything; the flow must exist before the rules, which count in it. */
static void open_all(struct runner *r, const char *conf, struct errs *errs)
{
    service_open(&r->service, conf, errs);
    if (r->service.conf) {
        log_setup(STDERR_FILENO, (enum log_level)r->service.conf->log_level, (enum log_form)r->service.conf->log_form);
        if (errs->errors == 0)
            r->flow = service_flow(&r->service, on_finished, r, errs);
        service_compile(&r->service, NULL, 0, r->flow ? flow_stats(r->flow) : NULL, errs);
    }
}

static int run(struct runner *r, const char *conf)
{
    struct errs errs = { 0 };
    int code = EXIT_FAILED;
    struct err e = { 0 };
    r->signals = block_signals(&e);
    if (r->signals < 0)
        return fail("run", "%s", e.text);
    open_all(r, conf, &errs);
    print_errs(&errs);
    if (errs.errors == 0 && r->flow && r->service.ruleset)
        code = run_flow(r, conf);
    else
        fprintf(stderr, "sluice run: not started: %zu error%s\n", errs.errors, errs.errors == 1 ? "" : "s");
    lookups_close(r->service.lookups); /* what is pending fails, while there is still a flow that it comes into */
    r->service.lookups = NULL;
    flow_free(r->flow);
    service_close(&r->service);
    errs_clear(&errs);
    close(r->signals);
    return code;
}

int cmd_run(int argc, char **argv)
{
    const char *conf = "sluice.yaml";
    struct runner r = { 0 };
    const struct cmd_option options[] = { { "config", 'c', &conf, NULL }, { "table", 0, NULL, &r.show_table } };
    bool done;
    int n = cmd_options("run", options, 2, argc, argv, &done);
    if (n < 0 || done)
        return done ? EXIT_OK : EXIT_USAGE;
    if (n > 0) {
        cmd_print_help(cmd_find("run"), stderr);
        return EXIT_USAGE;
    }
    status_table_init(&r.table);
    notice_init(&r.stats_failures, SAY_AGAIN_MIN_MS, SAY_AGAIN_MAX_MS);
    return run(&r, conf);
}
