/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/pipeline/child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/pipeline/sample.h"
#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/path.h"

#define TEXT_MAX  ((size_t)1 << 20)
#define READY_MS  60000
#define END_MS    15000
#define LOOK_NS   5000000
#define LOG_SHOWN 200
#define SELF_MAX  4096

static const char service_text[] = "sources:\n"
                                   "  - mqtt: { url: %s, clientId: sluice-bench-%s, qos: %u, cleanStart: true,"
                                   " sessionExpiry: 0 }\n"
                                   "connections:\n%s"
                                   "rules: [rules/]\n"
                                   "statsFile: run/stats.json\n"
                                   "statsInterval: 10ms\n"
                                   "log: { form: json }\n";
static const char rule_text[] =
    "ruleName: bench\n"
    "sql: SELECT device, seq, temperature FROM '" SAMPLE_PREFIX "%s/in/+/telemetry' WHERE temperature > 20\n"
    "actions:\n"
    "  - %s\n";

static void look_later(void)
{
    nanosleep(&(struct timespec) { .tv_nsec = LOOK_NS }, NULL);
}

/* Write a text to a file below the folder. */
static int write_text(const char *folder, const char *name, const struct buf *text, struct err *e)
{
    char *path = path_below(folder, name);
    FILE *f = path && !text->failed ? fopen(path, "w") : NULL;
    bool ok = f && fwrite(text->p, 1, text->len, f) == text->len;
    if (f && fclose(f) != 0)
        ok = false;
    free(path);
    return ok ? 0 : err_set(e, ERR_IO, "could not write \"%.100s\" in \"%.100s\": %s", name, folder, strerror(errno));
}

static int make_folder(const char *folder, const char *name, struct err *e)
{
    char *path = path_below(folder, name);
    int rc = path && (mkdir(path, 0700) == 0 || errno == EEXIST) ? 0 : -1;
    free(path);
    return rc == 0 ? 0 : err_set(e, ERR_IO, "could not make a folder in \"%.100s\": %s", folder, strerror(errno));
}

static int write_files(const struct child_plan *plan, struct err *e)
{
    struct buf service, rule, url;
    buf_init(&service, TEXT_MAX);
    buf_init(&rule, TEXT_MAX);
    buf_init(&url, TEXT_MAX);
    json_write_string(&url, plan->broker, strlen(plan->broker));
    buf_printf(&service, service_text, url.failed ? "" : url.p, plan->tag, plan->qos,
               plan->connections[0] ? plan->connections : "  {}\n");
    buf_printf(&rule, rule_text, plan->tag, plan->action);
    int rc = -1;
    if (make_folder(plan->folder, "rules", e) == 0 && make_folder(plan->folder, "run", e) == 0 &&
        write_text(plan->folder, "sluice.yaml", &service, e) == 0)
        rc = write_text(plan->folder, "rules/bench.yaml", &rule, e);
    buf_clear(&service);
    buf_clear(&rule);
    buf_clear(&url);
    return rc;
}

/* In the new process: become the service. It must not outlive us. */
static void become_service(const char *conf, const char *log)
{
    char self[SELF_MAX] = "";
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (null < 0 || out < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        _exit(126);
    execl(self, "sluice", "run", "-c", conf, (char *)NULL);
    execl("/proc/self/exe", "sluice", "run", "-c", conf, (char *)NULL); /* its file has another name by now */
    _exit(127);
}

static bool file_has(const char *path, const char *text)
{
    char log[8192];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, log, sizeof log) : 0;
    if (fd >= 0)
        close(fd);
    return n > 0 && memmem(log, (size_t)n, text, strlen(text));
}

void child_log_end(const struct child *c, char *out, size_t size)
{
    struct stat st;
    ssize_t n = 0;
    int fd = open(c->log, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0)
        n = pread(fd, out, size - 1, st.st_size > (off_t)size - 1 ? st.st_size - (off_t)size + 1 : 0);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    for (char *at = out; (at = strchr(at, '\n')) != NULL;)
        *at = ' ';
}

static int wait_ready(struct child *c, struct err *e)
{
    char end[LOG_SHOWN];
    int status;
    uint64_t start = clock_monotonic_ms(&clock_system);
    while (!file_has(c->log, "subscribed to")) {
        bool ended = waitpid(c->pid, &status, WNOHANG) == c->pid;
        if (ended || clock_monotonic_ms(&clock_system) - start > READY_MS) {
            child_log_end(c, end, sizeof end);
            if (ended)
                c->pid = 0;
            return err_set(e, ERR_IO, "sluice run %s: …%s", ended ? "ended" : "did not subscribe", end);
        }
        look_later();
    }
    return 0;
}

static int start(struct child *c, struct err *e)
{
    unlink(c->stats);
    unlink(c->log);
    c->pid = fork();
    if (c->pid < 0)
        return err_set(e, ERR_IO, "could not start a process: %s", strerror(errno));
    if (c->pid == 0)
        become_service(c->conf, c->log);
    return wait_ready(c, e);
}

int child_start(struct child *c, const struct child_plan *plan, struct err *e)
{
    *c = (struct child) { .conf = path_below(plan->folder, "sluice.yaml"),
                          .stats = path_below(plan->folder, "run/stats.json"),
                          .log = path_below(plan->folder, "log") };
    if (!c->conf || !c->stats || !c->log)
        err_set(e, ERR_MEMORY, "not enough memory");
    else if (write_files(plan, e) == 0 && start(c, e) == 0)
        return 0;
    (void)!child_stop(c, NULL);
    return -1;
}

static uint64_t number_of(const struct json_doc *d, uint32_t object, const char *key)
{
    uint32_t i = json_member(d, object, key, strlen(key));
    return i && json_at(d, i)->kind == JSON_INT ? strtoull(d->text + json_at(d, i)->off, NULL, 10) : 0;
}

static int parse_counts(const char *text, size_t len, struct child_counts *counts, struct err *e)
{
    struct arena a;
    arena_init(&a, TEXT_MAX);
    const struct json_doc *d = json_parse(&a, text, len, NULL, e);
    uint32_t rules = d ? json_member(d, 0, "rules", 5) : 0, rule = rules ? json_element(d, rules, 0) : 0;
    if (rule)
        *counts = (struct child_counts) { .matched = number_of(d, rule, "matched"),
                                          .in_flight = number_of(d, rule, "inFlight"),
                                          .delivered = number_of(d, rule, "delivered") };
    arena_clear(&a);
    return rule ? 0 : err_set(e, ERR_IO, "the counters of the service could not be read");
}

int child_read(const struct child *c, struct child_counts *counts, struct err *e)
{
    char text[16384];
    int status;
    *counts = (struct child_counts) { 0 };
    if (waitpid(c->pid, &status, WNOHANG | WNOWAIT) == c->pid)
        return err_set(e, ERR_IO, "the service ended");
    int fd = open(c->stats, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 ? parse_counts(text, (size_t)n, counts, e) : 0;
}

int child_stop(struct child *c, struct err *e)
{
    int status = 0, rc = 0;
    uint64_t start = clock_monotonic_ms(&clock_system);
    if (c->pid > 0) {
        kill(c->pid, SIGTERM);
        while (waitpid(c->pid, &status, WNOHANG) == 0) {
            if (clock_monotonic_ms(&clock_system) - start > END_MS)
                kill(c->pid, SIGKILL);
            look_later();
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            rc = err_set(e, ERR_IO, "the service ended with %s %d", WIFEXITED(status) ? "code" : "signal",
                         WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    free(c->conf);
    free(c->stats);
    free(c->log);
    *c = (struct child) { 0 };
    return rc;
}

double process_cpu_s(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return -1;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void child_remove_folder(const char *folder)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
