/* SPDX-License-Identifier: Apache-2.0 */
/* The table of action types: one row each, sorted by name. */
#include "actions/actions_int.h"

#include <stddef.h>

const struct action_type *const action_types[] = {
    &act_file, &act_http, &act_kafka, &act_lambda, &act_postgres, &act_republish, &act_stdout, NULL,
};
