/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of include/sluice/action.h as a suite that every action type must pass against its real target.
 *
 * Items have the body `{"n":1}`, `{"n":2}`, … and the variable `v`; what arrived is read back as these numbers. */
#ifndef SLUICE_TESTS_CONTRACT_CONTRACT_H
#define SLUICE_TESTS_CONTRACT_CONTRACT_H

#include "sluice/action.h"

#include <stddef.h>

struct contract {
    const struct action_type *type;
    const char *target;             /* YAML of a target that works; NULL: none */
    const char *const *bad_targets; /* YAML that is refused; NULL-terminated, or NULL */
    const char *action;             /* YAML of an action that works */
    const char *other_action;       /* another one with the same destination, as another rule would have */
    const char *const *bad_actions;
    const char *resource; /* what `resource` gives for a good item */
    const char *good_v;
    const char *bad_v;    /* an item with this value of `v`, */
    const char *bad_body; /* or with this body, is rejected; both NULL: none ever is */

    void (*begin)(void); /* make the destination empty */
    void (*end)(void);
    /* Numbers that arrived since begin, in the destination's order; returns how many. */
    size_t (*read_back)(int *numbers, size_t max);
};

/* Run the suite; the number of failed tests. */
int contract_run(const struct contract *c);

#endif
