/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of opcodes.def, for those that treat instructions in general: jump patching, listings. */
#include "sql/program.h"

static const struct sql_op_row rows[] = {
#define OP(name, operands, effect) { #name, operands, effect },
#include "sql/opcodes.def"
#undef OP
};
_Static_assert(sizeof(rows) / sizeof(rows[0]) == OP_COUNT, "every opcode has a row");

const struct sql_op_row *sql_op_row(enum sql_op op)
{
    return &rows[op];
}
