/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions that can be asked. */
#include <string.h>

#include "lookups/lookups_int.h"

const struct teller *const tellers[] = {
    &teller_lambda, &teller_descriptor, &teller_dynamodb,   &teller_registry,
    &teller_secret, &teller_shadow,     &teller_prediction,
};
const size_t teller_count = sizeof(tellers) / sizeof(tellers[0]);

const struct teller *teller_find(const char *function)
{
    for (size_t i = 0; i < teller_count; i++) {
        if (strcmp(tellers[i]->function, function) == 0)
            return tellers[i];
    }
    return NULL;
}
