/* SPDX-License-Identifier: Apache-2.0 */
/* Emitter: resolved tree to bytecode. */
#ifndef SLUICE_SQL_EMIT_H
#define SLUICE_SQL_EMIT_H

#include "engine/base/arena.h"
#include "engine/base/err.h"
#include "sql/ast.h"
#include "sql/rule_int.h"
#include "sql/template.h"

/* Emit the main code of a statement without errors into rule->program; sets set_count, needs_json and reads_payload.
 * `scratch` is for what only the emitter needs. -1: a limit or memory, added to errs. O(tree). */
int emit_statement(struct sql_rule *rule, const struct ast_statement *statement, struct arena *scratch,
                   struct errs *errs) MUST_CHECK;

/* Emit a template's code; at least one piece. On -1 the program is as before. */
int emit_template(struct sql_rule *rule, const struct template_piece *pieces, struct sql_code *code,
                  struct arena *scratch, struct errs *errs) MUST_CHECK;

#endif
