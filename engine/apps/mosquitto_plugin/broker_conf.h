/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker's own configuration says that a plugin cannot ask for: mosquitto.conf and the files that it includes.
 *
 * Read once, at start. The name of the file comes from the broker's command line (/proc/self/cmdline: -c FILE). */
#ifndef SLUICE_PLUGIN_BROKER_CONF_H
#define SLUICE_PLUGIN_BROKER_CONF_H

#include "engine/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct broker_conf {
    bool allows_anonymous; /* allow_anonymous, or its default: true only without any listener */
    bool has_password_file, has_acl_file;
    size_t plugins; /* of plugin, auth_plugin and global_plugin lines, this one among them */
};

/* Read the file and what it includes. Settings under which the plugin cannot do what it promises are errors, each with its place and
 * what to do: use_identity_as_username, use_subject_as_username (they skip the authentication callback), per_listener_settings (no ticks).
 * Returns -1 if there is any, or a file cannot be read. */
int broker_conf_read(struct broker_conf *c, const char *path, struct errs *errs) MUST_CHECK;

/* The file that a command line names by -c: arguments end in NUL each, as /proc/self/cmdline has them. Borrowed; NULL: none. */
const char *broker_conf_path(const char *arguments, size_t len);
/* The same of this process. Returns owned, or NULL after setting e. */
char *broker_conf_own_path(struct err *e) MUST_CHECK;

#endif
