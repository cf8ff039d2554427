/* SPDX-License-Identifier: Apache-2.0 */
/* Test cases: a rule, a message and what must come out, as data (docs/testing-rules.md).
 *
 * A case is a JSON object. It comes from a line of a `.jsonl` file, from the `tests:` of a rule file (where statement, version and rule name
 * come from the rule, and names may be in camelCase), or from a file in the form of AWS's validation tool for rules
 * ({"topic","inputPayload","inputSql","expectedOutput","sqlVersion"}). */
#ifndef SLUICE_APP_CASE_FILE_H
#define SLUICE_APP_CASE_FILE_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "sluice/message.h"
#include "sql/version.h"

enum case_expect {
    EXPECT_NOTHING, /* only a template is compared */
    EXPECT_VALUE,   /* JSON equal to `doc` node `value`; if text is set, also exactly that text */
    EXPECT_TEXT,    /* exactly the bytes of `text` */
    EXPECT_PATTERN, /* `doc` node `value`: member name -> regular expression */
    EXPECT_NO_MATCH,
    EXPECT_PARSE_ERROR,
    EXPECT_EVAL_ERROR,
};

struct test_case {
    const char *id, *section, *why; /* NUL-terminated; section and why may be NULL */
    const char *sql;
    size_t sql_len;
    enum sql_version version;
    const char *rule;
    uint32_t mock;          /* `doc` node of what the outside world answers; 0: nothing */
    struct message message; /* with topic, payload, properties, publisher; arrival_ms is `now` or 0 */
    enum case_expect expect;
    const struct json_doc *doc;
    uint32_t value;
    const char *text; /* NULL: none */
    size_t text_len;
    double tolerance;
    const char *template_text; /* NULL: none */
    size_t template_len;
    const char *template_expected; /* NULL: the template must be refused, or fail */
    size_t template_expected_len;
};

/* What a rule file's test inherits from its rule; all NULL for case files. */
struct case_defaults {
    const char *sql;
    size_t sql_len;
    enum sql_version version;
    const char *rule;
};

/* Read one case from node 0 of doc. Everything lives in the arena or is borrowed from doc. Unknown members, wrong types and a wrong number of
 * expectations are errors. `line` names a case without id. */
int case_read(struct test_case *c, const struct json_doc *doc, const struct case_defaults *defaults, unsigned line,
              struct arena *a, struct err *e) MUST_CHECK;

/* Is there a member of that name, in snake_case or camelCase? -1 with the nearest one as hint. */
int case_check_member(const char *name, size_t len, struct err *e) MUST_CHECK;

#endif
