/* SPDX-License-Identifier: Apache-2.0 */
/* Fails allocation number 1, 2, 3 … of a flow's life until the work succeeds: each failure is reported or survived, every
 * token that was taken comes back, the counters add up, and the sanitizers watch for leaks and wrong accesses. The
 * modules are compiled into this file so that their allocations can be counted; what the folders below allocate is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "flow_fixture.h"

static atomic_size_t allocations;
static size_t failing; /* number of the allocation that fails; 0: none */

static bool allocation_fails(void)
{
    return atomic_fetch_add(&allocations, 1) + 1 == failing;
}

static void *failing_malloc(size_t n)
{
    return allocation_fails() ? NULL : malloc(n);
}

static void *failing_calloc(size_t count, size_t n)
{
    return allocation_fails() ? NULL : calloc(count, n);
}

static void *failing_realloc(void *p, size_t n)
{
    return allocation_fails() ? NULL : realloc(p, n);
}

static void *failing_aligned_alloc(size_t alignment, size_t n)
{
    return allocation_fails() ? NULL : aligned_alloc(alignment, n);
}

static char *failing_strdup(const char *s)
{
    return allocation_fails() ? NULL : strdup(s);
}

#define malloc        failing_malloc
#define calloc        failing_calloc
#define realloc       failing_realloc
#define aligned_alloc failing_aligned_alloc
#undef strdup
#define strdup failing_strdup

/* Static names that several modules use get the module's name. */
#include "engine/flow/dead_letter.c"
#include "engine/flow/flow.c"
#undef SAY_AGAIN_MIN_MS
#undef SAY_AGAIN_MAX_MS
#include "engine/flow/intake.c"
#include "engine/flow/msg.c"
#undef SAY_AGAIN_MIN_MS
#undef SAY_AGAIN_MAX_MS
#define states outbox_states
#define gather outbox_gather
#include "engine/flow/outbox.c"
#include "engine/flow/pressure.c"
#undef states
#undef gather
#include "engine/flow/park.c"
#include "engine/flow/run.c"
#define put_text stats_put_text
#include "engine/flow/stats.c"
#undef put_text
#undef SAY_AGAIN_MIN_MS
#undef SAY_AGAIN_MAX_MS
#define gather worker_gather
#include "engine/flow/worker.c"
#undef gather
#include "engine/flow/worker_fail.c"

static const char rules[] = "- ruleName: r\n"
                            "  sql: SELECT * FROM 'a/#'\n"
                            "  actions: [ { live: { to: \"${topic()}\" } }, { dead: { to: y } } ]\n"
                            "  errorAction: { slow: { to: z } }\n"
                            "- ruleName: s\n"
                            "  sql: SELECT * FROM 'a/+'\n"
                            "  actions: [ { live: { to: \"${topic()}\" } } ]\n";

static const char other_rules[] = "- ruleName: r\n"
                                  "  sql: SELECT * FROM 'a/b'\n"
                                  "  actions: [ { live: { to: \"${topic()}\" } } ]\n"
                                  "- ruleName: new\n"
                                  "  sql: SELECT * FROM 'a/#'\n"
                                  "  actions: [ { dead: { to: y } } ]\n";

static struct ruleset *compile_rules(struct fixture *x, const char *yaml)
{
    size_t keep = failing;
    failing = 0; /* rulesets are test_rules_memory's */
    struct ruleset *rs = fixture_compile(x, yaml);
    failing = keep;
    return rs;
}

static void send_and_settle(struct fixture *x)
{
    struct stats_snapshot s;
    for (int i = 0; i < 4; i++) {
        fixture_send(x, "a/b", "{\"good\":1}");
        fixture_send(x, "a/b", "{\"bad\":1}");
        fixture_send(x, "c", "{}");
    }
    fixture_settle_all(x);
    fixture_assert_settled_once(x);
    if (flow_read(x->flow, &s, NULL) == 0) {
        assert_true(fixture_adds_up(&s));
        assert_int_equal(s.sources[0].in_flight, 0);
        stats_snapshot_clear(&s);
    }
}

/* Whether that works or not, the flow has one of the two rulesets and goes on with it. */
static void replace_rules(struct fixture *x, struct ruleset *other)
{
    struct err e = { 0 };
    assert_ptr_equal(flow_ruleset(x->flow), x->rules);
    if (flow_set_ruleset(x->flow, other, &e) < 0) {
        assert_int_equal(e.code, ERR_MEMORY);
        assert_ptr_equal(flow_ruleset(x->flow), x->rules);
    } else {
        assert_ptr_equal(flow_ruleset(x->flow), other);
    }
    send_and_settle(x);
}

/* One life with one failing allocation. */
static void live_once(struct fixture *x)
{
    struct errs errs = { 0 };
    struct err e = { 0 };
    struct flow_options options = fixture_options(x);
    struct flow_source source = { &fixture_source_type, &x->source, "fixture", ORDERING_TOPIC };
    x->rules = compile_rules(x, rules);
    struct ruleset *other = compile_rules(x, other_rules);
    x->flow = flow_new(&options, &x->targets, &source, 1, &errs);
    if (!x->flow) {
        assert_int_equal(errs.errors, 1);
        assert_int_equal(x->source.closes, 0);
    } else if (flow_start(x->flow, x->rules, &e) < 0) {
        assert_int_equal(e.code, ERR_MEMORY);
        assert_int_equal(x->source.closes, 1);
    } else {
        script_say(&dead, "bad", SCRIPT_REJECT, SCRIPT_FOREVER, 0);
        script_say(&slow, NULL, SCRIPT_REJECT, 2, 0);
        send_and_settle(x);
        replace_rules(x, other);
    }
    ruleset_unref(other);
    errs_clear(&errs);
}

static void test_every_allocation(void **state)
{
    (void)state;
    log_setup(2, LOG_LEVEL_DISABLED, LOG_FORM_PERSON);
    for (failing = 1;; failing++) {
        void *x;
        atomic_store(&allocations, 0);
        fixture_setup(&x);
        live_once(x);
        size_t done = atomic_load(&allocations);
        fixture_teardown(&x);
        if (done < failing)
            break;
    }
    assert_true(failing > 50); /* it went through the whole of it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
