/* SPDX-License-Identifier: Apache-2.0 */
/* Drives one action type from a script: one JSON command a line on standard input, one JSON answer a line on standard
 * output (descriptor 3 if that is open, for actions that write to standard output).
 *
 *     {"open": "postgres", "target": YAML or null, "stop": number}
 *                                                    {"warnings": text} or {"errors": text}; stop: the descriptor that ends a
 *                                                    send when it becomes readable, absent: none
 *     {"action": YAML}                               {"action": number, "warnings": text} or {"errors": text}
 *     {"send": [{"action": number, "body": text, "json": bool, "key": number, "vars": {name: text}},
 *               …]}
 *                                                    {"rc": 0, "error": text, "ms": time, "results": [[result, reason], …],
 *                                                     "waits": [milliseconds, …]}
 *     {"reopen": true}                               {}: the lane was closed and opened
 *     {"advance": milliseconds}                      {}: the action's clock goes forward
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "tests/contract/rig.h"

#define ACTIONS_MAX 16
#define VARS_MAX    32

static struct rig_target target;
static struct rig_action actions[ACTIONS_MAX];
static size_t action_count;
static void *lane;
static int stop_fd = -1;

static struct arena arena;
static struct buf answer;

/* --- the system's clock, and what was added to it --- */

static uint64_t advanced_ms;

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return clock_now_ms(&clock_system) + (int64_t)advanced_ms;
}

static uint64_t monotonic_ms(void *ctx)
{
    (void)ctx;
    return clock_monotonic_ms(&clock_system) + advanced_ms;
}

static const struct clock driver_clock = { .now_ms = now_ms, .monotonic_ms = monotonic_ms };

/* --- commands --- */

static void die(const char *what)
{
    fprintf(stderr, "action_driver: %s\n", what);
    exit(2);
}

/* The text of a member; NULL if it is absent or null. */
static const char *text_member(const struct json_doc *d, uint32_t at, const char *name, size_t *len)
{
    uint32_t i = json_member(d, at, name, strlen(name));
    return i && json_at(d, i)->kind == JSON_STRING ? json_text(d, i, &arena, len) : NULL;
}

/* A member with what was found; without errors these are warnings. */
static void put_errs(const char *name, struct errs *errs)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_puts(&text, "");
    errs_print(errs, &text);
    buf_printf(&answer, "\"%s\":", name);
    json_write_string(&answer, text.p, text.len);
    buf_putc(&answer, '}');
    buf_clear(&text);
    errs_clear(errs);
}

static void answer_errors(struct errs *errs)
{
    buf_putc(&answer, '{');
    put_errs("errors", errs);
}

static void open_lane(void)
{
    struct err e = { 0 };
    lane = target.type->lane_open(target.target, &e);
    if (!lane)
        die(e.text);
    if (target.type->lane_stop_fd && stop_fd >= 0)
        target.type->lane_stop_fd(lane, stop_fd);
}

static void do_open(const struct json_doc *d)
{
    size_t len;
    struct errs errs = { 0 };
    const char *name = text_member(d, 0, "open", &len);
    const struct action_type *const *type = action_types;
    while (*type && (strlen((*type)->name) != len || memcmp((*type)->name, name, len) != 0))
        type++;
    if (!*type)
        die("unknown action type");
    uint32_t stop = json_member(d, 0, "stop", 4);
    stop_fd = stop ? (int)strtol(d->text + json_at(d, stop)->off, NULL, 10) : -1;
    const char *text = text_member(d, 0, "target", &len);
    char *yaml = text ? strndup(text, len) : NULL;
    if (rig_target_open(&target, *type, yaml, &driver_clock, &errs)) {
        open_lane();
        buf_putc(&answer, '{');
        put_errs("warnings", &errs);
    } else {
        answer_errors(&errs);
    }
    free(yaml);
}

static void do_action(const struct json_doc *d)
{
    size_t len;
    struct errs errs = { 0 };
    const char *text = text_member(d, 0, "action", &len);
    if (!text || action_count == ACTIONS_MAX)
        die("no action, or too many");
    char *yaml = strndup(text, len);
    if (rig_action_open(&actions[action_count], &target, yaml, &errs)) {
        buf_printf(&answer, "{\"action\":%zu,", action_count++);
        put_errs("warnings", &errs);
    } else {
        answer_errors(&errs);
    }
    free(yaml);
}

static struct rig_item *make_item(const struct json_doc *d, uint32_t at)
{
    struct rig_var vars[VARS_MAX + 1] = { 0 };
    size_t count = 0, len, body_len;
    uint32_t which = json_member(d, at, "action", 6), map = json_member(d, at, "vars", 4),
             json = json_member(d, at, "json", 4);
    for (uint32_t k = map ? json_first(d, map) : 0; map && k != json_end(d, map) && count < VARS_MAX;
         k = json_next(d, map, k)) {
        const char *name = json_text(d, k, &arena, &len);
        vars[count].name = arena_strndup(&arena, name, len);
        const char *value = json_text(d, k + 1, &arena, &len);
        vars[count++].value = arena_strndup(&arena, value, len);
    }
    const char *body = text_member(d, at, "body", &body_len);
    if (!body)
        die("an item without body");
    size_t index = which ? (size_t)(d->text[json_at(d, which)->off] - '0') : 0;
    uint32_t key = json_member(d, at, "key", 3);
    struct rig_item *it =
        rig_item_new(&actions[index], body, body_len, !json || json_at(d, json)->kind == JSON_TRUE, vars);
    it->item.key = key ? strtoull(d->text + json_at(d, key)->off, NULL, 10) : 0;
    return it;
}

static void put_result(const struct act_item *item)
{
    static const char *const names[] = { "pending", "done", "later", "rejected" };
    buf_printf(&answer, "%s[\"%s\",", answer.p[answer.len - 1] == '[' ? "" : ",", names[item->result]);
    json_write_string(&answer, item->reason, strlen(item->reason));
    buf_putc(&answer, ']');
}

/* As the flow does it: what has no result is later, and the lane is made anew. */
static void break_lane(struct act_item *const *items, size_t count, const struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i]->result != ACT_PENDING)
            continue;
        items[i]->result = ACT_LATER;
        snprintf(items[i]->reason, sizeof(items[i]->reason), "%s%.230s", e->code == ERR_REFUSED ? "refused: " : "",
                 e->text);
    }
    target.type->lane_close(lane);
    open_lane();
}

static void do_send(const struct json_doc *d, uint32_t list)
{
    struct err e = { 0 };
    size_t count = json_at(d, list)->count, i = 0;
    struct act_item **items = calloc(count + 1, sizeof(struct act_item *));
    for (uint32_t k = json_first(d, list); k != json_end(d, list); k = json_next(d, list, k))
        items[i++] = &make_item(d, k)->item;
    uint64_t start = clock_monotonic_ms(&clock_system);
    int rc = target.type->send(lane, items, count, &e);
    if (rc < 0)
        break_lane(items, count, &e);
    buf_printf(&answer, "{\"rc\":%d,\"ms\":%llu,\"error\":", rc,
               (unsigned long long)(clock_monotonic_ms(&clock_system) - start));
    json_write_string(&answer, e.text, strlen(e.text));
    buf_puts(&answer, ",\"results\":[");
    for (i = 0; i < count; i++)
        put_result(items[i]);
    buf_puts(&answer, "],\"waits\":[");
    for (i = 0; i < count; i++) {
        buf_printf(&answer, "%s%u", i ? "," : "", items[i]->wait_ms);
        rig_item_free((struct rig_item *)items[i]);
    }
    buf_puts(&answer, "]}");
    free(items);
}

static void do_command(const char *line, size_t len)
{
    struct err e = { 0 };
    arena_reset(&arena);
    buf_reset(&answer);
    const struct json_doc *d = json_parse(&arena, line, len, NULL, &e);
    if (!d)
        die(e.text);
    uint32_t list = json_member(d, 0, "send", 4), advance = json_member(d, 0, "advance", 7);
    if (json_member(d, 0, "open", 4)) {
        do_open(d);
    } else if (json_member(d, 0, "action", 6)) {
        do_action(d);
    } else if (list) {
        do_send(d, list);
    } else if (advance) {
        advanced_ms += strtoull(d->text + json_at(d, advance)->off, NULL, 10);
        buf_puts(&answer, "{}");
    } else {
        target.type->lane_close(lane);
        open_lane();
        buf_puts(&answer, "{}");
    }
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    FILE *out = fdopen(3, "w");
    arena_init(&arena, (size_t)1 << 30);
    buf_init(&answer, (size_t)1 << 30);
    while ((len = getline(&line, &room, stdin)) > 0) {
        do_command(line, (size_t)len);
        fprintf(out ? out : stdout, "%s\n", answer.p);
        fflush(out ? out : stdout);
    }
    if (lane)
        target.type->lane_close(lane);
    for (size_t i = 0; i < action_count; i++)
        rig_action_close(&actions[i]);
    if (target.target)
        rig_target_close(&target);
    free(line);
    arena_clear(&arena);
    buf_clear(&answer);
    return 0;
}
