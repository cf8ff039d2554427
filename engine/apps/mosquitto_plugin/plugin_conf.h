/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's options, as the broker hands them over: one `plugin_opt_NAME VALUE` line each. */
#ifndef SLUICE_PLUGIN_CONF_H
#define SLUICE_PLUGIN_CONF_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct plugin_option {
    const char *name, *value; /* without "plugin_opt_"; value may be NULL */
};

enum plugin_mode { PLUGIN_ENFORCE, PLUGIN_AUDIT };
enum plugin_others { OTHERS_AUTO, OTHERS_DECIDE, OTHERS_ABSENT };

struct plugin_conf {
    int identity, lifecycle; /* Booleans */
    int mode;                /* enum plugin_mode */
    int others;              /* enum plugin_others: does something else in the broker decide after us? */
    char *key_file;          /* of identity */
    char **policies;         /* files and folders; none: no policies */
    size_t policy_count;
    char *region, *account_id; /* of the ARNs that policies name */
};

/* Read options into a zeroed conf. Adds what is wrong to errs and returns -1; plugin_conf_clear in either case. */
int plugin_conf_read(struct plugin_conf *c, const struct plugin_option *options, size_t count,
                     struct errs *errs) MUST_CHECK;
void plugin_conf_clear(struct plugin_conf *c);

#endif
