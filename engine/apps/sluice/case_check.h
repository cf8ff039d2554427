/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice check`: are the tests in rule files written right? They are not run. */
#ifndef SLUICE_APP_CASE_CHECK_H
#define SLUICE_APP_CASE_CHECK_H

#include "engine/flow/rule_file.h"

/* Every mistake in the form of the rule's tests goes to errs, at its place. */
void case_check(const struct rule_def *def, struct errs *errs);

#endif
