/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of this folder's action types. Only registry.c and tests name them; everybody else uses
 * action_types. */
#ifndef SLUICE_ACTIONS_INT_H
#define SLUICE_ACTIONS_INT_H

#include "sluice/action.h"

extern const struct action_type act_file;
extern const struct action_type act_http;
extern const struct action_type act_kafka;
extern const struct action_type act_lambda;
extern const struct action_type act_postgres;
extern const struct action_type act_republish;
extern const struct action_type act_stdout;

#endif
