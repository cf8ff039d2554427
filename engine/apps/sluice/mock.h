/* SPDX-License-Identifier: Apache-2.0 */
/* Mock: a JSON object that says what the outside world answers, so that rules can be tried without it (`mock` of test
 * cases, `sluice eval --mock`). What it does not list fails, as an unreachable service would.
 *
 *     {"shadows": {THING: {SHADOW or "": DOCUMENT}},
 *      "registry": {"DescribeThing": {THING: RESPONSE}, "ListThingGroupsForThing": {THING: RESPONSE}},
 *      "dynamodb": {TABLE: [ITEM, …]},
 *      "secrets": {ID: {"SecretString": TEXT} or {"SecretBinary_base64": TEXT}},
 *      "lambda": {ARN: {"returns": JSON} or {"fails": TEXT}, each with "delay_ms": N},
 *      "machinelearning": {MODEL: RESPONSE},
 *      "files": {"BUCKET/KEY": BASE64}} */
#ifndef SLUICE_APP_MOCK_H
#define SLUICE_APP_MOCK_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "engine/base/json.h"
#include "sql/sql.h"

/* Zero-initialised, with mock_init, is a world that answers nothing. */
struct mock {
    const struct json_doc *doc;
    uint32_t node;              /* the object in it */
    struct arena arena;         /* of the answers */
    struct sql_lookups lookups; /* for struct sql_env */
};

void mock_init(struct mock *m);
void mock_clear(struct mock *m);

/* Take a node of a document, borrowed for as long as the mock. -1: it has not the form above. */
int mock_set(struct mock *m, const struct json_doc *doc, uint32_t node, struct err *e) MUST_CHECK;
/* Only check the form. */
int mock_check(const struct json_doc *doc, uint32_t node, struct err *e) MUST_CHECK;
/* Forget the answers that were given: nobody holds them any more. */
void mock_forget(struct mock *m);

#endif
