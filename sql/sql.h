/* SPDX-License-Identifier: Apache-2.0 */
/* The rule language, from outside: compile a statement and its substitution templates, evaluate them on messages.
 *
 *     struct sql_paths *paths = sql_paths_new();
 *     struct sql_rule *rule = sql_rule_compile(src, SQL_2016_03_23, paths, &errs);
 *     int topic = sql_rule_add_template(rule, topic_src, &errs);
 *     struct sql_machine *m = sql_machine_new(&limits);
 *     sql_machine_begin(m, paths, message);
 *     if (sql_machine_run(m, rule, &env, &e) == SQL_MATCHED) { sql_machine_output(m, &out, …); sql_machine_render(m, topic, …); }
 *
 * A rule and its paths are immutable once compiled and may be shared by threads; a machine belongs to one thread. Nothing here
 * does input or output or reads a clock. After warm-up an evaluation takes nothing from the heap. */
#ifndef SLUICE_SQL_SQL_H
#define SLUICE_SQL_SQL_H

#include "engine/base/buf.h"
#include "engine/base/err.h"
#include "engine/base/src.h"
#include "sluice/lookup.h"
#include "sluice/message.h"
#include "sql/paths.h"
#include "sql/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql_rule;
struct sql_machine;

#define SQL_MAX_BYTES (128 * 1024) /* of a statement or template */

/* Compile a statement. All independent errors (and warnings) go to errs with spans into src; the rule keeps a reference to src and
 * paths. Returns owned, or NULL if there was any error. Thread: any, one at a time per `paths`. */
struct sql_rule *sql_rule_compile(struct src *src, enum sql_version version, struct sql_paths *paths,
                                  struct errs *errs) MUST_CHECK;
void sql_rule_free(struct sql_rule *rule);

/* Compile a substitution template ("alarm/${topic(2)}") in the rule's context: it sees the original payload and the rule's SET
 * variables. Text without `${` is a legal template. Returns its index (from 0), or -1 after adding to errs. */
int sql_rule_add_template(struct sql_rule *rule, struct src *src, struct errs *errs) MUST_CHECK;
/* True if the template holds no `${…}`. */
bool sql_rule_template_is_constant(const struct sql_rule *rule, int index);

/* The FROM clause's topic filter, or NULL if there is none. Valid as long as the rule. */
const char *sql_rule_filter(const struct sql_rule *rule, size_t *len);
struct span sql_rule_filter_span(const struct sql_rule *rule);
enum sql_version sql_rule_version(const struct sql_rule *rule);
/* False if no evaluation of the statement or its templates needs the payload decoded. */
bool sql_rule_reads_payload(const struct sql_rule *rule);

/* True if the output is `*` (at that span) and nothing in the statement needs the payload to be JSON: then the output of a
 * payload that is not JSON is its bytes. */
bool sql_rule_passes_bytes(const struct sql_rule *rule, struct span *star);

/* Append what the compiler made: tree, slots, constants, listing (`sluice explain`). */
void sql_rule_explain(const struct sql_rule *rule, struct buf *out);

struct sql_limits {
    size_t arena_bytes;  /* per message; default SQL_DEFAULT_ARENA when 0 */
    uint64_t steps;      /* VM instructions per evaluation (work on large values counts as several); a payload beyond
                            SQL_USUAL_PAYLOAD gets more in proportion; default SQL_DEFAULT_STEPS when 0 */
    size_t output_bytes; /* of one output or rendered template; default SQL_DEFAULT_OUTPUT when 0 */
};
#define SQL_DEFAULT_ARENA  ((size_t)64 << 20)
#define SQL_DEFAULT_STEPS  4000000u            /* some 40 ms */
#define SQL_USUAL_PAYLOAD  ((size_t)128 << 10) /* the most that AWS IoT Core takes */
#define SQL_DEFAULT_OUTPUT ((size_t)64 << 20)

struct sql_machine *
sql_machine_new(const struct sql_limits *limits) MUST_CHECK; /* NULL limits: defaults; NULL: memory */
void sql_machine_free(struct sql_machine *m);

/* Start on a message (borrowed until the next begin or free). Forgets everything of the former one. `paths` is the ruleset's.
 * Returns -1 only when memory is short. The payload is decoded at the first need, at most once. */
int sql_machine_begin(struct sql_machine *m, struct sql_paths *paths, const struct message *message,
                      struct err *e) MUST_CHECK;

/* What functions answer that is not in the message. Borrowed during the call. */
struct sql_env {
    const char *rule_name;             /* for Basic Ingest: topic() drops $aws/rules/<rule>/ */
    const char *account_id;            /* accountid(); NULL: "000000000000" */
    const struct sql_lookups *lookups; /* NULL: functions that ask the outside world fail */
};

/* Who knows the answers to what functions ask. A question without an answer ends the evaluation; when the answer is
 * there the rule is run again from the start (and its templates are rendered again). The second time it asks the same
 * questions in the same order, since whatever is random is drawn from the message. */
struct sql_lookups {
    /* `site` tells the calls of one evaluation apart. *text: see struct lookup; to be kept until the machine's next run
     * or begin. LOOKUP_PENDING: no answer yet. */
    enum lookup_outcome (*find)(void *ctx, uint64_t site, const struct lookup_question *question, const char **text,
                                size_t *len);
    void *ctx;
};

enum sql_outcome {
    SQL_MATCHED,  /* the WHERE clause is satisfied (or absent): the output is ready */
    SQL_FILTERED, /* WHERE not satisfied: no action runs */
    SQL_FAILED,   /* the evaluation was aborted (a limit, a failed look-up): no action runs, e says why */
    SQL_WAITS,    /* a look-up has no answer yet: to be run again */
};

/* Evaluate the rule's statement. Does not compare the topic with FROM: the router did. */
enum sql_outcome sql_machine_run(struct sql_machine *m, const struct sql_rule *rule, const struct sql_env *env,
                                 struct err *e) MUST_CHECK;

/* The same run, told: append to out, clause by clause, each value that was computed and why one is Undefined. What the run
 * leaves in the machine is valid only for sql_machine_parse_failed. Slow, and takes memory from the heap. */
enum sql_outcome sql_rule_trace(const struct sql_rule *rule, struct sql_machine *m, const struct sql_env *env,
                                struct buf *out, struct err *e) MUST_CHECK;

/* Append the output of the last run that matched. *is_json: false when it is the raw bytes of a payload that is not JSON.
 * -1: ERR_LIMIT. */
int sql_machine_output(struct sql_machine *m, struct buf *out, bool *is_json, struct err *e) MUST_CHECK;

/* Render a template after a run of the same rule on the same message. *is_null: the template is a single `${…}` whose value is
 * Undefined or Null (its text is empty). -1: aborted: sql_machine_waits, or e says why. */
int sql_machine_render(struct sql_machine *m, const struct sql_rule *rule, int index, const struct sql_env *env,
                       struct buf *out, bool *is_null, struct err *e) MUST_CHECK;

/* True if the last run or template was ended by a look-up that has no answer yet. */
bool sql_machine_waits(const struct sql_machine *m);
/* Tell each call of the statement and its templates that asks the outside world: function of lookup.h, and where. */
typedef void sql_question_taker(void *ctx, const char *function, struct span at);
void sql_rule_questions(const struct sql_rule *rule, sql_question_taker *take, void *ctx);

/* True if the last run, or a template since, needed the payload as JSON and it is not, or is nested too deeply or too large to
 * decode; e (may be NULL) gets offset and reason. An empty payload and a bare scalar are no failure. */
bool sql_machine_parse_failed(const struct sql_machine *m, struct err *e);

#endif
