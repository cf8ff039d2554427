/* SPDX-License-Identifier: Apache-2.0 */
/* Running of one test case: compile, evaluate, compare. */
#ifndef SLUICE_APP_CASE_RUN_H
#define SLUICE_APP_CASE_RUN_H

#include "engine/apps/sluice/case_file.h"
#include "engine/base/buf.h"

/* True if the case holds. If not, `report` gets the reason: lines indented by two, with expected and actual under one another and a caret
 * below the first difference. */
bool case_run(const struct test_case *c, struct buf *report);

#endif
