/* SPDX-License-Identifier: Apache-2.0 */
/* The rules' counters as a table. */
#include "engine/apps/sluice/status_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"
#define CURSOR_UP  "\033[%uA"

void status_table_init(struct status_table *t)
{
    *t = (struct status_table) { .terminal = isatty(STDOUT_FILENO) == 1 };
}

static void end_line(struct status_table *t)
{
    printf("%s\n", t->terminal ? CLEAR_LINE : "");
    t->lines++;
}

static void print_rule(struct status_table *t, const struct stats_rule *r)
{
    uint64_t failed = r->state[RUN_FAILED] + r->state[RUN_DEAD] + r->state[RUN_DROPPED];
    printf("%-20s %9" PRIu64 " %9" PRIu64 " %10" PRIu64 " %9" PRIu64 " %10" PRIu64, r->name, r->matched,
           r->state[RUN_FILTERED], r->state[RUN_DELIVERED], failed, r->state[RUN_IN_FLIGHT]);
    end_line(t);
}

/* A target that does not take what it should: worth a line. */
static void print_target(struct status_table *t, const struct stats_target *target)
{
    if (target->waiting == 0 || target->reason[0] == '\0')
        return;
    printf("%s %s is %s, %" PRIu64 " waiting: %.60s", target->type, target->name, target->state, target->waiting,
           target->reason);
    end_line(t);
}

void status_table_print(struct status_table *t, const struct stats_snapshot *s)
{
    if (t->terminal && t->lines)
        printf(CURSOR_UP, t->lines);
    t->lines = 0;
    printf("%-20s %9s %9s %10s %9s %10s", "rule", "matched", "filtered", "delivered", "failed", "in flight");
    end_line(t);
    for (size_t i = 0; i < s->rule_count; i++)
        print_rule(t, &s->rules[i]);
    for (size_t i = 0; i < s->target_count; i++)
        print_target(t, &s->targets[i]);
    if (t->terminal)
        fputs(CLEAR_REST, stdout);
    fflush(stdout);
}
