/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice bench eval`: payload bytes in, output bytes out, on one core, without input or output, for rules and payloads of five shapes; beside
 * it, other JSON readers that only read the same bytes. Each figure is the median of rounds in which all contenders take turns, so that what
 * else the machine does hits all alike. */
#include "engine/apps/sluice/benches.h"
#include "engine/apps/sluice/cmds.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/apps/sluice/bench_readers.h"
#include "engine/apps/sluice/evaluate.h"

#define ROUNDS      9
#define BATCH_NS    2000000 /* a batch of this length is timed at once */
#define READERS_MAX 8
#define PAYLOAD_MAX ((size_t)1 << 20)

struct shape {
    const char *name, *sql;
    void (*payload)(struct buf *out);
};

static void payload_telemetry(struct buf *b)
{
    buf_puts(b, "{\"device\":\"press-0017\",\"seq\":184467,\"temperature\":81.5,\"humidity\":40.25,\"ok\":true,"
                "\"line\":\"north-3\","
                "\"ts\":1760000000000,\"rev\":\"a9f3\"}");
}

static void payload_shadow(struct buf *b)
{
    buf_puts(b, "{\"state\":{\"desired\":{\"mode\":\"auto\",\"setpoint\":21.5},\"reported\":{\"mode\":\"auto\","
                "\"temp\":31.75,\"rssi\":-61,\"fw\":"
                "\"2.14.7\",\"sensors\":{");
    for (int i = 0; i < 24; i++)
        buf_printf(b, "%s\"s%02d\":{\"v\":%d.%d,\"q\":\"good\"}", i ? "," : "", i, 20 + i, i);
    buf_puts(b, "}}},\"metadata\":{\"reported\":{\"temp\":{\"timestamp\":1760000000}}},\"version\":8121,\"timestamp\":"
                "1760000003}");
}

static void payload_events(struct buf *b)
{
    static const char *const names[] = { "temperature", "humidity", "pressure", "vibration" };
    buf_puts(b, "{\"gateway\":\"gw-7\",\"e\":[");
    for (int i = 0; i < 160; i++)
        buf_printf(b, "%s{\"n\":\"%s\",\"v\":%d.%02d,\"u\":\"Cel\",\"t\":%d}", i ? "," : "", names[i % 4], 20 + i % 60,
                   i % 100, 1760000000 + i);
    buf_puts(b, "]}");
}

static void payload_spaced(struct buf *b)
{
    buf_puts(b, "{\n  \"device\": \"press-0017\",\n  \"values\": { \"temperature\": 81.50, \"load\": 5.0, \"note\": "
                "\"caf\\u00e9 \\\"north\\\"\" },\n"
                "  \"tags\": [ \"a\", \"b\", \"c\" ],\n  \"counts\": [ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 ]\n}");
}

static const struct shape shapes[] = {
    { "filter", "SELECT temperature, clientid() AS c FROM 'a/#' WHERE temperature > 20", payload_telemetry },
    { "enrich", "SELECT *, topic(2) AS site, timestamp() AS at, upper(line) AS area FROM 'a/#'", payload_telemetry },
    { "nested",
      "SELECT state.reported.temp AS t, state.desired.setpoint - state.reported.temp AS error, version FROM 'a/#' "
      "WHERE state.reported.mode = 'auto' AND state.reported.rssi > -90",
      payload_shadow },
    { "array", "SELECT gateway, (SELECT v, t FROM e WHERE n = 'temperature' AND v > 70) AS hot FROM 'a/#'",
      payload_events },
    { "rewrite", "SELECT * FROM 'a/#' WHERE values.temperature * 9 / 5 + 32 > 100", payload_spaced },
};
#define SHAPE_COUNT (sizeof shapes / sizeof shapes[0])

struct contest {
    const struct shape *shape;
    struct evaluator ev;
    struct buf payload, out;
    struct message message;
    double ns[1 + READERS_MAX][ROUNDS]; /* per message; 0 is sluice */
    size_t readers;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Evaluate the payload count times; 0 on failure. */
static size_t evaluate_many(struct contest *c, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        struct err e = { 0 };
        bool is_json;
        buf_reset(&c->out);
        if (evaluator_run(&c->ev, "bench", &c->message, &c->out, &is_json, &e) != SQL_MATCHED)
            return 0;
        bytes += c->out.len;
    }
    return bytes;
}

static size_t work(struct contest *c, size_t contender, size_t count)
{
    if (contender == 0)
        return evaluate_many(c, count);
    return bench_readers[contender - 1].read(c->payload.p, c->payload.len, count);
}

/* Nanoseconds per message over about slice_ns, or a negative number on failure. */
static double time_contender(struct contest *c, size_t contender, double slice_ns)
{
    size_t done = 0, batch = 16;
    uint64_t start = now_ns(), spent = 0;
    while ((double)spent < slice_ns) {
        uint64_t before = now_ns();
        if (work(c, contender, batch) == 0)
            return -1;
        done += batch;
        if (now_ns() - before < BATCH_NS)
            batch *= 2;
        spent = now_ns() - start;
    }
    return (double)spent / (double)done;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static void print_person(struct contest *c)
{
    double ours = median(c->ns[0]);
    printf("%-8s %6zu %6zu %10.0f %8.0f", c->shape->name, c->payload.len, c->out.len, 1e9 / ours,
           (double)c->payload.len * 1e3 / ours);
    for (size_t r = 1; r <= c->readers; r++)
        printf(" %11.2f", median(c->ns[r]) / ours);
    putchar('\n');
}

static void print_json(struct contest *c)
{
    double ours = median(c->ns[0]);
    printf("{\"bench\":\"eval\",\"shape\":\"%s\",\"payload_bytes\":%zu,\"output_bytes\":%zu,\"ns_per_message\":%.1f,"
           "\"messages_per_s\":%.0f",
           c->shape->name, c->payload.len, c->out.len, ours, 1e9 / ours);
    for (size_t r = 1; r <= c->readers; r++) {
        double theirs = median(c->ns[r]);
        printf(",\"%s_ns\":%.1f,\"ratio_%s\":%.2f", bench_readers[r - 1].name, theirs, bench_readers[r - 1].name,
               theirs / ours);
    }
    printf(",\"rounds\":%d}\n", ROUNDS);
}

static int contest_open(struct contest *c, const struct shape *shape)
{
    struct errs errs = { 0 };
    *c = (struct contest) { .shape = shape };
    buf_init(&c->payload, PAYLOAD_MAX);
    buf_init(&c->out, PAYLOAD_MAX);
    shape->payload(&c->payload);
    buf_reserve(&c->payload, BENCH_PADDING);
    memset(c->payload.p + c->payload.len, 0, BENCH_PADDING);
    c->message = (struct message) { .topic = "a/7",
                                    .topic_len = 3,
                                    .payload = c->payload.p,
                                    .payload_len = c->payload.len,
                                    .over_mqtt = true,
                                    .payload_format = PAYLOAD_FORMAT_ABSENT,
                                    .client_id = "gateway-7",
                                    .arrival_ms = 1760000000000,
                                    .seed = 1 };
    while (c->readers < READERS_MAX && bench_readers[c->readers].name)
        c->readers++;
    int rc = evaluator_open(&c->ev, "<bench>", shape->sql, strlen(shape->sql), SQL_2016_03_23, &errs);
    print_errs(&errs);
    errs_clear(&errs);
    return rc;
}

static void contest_close(struct contest *c)
{
    evaluator_close(&c->ev);
    buf_clear(&c->payload);
    buf_clear(&c->out);
}

static int contest_run(struct contest *c, double seconds)
{
    for (int round = -1; round < ROUNDS; round++) /* round -1 warms up */
        for (size_t contender = 0; contender <= c->readers; contender++) {
            double ns = time_contender(c, contender, seconds * 1e9 / (ROUNDS + 1));
            if (ns < 0)
                return fail("bench", "shape \"%s\": %s failed", c->shape->name,
                            contender ? bench_readers[contender - 1].name : "the evaluation");
            if (round >= 0)
                c->ns[contender][round] = ns;
        }
    return EXIT_OK;
}

static void stay_on_one_core(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)sched_getcpu(), &set);
    (void)sched_setaffinity(0, sizeof set, &set); /* a matter of less noise only */
}

static void print_heading(void)
{
    printf("payload bytes to output bytes on one core; medians of %d interleaved rounds\n", ROUNDS);
    printf("%-8s %6s %6s %10s %8s", "shape", "in", "out", "messages/s", "MB/s");
    for (size_t r = 0; bench_readers[r].name; r++)
        printf(" %11s", bench_readers[r].name);
    printf("%s\n", bench_readers[0].name ? "   (their time to read the payload / our time for all)" : "");
}

int bench_eval(int argc, char **argv)
{
    const char *seconds_text = "1";
    bool json = false;
    int code;
    const struct cmd_option options[] = { { "json", 0, NULL, &json }, { "seconds", 0, &seconds_text, NULL } };
    if (!bench_options(options, 2, argc, argv, &code))
        return code;
    char *end;
    double seconds = strtod(seconds_text, &end);
    if (*end || !(seconds > 0 && seconds <= 3600)) {
        cmd_print_help(cmd_find("bench"), stderr);
        return EXIT_USAGE;
    }
    stay_on_one_core();
    if (!json)
        print_heading();
    code = EXIT_OK;
    for (size_t i = 0; i < SHAPE_COUNT && code == EXIT_OK; i++) {
        struct contest *c = malloc(sizeof *c);
        if (!c)
            return fail("bench", "out of memory");
        code = contest_open(c, &shapes[i]) == 0 ? contest_run(c, seconds) : EXIT_FAILED;
        if (code == EXIT_OK) {
            if (json)
                print_json(c);
            else
                print_person(c);
        }
        contest_close(c);
        free(c);
    }
    return code;
}
